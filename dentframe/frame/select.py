"""A frame is described here, and a part of it is selected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import (
    ConfigError,
    RangeError,
    UnknownMeterError,
    UnknownTopicError,
    by,
    did_you_mean,
)
from dentframe.metering.series import note_of, own_name, time_index
from dentframe.times.dates_and_ranges import Zone, bound, check_order
from dentframe.wire import columns as _columns
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    from dentframe.wire.columns import Column


METER, TIME = "meter", "time"
Names = str | Sequence[str] | None
Places = dict[str, set[str | None]]
"""Elements or channels by their names, and the meters they are wanted of: some, or (None) any."""


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """What each wire column is.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns).

    Returns
    -------
    pandas.DataFrame
        Shape (wire columns, 6), indexed by label (``column``): topic, scope, element,
        channel, kind and unit; None where the name does not tell.
    """
    labels, rows = _columns.wire_columns(frame.columns), []
    for label in labels:
        c, unit = _columns.parse(label), _columns.unit_text(frame, label)
        rows.append((c.topic, c.scope, c.element, c.channel, kind_of(c.topic, unit), unit))
    names = pd.Index(["topic", "scope", "element", "channel", "kind", "unit"])
    return pd.DataFrame(rows, index=pd.Index(labels, name="column"), columns=names, dtype=object)


def topics(frame: pd.DataFrame) -> list[str]:
    """The topics of a frame, in the order of its columns."""
    return list(dict.fromkeys(c.topic for c in _parsed(frame)))


def elements(frame: pd.DataFrame) -> list[str]:
    """The letters of a frame's elements, those known from their channels alone included."""
    found = {c.element for c in _parsed(frame) if c.element is not None}
    return sorted(found, key=lambda e: (len(e), e))


def channels(frame: pd.DataFrame) -> list[str]:
    """The names of a frame's channels, ``A2`` before ``A10``."""
    found = {c.channel: c for c in _parsed(frame) if c.channel is not None}
    return sorted(found, key=lambda name: _columns.sort_key(found[name])[3:])


def meters(frame: pd.DataFrame) -> list[str]:
    """The meters of a frame: its ``meter`` level, else the one that the attrs tell."""
    if METER in frame.index.names:
        return [str(m) for m in frame.index.get_level_values(METER).unique()]
    return [m for m in (own_name(frame),) if m is not None]


def _parsed(frame: pd.DataFrame) -> list[Column]:
    return [_columns.parse(label) for label in _columns.wire_columns(frame.columns)]


def select(
    frame: pd.DataFrame,
    topic: Names = None,
    element: Names = None,
    channel: Names = None,
    meter: Names = None,
    *,
    elements: Names = None,
    start: Any = None,
    end: Any = None,
    tz: Zone = None,
) -> pd.DataFrame:
    """The part of a frame that fits every criterion given.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), of one meter or several.
    topic : str or list of str, optional
        Columns come in the order asked.
    element : str or list of str, optional
        ``"A"`` (of every meter) or ``"P482311252_A"``; an element's channels belong to it.
    channel : str or list of str, optional
        ``"A1"`` or ``"P482311252_A1"``.
    meter : str or list of str, optional
        A frame of several meters keeps the rows of these.
    elements : str or list of str, optional
        As `element`: the name by which every other verb takes them.
    start, end : str, date, datetime or Timestamp, optional
        The rows of ``[start, end)``. The energy of a span needs the readings around it too: for
        a figure give ``start`` and ``end`` to its verb instead.
    tz : str or tzinfo, optional
        The zone of naive bounds; None is the index's own where that is not UTC.

    Returns
    -------
    pandas.DataFrame
        A copy of the same grammar and index. Where elements of different meters are named,
        what was not named is NaN.

    Raises
    ------
    UnknownTopicError, UnknownMeterError
        Where a name is not there, or nothing fits all criteria; both say what there is.
    RangeError
        For bounds that cannot be read, or `start` not before `end`.
    ConfigError
        Where `element` and `elements` are both given.

    Examples
    --------
    >>> df.dent.select(topic="DemandkW", element=["A", "C"]).columns.tolist()
    ['DemandkW/Elm/A', 'DemandkW/Elm/C']
    """
    if element is not None and elements is not None:
        raise ConfigError(
            f"Cannot select element={element!r} and elements={elements!r}: they are one and the "
            "same. Give one of them."
        )
    element = elements if element is None else element
    wanted, of_meters = _listed(topic), _listed(meter)
    for name in wanted or ():
        check_topic(frame, name)
    chosen = {
        what: _places(frame, names, what)
        for what, names in (("element", element), ("channel", channel))
        if names is not None
    }
    for name in of_meters or ():
        _check_meter(frame, name, name)
    there = [(label, _columns.parse(label)) for label in _columns.wire_columns(frame.columns)]
    labels = [
        label
        for label, column in there
        if (wanted is None or column.topic in wanted)
        and all(getattr(column, what) in places for what, places in chosen.items())
    ]
    if not labels:
        given = {"topic": topic, "element": element, "channel": channel}.items()
        what = ", ".join(f"{k}={v!r}" for k, v in given if v is not None) or "wire columns"
        raise UnknownMeterError(
            f"Cannot select {what}: no column of this frame fits. "
            f"It has {', '.join(_columns.wire_columns(frame.columns)[:12]) or 'no wire column'}."
        )
    if wanted is not None:
        labels.sort(key=lambda label: wanted.index(_columns.parse(label).topic))
    part = _of_meters(frame, labels, of_meters, chosen)
    return _between(part, start, end, tz)


def _between(frame: pd.DataFrame, start: Any, end: Any, tz: Zone) -> pd.DataFrame:
    """The rows of a half-open span."""
    if start is None and end is None:
        return frame
    times = time_index(frame)
    low, high = bound(start, times.tz, tz, "start"), bound(end, times.tz, tz, "end")
    check_order(low, high)
    keep = np.asarray((low is None or times >= low) & (high is None or times < high))
    return frame[keep]


def _listed(names: Names) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else [str(n) for n in names]


def check_read(frame: pd.DataFrame) -> None:
    """Refuse a frame of a read without readings: it has no columns, and no topic would help.

    Raises
    ------
    RangeError
        Naming the span that has none.
    """
    ranges = note_of(frame).get("ranges")
    if not ranges or len(frame) or _columns.wire_columns(frame.columns):
        return
    start, end = next(iter(ranges.values()))
    raise RangeError(
        f"Cannot compute from this frame: there are no readings of {', '.join(ranges)} in "
        f"[{start}, {end}). Read a span that has some; "
        f"{by('inventory()', 'dentframe inventory')} tells since when there are."
    )


def check_topic(frame: pd.DataFrame, topic: str) -> None:
    """Refuse a topic that the frame does not have, and suggest one that it has."""
    there = topics(frame)
    if topic not in there:
        check_read(frame)
        of_unit = [x for x in there if _columns.default_text(frame, x) == topic]
        near = f": did you mean {of_unit[0]!r}?" if of_unit else did_you_mean(topic, there)
        if topic in elements(frame):
            near = f". {topic} is an element: say elements={topic!r}."
        raise UnknownTopicError(
            f"Cannot find topic {topic!r} in this frame: it has {', '.join(there) or 'none'}{near}"
        )


def _check_meter(frame: pd.DataFrame, meter: str, given: str) -> None:
    there = meters(frame)
    # A frame of one meter that lost its attrs cannot tell whose it is: any name will do.
    if meter not in there and (there or METER in frame.index.names):
        raise UnknownMeterError(
            f"Cannot select {given!r}: this frame has no meter {meter!r}, it has "
            f"{', '.join(there) or 'none'}{did_you_mean(meter, there)}"
        )


def _places(frame: pd.DataFrame, names: Names, what: str) -> Places:
    there, places = elements(frame) if what == "element" else channels(frame), Places()
    for given in _listed(names) or ():
        meter, _, name = ("", "", given) if given in there else given.rpartition("_")
        if meter:
            _check_meter(frame, meter, given)
        if name not in there:
            raise UnknownMeterError(
                f"Cannot select {what} {given!r}: this frame has "
                f"{', '.join(there) or 'none'}{did_you_mean(name, there)}"
            )
        places.setdefault(name, set()).add(meter or None)
    return places


def _of_meters(
    frame: pd.DataFrame, labels: list[str], meters: list[str] | None, chosen: Mapping[str, Places]
) -> pd.DataFrame:
    """Columns of a frame: the rows of meters that are named, NaN where an element's is not."""
    if METER not in frame.index.names:
        return frame[labels].copy()
    named: list[set[Any]] = [set().union(*places.values()) for places in chosen.values()]
    named += [] if meters is None else [set(meters)]
    kept = [x for x in named if None not in x]
    rows = frame.index.get_level_values(METER)
    if kept:
        of_these = sorted(set.intersection(*kept))
        frame = frame.loc[rows.isin(of_these), labels]
        keep_meters(frame, of_these)
        rows = frame.index.get_level_values(METER)
    else:
        frame = frame[labels].copy()
    keep = np.ones(frame.shape, dtype=bool)
    for what, places in chosen.items():
        for i, label in enumerate(labels):
            of_place = places[getattr(_columns.parse(label), what)]
            if None not in of_place:
                keep[:, i] &= rows.isin(list(of_place))
    return frame if keep.all() else frame.where(keep)


def keep_meters(frame: pd.DataFrame, meters: Collection[str]) -> None:
    """Take from a frame's note what is not about these meters."""
    whole = note_of(frame)
    if whole:
        by_meter = {"ranges", "rows", "conflicts", "duplicates", "elements"} & whole.keys()
        kept = {k: {m: x for m, x in whole[k].items() if m in meters} for k in by_meter}
        frame.attrs = {**frame.attrs, _columns.ATTRS: {**whole, **kept}}
