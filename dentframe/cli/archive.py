"""Commands of the archive: sync a portfolio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dentframe.cli.asked import FOLDER, listed
from dentframe.cli.output import json_option, write
from dentframe.cli.spans import bounds, span, span_options, zone_of
from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from dentframe.fleet import SyncReport


@click.command()
@click.argument("meters", default="all")
@click.argument("start", required=False)
@click.argument("end", required=False)
@click.option("--archive", required=True, type=FOLDER, help="Its folder.")
@span_options
@click.option("--topics", help="Comma-separated, e.g. DemandkW,kWHNet; default: all.")
@click.option("--tz", help="The zone of days and months, e.g. America/Los_Angeles, or UTC.")
@click.option("--progress/--no-progress", default=None, help="By default in a terminal.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    help="The report as text (default), what is missing as csv, or all of it as json.",
)
@json_option
def sync(
    meters: str,
    start: str | None,
    end: str | None,
    archive: Path,
    month: str | None,
    period: str | None,
    topics: str | None,
    tz: str | None,
    progress: bool | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Bring an archive up to date: METERS (comma-separated, or 'all') from START to END.

    It may be stopped at any moment; the same command goes on where it was. The exit code is 1
    where something is missing.

    \b
    Example:
      dentframe sync P482311252 2023-12-01 2023-12-08 --topics kWHNet --archive portfolio
      dentframe sync P482311252 --month 2023-12 --tz UTC --topics kWHNet --archive portfolio --json
      dentframe sync P482311252 --period 2023-12-01..2023-12-03 --tz UTC --topics kWHNet
        --archive portfolio --format csv --no-progress
    """
    from dentframe.fleet import sync as run_sync

    if as_json and form not in {None, "json"}:
        raise ConfigError(f"Cannot print --json as --format {form}: give one of the two.")
    tz = zone_of(tz, month, period)
    when = bounds(*span(tz, month=month, period=period, start=start, end=end), tz)
    names = None if meters == "all" else listed(meters)
    report = run_sync(names, *when, listed(topics), archive=archive, progress=progress)
    _show(report, "json" if as_json else form)
    if not report.ok:
        raise click.ClickException(
            f"{report.failed} window(s) are missing. The same command asks for them again."
        )


def _show(report: SyncReport, form: str | None) -> None:
    if form == "json":
        click.echo(json.dumps(report.as_dict()))
    elif form == "csv":
        write(report.missing.set_index("meter"), "csv", None)
    else:
        click.echo(str(report))


COMMANDS = (sync,)
