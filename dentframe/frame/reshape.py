"""Readings are laid out as a column per element or channel, or as one row each, and back."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import KindError, RangeError, UnitError
from dentframe.frame.quantify import magnitudes
from dentframe.frame.select import METER, TIME, check_topic
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, ELEMENT, Column

if TYPE_CHECKING:
    from dentframe.times.dates_and_ranges import Ints

VALUE = "value"
_KEYS = ("topic", "element", "channel", "unit")


def to_long(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per reading and column.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), of one meter or several.

    Returns
    -------
    pandas.DataFrame
        Shape (readings x columns, 6 or 7): meter (if the index has it), time, topic, element,
        channel, value and unit, column after column; NaN rows are kept. All but time and
        value are categorical. A column that the grammar cannot place (``V/Ph/L1-L2``) keeps
        its whole name as topic. `from_long` goes back.

    Examples
    --------
    >>> df.dent.select(topic="kWHNet").dent.to_long().columns.tolist()
    ['time', 'topic', 'element', 'channel', 'value', 'unit']
    """
    labels = _columns.wire_columns(frame.columns)
    keys = [_key(frame, label) for label in labels]
    index, times, data = frame.index, len(labels), dict[str, Any]()
    if METER in index.names:
        of_row: Any = pd.Categorical(index.get_level_values(METER))
        codes = np.tile(of_row.codes, times)
        data[METER] = pd.Categorical.from_codes(codes, dtype=of_row.dtype)
        index = index.get_level_values(-1)
    # Appending is the quickest way that keeps unit and zone.
    data[TIME] = index[:0].append([index] * times)
    for i, name in enumerate(_KEYS[:3]):
        data[name] = _repeated([k[i] for k in keys], len(frame))
    data[VALUE] = _stacked(frame, labels)
    data["unit"] = _repeated([k[3] for k in keys], len(frame))
    long = pd.DataFrame(data, copy=False)
    long.attrs = deepcopy(frame.attrs)
    return long


def _key(frame: pd.DataFrame, label: str) -> tuple[str | None, ...]:
    column, unit = _columns.parse(label), _columns.unit_text(frame, label)
    if column.scope not in {ELEMENT, CHANNEL}:
        return column.wire, None, None, unit
    return column.topic, column.element, column.channel, unit


def _repeated(values: list[str | None], times: int) -> pd.Categorical:
    categories = [v for v in dict.fromkeys(values) if v is not None]
    return pd.Categorical(values, pd.Index(categories, dtype="str")).repeat(times)


def _stacked(frame: pd.DataFrame, labels: list[str]) -> Any:
    if all(isinstance(d, np.dtype) for d in frame.dtypes[labels]):
        whole = frame if len(labels) == frame.shape[1] else frame[labels]
        return whole.to_numpy().ravel(order="F")
    return np.concatenate([magnitudes(frame[label]) for label in labels])


def from_long(long: pd.DataFrame) -> pd.DataFrame:
    """The way back from `to_long`: a frame of the wire grammar.

    Parameters
    ----------
    long : pandas.DataFrame
        Columns (meter,) time, topic, element, channel, value, unit, as `to_long` gives them;
        rows may be missing or in another order.

    Returns
    -------
    pandas.DataFrame
        Shape (readings, columns), indexed by time or (meter, time), in the order of
        appearance where every cell is there, else sorted. A missing cell is NaN.

    Raises
    ------
    RangeError
        Where a column has two values for one time.
    """
    column_of, first = _codes(long, [*_KEYS])
    names = [n for n in (METER, TIME) if n in long.columns]
    row_of, first_row = _codes(long, names)
    cells = row_of * max(len(first), 1) + column_of
    if len(cells) and np.bincount(cells).max() > 1:
        raise RangeError(
            f"Cannot shape {len(long)} long rows: some columns have two values for one time. "
            "Drop the duplicates of (meter, time, topic, element, channel) first."
        )
    cell = long[VALUE].to_numpy()
    whole = len(long) == len(first) * len(first_row)
    dtype = cell.dtype if whole else np.result_type(cell.dtype, np.float64)
    values = np.full((len(first_row), len(first)), np.nan, dtype=dtype)
    values[row_of, column_of] = cell
    columns = pd.Index([_label(long, i) for i in first], dtype="str" if len(first) else object)
    frame = pd.DataFrame(values, index=_index(long, names, first_row), columns=columns)
    frame.attrs = deepcopy(long.attrs)
    return frame if whole else frame.sort_index()


def _codes(long: pd.DataFrame, names: list[str]) -> tuple[Ints, Ints]:
    """For each row its number among the distinct keys, and where each key first appears."""
    keys = [long[name] for name in names]  # an index may have the name of a column
    groups = long.groupby(keys, sort=False, observed=True, dropna=False)
    numbers = np.asarray(groups.ngroup(), dtype=np.int64)
    # Numbers come in the order of appearance: a new one is where their maximum rises.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1))
    return numbers, first


def _index(long: pd.DataFrame, names: list[str], rows: Ints) -> pd.Index:
    times = pd.DatetimeIndex(long[TIME].iloc[rows], name=TIME)
    if METER not in names:
        return times
    of_row = long[METER].iloc[rows]
    plain = of_row.astype(of_row.cat.categories.dtype if hasattr(of_row, "cat") else "str")
    return pd.MultiIndex.from_arrays([plain, times], names=names)


def _label(long: pd.DataFrame, row: int) -> str:
    topic, element, channel, unit = (
        None if pd.isna(v) else str(v) for v in (long[k].iloc[row] for k in _KEYS)
    )
    column = _columns.parse(topic or "")
    if channel is not None:
        column = Column(column.topic, CHANNEL, channel)
    elif element is not None:
        column = Column(column.topic, ELEMENT, element)
    return _columns.label_in(long, column, unit)


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
    wide, columns = _of_scope(frame, topic, ELEMENT)
    wide.columns = pd.Index([c.id for c in columns], name="element")
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
    wide, columns = _of_scope(frame, topic, CHANNEL)
    wide.columns = pd.MultiIndex.from_tuples(
        [(c.element or "", c.id) for c in columns], names=["element", "channel"]
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
    frame.columns = pd.Index([_columns.label_in(wide, c, unit) for c in parsed])
    return frame


def _of_scope(frame: pd.DataFrame, topic: str, scope: str) -> tuple[pd.DataFrame, list[Column]]:
    """The columns of a topic that are of elements, or of channels, and what each of them is."""
    check_topic(frame, topic)
    parsed = {x: _columns.parse(x) for x in _columns.wire_columns(frame.columns)}
    of_topic = {x: c for x, c in parsed.items() if c.topic == topic}
    labels = [x for x, c in of_topic.items() if c.scope == scope]
    if not labels:
        words, has = {ELEMENT: "element", CHANNEL: "channel"}, {c.scope for c in of_topic.values()}
        other = next((name for s, name in words.items() if s in has), None)
        measured = f"per {other} only" if other else f"as {', '.join(sorted(has))}"
        instead = f"by_{other}({topic!r})" if other else f"select(topic={topic!r})"
        raise KindError(
            f"Cannot show {topic!r} by {words[scope]}: this frame has it {measured}. Use {instead}."
        )
    found = sorted({str(_columns.unit_text(frame, x)) for x in labels})
    if len(found) > 1:
        raise UnitError(
            f"Cannot put {topic!r} side by side: its columns are in {' and '.join(found)}. "
            f'Bring them to one unit first, e.g. convert({{"{topic}": "{found[0]}"}}).'
        )
    return frame[labels].copy(), [parsed[x] for x in labels]
