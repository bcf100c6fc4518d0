"""The commands for money stand here: bill, tariff, split, rebill and verify."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe import read_plan_and_inventory as reader
from dentframe.atomic_files import write_whole
from dentframe.cli import options_and_output as cli
from dentframe.errors import ConfigError, DentWarning
from dentframe.money import bill as price
from dentframe.money import earlier, rebill_and_verify, record_reader, record_writer, split_bill
from dentframe.money.charges import KVARH
from dentframe.money.tariff import Tariff
from dentframe.money.tariff_bill import check_period, topics
from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
from dentframe.site.corrections import load_corrections
from dentframe.site.site import Site

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


_out_option = click.option("--out", required=True, type=cli.NEW, help="A new folder.")


@click.command()
@click.argument("bill", type=cli.FILE)
@cli.file_option("--site", required=True, help="The site's file, e.g. site.toml.")
@cli.file_option("--rules", help="Rules; default: the site file's [split] table.")
@cli.file_option("--corrections", help="[[corrections]] beside those of the site's file.")
@_out_option
@click.option("--draft", is_flag=True, help="Write statements marked DRAFT, whatever is open.")
@cli.existing_option("--records", help="A folder of earlier splits, to compare with.")
@cli.archive_option
def split(
    bill: Path,
    site: Path,
    rules: Path | None,
    corrections: Path | None,
    out: Path,
    draft: bool,
    records: Path | None,
    archive: Path | None,
) -> None:
    """Split the utility's BILL among the tenants of a site.

    Prints the control sum; exceptions go to stderr. While one is open that the rules do not
    accept, the exit code is 1 and no tenant's statement is written; charges, tables and the
    record are. Such a run, and a draft, is replaced when the same bill and site are split again;
    a finished one never is: it is computed again from its own readings, nothing is asked of the
    cloud, and the exit code is 4. It gets the files that it lacked for want of an extra.

    \b
    Example:
      dentframe split bill.toml --site site.toml --out 2023-12
      dentframe split bill.toml --site site.toml --rules rules.toml --out strict --draft
      dentframe split bill.toml --site site.toml --archive archive --out 2023-12-again
      dentframe split bill.toml --site site.toml --corrections corrections.toml --out corrected
      dentframe split bill.toml --site site.toml --records . --out 2023-12-compared
    """
    how = None if rules is None else SplitRules.load(rules)
    where = Site.load(site)
    if corrections is not None:
        more = load_corrections(corrections)
        where = replace(where, corrections=(*where.corrections, *more), file=where.file)
    what, frame = UtilityBill.load(bill), None
    if (out / record_reader.RECORD / record_reader.FILE).is_file():
        old = record_reader.Record.load(out)
        if old.ok and (old.contents.bill, old.contents.site) == (what.name, where.name):
            frame = old.readings  # of the same split, finished: nothing is asked for it again
    run = partial(split_bill.split, what, where, how, archive=archive, records=records, frame=frame)
    _finish(run, out, where.locale, draft=draft)


def _finish(
    make: Callable[[], split_bill.Run], out: Path, locale: str, *, draft: bool = False
) -> None:
    """Make a run, save it, and say what it is; one with open exceptions ends with status 1."""
    missing = record_writer.missing_extras(locale)
    if missing:
        cli.say(missing)
    run = make()
    with warnings.catch_warnings():
        if missing:  # it was said above, before the work
            warnings.filterwarnings("ignore", re.escape(missing), DentWarning)
        record = run.save(out, draft=draft)
    for name, amount in run.control.items():
        click.echo(f"{name},{amount}")
    for line in _exceptions(run):
        cli.say(line)
    cli.say(f"Saved; check it with: dentframe verify {record.parent}")
    if not run.ok:
        n = int((~run.exceptions["accepted"]).sum())
        raise click.ClickException(
            f"{n} exception{'s are' if n > 1 else ' is'} open: see {out / 'exceptions.csv'}. "
            f"{'The statements are drafts' if draft else 'No statement was written (--draft does)'}"
            ". Correct the bill, the site or its rules, and run the same command again: it "
            f"replaces {out} as long as exceptions are open."
        )


def _exceptions(run: split_bill.Run) -> Iterator[str]:
    """Each exception with its value, its limit, the rule that decides, and what to do."""
    for row in run.exceptions.to_dict("records"):
        mark = "accepted" if row["accepted"] else "NOT ACCEPTED"
        known = [k for k in ("value", "limit") if row[k] is not None]
        facts = [f"{k} {row[k]} {row['unit']}".rstrip() for k in known]
        facts += [f"rule {row['rule']}"] if row["rule"] else []
        limits = f" [{', '.join(facts)}]" if facts else ""
        yield f"{row['kind']} ({mark}) {row['subject']}: {row['detail']}{limits}"
        yield from (f"  {row[x]}" for x in ("remedy", "reason") if row[x])


@click.command()
@click.argument("record", type=cli.EXISTING)
@cli.file_option("--corrections", required=True, help="TOML with [[corrections]].")
@_out_option
@click.option("--others", help="bill or landlord: who bears what shifts among others.")
@click.option("--interest", help="Per cent a year on what was overcharged.")
@click.option("--interest-from", help="Since when; default: when the first bill was due.")
@click.option("--issued", help="Date of the new papers, e.g. 2024-02-05.")
@click.option("--due", help="Until when they are payable.")
@cli.file_option("--site", help="A site's file in place of the record's.")
@cli.file_option("--bill", help="A bill's file in place of the record's.")
@click.option("--accept-change", multiple=True, help="A difference that is meant; repeatable.")
@cli.existing_option("--records", help="Where other records lie; default: beside RECORD.")
@cli.archive_option
def rebill(
    record: Path,
    corrections: Path,
    out: Path,
    site: Path | None,
    bill: Path | None,
    archive: Path | None,
    **terms: Any,
) -> None:
    """Bill a saved split again with corrections: new statements, credit and debit notes.

    Readings, bill, site and rules are those of the RECORD, unless others are named; whatever
    differs beside the corrections is refused until --accept-change names it.

    \b
    Example:
      dentframe rebill 2023-12 --corrections corrections.toml --out 2023-12-C1
      dentframe rebill 2023-12-C1 --corrections corrections.toml --site site.toml --bill bill.toml
        --archive archive --accept-change readings --accept-change rules --out 2023-12-C2
      dentframe rebill 2023-12-C2 --corrections corrections.toml --others bill --records .
        --issued 2024-02-05 --due 2024-02-19 --interest 9 --interest-from 2024-01-20 --out third
    """
    old = record_reader.Record.load(record)
    where = None if site is None else Site.load(site)
    what = None if bill is None else UtilityBill.load(bill)
    frame = None
    if archive is not None:
        frame = split_bill.readings_of(what or old.bill, where or old.site, None, archive)
    others = {"site": where, "bill": what, "frame": frame, **terms}
    run = partial(rebill_and_verify.rebill, old, corrections, **others)
    _finish(run, out, (where or old.site).locale)


@click.command()
@click.argument("record", type=cli.EXISTING)
def verify(record: Path) -> None:
    """Compute a saved split again from its RECORD and say what differs.

    \b
    Example:
      dentframe verify 2023-12
    """
    found = rebill_and_verify.verify(record)
    for note in found.notes:
        cli.say(note)
    for difference in found.differences:
        click.echo(difference)
    if not found.ok:
        n = len(found.differences)
        raise click.ClickException(f"{n} difference{'s' * (n > 1)} from the record.")
    click.echo("Nothing differs.")


# --- tariffs ---


@click.group()
def tariff() -> None:
    """Tariffs as files."""


@tariff.command("import")
@click.argument("file", type=cli.FILE)
@click.option("--tier-order", help="How tiers fill: chronological, prorata or per_period.")
@click.option("--tier-proration", help="Of a part of a month: none, days, month or a number.")
@click.option("--ratchet-lookback", type=int, help="How many months a ratchet looks back on.")
@click.option("--ratchet-on", help="What a ratchet is of: flat, tou or both.")
@click.option("--ignore", multiple=True, help="A field that is no matter for these meters.")
@click.option("--out", type=cli.NEW, help="A .toml file; default: printed.")
def import_rate(file: Path, tier_proration: str | None, out: Path | None, **stated: Any) -> None:
    """Make a tariff of FILE, a rate of OpenEI's Utility Rate Database as JSON.

    A field that may change a price and is not understood is refused by name.

    \b
    Example:
      dentframe tariff import rate.json
      dentframe tariff import rate.json --out rate.toml --tier-order prorata --tier-proration days
        --ratchet-lookback 11 --ratchet-on flat --ignore fixedchargeeaaddl
    """
    days: Any = tier_proration
    if days and days.isdigit():
        days = int(days)
    found = Tariff.from_urdb(file, tier_proration=days, **stated)
    for note in found.notes:
        cli.say(note)
    if out is None:
        click.echo(found.to_toml().rstrip())
    else:
        write_whole(out, found.to_toml().encode(), 0o644)
        cli.say(f"Wrote {out}; price by it with: dentframe bill METER {out} 2023-12 --tz ZONE")


def _write_statement(statement: Statement, form: str | None, out: Path | None) -> None:
    """Print a statement, or write it to a file by its format or ending."""
    texts: dict[str, Callable[[], str]] = {
        "csv": statement.to_csv, "table": lambda: f"{statement}\n",
        "json": lambda: f"{json.dumps(statement.to_dict(), ensure_ascii=False)}\n",
    }  # fmt: skip
    files: dict[str, Callable[[Path], object]] = {
        "html": statement.to_html, "pdf": statement.to_pdf, "xlsx": statement.to_excel,
    }  # fmt: skip
    cli.print_or_save(texts, files, form, out)
    if out is not None:
        cli.say(f"Wrote {out}: {statement.total} {statement.currency}".rstrip())


@click.command()
@click.argument("meters", metavar="METER")
@click.argument("tariff", type=cli.FILE)
@cli.span_options
@cli.site_options
@click.option("--elements", help="Comma-separated, e.g. B,C; all for the whole meter.")
@click.option("--party", default="", help="Whose statement it is.")
@click.option("--accept-estimated", is_flag=True, help="Bill estimated figures too, marked.")
@cli.file_option("--history", help="Peaks of the months before, for ratchets: CSV.")
@click.option("--compare", is_flag=True, help="With the energy of the 12 months before.")
@cli.format_option(_write_statement)
@cli.archive_option
def bill(
    what: cli.ReadArguments,
    tariff: Path,
    elements: str | None,
    party: str,
    accept_estimated: bool,
    history: Path | None,
    compare: bool,
) -> Statement:
    """Price a METER's elements by a TARIFF file, from START to END or a period.

    A terminal shows the lines and their total; CSV and JSON have everything the statement says.
    --out writes a statement too, by its ending: html, pdf, xlsx or csv. --history takes what
    dentframe peaks --freq MS --format csv wrote, or a column a charge beside the column period.

    \b
    Example:
      dentframe bill P482311252 flat.toml --month 2023-12 --tz America/Los_Angeles --elements B
      dentframe bill P482311252 flat.toml 2023-12 --site site.toml --elements B --party Bakery
      dentframe bill P482311252 flat.toml 2023-12-01 2023-12-16 --tz UTC --elements B --out b.html
      dentframe bill P482311252 flat.toml --period 2023-11-18..2023-12-18 --site site.toml
        --elements E --max-kw E=40 --accept-estimated
      dentframe bill P482311252 flat.toml 2023-12 --tz UTC --elements B --format csv
      dentframe bill P482311252 flat.toml 2023-12 --tz UTC --elements B --archive archive --json
      dentframe bill P482311252 ratchet.toml 2023-12 --tz America/Los_Angeles --elements B
        --history peaks.csv --compare
    """
    zone = what.zone(calendar=True)
    start, end = what.bounds(zone)
    rates = Tariff.load(tariff)
    check_period(rates, start, end, zone)
    peaks = None if history is None else _history(history, start.tz_convert(zone))
    first = start.tz_convert(zone) - pd.DateOffset(months=12) if compare else start
    # Not every account has the register of reactive energy.
    wanted = [x for x in topics(rates) if x != KVARH or x in reader.get_topics().index]
    frame = reader.read_dentcloud(
        what.meters, first, end, wanted, tz=zone, bracket=True, archive=what.archive
    )
    how: dict[str, Any] = {
        "tz": zone, "registers": what.registers(frame),
        "elements": elements if elements == "all" else cli.listed(elements),
        "accept": ("recorded", "estimated") if accept_estimated else ("recorded",),
    }  # fmt: skip
    before = earlier(frame, end, **how) if compare else ()
    found = price(frame, rates, start, end, history=peaks, party=party, comparison=before, **how)
    return found if what.site is None else _labelled(found, what.site)


def _history(path: Path, start: pd.Timestamp) -> dict[str, list[str]] | list[str]:
    """Measured demand of the months before a bill, the oldest first: of each charge, or of all.

    Raises
    ------
    ConfigError
        For a file that is no such table, or that lacks a month: a ratchet counts months.
    """
    try:
        table = pd.read_csv(path, dtype=str)
        months = pd.PeriodIndex(table.pop("period").str[:7], freq="M")
    except (ValueError, KeyError, pd.errors.ParserError) as error:
        raise ConfigError(
            f"Cannot read {path} as --history: {error}. It needs a column 'period', as dentframe "
            "peaks METER START END --freq MS --format csv writes it."
        ) from None
    if "element" in table and table["element"].nunique() > 1:
        names = ", ".join(table["element"].unique())
        raise ConfigError(
            f"Cannot use {path} as --history: it has peaks of {names}, which do not add up. Keep "
            "the rows of one element."
        )
    table = table[["peak"]] if "peak" in table else table
    last = start.tz_localize(None).to_period("M") - 1
    earlier = table.set_index(months).sort_index().loc[:last]
    wanted = pd.period_range(end=last, periods=len(earlier), freq="M")
    if list(earlier.index) != list(wanted) or earlier.isna().any(axis=None):
        lacks = [str(m) for m in wanted if m not in earlier.dropna().index] or [str(last)]
        raise ConfigError(
            f"Cannot use {path} as --history: a ratchet counts months, and {', '.join(lacks)} is "
            "missing or there twice. Give each month up to the bill once."
        )
    found: dict[str, list[str]] = {str(k): list(v) for k, v in earlier.items()}
    return found.get("peak", found)


def _labelled(statement: Statement, site: Site) -> Statement:
    """The statement with the site's labels beside the elements' ids."""
    labels = {k: f"{v} ({k})" for k, v in site.labels.items() if v != k}

    def named(part: Any) -> Any:
        ids: list[str] = part.element.split(", ")
        return replace(part, element=", ".join(labels.get(x, x) for x in ids))

    lines, readings = (tuple(map(named, x)) for x in (statement.lines, statement.readings))
    return replace(statement, lines=lines, readings=readings)


COMMANDS = (split, rebill, verify, bill, tariff)
