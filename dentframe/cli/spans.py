"""How a command names its span: ``--month 2023-12|last`` or ``--period A..B``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import click
import pandas as pd

from dentframe.errors import RangeError
from dentframe.instants import time_range, zone


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--month`` and ``--period`` to a command."""
    command = click.option(
        "--period", help="From the first to before the second local day: 2023-11-18..2023-12-18."
    )(command)
    return click.option("--month", help="A local month, 2023-12, or 'last'.")(command)


def span(
    tz: str,
    *,
    month: str | None,
    period: str | None,
    start: str | None = None,
    end: str | None = None,
) -> tuple[str, str | None]:
    """The start and end that the arguments or one of the two options name.

    Raises
    ------
    RangeError
        Where they are named twice or not at all, or one cannot be read.
    """
    if [start, month, period].count(None) != 2:
        raise RangeError(
            "Cannot tell the span: give one of START [END], --month 2023-12 or --period A..B."
        )
    if start is not None:
        return start, end
    if month is not None:
        return (_last_month(tz) if month.strip().lower() == "last" else month), None
    start, dots, end = str(period).partition("..")
    if not (start and dots and end):
        raise RangeError(
            f"Cannot read --period {period!r}: write it like 2023-11-18..2023-12-18 "
            "(the second day is no longer in it)."
        )
    return start.strip(), end.strip()


def zone_of(
    tz: str | None, month: str | None, period: str | None, *, calendar: bool = False
) -> str:
    """The zone that was given; local days and months are refused without one.

    Raises
    ------
    RangeError
        Where the command needs a zone and none is given.
    """
    if tz is None and (calendar or month or period):
        raise RangeError(
            "Cannot tell which days are meant: days and months are local. "
            "Give --tz America/Los_Angeles or the like (--tz UTC if UTC is meant)."
        )
    return tz or "UTC"


def _last_month(tz: str) -> str:
    first = dt.datetime.now(zone(tz)).date().replace(day=1)
    return f"{first - dt.timedelta(days=1):%Y-%m}"


def bounds(start: str, end: str | None, tz: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Both instants of a span that `span` named."""
    return time_range(start, end, tz, now=pd.Timestamp.now("UTC"))
