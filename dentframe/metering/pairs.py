"""Registers and interval means of the same elements, side by side. Pure.

The register is taken as it is, without the guard against frames differenced by hand: these
verbs are there to find out what is wrong with a register that falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import KindError
from dentframe.metering.accumulate import from_means, from_register
from dentframe.metering.cumulative import first_covered
from dentframe.metering.rows import rows
from dentframe.metering.series import NONE, Series, element_columns, read
from dentframe.metering.sources import MEAN, REGISTER, by_meter, interval_of, naive_zone
from dentframe.registers import check_elements, resolve
from dentframe.selection import check_read, topics

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.study import Asked


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


def pairs(frame: pd.DataFrame, asked: Asked) -> list[Pair]:
    """Every element that has a reading of either kind, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    asked : Asked
        The caller's keywords: the zone of naive swap times, the rules, interval and lag.
    """
    found: dict[tuple[str | None, str], dict[str, Series]] = {}
    for s in read(rows(frame), frame, element_columns(frame, (REGISTER, MEAN))):
        found.setdefault((s.meter, s.element), {})[s.topic] = s
    check_elements(asked.registers, list(found))
    local = naive_zone(frame, asked.tz)
    made = []
    for (meter, element), series in sorted(found.items(), key=_wire_order):
        own = resolve(asked.registers, meter, element, local)
        register = series.get(REGISTER, _blank(meter, element, REGISTER))
        demand = series.get(MEAN, _blank(meter, element, MEAN))
        window = interval_of(asked.interval, meter)
        lag = by_meter(asked.demand_lag, meter, "0min", "demand_lag")
        means = from_means(demand, window, lag, own.max_gap)
        made.append(Pair(meter, element, from_register(register, own), means, window, lag))
    return [p for p in made if len(p.register.at) or len(p.demand.at)]


def _blank(meter: str | None, element: str, topic: str) -> Series:
    return Series(meter, element, topic, NONE, np.empty(0), NONE, NONE)


def _wire_order(item: tuple[tuple[str | None, str], Any]) -> tuple[str, int, str]:
    meter, element = item[0]
    return meter or "", len(element), element


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
