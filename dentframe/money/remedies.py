"""What to do about a figure that money refuses, and when its register did what it did. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.metering.series import Flag
from dentframe.times.ranges import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.site.files import Moment


STEPS = (
    Flag.DECREASE_UNCLASSIFIED
    | Flag.UNEXPLAINED_DECREASE
    | Flag.UNEXPLAINED_JUMP
    | Flag.RESET
    | Flag.AMBIGUOUS_FALL
)
"""What happens at one step of a register, and so has a time."""


@dataclass(frozen=True)
class Words:
    """How a door's user states things; ``{}`` is the element.

    Attributes
    ----------
    power, swap : str
        How an element's greatest power and a meter swap are stated.
    estimated, partial : str
        How such a figure is accepted.
    """

    power: str
    swap: str
    estimated: str
    partial: str


BILL = Words(
    'RegisterRules(max_kw={{"{}": ...}})',
    'RegisterRules(swaps={{"{}": ...}})',
    'accept=("recorded", "estimated")',
    'accept=("recorded", "partial")',
)
SPLIT = Words(
    "cts and volts, or max_kw, in [elements.{}] of the site file",
    "[[elements.{}.swaps]] of the site file",
    'accept = ["recorded", "estimated"] in [split]',
    'accept = ["recorded", "partial"] in [split]',
)
_KW = "the sum over its CTs of rating x line-to-neutral volts / 1000"


def remedy(status: str, flags: Sequence[str], element: str, words: Words) -> str:
    """What to do about a figure, by its flags, else by its status.

    Parameters
    ----------
    status : str
        ``estimated``, ``partial`` or ``missing``.
    flags : sequence of str
        What happened to the readings.
    element : str
        As it is addressed.
    words : Words
        The door's own.
    """
    power, swap = words.power.format(element), words.swap.format(element)
    if status == "estimated":
        return (
            f"Look at its bounds lo and hi; accept the estimate: {words.estimated}; or, where a "
            f"meter was swapped, state the swap: {swap}."
        )
    if "decrease_unclassified" in flags:
        return (
            "The register fell, and without its greatest power nothing tells a cleared register "
            f"from a fault. Give the greatest power [kW], {_KW}: {power}. A clear is then an "
            f"estimate; accept it: {words.estimated}."
        )
    if "unexplained_decrease" in flags or "unexplained_jump" in flags:
        return (
            "The register moved by more than can have been used. If the greatest power [kW] is "
            f"wrong or not stated, give it: {power}. If the meter was swapped, state the swap: "
            f"{swap}."
        )
    if status == "partial":
        return (
            "Read with bracket=True, or the rest of the period; fill it by estimate(); or accept "
            f"what is covered: {words.partial}."
        )
    return (
        "There is no reading of it: read the period again, or bill it by an agreed estimate of "
        "your own. A missing figure is never billed as 0."
    )


def exclusive_end(start: Moment, end: Moment) -> str:
    """A hint where a bill seems to end with the last day of a month, which is then not in it.

    Parameters
    ----------
    start, end : date or datetime
        The bill's; only dates can be meant so.
    """
    if any(isinstance(x, dt.datetime) or not isinstance(x, dt.date) for x in (start, end)):
        return ""
    after = end + dt.timedelta(days=1)
    if start.day != 1 or after.day != 1:
        return ""
    return (
        f" If {end} belongs to the bill, write end = {after}: end is exclusive. If it is the "
        "utility's read date, state the bill's days."
    )


def when(c: Cumulative, s: int, e: int, tz: dt.tzinfo) -> str:
    """Between which two readings the first doubtful step of a span lies, ``""`` without one.

    Parameters
    ----------
    c : Cumulative
        The element's series.
    s, e : int
        The span [us UTC].
    tz : tzinfo
        The zone of the times.
    """
    if not len(c.flags):
        return ""
    inside = (c.t[1:] > s) & (c.t[:-1] < e) & ((c.flags & int(STEPS)) != 0)
    found = np.flatnonzero(inside)
    if not len(found):
        return ""
    i = int(found[0])
    low, high = (stamp(int(x)).tz_convert(tz) for x in (c.t[i], c.t[i + 1]))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"between {low:%Y-%m-%d %H:%M} and {high:%H:%M}{more}"
