"""From the wire grammar to one column per element or channel, and back. Pure.

The other changes of shape, `select`, `table` and `to_long`, are offered from here too.
"""

from __future__ import annotations

import pandas as pd

from dentframe import columns as _columns
from dentframe import units as _units
from dentframe.columns import CHANNEL, ELEMENT, Column
from dentframe.errors import KindError, UnitError
from dentframe.long import from_long, to_long
from dentframe.selection import (
    channels,
    check_topic,
    elements,
    meters,
    select,
    table,
    topics,
)

__all__ = [
    "by_channel",
    "by_element",
    "channels",
    "elements",
    "from_channels",
    "from_elements",
    "from_long",
    "meters",
    "select",
    "table",
    "to_long",
    "topics",
]


def by_element(frame: pd.DataFrame, topic: str) -> pd.DataFrame:
    """One topic with a column per element: the end of the wire grammar.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns).
    topic : str
        A topic that is measured per element.

    Returns
    -------
    pandas.DataFrame
        Shape (readings, elements), the same index and values; columns ``A, C, E``, named
        ``element``. `from_elements` goes back.

    Raises
    ------
    UnknownTopicError
        Where the frame has no such topic.
    KindError
        Where it has the topic per channel only; `by_channel` is the verb for those.
    UnitError
        Where the columns are in different units.

    Examples
    --------
    >>> df.dent.by_element("DemandkW").columns.tolist()
    ['A', 'B', 'C', 'D', 'E', 'F', 'G']
    """
    labels = _labels_of(frame, topic, ELEMENT)
    wide = frame[labels].copy()
    wide.columns = pd.Index([_columns.parse(x).id for x in labels], name="element")
    return wide


def by_channel(frame: pd.DataFrame, topic: str) -> pd.DataFrame:
    """One topic with a column per channel: the end of the wire grammar.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns).
    topic : str
        A topic that is measured per channel.

    Returns
    -------
    pandas.DataFrame
        Shape (readings, channels), the same index and values; columns like ``("A", "A1")``,
        named ``element, channel``. `from_channels` goes back.

    Raises
    ------
    UnknownTopicError
        Where the frame has no such topic.
    KindError
        Where it has the topic per element only; `by_element` is the verb for those.
    UnitError
        Where the columns are in different units.

    Examples
    --------
    >>> df.dent.by_channel("A").columns[:3].tolist()
    [('A', 'A1'), ('A', 'A2'), ('A', 'A3')]
    """
    labels = _labels_of(frame, topic, CHANNEL)
    wide = frame[labels].copy()
    parsed = [_columns.parse(x) for x in labels]
    wide.columns = pd.MultiIndex.from_tuples(
        [(c.element or "", c.id) for c in parsed], names=["element", "channel"]
    )
    return wide


def from_elements(wide: pd.DataFrame, topic: str, unit: str | None = None) -> pd.DataFrame:
    """The way back from `by_element`; `unit` only where the values are in another than usual."""
    return _relabelled(wide, [Column(topic, ELEMENT, str(e)) for e in wide.columns], unit)


def from_channels(wide: pd.DataFrame, topic: str, unit: str | None = None) -> pd.DataFrame:
    """The way back from `by_channel`; `unit` only where the values are in another than usual."""
    names = wide.columns.get_level_values("channel")
    return _relabelled(wide, [Column(topic, CHANNEL, str(c)) for c in names], unit)


def _relabelled(wide: pd.DataFrame, parsed: list[Column], unit: str | None) -> pd.DataFrame:
    frame = wide.copy()
    frame.columns = pd.Index([_units.label_in(wide, c, unit) for c in parsed])
    return frame


def _labels_of(frame: pd.DataFrame, topic: str, scope: str) -> list[str]:
    check_topic(frame, topic)
    parsed = {x: _columns.parse(x) for x in _columns.wire_columns(frame.columns)}
    of_topic = {x: c for x, c in parsed.items() if c.topic == topic}
    labels = [x for x, c in of_topic.items() if c.scope == scope]
    if not labels:
        raise _wrong_scope(topic, scope, {c.scope for c in of_topic.values()})
    found = sorted({str(_units.unit_text(frame, x)) for x in labels})
    if len(found) > 1:
        raise UnitError(
            f"Cannot put {topic!r} side by side: its columns are in {' and '.join(found)}. "
            f'Bring them to one unit first, e.g. convert({{"{topic}": "{found[0]}"}}).'
        )
    return labels


def _wrong_scope(topic: str, scope: str, has: set[str]) -> KindError:
    verbs = {ELEMENT: "by_element", CHANNEL: "by_channel"}
    what = {ELEMENT: "element", CHANNEL: "channel"}
    other = next((s for s in (ELEMENT, CHANNEL) if s in has), None)
    instead = f"{verbs[other]}({topic!r})" if other else f"select(topic={topic!r})"
    measured = f"per {what[other]} only" if other else f"as {', '.join(sorted(has))}"
    return KindError(
        f"Cannot show {topic!r} by {what[scope]}: this frame has it {measured}. Use {instead}."
    )
