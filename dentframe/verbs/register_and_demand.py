"""The register and the demand of each element are read side by side here, to be compared.

Verbs that compare them find out what is wrong with a register that falls: none is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.errors import KindError
from dentframe.frame.select import check_read, topics
from dentframe.metering.attrs import time_index
from dentframe.metering.energy_and_coverage import Cumulative, first_covered
from dentframe.metering.register_rules import Rules, check_elements, resolve
from dentframe.metering.series import NONE, Series, element_columns, read, rows
from dentframe.times.dates_and_ranges import naive_zone
from dentframe.verbs.chosen_elements import requested_elements
from dentframe.verbs.inputs import (
    MEAN,
    REGISTER,
    VerbKeywords,
    by_meter,
    interval_of,
    means_of,
    register_of,
    warn_of_spacing,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import pandas as pd

    from dentframe.verbs.chosen_elements import Element


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
    rules : Rules
        What is known about the register.
    """

    meter: str | None
    element: str
    register: Cumulative
    demand: Cumulative
    interval: int
    lag: int
    rules: Rules

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


def pair_of(
    key: Element, series: Mapping[str, Series], resolved: VerbKeywords, tz: dt.tzinfo | None
) -> Pair:
    """An element's register and means from its series by topic; none of the two is refused."""
    rules = resolve(resolved.registers, *key, tz)
    register, demand = (
        series.get(topic, Series(*key, topic, NONE, np.empty(0), NONE, NONE))
        for topic in (REGISTER, MEAN)
    )
    means = means_of(demand, rules, resolved)
    window = interval_of(resolved.interval, key[0])
    lag = by_meter(resolved.demand_lag, key[0], "0min", "demand_lag")
    return Pair(*key, register_of(register, rules, means), means, window, lag, rules)


def pairs(frame: pd.DataFrame, resolved: VerbKeywords) -> list[Pair]:
    """Every element that has a reading of either kind, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    resolved : VerbKeywords
        The zone of naive swap times, the rules, interval and lag.

    Warns
    -----
    ReadingWarning
        Where means come at another spacing than `interval`.
    """
    found: dict[Element, dict[str, Series]] = {}
    named = requested_elements(frame, (REGISTER, MEAN), resolved.elements)
    for x in read(rows(frame), frame, element_columns(frame, (REGISTER, MEAN))):
        found.setdefault((x.meter, x.element), {})[x.topic] = x
    check_elements(resolved.registers, list(found))
    tz = naive_zone(time_index(frame).tz, resolved.tz)
    made = [pair_of(k, x, resolved, tz) for k, x in found.items() if named is None or k in named]
    made.sort(key=lambda p: (p.meter or "", len(p.element), p.element))
    warn_of_spacing((p.demand.series for p in made), resolved.interval)
    return [p for p in made if len(p.register.at) or len(p.demand.at)]


def check_both_there(frame: pd.DataFrame, verb: str) -> None:
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
