"""The commands of money split a utility's bill, bill it again, verify, report and watch."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe.cli.options import EXISTING, FILE, FOLDER, NEW, archive_option
from dentframe.cli.output import json_option, say
from dentframe.errors import DentWarning, MissingExtraError
from dentframe.money.record_writer import row_dicts

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run


_out_option = click.option("--out", required=True, type=NEW, help="A new folder.")


@click.command()
@click.argument("bill", type=FILE)
@click.option("--site", required=True, type=FILE, help="The site's file, e.g. site.toml.")
@click.option("--rules", type=FILE, help="Rules; default: the site file's [split] table.")
@click.option("--corrections", type=FILE, help="[[corrections]] beside those of the site's file.")
@_out_option
@click.option("--draft", is_flag=True, help="Write statements marked DRAFT, whatever is open.")
@click.option("--records", type=EXISTING, help="A folder of earlier splits, to compare with.")
@archive_option
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
    from dentframe.money.split_bill import split as run_split
    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.corrections import load_corrections
    from dentframe.site.site import Site

    how = None if rules is None else SplitRules.load(rules)
    where = Site.load(site)
    if corrections is not None:
        more = load_corrections(corrections)
        where = replace(where, corrections=(*where.corrections, *more), file=where.file)
    what = UtilityBill.load(bill)
    frame = _finished(out, what.name, where.name)
    run = partial(run_split, what, where, how, archive=archive, records=records, frame=frame)
    _finish(run, out, where.locale, draft=draft)


def _finished(out: Path, bill: str, site: str) -> pd.DataFrame | None:
    """The readings of a finished split of the same bill and site: nothing is asked for it again."""
    from dentframe.money.record_reader import FILE, RECORD, Record

    if not (out / RECORD / FILE).is_file():
        return None
    old = Record.load(out)
    same = (old.told.bill, old.told.site) == (bill, site)
    return old.readings if old.ok and same else None


def _finish(make: Callable[[], Run], out: Path, locale: str, *, draft: bool = False) -> None:
    """Make a run, save it, and say what it is; one with open exceptions ends with status 1."""
    from dentframe.money.record_writer import missing_extras

    missing = missing_extras(locale)
    if missing:
        say(missing)
    run = make()
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
        yield from (f"  {row[x]}" for x in ("remedy", "reason") if row[x])


@click.command()
@click.argument("record", type=EXISTING)
@click.option("--corrections", required=True, type=FILE, help="TOML with [[corrections]].")
@_out_option
@click.option("--others", help="bill or landlord: who bears what shifts among others.")
@click.option("--interest", help="Per cent a year on what was overcharged.")
@click.option("--interest-from", help="Since when; default: when the first bill was due.")
@click.option("--issued", help="Date of the new papers, e.g. 2024-02-05.")
@click.option("--due", help="Until when they are payable.")
@click.option("--site", type=FILE, help="A site's file in place of the record's.")
@click.option("--bill", type=FILE, help="A bill's file in place of the record's.")
@click.option("--accept-change", multiple=True, help="A difference that is meant; repeatable.")
@click.option("--records", type=EXISTING, help="Where other records lie; default: beside RECORD.")
@archive_option
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
    from dentframe.money.rebill import rebill as run_rebill
    from dentframe.money.record_reader import Record
    from dentframe.money.split_bill import readings_of
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.site import Site

    old = Record.load(record)
    where = None if site is None else Site.load(site)
    what = None if bill is None else UtilityBill.load(bill)
    frame = None
    if archive is not None:
        frame = readings_of(what or old.bill, where or old.site, None, archive)
    asked = {"site": where, "bill": what, "frame": frame, **terms}
    _finish(partial(run_rebill, old, corrections, **asked), out, (where or old.site).locale)


@click.command()
@click.argument("record", type=EXISTING)
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


_archive_option = click.option(
    "--archive", required=True, type=FOLDER, help="The archive of the readings."
)
_records_option = click.option(
    "--records", type=FOLDER, help="The folder of saved splits, at any depth."
)


@click.command()
@click.option("--sites", required=True, type=EXISTING, help="A site file, or a folder of them.")
@click.option("--months", required=True, help="2023-12, or the first and last: 2023-01..2023-12.")
@_archive_option
@_records_option
@click.option("--out", required=True, type=NEW, help="report.html")
def report(sites: Path, months: str, archive: Path, records: Path | None, out: Path) -> None:
    """One page, and a workbook beside it, on the months of a portfolio.

    Nothing is asked of the cloud: run dentframe sync before. Costs and open exceptions are those
    of --records, the folder below which dentframe split saved.

    \b
    Example:
      dentframe report --sites site.toml --months 2023-12..2023-12 --archive archive
        --records . --out report.html
    """
    from dentframe.money.portfolio import report as run_report

    found = run_report(sites, months, archive=archive, records=records)
    found.to_html(out)
    say(f"Wrote {out}")
    try:
        say(f"Wrote {found.to_excel(out.with_suffix('.xlsx'))}")
    except MissingExtraError as error:
        say(str(error))


@click.command()
@_archive_option
@click.option("--sites", type=EXISTING, help="A site file, or a folder of them: names and zones.")
@_records_option
@json_option
def status(archive: Path, sites: Path | None, records: Path | None, as_json: bool) -> None:
    """Age of an archive, silent meters, open exceptions; exit status 1 where one needs you.

    A meter without a reading for two days is told in one line, with what it would use until the
    end of the month, and what that costs by the site's last bill.

    \b
    Example:
      dentframe status --archive archive --sites site.toml --records . --json
    """
    from dentframe.money.archive_status import status as run_status

    found = run_status(archive, sites, records)
    if as_json:
        told = {**asdict(found), "ok": found.ok}
        click.echo(json.dumps(told, default=pd.Timestamp.isoformat))
    else:
        newest = "none" if found.newest is None else f"{found.newest:%Y-%m-%d %H:%M} UTC"
        age = "" if found.age is None else f", {found.age:.1f} h old"
        click.echo(f"newest reading: {newest}{age}")
        click.echo(f"silent meters: {len(found.silent)}")
        click.echo(f"open exceptions: {found.exceptions}")
        for line in found.silent:
            click.echo(str(line))
    if not found.ok:
        raise click.exceptions.Exit(1)


COMMANDS = (split, rebill, verify, report, status)
