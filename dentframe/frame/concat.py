"""Reads are joined here: their rows, and what each of them says of its range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, ReadingWarning, UnitError, warn
from dentframe.frame import quantify as _quantify
from dentframe.frame.assemble import fewer, note, runs
from dentframe.frame.select import METER, TIME
from dentframe.metering import series as _series
from dentframe.metering.series import Run, is_several, time_index
from dentframe.times.dates_and_ranges import Ints, ints, stamp
from dentframe.wire import columns as _columns
from dentframe.wire.columns import ATTRS, attrs_units, same_unit

if TYPE_CHECKING:
    from dentframe.accessor_methods import DentFrame


Found = dict[str, dict[str, list[Run]]]


def concat(frames: Iterable[pd.DataFrame]) -> DentFrame:
    """Join reads of the same or of other times, meters and topics.

    `pandas.concat` keeps rows that two reads both have, and drops what reads say of themselves.

    Parameters
    ----------
    frames : iterable of DataFrame
        Reads, or parts of them: wire-named columns over time, or over (meter, time).

    Returns
    -------
    pandas.DataFrame
        Shape (readings, columns), sorted by time, in the zone of the first frame; over
        (meter, time) where a frame is, or where the frames are of several meters. A row that
        several frames have is there once. The range of each meter is from the earliest start
        to the latest end; what was not read between them is missing.

    Raises
    ------
    ConfigError
        For no frame, or one that does not name its meter where others do.
    UnitError
        Where a topic or a column has different units.

    Warns
    -----
    ReadingWarning
        Where frames have different values for one cell: it is NaN, and its figures are flagged
        ``conflicting_duplicate``.

    Examples
    --------
    >>> months = [df.loc[:"2023-12-10"], df.loc["2023-12-10":]]
    >>> concat(months).equals(df)
    True
    """
    parts = list(frames)
    for part in parts:
        if not isinstance(part, pd.DataFrame):
            raise ConfigError(
                f"Cannot join a {type(part).__name__}: concat takes DataFrames of readings. "
                "Use ds.dent.to_frame() for a Dataset."
            )
        time_index(part)
    if not parts:
        raise ConfigError("Cannot join no frames: give a list of reads, e.g. concat([df1, df2]).")
    names = [None if is_several(x) else _series.own_name(x) for x in parts]
    several = any(map(is_several, parts)) or len(set(names)) > 1
    wire = [x.dtypes[_columns.wire_columns(x.columns)] for x in parts]
    as_pint = all(len(x) and all(hasattr(dtype, "units") for dtype in x) for x in wire)
    zone = time_index(parts[0]).tz
    plain = [_quantify.dequantify(part) for part in parts]
    units = _units_of(plain)
    pairs = zip(plain, names, strict=True)
    rows = [_keyed(part, name, zone, several=several) for part, name in pairs]
    whole, conflicts = _joined(rows)
    whole.attrs = dict(parts[0].attrs)
    if any(ATTRS in x.attrs for x in parts):
        whole.attrs[ATTRS] = _note(parts, units, conflicts)
    if not several:
        whole = whole.droplevel(METER)
    return cast("DentFrame", _quantify.quantify(whole) if as_pint else whole)


def _units_of(parts: Sequence[pd.DataFrame]) -> dict[str, str]:
    """The units that the attrs tell, where topics and columns have one each."""
    units: dict[str, str] = {}
    label_of: dict[str, str] = {}
    for part in parts:
        for topic, unit in attrs_units(part).items():
            if not same_unit(units.setdefault(topic, unit), unit):
                raise UnitError(
                    f"Cannot join reads in which topic {topic!r} is in {units[topic]} and in "
                    f"{unit}: bring them to one unit first, e.g. with convert."
                )
        for label in _columns.wire_columns(part.columns):
            other = label_of.setdefault(_columns.parse(label).wire, label)
            if other != label:
                raise UnitError(
                    f"Cannot join columns {other!r} and {label!r}: one quantity in two units. "
                    "Bring them to one first, e.g. with convert."
                )
    return units


def _keyed(frame: pd.DataFrame, name: str | None, zone: Any, *, several: bool) -> pd.DataFrame:
    """The frame's rows over (meter, time), without attrs; ``""`` is a meter nobody names."""
    times = time_index(frame)
    if is_several(frame):
        index = cast("pd.MultiIndex", frame.index)
        meters: Any = index.get_level_values(_series.meter_level(index)).astype(str)
    elif name is None and several:
        raise ConfigError(
            "Cannot join a frame that does not tell whose rows it has with others that do: its "
            "attrs name no meter. Give it one, pd.concat({meter: df}, names=['meter', 'time'])."
        )
    else:
        meters = np.full(len(frame), name or "", dtype=object)
    found = frame.copy(deep=False)
    if (times.tz is None) != (zone is None):
        raise ConfigError(
            "Cannot join times with a zone and times without: say tz_localize for those without."
        )
    # Older pandas loses rows where it joins times in microseconds that have a frequency.
    times = times if zone is None else times.tz_convert(zone)
    times = pd.DatetimeIndex(times, freq=cast("Any", None))
    found.index = pd.MultiIndex.from_arrays([meters, times], names=[METER, TIME])
    found.attrs = {}
    return found


def _joined(rows: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, Found]:
    """All rows once, meters as they first come; and the cells that rows disagree about."""
    whole = pd.concat([x for x in rows if len(x)] or list(rows[:1]))
    whole = whole.reindex(columns=list(dict.fromkeys(c for x in rows for c in x.columns)))
    differ, twice = pd.DataFrame(), whole.index.duplicated(keep=False)
    if twice.any():
        groups = whole[twice].groupby(level=[0, 1], sort=False)
        once = groups.first()
        wire = _columns.wire_columns(whole.columns)
        differ = groups[wire].max() != groups[wire].min()
        differ &= once[wire].notna()
        once[wire] = once[wire].mask(differ)
        whole = pd.concat([whole[~twice], once])
    meters = pd.factorize(whole.index.get_level_values(METER))[0]
    whole = whole.iloc[np.lexsort((_us(whole.index), meters))]
    return whole, _conflicts(whole, differ) if differ.to_numpy().any() else {}


def _conflicts(whole: pd.DataFrame, differ: pd.DataFrame) -> Found:
    """Where joined reads disagree, by meter and column; a warning says so too."""
    counts = differ.sum()
    worst = str(counts.idxmax())
    first = differ.index[differ[worst]].get_level_values(TIME).min()
    warn(
        f"Joining reads: {int(counts.sum())} cell(s) differ between reads that both have them and "
        f"are missing (NaN), most in {worst}, from {first.isoformat()}. Read that time again.",
        ReadingWarning,
    )
    found: Found = {}
    for meter, part in differ.groupby(level=METER):
        among = _us(whole.loc[[meter]].index)
        marked = {c: np.sort(_us(part.index[part[c]])) for c in part.columns if part[c].any()}
        found[str(meter)] = {_columns.parse(c).wire: runs(x, among) for c, x in marked.items()}
    return found


def _us(index: pd.Index) -> Ints:
    return ints(pd.DatetimeIndex(index.get_level_values(TIME)))


def _note(
    parts: Sequence[pd.DataFrame], units: Mapping[str, str], conflicts: Found
) -> dict[str, Any]:
    """What the joined reads say of themselves."""
    notes = [_series.note_of(x) for x in parts]
    meters = dict.fromkeys(m for x in notes for m in x.get("ranges") or ())
    spans = {m: _span([x for x in parts if m in _series.spans(x)], str(m)) for m in meters}
    known = {m: span for m, span in spans.items() if span is not None}
    elements: dict[str, list[str]] = {}
    for meter, element in sorted({x for part in parts for x in _series.named_elements(part)}):
        elements.setdefault(meter, []).append(element)
    return note(
        units,
        {m: (stamp(start), stamp(end)) for m, ((start, end), _) in known.items()},
        {m: rows for m, (_, rows) in known.items()},
        elements=elements,
        conflicts=_runs(conflicts, parts, "conflicts"),
        duplicates=_runs({}, parts, "duplicates"),
    )


def _span(parts: Sequence[pd.DataFrame], meter: str) -> tuple[tuple[int, int], Any] | None:
    """The range of some reads of a meter, and its outermost rows, None on a side not believed."""
    noted = [_series.spans(x)[meter] for x in parts]
    ends = [_series.outermost(x) for x in parts]
    own = [x.get(meter, x.get("", (None, None))) for x in ends]
    span, rows = [], []
    for i, furthest in enumerate((min, max)):
        sides = [x[i] if x[i] is not None else y[i] for x, y in zip(noted, own, strict=True)]
        known = [x for x in sides if x is not None]
        if not known:
            return None
        at = furthest(known)
        there = [x for x in (y[i] for y in own) if x is not None]
        span.append(at)
        rows.append(furthest(there) if there and at in [x[i] for x in noted] else None)
    return (span[0], span[1]), (rows if any(ends) else None)


def _runs(found: Found, parts: Sequence[pd.DataFrame], what: str) -> Found:
    """The runs found, and those that the reads had noted."""
    whole = {m: {c: list(x) for c, x in columns.items()} for m, columns in found.items()}
    for part in parts:
        for meter in _series.note_of(part).get(what) or ():
            for column, noted in _series.doubled(part, what, meter).items():
                whole.setdefault(meter, {}).setdefault(column, []).extend(noted)
    return {m: {c: fewer(x) for c, x in columns.items()} for m, columns in whole.items()}
