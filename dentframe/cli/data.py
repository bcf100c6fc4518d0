"""Commands about readings: meters, topics, inventory, plan, read, energy, peaks, sync."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dentframe import reader
from dentframe.cli.options import (
    FOLDER,
    ReadArguments,
    archive_option,
    listed,
    range_options,
    site_options,
)
from dentframe.cli.output import format_option, json_option, one_form, write
from dentframe.errors import IncompleteReadError
from dentframe.reader import inventory as _inventory
from dentframe.verbs import coincident as _coincident
from dentframe.verbs import energy as _energy
from dentframe.verbs import peaks as _peaks

if TYPE_CHECKING:
    from dentframe.frame.request import Plan


_bracket = click.option("--bracket", is_flag=True, help="Also the readings around the range.")


@click.command()
@json_option
def meters(as_json: bool) -> None:
    """List the account's meters.

    \b
    Example:
      dentframe meters
      dentframe meters --json
    """
    found = reader.get_meters()
    click.echo(json.dumps(found) if as_json else "\n".join(found))


@click.command()
@format_option
def topics(form: str | None, out: Path | None) -> None:
    """List the topics with unit, kind and description.

    \b
    Example:
      dentframe topics
      dentframe topics --json
      dentframe topics --format csv --out topics.csv
    """
    write(reader.get_topics().astype({"pint unit": str}), form, out)


@click.command()
@click.argument("meters", required=False)
@format_option
def inventory(meters: str | None, form: str | None, out: Path | None) -> None:
    """Show what each meter has and since when.

    \b
    Example:
      dentframe inventory P482311252
      dentframe inventory P482311252,P482102272 --json
      dentframe inventory --format csv --out meters.csv
    """
    write(_inventory(listed(meters)), form, out)


@click.command()
@range_options
@_bracket
@json_option
def plan(what: ReadArguments, bracket: bool, as_json: bool) -> None:
    """Show what a read would ask for; asks nothing.

    \b
    Example:
      dentframe plan P482311252 2023-12 --tz America/Los_Angeles
      dentframe plan P482311252 --month 2023-12 --tz America/Los_Angeles --bracket --json
      dentframe plan P482311252 --period 2023-11-18..2023-12-18 --tz UTC --topics kWHNet
    """
    tz = what.zone()
    topics = listed(what.topics)
    found = reader.plan_dentcloud(what.names, *what.when(tz), topics, tz=tz, bracket=bracket)
    click.echo(json.dumps(_as_dict(found)) if as_json else repr(found))


def _as_dict(found: Plan) -> dict[str, Any]:
    return {
        "requests": found.requests,
        "cached": found.cached,
        "seconds": found.seconds,
        "topics": list(found.topics),
        "windows": {m: [str(w) for w in ws] for m, ws in found.windows.items()},
    }


@click.command()
@range_options
@archive_option
@_bracket
@format_option
def read(what: ReadArguments, bracket: bool, form: str | None, out: Path | None) -> None:
    """Read meters (comma-separated) from START to END, or the period START names.

    \b
    Example:
      dentframe read P482311252 2023-12 --tz America/Los_Angeles --topics kWHNet --out dec.csv
      dentframe read P482311252 2023-12-05T08:00 2023-12-05T10:00 --tz UTC --format csv
      dentframe read P482311252 --month 2023-12 --tz UTC --topics DemandkW --bracket --json
      dentframe read P482311252 --period 2023-12-05..2023-12-07 --tz UTC --archive archive
    """
    write(what.read(what.zone(), None, bracket=bracket), form, out)


@click.command()
@range_options
@archive_option
@site_options
@click.option("--freq", help="D, MS, W-MON, h, …; default: the whole range.")
@click.option("--detail", is_flag=True, help="With coverage, status, bounds and readings.")
@format_option
def energy(
    what: ReadArguments,
    site: Path | None,
    max_kw: str | None,
    freq: str | None,
    detail: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Energy [kWh] per period and element, read with its brackets.

    \b
    Example:
      dentframe energy P482311252 2023-12 --tz America/Los_Angeles --freq D
      dentframe energy P482311252 --month 2023-12 --tz America/Los_Angeles --max-kw E=40 --detail
      dentframe energy P482311252 --month 2023-12 --site site.toml --format csv --out energy.csv
      dentframe energy P482311252 --period 2023-12-05..2023-12-07 --tz UTC --topics DemandkW --json
      dentframe energy P482311252 2023-12-05 --tz UTC --archive archive
    """
    frame, how, _ = what.figures(site, max_kw)
    write(_energy.energy(frame, freq, detail=detail, **how), form, out)


@click.command()
@range_options
@archive_option
@site_options
@click.option("--freq", help="MS, D, …; default: the whole range.")
@click.option("--window", help="Blocks of this length on the local clock, e.g. 30min.")
@click.option("--coincident", is_flag=True, help="Each element's own peak, and at the site's.")
@format_option
def peaks(
    what: ReadArguments,
    site: Path | None,
    max_kw: str | None,
    freq: str | None,
    window: str | None,
    coincident: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Peak demand [kW] per period and element, and when it was.

    --coincident shows beside each element's own peak what it drew when all of them together drew
    the most: those of --site, else all that were read.

    \b
    Example:
      dentframe peaks P482311252 --month 2023-12 --tz America/Los_Angeles
      dentframe peaks P482311252 --month 2023-12 --site site.toml --window 30min --freq D --json
      dentframe peaks P482311252 2023-12 --tz UTC --topics kWHNet --window 15min --max-kw E=40
      dentframe peaks P482311252 --period 2023-12-05..2023-12-07 --tz UTC --format csv --out p.csv
      dentframe peaks P482311252 2023-12-05 --tz UTC --archive archive
      dentframe peaks P482311252_B,P482311252_C --month 2023-12 --tz UTC --coincident
    """
    frame, how, found = what.figures(site, max_kw)
    if coincident:
        how |= {"window": window or "15min", "site": found, "elements": None if found else "all"}
        write(_coincident.coincident(frame, freq, **how), form, out)
    else:
        how |= {"window": window, "kind": "block" if window else "reported"}
        write(_peaks.peaks(frame, freq, **how), form, out)


@click.command()
@partial(range_options, default="all")
@click.option("--archive", required=True, type=FOLDER, help="Its folder.")
@click.option("--progress/--no-progress", default=None, help="By default in a terminal.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    help="The report as text (default), what is missing as csv, or all of it as json.",
)
@json_option
def sync(what: ReadArguments, progress: bool | None, form: str | None, as_json: bool) -> None:
    """Bring an archive up to date: METERS (comma-separated, or 'all') from START to END.

    It may be stopped at any moment; the same command goes on where it was. The exit status is 3
    where something is missing, and 4 where the archive held it all.

    \b
    Example:
      dentframe sync P482311252 2023-12-01 2023-12-08 --topics kWHNet --archive portfolio
      dentframe sync P482311252 --month 2023-12 --tz UTC --topics kWHNet --archive portfolio --json
      dentframe sync P482311252 --period 2023-12-01..2023-12-03 --tz UTC --topics kWHNet
        --archive portfolio --format csv --no-progress --log sync.log
    """
    from dentframe.archive import sync as run_sync

    form = one_form(form, as_json)
    names = None if what.meters == "all" else listed(what.meters)
    report = run_sync(
        names, *what.bounds(what.zone()), listed(what.topics), archive=what.archive,
        progress=progress,
    )  # fmt: skip
    if form == "json":
        click.echo(json.dumps(report.as_dict()))
    elif form == "csv":
        write(report.missing.set_index("meter"), "csv", None)
    else:
        click.echo(str(report))
    if not report.ok:
        raise IncompleteReadError(
            f"{report.failed} window(s) are missing. The same command asks for them again."
        )
    if not (report.requests or report.kept or report.empty or report.damaged):
        raise click.exceptions.Exit(4)


COMMANDS = (meters, topics, inventory, plan, read, energy, peaks, sync)
