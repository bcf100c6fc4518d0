"""The elements that a picture shows are chosen here, with their names and their power.

Every picture takes the keywords of `PictureKeywords`; `picture` writes them into its signature.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Self, cast

import numpy as np
from matplotlib.axes import Axes

from dentframe.accessor_methods import with_keywords
from dentframe.errors import ConfigError, RangeError
from dentframe.frame.select import elements
from dentframe.metering.series import Floats, Ints, is_several, meters_of
from dentframe.site.site import summed
from dentframe.verbs import demand as blocks
from dentframe.verbs import inputs_and_keywords as verbs
from dentframe.verbs.elements_by_name import summed_series
from dentframe.wire.columns import split_element
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from dentframe.metering.energy_and_coverage import Cumulative


_QUANTITIES = {"Demand": "demand", "ApparentDemand": "apparent demand"}
P = ParamSpec("P")


class PictureKeywords(verbs.TopicKeywords, total=False):
    """The keywords that every picture takes; its `elements` are those that it shows."""

    title: str | None
    ax: Axes | None


def picture(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Write the keywords of every picture into a function's signature, and refuse others."""
    drawn = with_keywords(PictureKeywords, verbs.DEFAULTS)(draw)

    @functools.wraps(drawn)
    def call(*args: P.args, **how: P.kwargs) -> Axes:
        frame, second = cast("tuple[Any, Any]", (*args, None, None)[:2])
        # "D" is a day as well, and pictures of periods take that by its place.
        if isinstance(second, str) and second != "D" and second in elements(frame):
            raise ConfigError(f"Cannot draw {second!r} by its place: say elements={second!r}.")
        return drawn(*args, **how)

    return call


@dataclass(frozen=True)
class Shown:
    """The elements that a picture shows, and what answers for them.

    Attributes
    ----------
    found : Inputs
        The series of every element, and the periods: one, the whole span, or those of bars.
    site_labels : mapping of str to str
        What a site calls its elements, by their ids; empty without a site.
    series : list of Cumulative
        The elements that are shown.
    """

    found: verbs.Inputs
    site_labels: Mapping[str, str]
    series: list[Cumulative]

    @classmethod
    def choose(cls, found: verbs.Inputs, how: PictureKeywords, *, together: bool) -> Self:
        """The elements that are shown side by side, or added up `together`.

        Side by side all are, where none is named. Added up are the only one, or those named, or
        else the branches and exports of the site, of the meters that the frame has.

        Raises
        ------
        ConfigError
            Where nothing tells which of several, or all are asked for and one is in another.
        """
        names, site, frame = how.get("elements"), how.get("site"), found.frame
        if names is None and together and site is not None:
            several = is_several(frame)
            meters = {*meters_of(frame)} if several else {str(c.meter) for c in found.series}
            names = [x for x in summed(site) if split_element(x)[0] in meters] or None
        if names is None and (not together or len(found.series) == 1):
            names = "all"
        series = summed_series(frame, found.series, found.source.topics, names)
        if together and site is not None and isinstance(names, str) and names == "all":
            every = {c.name for c in series}
            inner = [x for x in every if x in site.elements and site.elements[x].parent in every]
            if inner:
                main = site.elements[min(inner)].parent
                raise ConfigError(
                    f"Cannot add up all elements: {main} measures {min(inner)} as well, so that "
                    "its energy would count twice. Leave elements= out, which takes the branches "
                    "and exports of the site, or name those to add up."
                )
        return cls(found, {} if site is None else site.labels, series)

    @property
    def tz(self) -> dt.tzinfo:
        """The zone of clock and calendar."""
        return self.found.tz

    @property
    def span(self) -> tuple[int, int]:
        """What is drawn, from and to [us UTC]."""
        return int(self.found.s[0]), int(self.found.e[-1])

    @property
    def quantity(self) -> str:
        """What is drawn: ``demand``, ``energy`` or their like."""
        return _QUANTITIES.get(self.found.source.result, "energy")

    @property
    def unit(self) -> str:
        """The unit of what is drawn, ``kW`` or its like."""
        return TOPICS[self.found.source.result].unit

    @property
    def labels(self) -> list[str]:
        """How the elements are named in a legend."""
        several = is_several(self.found.frame)
        labels = {k: v for k, v in self.site_labels.items() if v not in {"", k}}
        own = [(c.name, c.name if several else c.element) for c in self.series]
        return [f"{labels[k]} ({x})" if k in labels else x for k, x in own]

    @property
    def places(self) -> list[int]:
        """The places of elements among all, which tell their colours: the same in every picture.

        A site's own order comes first. Elements of one meter have the place of their letter,
        whatever else the frame has; those of several come in the order of the frame.
        """
        known = list(self.site_labels)
        several = is_several(self.found.frame)
        if not known and not several and all(len(c.element) == 1 for c in self.series):
            return [ord(c.element) - ord("A") for c in self.series]
        known += [c.name for c in self.found.series if c.name not in known]
        return [known.index(c.name) for c in self.series]

    def axis(self, quantity: str, unit: str) -> str:
        """What an axis shows, ``HVAC, demand [kW]``; a legend names several elements."""
        return self.summed(quantity, unit) if len(self.series) == 1 else f"{quantity} [{unit}]"

    def summed(self, quantity: str, unit: str) -> str:
        """What a colour bar shows: up to three elements are named, more are counted."""
        labels = self.labels
        own = self.site_labels.get(self.series[0].name) if len(labels) == 1 else None
        if own is not None and [*self.site_labels.values()].count(own) == 1:
            labels = [own]
        names = " + ".join(labels) if len(labels) <= 3 else f"sum of {len(labels)} elements"
        return f"{names}, {quantity} [{unit}]"


def for_verb(frame: pd.DataFrame, how: PictureKeywords) -> dict[str, Any]:
    """The keywords of a verb that answers for a picture, as its caller gave them.

    Raises
    ------
    RangeError
        For a frame without rows.
    ConfigError
        For an `ax` that is no Axes.
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
    return {k: v for k, v in how.items() if k not in {"title", "ax", "elements"}}


def shown(frame: pd.DataFrame, how: PictureKeywords, *clock: str, together: bool = False) -> Shown:
    """What answers for demand over the span, one period, and the elements that are shown.

    Parameters
    ----------
    frame : pandas.DataFrame
        The readings.
    how : PictureKeywords
        As the caller gave them.
    *clock : str
        What else needs a zone, ``"D"`` for days.
    together : bool
        Whether the elements are added up.
    """
    keywords = verbs.VerbKeywords.of(frame, **for_verb(frame, how))
    wanted = verbs.demand_source(frame, keywords.topic, keywords.source)
    found = verbs.inputs_of(frame, None, wanted, keywords, *clock)
    if len(found.s) == 0 or found.s[0] == found.e[-1]:
        raise RangeError(
            "Cannot draw this frame: it has no span of time, for its readings are of fewer "
            "than two instants. Read a longer range, or give start= and end=."
        )
    return Shown.choose(found, how, together=together)


def power(
    frame: pd.DataFrame, how: PictureKeywords, window: Any, *clock: str, together: bool = False
) -> tuple[Shown, Ints, Ints, Floats]:
    """The elements as in `shown`, and their mean power in the blocks that lie in the span.

    Parameters
    ----------
    frame, how, *clock, together : optional
        As in `shown`.
    window : str or timedelta
        Length of a block.

    Returns
    -------
    tuple of (Shown, start, end, power)
        Starts and ends of the blocks [us UTC], shape (blocks,); power, NaN where a block is not
        wholly covered [kW], shape (elements, blocks).
    """
    cut = blocks.cut("block", window, None, None)
    of = shown(frame, how, f"{cut.step}min", *clock, together=together)
    s, e = blocks.span(cut, of.found.s, of.found.e, of.tz)
    inside = (s >= of.span[0]) & (e <= of.span[1])
    s, e = s[inside], e[inside]
    if len(s) == 0:
        raise RangeError(
            f"Cannot draw blocks of {cut.step}min: the span holds none of them whole. "
            "Use a shorter window= or a longer span."
        )
    return of, s, e, np.stack([blocks.window_means(of.found, c, s, e) for c in of.series])
