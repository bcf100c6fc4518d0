"""Dates and times are read here: zones, bounds and the range of a read, as UTC instants.

A naive value is wall time in a given zone, never the machine's. A midnight that does not
exist becomes the first instant that does; one that comes twice, the first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from functools import lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import RangeError, by

Zone: TypeAlias = str | dt.tzinfo | None
Ints: TypeAlias = npt.NDArray[np.int64]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DATE = re.compile(r"^\d{4}(-\d{1,2}(-\d{1,2})?)?$")
_SPELLINGS = (
    "%Y-%m", "%m-%Y", "%b-%Y", "%B-%Y", "%Y-%b", "%Y-%B", "%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y",
    "%d-%b-%Y", "%d-%B-%Y", "%b-%d-%Y", "%B-%d-%Y",
)  # fmt: skip
_QUARTER = re.compile(r"^\d{4}-?Q[1-4]$")
_UNITS = ("min", "h", "D")
_OLD = re.compile(r"^(\d*)([HT])$")
_STAMP = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}(:?\d{2})?")


def zone(tz: Zone) -> dt.tzinfo:
    """The zone of a name or object, or a RangeError that says what to write."""
    if isinstance(tz, dt.tzinfo):
        return tz
    if isinstance(tz, str) and tz.upper() == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(str(tz))
    except (KeyError, ValueError, OSError):
        raise RangeError(
            f"Cannot use {tz!r} as tz: no such time zone. "
            'Use an IANA name such as "America/Los_Angeles", or "UTC".'
        ) from None


def is_utc(tz: dt.tzinfo | None) -> bool:
    """Whether a zone is UTC under any of its names."""
    return tz is not None and str(tz) in {"UTC", "Etc/UTC", "UTC+00:00", "Zulu", "Etc/Zulu"}


def localize(walls: pd.DatetimeIndex, tz: dt.tzinfo, *, second: bool = False) -> pd.DatetimeIndex:
    """Calendar edges as instants: the first of two (or the second), the next of none."""
    first = np.full(len(walls), not second)
    found = walls.tz_localize(tz, ambiguous=first, nonexistent="NaT").as_unit("us")
    gaps = np.asarray(found.isna())
    if not gaps.any():
        return found
    ticks = found.asi8.copy()
    ticks[gaps] = _after_gap(walls[gaps], tz)
    return pd.DatetimeIndex(ticks.view("M8[us]")).tz_localize("UTC").tz_convert(tz)


def _after_gap(walls: pd.DatetimeIndex, tz: dt.tzinfo) -> npt.NDArray[np.int64]:
    """The first instant [us] at which the clock shows `walls` or later, by bisection.

    pandas' shift_forward takes every gap for an hour's: wrong on Lord Howe (half an hour)
    and in Apia (the day that Samoa skipped).
    """
    wanted = walls.as_unit("s")
    low, high = wanted.asi8 - 26 * 3600, wanted.asi8 + 26 * 3600
    for _ in range(18):  # 2**18 seconds are more than 52 hours
        middle = (low + high) // 2
        local = pd.DatetimeIndex(middle.view("M8[s]")).tz_localize("UTC").tz_convert(tz)
        shown = np.asarray(local.tz_localize(None) >= wanted)
        low, high = np.where(shown, low, middle), np.where(shown, middle, high)
    return high * 1_000_000


def instant(value: Any, tz: dt.tzinfo | None, what: str = "start") -> pd.Timestamp:
    """One bound as a UTC instant; a naive value is wall time in `tz`.

    Raises
    ------
    RangeError
        Where the value cannot be read, or its wall time is ambiguous or does not exist.
    """
    stamp, _ = _parse(value, what)
    if stamp.tzinfo is not None:
        return stamp.tz_convert("UTC")
    if tz is None:
        raise RangeError(
            f"Cannot tell which instant {what}={value!r} is: it has no time zone, and neither tz "
            'nor the index gives one. Pass tz= (say "UTC" if UTC is meant).'
        )
    if stamp == stamp.normalize():
        return localize(pd.DatetimeIndex([stamp]), tz)[0].tz_convert("UTC")
    first = stamp.tz_localize(tz, ambiguous=True, nonexistent="shift_forward")
    if first.tz_localize(None) != stamp:
        raise RangeError(
            f"Cannot use {what}={stamp}: that wall time does not exist in {tz} "
            "(the clock skips it). Give a time that exists, or one with its UTC offset."
        )
    if first != stamp.tz_localize(tz, ambiguous=False):
        raise RangeError(
            f"Cannot use {what}={stamp}: that wall time comes twice in {tz}. "
            f"Give it with its UTC offset, e.g. {first.isoformat()!r}."
        )
    return first.tz_convert("UTC")


def _parse(value: Any, what: str) -> tuple[pd.Timestamp, pd.Period | None]:
    """A bound as it is written, and the whole year, quarter, month or day that it names."""
    text = str(value).strip() if isinstance(value, str | int | np.integer) else ""
    with contextlib.suppress(ValueError):
        if isinstance(value, pd.Period) or _QUARTER.match(text):
            period = value if isinstance(value, pd.Period) else pd.Period(text)
            return period.start_time.as_unit("us"), period
        if _DATE.match(text):
            day = pd.Timestamp(text).as_unit("us")
            return day, pd.Period(day, freq=("Y", "M", "D")[text.count("-")])
        if _STAMP.match(text):
            return pd.Timestamp(text).as_unit("us"), None
        if isinstance(value, dt.date | np.datetime64) and not pd.isna(pd.Timestamp(value)):
            found = pd.Timestamp(value).as_unit("us")
            has_time = isinstance(value, dt.datetime | np.datetime64)
            return found, None if has_time else pd.Period(found, freq="D")
    value = text if isinstance(value, str) else value
    meant = " or ".join(map(repr, _meant(value)))
    hint = f" Did you mean {meant}?" if meant else ""
    if what == "end" and re.fullmatch(r"\D*[^\d\s]\D*", str(value)):
        hint = f" If topics are meant, say topics={value!r}."
    raise RangeError(
        f"Cannot read {what}={value!r} as a time.{hint} Use a date like '2023-12-12', a time like "
        "'2023-12-12 14:30', a datetime, a pandas Timestamp or a Period."
    )


def _meant(value: Any) -> list[str]:
    """The months or days that a date in another spelling may mean."""
    text = re.sub(r"[\s/.,-]+", "-", str(value).strip()) if isinstance(value, str | int) else ""
    if re.fullmatch(r"\d{6}|\d{8}", text):
        text = "-".join(filter(None, (text[:4], text[4:6], text[6:])))
    found = list[str]()
    for form in _SPELLINGS if re.search(r"\d", text) else ():  # pandas reads "" and "nan" as NaT
        with contextlib.suppress(ValueError):
            found.append(str(pd.to_datetime(text, format=form))[: 10 if "%d" in form else 7])
    return sorted({*found})


def time_range(
    start: Any, end: Any, tz: Zone, *, now: pd.Timestamp
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The half-open UTC range ``[start, end)`` that a reader's arguments mean.

    Parameters
    ----------
    start, end : str, date, datetime, Timestamp, Period or None
        ``end=None``: `start` names a whole period. ``end="now"``: up to `now`.
    tz : str or tzinfo
        The zone of naive values.
    now : pandas.Timestamp
        The present instant.

    Raises
    ------
    RangeError
        Where a bound cannot be read or `start` is not before `end`.
    """
    local = zone(tz)
    if end is None:
        _, period = _parse(start, "start")
        if period is None:
            raise RangeError(
                f"Cannot read {start!r} without an end: it names no whole year, month or day. "
                + by('Give an end (end="now" reads up to the present).', "Give END, a time or now.")
            )
        low = instant(period.start_time, local)
        high = instant((period + 1).start_time, local, "the period's end")
    else:
        low = instant(start, local)
        until_now = isinstance(end, str) and end.strip().lower() == "now"
        high = now.tz_convert("UTC") if until_now else instant(end, local, "end")
    if not low < high:
        raise RangeError(
            f"Cannot read from {start!r} to {end!r}: start is not before end "
            f"({low.isoformat()} >= {high.isoformat()}). The range is half-open, [start, end)."
        )
    return low, high


def naive_zone(index_tz: dt.tzinfo | None, tz: Zone) -> dt.tzinfo | None:
    """The zone in which a naive time is wall time; None where nothing tells."""
    if tz is not None:
        return zone(tz)
    return None if is_utc(index_tz) else index_tz


def check_order(
    low: pd.Timestamp | None, high: pd.Timestamp | None, *, strict: bool = True, one: bool = False
) -> None:
    """Refuse a span whose start is not before its end; `one` of the two may be the readings'."""
    if low is not None and high is not None and (low > high or (low == high and strict)):
        whose = " (the other bound is where the readings begin or end)" if one else ""
        raise RangeError(
            f"Cannot use the span from {low.isoformat()} to {high.isoformat()}: start is not "
            f"before end{whose}. The span is half-open, [start, end)."
        )


def bound(value: Any, index_tz: dt.tzinfo | None, tz: Zone, what: str) -> pd.Timestamp | None:
    """A verb's `start` or `end` as a UTC instant; naive bounds need a zone."""
    return None if value is None else instant(value, naive_zone(index_tz, tz), what)


def minutes(value: Any, what: str) -> int:
    """A span of time as whole minutes, e.g. ``"15min"``, ``"h"`` or a timedelta.

    Raises
    ------
    RangeError
        Where it cannot be read, is negative, or is no whole number of minutes.
    """
    try:
        return _minutes(value, what)
    except TypeError:  # it cannot be hashed, so that it is no span of time
        return _minutes.__wrapped__(value, what)


@lru_cache(typed=True)
def _minutes(value: Any, what: str) -> int:
    check_spelling(value, what)
    bare = isinstance(value, str) and value in _UNITS  # as `freq` takes it too
    try:
        span = pd.Timedelta(f"1{value}" if bare else value)
    except (ValueError, TypeError):
        span = pd.Timedelta(-1, unit="min")
    if pd.isna(span) or span < pd.Timedelta(0) or span % pd.Timedelta(minutes=1):
        raise RangeError(
            f"Cannot use {what}={value!r}: it is no whole number of minutes. Use e.g. '15min'."
        )
    return int(span // pd.Timedelta(minutes=1))


def check_spelling(value: Any, what: str) -> None:
    """Refuse pandas' old names of the hour and the minute, which it no longer reads."""
    found = _OLD.match(value.strip()) if isinstance(value, str) else None
    if found:
        new = found[1] + {"H": "h", "T": "min"}[found[2]]
        raise RangeError(
            f"Cannot use {what}={value!r}: that is pandas' old spelling, which it gave up in "
            f"version 3. Use {new!r}."
        )


def stamp(us: int) -> pd.Timestamp:
    """Microseconds as a UTC instant."""
    return pd.Timestamp(np.datetime64(us, "us")).tz_localize("UTC")


def micros(instant: pd.Timestamp | pd.Timedelta) -> int:
    """An aware instant as integer microseconds UTC; a length as microseconds."""
    return int(instant.as_unit("us").asm8.astype("int64"))


def utc(us: int) -> dt.datetime:
    """Microseconds as a UTC instant of Python's own, several times quicker than pandas'."""
    return _EPOCH + dt.timedelta(microseconds=int(us))


def ints(instants: pd.DatetimeIndex) -> Ints:
    """Instants as int64 microseconds UTC; not copied where they are in microseconds."""
    return (instants if instants.unit == "us" else instants.as_unit("us")).asi8


def local(us: Ints, tz: dt.tzinfo) -> pd.DatetimeIndex:
    """Microseconds as instants in a zone; the least int64 is NaT."""
    return pd.DatetimeIndex(us, dtype=pd.DatetimeTZDtype("us", tz))
