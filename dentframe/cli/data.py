"""Commands that read: meters, topics, inventory, plan, read, energy, peaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dentframe import energy as _energy
from dentframe import peaks as _peaks
from dentframe import reader
from dentframe.cli.output import format_option, write
from dentframe.cli.spans import span, span_options, zone_of
from dentframe.inventory import inventory as _inventory

if TYPE_CHECKING:
    from dentframe.reading.plan import Plan


def _range(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments that name a read."""
    for add in (
        click.option("--tz", help="The zone of days and months, e.g. America/Los_Angeles, or UTC."),
        click.option("--topics", help="Comma-separated, e.g. DemandkW,kWHNet; default: all."),
        span_options,
        click.argument("end", required=False),
        click.argument("start", required=False),
        click.argument("meters"),
    ):
        command = add(command)
    return command


_bracket = click.option("--bracket", is_flag=True, help="Also the readings around the range.")


def _meters(text: str) -> str | list[str]:
    names = [name.strip() for name in text.split(",")]
    return names[0] if len(names) == 1 else names


def _topics(text: str | None) -> list[str] | None:
    return None if text is None else [topic.strip() for topic in text.split(",")]


@click.command()
def meters() -> None:
    """List the account's meters.

    \b
    Example:
      dentframe meters
    """
    for meter in reader.get_meters():
        click.echo(meter)


@click.command()
@format_option
def topics(form: str | None, out: Path | None) -> None:
    """List the topics with unit, kind and description.

    \b
    Example:
      dentframe topics --format json
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
    """
    write(_inventory(_meters(meters) if meters else None), form, out)


@click.command()
@_range
@_bracket
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    meters: str,
    start: str | None,
    end: str | None,
    month: str | None,
    period: str | None,
    topics: str | None,
    tz: str | None,
    bracket: bool,
    as_json: bool,
) -> None:
    """Show what a read would ask for; asks nothing.

    \b
    Example:
      dentframe plan P482311252 2023-12 --tz America/Los_Angeles
    """
    tz = zone_of(tz, month, period)
    when = span(tz, month=month, period=period, start=start, end=end)
    found = reader.plan_dentcloud(_meters(meters), *when, _topics(topics), tz=tz, bracket=bracket)
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
@_range
@_bracket
@format_option
def read(
    meters: str,
    start: str | None,
    end: str | None,
    month: str | None,
    period: str | None,
    topics: str | None,
    tz: str | None,
    bracket: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Read meters (comma-separated) from START to END, or the period START names.

    \b
    Example:
      dentframe read P482311252 2023-12 --tz America/Los_Angeles --topics kWHNet --out dec.csv
    """
    tz = zone_of(tz, month, period)
    when = span(tz, month=month, period=period, start=start, end=end)
    frame = reader.read_dentcloud(_meters(meters), *when, _topics(topics), tz=tz, bracket=bracket)
    write(frame, form, out)


@click.command()
@_range
@click.option("--freq", help="D, MS, W-MON, h, …; default: the whole range.")
@click.option("--detail", is_flag=True, help="With coverage, status, bounds and readings.")
@format_option
def energy(
    meters: str,
    start: str | None,
    end: str | None,
    month: str | None,
    period: str | None,
    topics: str | None,
    tz: str | None,
    freq: str | None,
    detail: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Energy [kWh] per period and element, read with its brackets.

    \b
    Example:
      dentframe energy P482311252 2023-12 --tz America/Los_Angeles --freq D
    """
    tz = zone_of(tz, month, period, calendar=True)
    when = span(tz, month=month, period=period, start=start, end=end)
    frame = _bracketed(meters, when, topics, tz)
    write(_energy.energy(frame, freq, tz=tz, detail=detail), form, out)


def _bracketed(meters: str, when: tuple[str, str | None], topics: str | None, tz: str) -> Any:
    asked = _topics(topics) or ["kWHNet", "DemandkW"]
    return reader.read_dentcloud(_meters(meters), when[0], when[1], asked, tz=tz, bracket=True)


@click.command()
@_range
@click.option("--freq", help="MS, D, …; default: the whole range.")
@click.option("--window", help="Blocks of this length on the local clock, e.g. 30min.")
@format_option
def peaks(
    meters: str,
    start: str | None,
    end: str | None,
    month: str | None,
    period: str | None,
    topics: str | None,
    tz: str | None,
    freq: str | None,
    window: str | None,
    form: str | None,
    out: Path | None,
) -> None:
    """Peak demand [kW] per period and element, and when it was.

    \b
    Example:
      dentframe peaks P482311252 --month 2023-12 --tz America/Los_Angeles
    """
    tz = zone_of(tz, month, period, calendar=True)
    when = span(tz, month=month, period=period, start=start, end=end)
    frame = _bracketed(meters, when, topics, tz)
    kind = "reported" if window is None else "block"
    write(_peaks.peaks(frame, freq, tz=tz, kind=kind, window=window), form, out)


COMMANDS = (meters, topics, inventory, plan, read, energy, peaks)
