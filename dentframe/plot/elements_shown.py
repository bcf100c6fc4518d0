"""The elements that a picture shows are chosen here, with their names and their power.

Every picture takes the keywords of `PictureKeywords`; `picture` writes them into its signature.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, cast

import numpy as np
from matplotlib.axes import Axes

from dentframe.accessor_methods import with_keywords
from dentframe.errors import ConfigError, RangeError
from dentframe.frame.select import elements
from dentframe.metering.series import Floats, Ints, is_several, meters_of
from dentframe.site.site import summed
from dentframe.verbs import demand as blocks
from dentframe.verbs.demand import window_means
from dentframe.verbs.elements_by_name import summed_series
from dentframe.verbs.keywords_and_series import (
    DEFAULTS,
    Keywords,
    VerbKeywords,
    demand_source,
    inputs_of,
)
from dentframe.wire.columns import split_element
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.verbs.keywords_and_series import Inputs, Source


QUANTITIES = {"Demand": "demand", "ApparentDemand": "apparent demand"}
P = ParamSpec("P")


class PictureKeywords(Keywords, total=False):
    """The keywords that every picture takes; its `elements` are those that it shows."""

    title: str | None
    ax: Axes | None
    topic: str | None
    source: str


def picture(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Write the keywords of every picture into a function's signature, and refuse others."""
    drawn = with_keywords(PictureKeywords, DEFAULTS | {"source": "auto"})(draw)

    @functools.wraps(drawn)
    def call(*args: P.args, **how: P.kwargs) -> Axes:
        frame, second = cast("tuple[Any, Any]", (*args, None, None)[:2])
        # "D" is a day as well, and pictures of periods take that by its place.
        if isinstance(second, str) and second != "D" and second in elements(frame):
            raise ConfigError(f"Cannot draw {second!r} by its place: say elements={second!r}.")
        return drawn(*args, **how)

    return call


@dataclass(frozen=True)
class Subject:
    """A caller's keywords, with what a site adds to them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The readings.
    keywords : VerbKeywords
        Zone, span, register rules, interval and lag.
    verb : dict
        The keywords of a verb that answers for this picture, as given.
    topic, source : str
        As the verbs take them.
    elements : str, list of str, or None
        None: every element, or for a sum what the site's roles say.
    site : Site or None
        Gives labels and roles.
    """

    frame: pd.DataFrame
    keywords: VerbKeywords
    verb: dict[str, Any]
    topic: str | None
    source: str
    elements: Any
    site: Any

    def shown(
        self, series: Sequence[Cumulative], of: Source, *, together: bool
    ) -> list[Cumulative]:
        """The elements that are shown side by side, or added up `together`.

        Side by side all are, where none is named. Added up are the only one, or those named, or
        else the branches and exports of the site, of the meters that the frame has.

        Raises
        ------
        ConfigError
            Where nothing tells which of several, or all are asked for and one is in another.
        """
        names, site = self.elements, self.site
        if names is None and not together:
            names = "all"
        elif names is None and site is not None:
            several = is_several(self.frame)
            meters = {*meters_of(self.frame)} if several else {str(c.meter) for c in series}
            names = [x for x in summed(site) if split_element(x)[0] in meters] or None
        if names is None and len(series) == 1:
            names = "all"
        found = summed_series(self.frame, series, of.topics, names, None)
        if together and site is not None and isinstance(names, str) and names == "all":
            every = {c.name for c in found}
            inner = [x for x in every if getattr(site.elements.get(x), "parent", None) in every]
            if inner:
                main = site.elements[min(inner)].parent
                raise ConfigError(
                    f"Cannot add up all elements: {main} measures {min(inner)} as well, so that "
                    "its energy would count twice. Leave elements= out, which takes the branches "
                    "and exports of the site, or name those to add up."
                )
        return found

    def label(self, c: Cumulative) -> str:
        """How an element is named in a legend."""
        own = c.name if is_several(self.frame) else c.element
        label = None if self.site is None else self.site.labels.get(c.name)
        return own if label in {None, c.name} else f"{label} ({own})"

    def axis(self, series: Sequence[Cumulative], quantity: str, unit: str) -> str:
        """What an axis shows, ``HVAC, demand [kW]``; a legend names several elements."""
        return self.summed(series, quantity, unit) if len(series) == 1 else f"{quantity} [{unit}]"

    def summed(self, series: Sequence[Cumulative], quantity: str, unit: str) -> str:
        """What a colour bar shows: up to three elements are named, more are counted."""
        labels = [self.label(c) for c in series]
        if self.site is not None and len(series) == 1:
            own = self.site.labels.get(series[0].name)
            labels = [own] if [*self.site.labels.values()].count(own) == 1 else labels
        names = " + ".join(labels) if len(labels) <= 3 else f"sum of {len(labels)} elements"
        return f"{names}, {quantity} [{unit}]"

    def places(self, series: Sequence[Cumulative], every: Sequence[Cumulative]) -> list[int]:
        """The places of elements among all, which tell their colours: the same in every picture.

        A site's own order comes first. Elements of one meter have the place of their letter,
        whatever else the frame has; those of several come in the order of the frame.
        """
        known = [] if self.site is None else list(self.site.elements)
        if not known and not is_several(self.frame) and all(len(c.element) == 1 for c in series):
            return [ord(c.element) - ord("A") for c in series]
        known += [c.name for c in every if c.name not in known]
        return [known.index(c.name) for c in series]

    def chosen(
        self, *clock: str, together: bool = False
    ) -> tuple[Inputs, list[Cumulative], list[int], list[str]]:
        """What answers for demand over the span, one period, and the elements that are shown.

        Parameters
        ----------
        *clock : str
            What else needs a zone, ``"D"`` for days.
        together : bool
            Whether the elements are added up.

        Returns
        -------
        tuple of (inputs, series, places, labels)
        """
        wanted = demand_source(self.frame, self.topic, self.source)
        of = inputs_of(self.frame, None, wanted, self.keywords, *clock)
        if len(of.s) == 0 or of.s[0] == of.e[-1]:
            raise RangeError(
                "Cannot draw this frame: it has no span of time, for its readings are of fewer "
                "than two instants. Read a longer range, or give start= and end=."
            )
        series = self.shown(of.series, wanted, together=together)
        return of, series, self.places(series, of.series), [self.label(c) for c in series]


def subject(frame: pd.DataFrame, how: PictureKeywords) -> Subject:
    """The elements and the span that a picture shows, by its caller's keywords.

    Raises
    ------
    RangeError
        For a frame without rows.
    ConfigError
        For a `site` that is no Site, and an `ax` that is no Axes.
    """
    ax = how.get("ax")
    if ax is not None and not isinstance(ax, Axes):
        raise ConfigError(
            f"Cannot draw on ax={ax!r}: it is no matplotlib Axes. Give one, e.g. "
            "ax=figure.subplots(), or ax=axes[0] of several."
        )
    if len(frame) == 0:
        raise RangeError(
            "Cannot draw this frame: it has no rows. Read a range that has readings; "
            "inventory() tells which have."
        )
    verb: dict[str, Any] = {k: v for k, v in how.items() if k not in {"title", "ax", "elements"}}
    keywords = {k: v for k, v in verb.items() if k not in {"topic", "source"}}
    return Subject(
        frame, VerbKeywords.of(frame, **keywords), verb, how.get("topic"),
        how.get("source", "auto"), how.get("elements"), how.get("site"),
    )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """Figures of elements over blocks of the clock or over periods.

    Attributes
    ----------
    series : list of Cumulative
        The elements.
    s, e : ndarray of int64
        The blocks that lie wholly in the span, or the periods, cut at it [us UTC], shape (n,).
    parts : ndarray of float
        Their power, or the energy of what is covered, shape (elements, n); NaN where nothing is.
    total : ndarray of float
        The sum of the elements, NaN where one is not wholly covered, shape (n,).
    doubtful : ndarray of bool
        Whether a figure is not simply recorded, shape (elements, n).
    labels, places : list
        Of the elements: their names, and what tells their colours.
    tz : tzinfo
        The zone of the clock.
    quantity, unit : str
        ``demand`` [``kW``], ``energy`` [``kWh``] or their like.
    span : tuple of int
        What is drawn, also where it holds no whole block [us UTC].
    each : str
        What a period is called; empty for blocks.
    """

    series: list[Cumulative]
    s: Ints
    e: Ints
    parts: Floats
    total: Floats
    doubtful: np.ndarray
    labels: list[str]
    places: list[int]
    tz: dt.tzinfo
    quantity: str
    unit: str
    span: tuple[int, int]
    each: str = ""


def power(of: Subject, window: Any, *clock: str, together: bool) -> Drawn:
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
    how = blocks.cut("block", window, None, of.keywords.interval)
    found, series, places, labels = of.chosen(how.freq, *clock, together=together)
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
    result = found.source.result
    return Drawn(
        series, s, e, kw, kw.sum(axis=0), np.zeros(kw.shape, np.bool_), labels, places, found.tz,
        QUANTITIES[result], TOPICS[result].unit, (low, high),
    )  # fmt: skip
