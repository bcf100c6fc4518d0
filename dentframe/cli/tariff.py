"""The commands of tariffs price a meter, and read a rate of a public database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe.cli.options import (
    FILE,
    NEW,
    ReadArguments,
    archive_option,
    listed,
    load_site,
    registers,
    site_options,
    span_options,
)
from dentframe.cli.output import format_option, say
from dentframe.errors import ConfigError
from dentframe.files import whole_file, write_whole

if TYPE_CHECKING:
    from dentframe.money.statement import Statement
    from dentframe.money.tariff import Tariff
    from dentframe.site.site import Site


@click.group()
def tariff() -> None:
    """Tariffs as files."""


@tariff.command("import")
@click.argument("file", type=FILE)
@click.option("--tier-order", help="How tiers fill: chronological, prorata or per_period.")
@click.option("--tier-proration", help="Of a part of a month: none, days, month or a number.")
@click.option("--ratchet-lookback", type=int, help="How many months a ratchet looks back on.")
@click.option("--ratchet-on", help="What a ratchet is of: flat, tou or both.")
@click.option("--ignore", multiple=True, help="A field that is no matter for these meters.")
@click.option("--out", type=NEW, help="A .toml file; default: printed.")
def import_rate(file: Path, tier_proration: str | None, out: Path | None, **stated: Any) -> None:
    """Make a tariff of FILE, a rate of OpenEI's Utility Rate Database as JSON.

    A field that may change a price and is not understood is refused by name.

    \b
    Example:
      dentframe tariff import rate.json
      dentframe tariff import rate.json --out rate.toml --tier-order prorata --tier-proration days
        --ratchet-lookback 11 --ratchet-on flat --ignore fixedchargeeaaddl
    """
    from dentframe.money.tariff import Tariff

    days: Any = tier_proration
    if days and days.isdigit():
        days = int(days)
    found = Tariff.from_urdb(file, tier_proration=days, **stated)
    for note in found.notes:
        say(note)
    if out is None:
        click.echo(found.to_toml().rstrip())
    else:
        write_whole(out, found.to_toml().encode(), 0o644)
        say(f"Wrote {out}; price by it with: dentframe bill METER {out} 2023-12 --tz ZONE")


@click.command()
@click.argument("meters", metavar="METER")
@click.argument("tariff", type=FILE)
@span_options
@site_options
@click.option("--elements", help="Comma-separated, e.g. B,C; all for the whole meter.")
@click.option("--party", default="", help="Whose statement it is.")
@click.option("--accept-estimated", is_flag=True, help="Bill estimated figures too, marked.")
@click.option("--history", type=FILE, help="Peaks of the months before, for ratchets: CSV.")
@click.option("--compare", is_flag=True, help="With the energy of the 12 months before.")
@format_option
@archive_option
def bill(
    what: ReadArguments,
    tariff: Path,
    site: Path | None,
    max_kw: str | None,
    elements: str | None,
    party: str,
    accept_estimated: bool,
    history: Path | None,
    compare: bool,
    form: str | None,
    out: Path | None,
) -> None:
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
    from dentframe.money import bill as price
    from dentframe.money.bill import check_period
    from dentframe.money.comparison import earlier
    from dentframe.money.tariff import Tariff
    from dentframe.reader import read_dentcloud

    found = load_site(site)
    zone = what.zone(calendar=True, site=found)
    start, end = what.bounds(zone)
    rates = Tariff.load(tariff)
    check_period(rates, start, end, zone)
    peaks = None if history is None else _history(history, start.tz_convert(zone))
    first = start.tz_convert(zone) - pd.DateOffset(months=12) if compare else start
    frame = read_dentcloud(
        what.meters, first, end, _topics(rates), tz=zone, bracket=True, archive=what.archive
    )
    how: dict[str, Any] = {
        "tz": zone, "registers": registers(found, max_kw, what.meters, frame),
        "elements": elements if elements == "all" else listed(elements),
        "accept": ("recorded", "estimated") if accept_estimated else ("recorded",),
    }  # fmt: skip
    before = earlier(frame, end, **how) if compare else ()
    statement = price(
        frame, rates, start, end, history=peaks, party=party, comparison=before, **how
    )
    _write(_labelled(statement, found), form, out)


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
    earlier = table.set_index(months).sort_index()
    earlier = earlier[earlier.index < start.tz_localize(None).to_period("M")]
    last = pd.Period(start.tz_localize(None), "M") - 1
    wanted = pd.period_range(end=last, periods=len(earlier), freq="M")
    if list(earlier.index) != list(wanted) or earlier.isna().any(axis=None):
        lacks = [str(m) for m in wanted if m not in earlier.dropna().index] or [str(last)]
        raise ConfigError(
            f"Cannot use {path} as --history: a ratchet counts months, and {', '.join(lacks)} is "
            "missing or there twice. Give each month up to the bill once."
        )
    found: dict[str, list[str]] = {str(k): list(v) for k, v in earlier.items()}
    return found.get("peak", found)


def _topics(tariff: Tariff) -> list[str]:
    """What the tariff reads; reactive energy only where the account has its register."""
    from dentframe.money.bill import topics
    from dentframe.money.charges import KVARH
    from dentframe.reader import get_topics

    found = topics(tariff)
    if KVARH in found and KVARH not in get_topics().index:
        found.remove(KVARH)
    return found


def _labelled(statement: Statement, site: Site | None) -> Statement:
    """The statement with the site's labels beside the elements' ids."""
    if site is None:
        return statement
    labels = {k: f"{v} ({k})" for k, v in site.labels.items() if v != k}

    def named(part: Any) -> Any:
        ids: list[str] = part.element.split(", ")
        return replace(part, element=", ".join(labels.get(x, x) for x in ids))

    return replace(
        statement,
        lines=tuple(named(x) for x in statement.lines),
        readings=tuple(named(x) for x in statement.readings),
    )


def _write(statement: Statement, form: str | None, out: Path | None) -> None:
    texts: dict[str, Callable[[], str]] = {
        "csv": statement.to_csv,
        "json": lambda: json.dumps(statement.to_dict(), ensure_ascii=False),
        "table": lambda: repr(statement),
    }
    if out is None:
        form = form or ("table" if sys.stdout.isatty() else "csv")
        if form not in texts:
            raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")
        click.echo(texts[form]().rstrip("\n"))
        return
    files: dict[str, Callable[[Path], object]] = {
        "html": statement.to_html,
        "pdf": statement.to_pdf,
        "xlsx": statement.to_excel,
        "csv": statement.to_csv,
    }
    ending = form or out.suffix.lstrip(".").lower()
    if ending == "json":
        write_whole(out, f"{texts['json']()}\n".encode(), 0o644)
    elif ending in files:
        with whole_file(out) as part:
            files[ending](part)
    else:
        known = ", ".join((*files, "json"))
        raise ConfigError(f"Cannot write {out} as {ending!r}: a statement is one of {known}.")
    say(f"Wrote {out}: {statement.total} {statement.currency}".rstrip())


COMMANDS = (bill, tariff)
