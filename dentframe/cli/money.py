"""The commands of money split a utility's bill, price a meter and verify a record."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dentframe.cli.options import (
    FILE,
    archive_option,
    bounds,
    check_site,
    listed,
    load_site,
    registers,
    site_options,
    span,
    span_options,
)
from dentframe.cli.output import format_option, say
from dentframe.errors import ConfigError, DentWarning, RangeError
from dentframe.money.saving import row_dicts

if TYPE_CHECKING:
    from dentframe.money.split import Run
    from dentframe.money.statement import Statement
    from dentframe.money.tariff import Tariff
    from dentframe.site.site import Site


_ANY = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("bill", type=FILE)
@click.option("--site", required=True, type=FILE, help="The site's file, e.g. site.toml.")
@click.option("--rules", type=FILE, help="Rules; default: the site file's [split] table.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--draft", is_flag=True, help="Write statements marked DRAFT, whatever is open.")
@archive_option
def split(
    bill: Path, site: Path, rules: Path | None, out: Path, draft: bool, archive: Path | None
) -> None:
    """Split the utility's BILL among the tenants of a site.

    Prints the control sum; exceptions go to stderr. While one is open that the rules do not
    accept, the exit code is 1 and no tenant's statement is written; charges, tables and the
    record are. Such a run, and a draft, is replaced when the same bill and site are split again;
    a good one never is, but gets the files that it lacked for want of an extra.

    \b
    Example:
      dentframe split bill.toml --site site.toml --out 2023-12
      dentframe split bill.toml --site site.toml --rules rules.toml --out strict --draft
      dentframe split bill.toml --site site.toml --archive archive --out 2023-12-again
    """
    from dentframe.money.saving import missing_extras
    from dentframe.money.split import split as run_split
    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.site import Site

    how = None if rules is None else SplitRules.load(rules)
    asked = UtilityBill.load(bill), Site.load(site), how
    missing = missing_extras()
    if missing:
        say(missing)
    run = run_split(*asked, archive=archive)
    with warnings.catch_warnings():
        if missing:  # it was told above, before the work
            warnings.filterwarnings("ignore", re.escape(missing), DentWarning)
        record = run.save(out, draft=draft)
    for name, amount in run.control.items():
        click.echo(f"{name},{amount}")
    for line in _exceptions(run):
        say(line)
    say(f"Saved; check it with: dentframe verify {record.parent}")
    if not run.ok:
        n = int((~run.exceptions["accepted"]).sum())
        raise click.ClickException(
            f"{n} exception{'s are' if n > 1 else ' is'} open: see {out / 'exceptions.csv'}. "
            f"{'The statements are drafts' if draft else 'No statement was written (--draft does)'}"
            ". Correct the bill, the site or its rules, and run the same command again: it "
            f"replaces {out} as long as exceptions are open."
        )


def _exceptions(run: Run) -> Iterator[str]:
    """Each exception with its value, its limit, the rule that decides, and what to do."""
    for row in row_dicts(run.exceptions):
        mark = "accepted" if row["accepted"] else "NOT ACCEPTED"
        facts = [
            f"{k} {row[k]} {row['unit']}".rstrip() for k in ("value", "limit") if row[k] is not None
        ]
        facts += [f"rule {row['rule']}"] if row["rule"] else []
        told = f" [{', '.join(facts)}]" if facts else ""
        yield f"{row['kind']} ({mark}) {row['subject']}: {row['detail']}{told}"
        if row["remedy"]:
            yield f"  {row['remedy']}"


@click.command()
@click.argument("record", type=_ANY)
def verify(record: Path) -> None:
    """Compute a saved split again from its RECORD and say what differs.

    \b
    Example:
      dentframe verify 2023-12
    """
    from dentframe.money.verification import verify as run_verify

    found = run_verify(record)
    for note in found.notes:
        say(note)
    for difference in found.differences:
        click.echo(difference)
    if not found.ok:
        n = len(found.differences)
        raise click.ClickException(f"{n} difference{'s' * (n > 1)} from the record.")
    click.echo("Nothing differs.")


@click.command()
@click.argument("meter")
@click.argument("tariff", type=FILE)
@click.argument("start", required=False)
@click.argument("end", required=False)
@span_options
@click.option("--tz", help="The zone of the tariff and of the period; default: the site's.")
@site_options
@click.option("--elements", help="Comma-separated, e.g. B,C; all for the whole meter.")
@click.option("--party", default="", help="Whose statement it is.")
@click.option("--accept-estimated", is_flag=True, help="Bill estimated figures too, marked.")
@format_option
@archive_option
def bill(
    meter: str,
    tariff: Path,
    tz: str | None,
    site: Path | None,
    max_kw: str | None,
    elements: str | None,
    party: str,
    accept_estimated: bool,
    form: str | None,
    out: Path | None,
    archive: Path | None,
    **when: str | None,
) -> None:
    """Price a METER's elements by a TARIFF file, from START to END or a period.

    A terminal shows the lines and their total; CSV and JSON have everything the statement says.
    --out writes a statement too, by its ending: html, pdf, xlsx or csv.

    \b
    Example:
      dentframe bill P482311252 flat.toml --month 2023-12 --tz America/Los_Angeles --elements B
      dentframe bill P482311252 flat.toml 2023-12 --site site.toml --elements B --party Bakery
      dentframe bill P482311252 flat.toml 2023-12-01 2023-12-16 --tz UTC --elements B --out b.html
      dentframe bill P482311252 flat.toml --period 2023-11-18..2023-12-18 --site site.toml
        --elements E --max-kw E=40 --accept-estimated
      dentframe bill P482311252 flat.toml 2023-12 --tz UTC --elements B --format csv
      dentframe bill P482311252 flat.toml 2023-12 --tz UTC --elements B --archive archive --json
    """
    from dentframe.money import bill as price
    from dentframe.money.bill import check_period
    from dentframe.money.tariff import Tariff
    from dentframe.reader import read_dentcloud

    found = load_site(site)
    zone = _zone(tz, found)
    start, end = bounds(*span(zone, **when), zone)
    rates = Tariff.load(tariff)
    check_period(rates, start, end, zone)
    frame = read_dentcloud(
        meter, start, end, _topics(rates), tz=zone, bracket=True, archive=archive
    )
    check_site(found, meter, frame)
    statement = price(
        frame, rates, start, end, tz=zone,
        elements=elements if elements == "all" else listed(elements),
        registers=registers(found, max_kw, meter, frame),
        accept=("recorded", "estimated") if accept_estimated else ("recorded",),
        party=party,
    )  # fmt: skip
    _write(_labelled(statement, found), form, out)


def _topics(tariff: Tariff) -> list[str]:
    """What the tariff reads; reactive energy only where the account has its register."""
    from dentframe.money.bill import topics
    from dentframe.money.other_charges import KVARH
    from dentframe.reader import get_topics

    found = topics(tariff)
    if KVARH in found and KVARH not in get_topics().index:
        found.remove(KVARH)
    return found


def _zone(tz: str | None, site: Site | None) -> str:
    if tz is None and site is None:
        raise RangeError(
            "Cannot tell which days are meant: days and months are local. Give --tz "
            "America/Los_Angeles or the like, or --site site.toml, which has a zone."
        )
    return tz or (site.tz if site else "UTC")


def _labelled(statement: Statement, site: Site | None) -> Statement:
    """The statement with the site's labels beside the elements' ids."""
    if site is None:
        return statement
    labels = {k: v for k, v in site.labels.items() if v != k}

    def named(part: Any) -> Any:
        ids = part.element.split(", ")
        return replace(part, element=", ".join(_name(x, labels) for x in ids))

    return replace(
        statement,
        lines=tuple(named(x) for x in statement.lines),
        readings=tuple(named(x) for x in statement.readings),
    )


def _name(element: str, labels: dict[str, str]) -> str:
    return f"{labels[element]} ({element})" if element in labels else element


def _write(statement: Statement, form: str | None, out: Path | None) -> None:
    if out is None:
        _print(statement, form)
        return
    writers: dict[str, Callable[[Path], object]] = {
        "html": statement.to_html,
        "pdf": statement.to_pdf,
        "xlsx": statement.to_excel,
        "csv": statement.to_csv,
        "json": lambda path: path.write_text(f"{_json(statement)}\n", encoding="utf-8"),
    }
    ending = form or out.suffix.lstrip(".").lower()
    if ending not in writers:
        known = ", ".join(writers)
        raise ConfigError(f"Cannot write {out} as {ending!r}: a statement is one of {known}.")
    writers[ending](out)
    say(f"Wrote {out}: {statement.total} {statement.currency}".rstrip())


def _print(statement: Statement, form: str | None) -> None:
    form = form or ("table" if sys.stdout.isatty() else "csv")
    if form == "csv":
        click.echo(statement.to_csv().rstrip("\n"))
    elif form == "json":
        click.echo(_json(statement))
    elif form == "table":
        click.echo(repr(statement))
    else:
        raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")


def _json(statement: Statement) -> str:
    return json.dumps(statement.to_dict(), ensure_ascii=False)


COMMANDS = (split, bill, verify)
