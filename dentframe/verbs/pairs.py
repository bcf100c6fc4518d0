"""A register and the interval means of the same element are read side by side here.

The verbs that compare them are there to find out what is wrong with a register that falls: none
of them is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.errors import KindError
from dentframe.frame.select import check_read, topics
from dentframe.metering.cumulative import Cumulative, first_covered
from dentframe.metering.registers import check_elements, resolve
from dentframe.metering.series import NONE, Series, element_columns, read, rows
from dentframe.verbs.elements import Element, elements_asked
from dentframe.verbs.inputs import (
    MEAN,
    REGISTER,
    VerbKeywords,
    by_meter,
    interval_of,
    means_of,
    naive_zone,
    register_of,
    warn_of_spacing,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pair:
    """What one element's register and its interval means say.

    Attributes
    ----------
    meter : str or None
        The meter; None where nothing names it.
    element : str
        The element's letter.
    register, demand : Cumulative
        E(t) of each; without breakpoints where the frame has no reading of it.
    interval, lag : int
        The window of the means, and how late they are stamped [us].
    """

    meter: str | None
    element: str
    register: Cumulative
    demand: Cumulative
    interval: int
    lag: int

    @property
    def complete(self) -> bool:
        """Whether both have readings."""
        return len(self.register.at) > 0 and len(self.demand.at) > 0

    @property
    def span(self) -> tuple[int, int] | None:
        """From the later first instant to the earlier last one [us]; None without both."""
        if not self.complete:
            return None
        low = max(first_covered(self.register), first_covered(self.demand))
        high = min(int(self.register.at[-1]), int(self.demand.at[-1]))
        return (low, high) if low < high else None


def pairs(frame: pd.DataFrame, keywords: VerbKeywords) -> list[Pair]:
    """Every element that has a reading of either kind, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    keywords : VerbKeywords
        The zone of naive swap times, the rules, interval and lag.

    Warns
    -----
    ReadingWarning
        Where means come at another spacing than `interval`.
    """
    found: dict[Element, dict[str, Series]] = {}
    named = elements_asked(frame, (REGISTER, MEAN), keywords.elements)
    for s in read(rows(frame), frame, element_columns(frame, (REGISTER, MEAN))):
        found.setdefault((s.meter, s.element), {})[s.topic] = s
    check_elements(keywords.registers, list(found))
    local = naive_zone(frame, keywords.tz)
    made = []
    for key, series in found.items():
        if named is not None and key not in named:
            continue
        rules = resolve(keywords.registers, *key, local)
        register, demand = (
            series.get(topic, Series(*key, topic, NONE, np.empty(0), NONE, NONE))
            for topic in (REGISTER, MEAN)
        )
        means = means_of(demand, rules, keywords)
        window = interval_of(keywords.interval, key[0])
        lag = by_meter(keywords.demand_lag, key[0], "0min", "demand_lag")
        made.append(Pair(*key, register_of(register, rules, means), means, window, lag))
    made.sort(key=lambda p: (p.meter or "", len(p.element), p.element))
    warn_of_spacing((p.demand.series for p in made), keywords.interval)
    return [p for p in made if len(p.register.at) or len(p.demand.at)]


def need_both(frame: pd.DataFrame, verb: str) -> None:
    """Refuse a frame in which there is nothing to compare.

    Raises
    ------
    KindError
        Where the registers or the means are not in the frame at all.
    """
    check_read(frame)
    there = topics(frame)
    for topic in (REGISTER, MEAN):
        if topic not in there:
            raise KindError(
                f"Cannot {verb}: the frame has no {topic} column, only {', '.join(there) or 'none'}"
                f'. It compares registers with demand: read topics=["{REGISTER}", "{MEAN}"].'
            )
