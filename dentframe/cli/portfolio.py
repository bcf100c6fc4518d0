"""The commands of a portfolio report on its months, and tell the state of its archive."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import click

from dentframe.cli.options import EXISTING, FOLDER, NEW
from dentframe.cli.output import json_option, say

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
    if find_spec("openpyxl"):
        say(f"Wrote {found.to_excel(out.with_suffix('.xlsx'))}")


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
    from dentframe.money.status import status as run_status

    found = run_status(archive, sites, records)
    if as_json:
        told = {**asdict(found), "ok": found.ok}
        click.echo(json.dumps(told, default=str))
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


PORTFOLIO_COMMANDS = (report, status)
