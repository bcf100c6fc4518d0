"""Local calendar days of a period, and what part of a month they are. Pure."""

from __future__ import annotations

import calendar
import datetime as dt
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.instants import localize

if TYPE_CHECKING:
    from collections.abc import Sequence

PRORATIONS = ("none", "days", "month")


def local_days(start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo) -> list[dt.date]:
    """The local days that begin in ``[start, end)``: a day belongs to who has its start.

    Parameters
    ----------
    start, end : Timestamp
        The period, aware.
    tz : tzinfo
        The zone of the calendar.
    """
    first, last = (x.tz_convert(tz).tz_localize(None).normalize() for x in (start, end))
    walls = pd.date_range(first, last, freq="D", unit="us")
    begins = localize(walls, tz)
    return [d.date() for d in walls[(begins >= start) & (begins < end)]]


def check_proration(rule: Any, field: str, name: str) -> Any:
    """A proration as given: None, ``"none"``, ``"days"``, ``"month"``, or days of a month."""
    if rule is None or rule in PRORATIONS:
        return rule
    if isinstance(rule, int) and not isinstance(rule, bool) and rule > 0:
        return rule
    raise ConfigError(
        f"Cannot use {field}={rule!r} in charge {name!r}: use 'none' (whole for any period), "
        "'days' (share of the billed days), 'month' (share of calendar months), or a number of "
        "days, e.g. 30."
    )


def factor(rule: Any, days: Sequence[dt.date], whole: Sequence[dt.date]) -> Fraction:
    """The part of a monthly amount or limit that falls on some days.

    Parameters
    ----------
    rule : str or int
        ``"none"``: 1. ``"days"``: their share of `whole`. ``"month"``: each day is one part of
        its calendar month. A number: each day is one part of so many.
    days, whole : sequence of date
        The days a charge is valid, and those of the billing period.
    """
    if rule == "none":
        return Fraction(1)
    if rule == "month":
        parts = (Fraction(1, calendar.monthrange(d.year, d.month)[1]) for d in days)
        return sum(parts, Fraction(0))
    return Fraction(len(days), rule if isinstance(rule, int) else max(len(whole), 1))
