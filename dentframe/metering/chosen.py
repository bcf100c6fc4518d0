"""Which elements a sum is of: those named, all, or those whose role says so. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError, UnknownMeterError
from dentframe.metering.accumulate import from_means
from dentframe.metering.rows import is_several, meters_of
from dentframe.metering.series import NONE, Series, element_columns
from dentframe.registers import MINUTE
from dentframe.site import summed
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.sources import Wanted


def chosen(
    frame: pd.DataFrame, series: Sequence[Cumulative], wanted: Wanted, elements: Any, site: Any
) -> list[Cumulative]:
    """The series of the elements that are summed.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    series : sequence of Cumulative
        What there is.
    wanted : Wanted
        The topics that answer.
    elements : str, list of str, or None
        ``"all"``, or names; None asks `site`.
    site : Site or None
        Its roles tell, by `dentframe.site.summed`.

    Raises
    ------
    ConfigError
        Where nothing tells which, or one is named twice.
    UnknownMeterError
        For an element that is not there.
    """
    names = summed(site) if elements is None and site is not None else elements
    if names is None:
        raise ConfigError(
            "Cannot tell which elements make up the site: a main beside its branches would "
            'count twice. Name them, e.g. elements=["A", "C"], or say elements="all".'
        )
    if isinstance(names, str) and names == "all":
        return list(series)
    listed = [names] if isinstance(names, str) else [str(x) for x in names]
    if not listed or len(set(listed)) < len(listed):
        raise ConfigError(
            f"Cannot sum elements={listed!r}: name each element once, and at least one."
        )
    return [_found(frame, series, wanted, x) for x in listed]


def _found(
    frame: pd.DataFrame, series: Sequence[Cumulative], wanted: Wanted, name: str
) -> Cumulative:
    several = is_several(frame)
    for c in series:
        if name == c.name or (name == c.element and not several):
            return c
    there = [c.name if several else c.element for c in series]
    meters: list[str | None] = [*meters_of(frame)] if several else [None]
    letters = [c.id for _, c in element_columns(frame, wanted.topics)]
    for meter in meters:
        for x in letters:
            if name == (x if meter is None else f"{meter}_{x}"):
                blank = Series(meter, x, wanted.topics[0], NONE, np.empty(0), NONE, NONE)
                return from_means(blank, 15 * MINUTE)
    raise UnknownMeterError(
        f"Cannot sum element {name!r}: this frame has {', '.join(there) or 'none'}"
        f"{did_you_mean(name, there)}"
    )
