"""What a picture is of: the elements asked for, and their power in blocks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.columns import split_element
from dentframe.demand import window_means
from dentframe.errors import RangeError
from dentframe.metering import blocks
from dentframe.metering.chosen import chosen
from dentframe.metering.rows import is_several, meters_of
from dentframe.metering.study import Asked, Study, demanded, study
from dentframe.site import apply_site

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Floats, Ints
    from dentframe.metering.sources import Wanted

UNITS = {
    "Demand": "kW",
    "ApparentDemand": "kVA",
    "Energy": "kWh",
    "ApparentEnergy": "kVAh",
    "ReactiveEnergy": "kvarh",
}


@dataclass(frozen=True)
class Subject:
    """A caller's keywords, with what a site adds to them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The readings.
    asked : Asked
        Zone, span, register rules, interval and lag.
    topic, source : str
        As the verbs take them.
    elements : str, list of str, or None
        None: every element, or for a sum what the site's roles say.
    site : Site or None
        Gives labels and roles.
    """

    frame: pd.DataFrame
    asked: Asked
    topic: str | None
    source: str
    elements: Any
    site: Any

    def each(self, series: Sequence[Cumulative], wanted: Wanted) -> list[Cumulative]:
        """The elements that are shown side by side: all, where none is named."""
        names = "all" if self.elements is None else self.elements
        return chosen(self.frame, series, wanted, names, None)

    def together(self, series: Sequence[Cumulative], wanted: Wanted) -> list[Cumulative]:
        """The elements that are added up: the only one, or those named, or by their roles.

        Raises
        ------
        ConfigError
            Where nothing tells which of several.
        """
        names = self._by_role(series) if self.elements is None else self.elements
        if names is None and len(series) == 1:
            names = "all"
        return chosen(self.frame, series, wanted, names, None)

    def _by_role(self, series: Sequence[Cumulative]) -> list[str] | None:
        """The branches and exports of the meters that the frame has, None without a site."""
        if self.site is None:
            return None
        _, _, names = apply_site(self.site, None, self.asked.registers)
        several = is_several(self.frame)
        meters = {*meters_of(self.frame)} if several else {str(c.meter) for c in series}
        return [x for x in names if split_element(x)[0] in meters] or None

    def label(self, c: Cumulative) -> str:
        """How an element is named in the picture."""
        own = c.name if is_several(self.frame) else c.element
        told = None if self.site is None else self.site.labels.get(c.name)
        return own if told in {None, c.name} else f"{told} ({own})"

    def study(self, *clock: str) -> Study:
        """The series that answer for demand and the span, one period."""
        wanted = demanded(self.frame, self.topic, self.source)
        of = study(self.frame, None, wanted, self.asked, *clock)
        if len(of.s) == 0 or of.s[0] == of.e[-1]:
            raise RangeError(
                "Cannot draw this frame: it has no span of time, for its readings are of fewer "
                "than two instants. Read a longer range, or give start= and end=."
            )
        return of


def subject(
    frame: pd.DataFrame,
    asked: Asked,
    *,
    topic: str | None,
    source: str,
    elements: Any,
    site: Any,
) -> Subject:
    """A picture's subject.

    Raises
    ------
    RangeError
        For a frame without rows.
    ConfigError
        For a `site` that is no Site.
    """
    if len(frame) == 0:
        raise RangeError(
            "Cannot draw this frame: it has no rows. Read a range that has readings; "
            "inventory() tells which have."
        )
    tz, registers, _ = apply_site(site, asked.tz, asked.registers, frame=frame)
    full = Asked(tz, asked.start, asked.end, registers, asked.interval, asked.demand_lag)
    return Subject(frame, full, topic, source, elements, site)


@dataclass(frozen=True)
class Power:
    """Mean power of blocks of the local clock.

    Attributes
    ----------
    s, e : ndarray of int64
        The blocks that lie wholly in the span [us UTC], shape (blocks,).
    kw : ndarray of float
        Shape (elements, blocks); NaN where not wholly covered.
    labels : list of str
        Of the elements.
    tz : tzinfo
        The zone of the clock.
    unit : str
        ``kW`` or ``kVA``.
    low, high : int
        The span [us UTC].
    """

    s: Ints
    e: Ints
    kw: Floats
    labels: list[str]
    tz: dt.tzinfo
    unit: str
    low: int
    high: int

    @property
    def parts(self) -> Floats:
        """What is stacked."""
        return self.kw

    @property
    def doubtful(self) -> np.ndarray:
        """No block is: it is wholly known or not at all."""
        return np.zeros(self.kw.shape, dtype=np.bool_)

    @property
    def total(self) -> Floats:
        """The sum of the elements, NaN where one is, shape (blocks,)."""
        return np.asarray(self.kw.sum(axis=0))


def power(of: Subject, window: Any, *clock: str, together: bool) -> Power:
    """Mean power of the subject's elements.

    Parameters
    ----------
    of : Subject
        What is drawn.
    window : str or timedelta
        Length of a block.
    *clock : str
        What else needs a zone, ``"D"`` for days.
    together : bool
        Whether the elements are added up.
    """
    how = blocks.cut("block", window, None, of.asked.interval)
    found = of.study(how.freq, *clock)
    pick = of.together if together else of.each
    series = pick(found.series, found.wanted)
    low, high = int(found.s[0]), int(found.e[-1])
    s, e = blocks.span(how, found.s, found.e, found.tz)
    inside = (s >= low) & (e <= high)
    s, e = s[inside], e[inside]
    if len(s) == 0:
        raise RangeError(
            f"Cannot draw blocks of {how.freq}: the span holds none of them whole. "
            "Use a shorter window= or a longer span."
        )
    kw = np.stack([window_means(found, c, s, e) for c in series])
    labels = [of.label(c) for c in series]
    return Power(s, e, kw, labels, found.tz, UNITS[found.wanted.result], low, high)


def runs(mask: Any) -> list[tuple[int, int]]:
    """The half-open runs of True in a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def sum_of(labels: Sequence[str], most: int = 3) -> str:
    """Elements that are added up, in words."""
    return " + ".join(labels) if len(labels) <= most else f"sum of {len(labels)} elements"
