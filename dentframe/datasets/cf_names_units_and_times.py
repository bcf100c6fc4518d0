"""The variables of a Dataset have their names, attrs, units and time bounds from here.

A topic and its scope make a variable's name, and its attrs are units and the CF conventions' own.
Instants with a zone are kept as naive UTC with a ``timezone`` attr: xarray keeps a zoned dtype
only as an extension array, which netCDF, Zarr, ``interp``, ``.dt`` and ``groupby`` refuse.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import RangeError, UnitError
from dentframe.frame.quantify import magnitudes
from dentframe.metering.series import note_of, own_name, time_index
from dentframe.times.dates_and_ranges import is_utc
from dentframe.verbs.inputs_and_keywords import by_meter, interval_of
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, ELEMENT, Column
from dentframe.wire.topics import RESULTS, TOPICS, kind_of

TIME, METER = "time", "meter"
BOUNDS, EDGE = "time_bnds", "nv"
LOCAL_TIME = "local_time"
CHANNEL_ELEMENT = "channel_element"
DIMS = {ELEMENT: "element", CHANNEL: "channel"}
SCOPES = {dim: scope for scope, dim in DIMS.items()}
TAKEN = frozenset(
    {TIME, METER, BOUNDS, EDGE, LOCAL_TIME, CHANNEL_ELEMENT, "window", *DIMS.values()}
)
_ILLEGAL = re.compile(r"[^A-Za-z0-9_+\-.]")


def clean(text: str) -> str:
    """Text as a name that netCDF and Zarr allow: ASCII, no slash, a letter or digit first."""
    name = _ILLEGAL.sub("_", text)
    return name if name[:1].isalnum() else f"x{name}"


def dim_of(scope: str) -> str:
    """The dimension that a scope's ids are laid along."""
    return DIMS.get(scope) or free(clean(scope), TAKEN)


def variable_names(slots: Collection[Column]) -> dict[Column, str]:
    """A name for each slot: the topic, with the scope only where a topic has several.

    A slot is what one variable holds: a topic over its elements, its channels or what else there
    is, written as a column without an id.

    Examples
    --------
    >>> slots = [Column("dPF", "Ch"), Column("dPF", "Elm"), Column("A", "Ch")]
    >>> list(variable_names(slots).values())
    ['dPF_ch', 'dPF_elm', 'A']
    """
    topics = [slot.topic for slot in slots]
    dims = {dim_of(s.scope) for s in slots}
    names: dict[Column, str] = {}
    for slot in slots:
        name = _suffixed(slot) if topics.count(slot.topic) > 1 else clean(slot.topic)
        names[slot] = free(name, TAKEN | dims | set(names.values()))
    return names


def _suffixed(slot: Column) -> str:
    return f"{clean(slot.topic)}_{clean(slot.scope).lower()}"


def free(name: str, taken: Iterable[str]) -> str:
    """The name, with underscores after it until it is none of those taken."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def slot_of(name: str, attrs: Mapping[str, Any], dim: str) -> Column:
    """What a variable of this name holds, laid along `dim`.

    The attrs tell, but only where they agree with the name: arithmetic keeps the attrs of
    its first operand, and a variable made of ``A`` is not ``A``.
    """
    scope = SCOPES.get(dim) or str(attrs.get("scope", dim))
    own = Column(str(attrs.get("topic", "")), scope)
    names = {x.rstrip("_") for x in (clean(own.topic), _suffixed(own))}
    if own.topic and name.rstrip("_") in names:
        return own
    return Column(name.removesuffix(f"_{clean(scope).lower()}") or name, scope)


_METHODS = {"interval_mean": "mean", "interval_energy": "sum", "unknown": None}
"""How cells stand for their time, by the kind of their topic; other kinds are of an instant."""
_LONG = {name: topic.description.removesuffix(".").lower() for name, topic in TOPICS.items()} | {
    "kVAHNet": "net apparent energy register",
    "kWHNet": "net active energy register",
    "DemandkW": "active power demand",
    "A": "current",
    "V": "voltage",
    "dPF": "displacement power factor",
}
"""Plain names of topics: what the service says of them, or plainer words of our own."""


def long_name(topic: str) -> str:
    """A plain name for axes; no quantity of a meter has a CF standard name."""
    return _LONG.get(topic, topic)


def variable_attrs(slot: Column, unit: str | None) -> dict[str, str]:
    """The attrs of a variable whose unit is written `unit`, as the wire or a label spells it."""
    kind = kind_of(slot.topic, unit)
    attrs = {"long_name": long_name(slot.topic), **unit_attrs(unit)}
    if method := _METHODS.get(kind, "point"):
        attrs["cell_methods"] = f"time: {method}"
    return {**attrs, "topic": slot.topic, "scope": slot.scope, "kind": kind}


_UDUNITS = {
    "": "1", "Wh": "W h", "kWh": "kW h", "MWh": "MW h", "VA": "V A", "kVA": "kV A", "kVAh": "kV A h"
}  # fmt: skip
"""pint's symbols as UDUNITS and a pint that knows nothing of metering read them."""


def global_attrs(topics: Iterable[str]) -> dict[str, str]:
    """What a whole Dataset says of itself, the same at each call."""
    named = ", ".join(map(long_name, dict.fromkeys(topics)))
    return {
        "Conventions": "CF-1.11",
        "title": f"DENT sub-meters: {named}",
        "history": f"made by dentframe {version('dentframe')}",
    }


def udunits(unit: Any) -> str:
    """A pint unit as other programs write it: ``kW h``, not ``kilowatt_hour``."""
    symbol = f"{unit:~C}"
    return _UDUNITS.get(symbol, symbol)


def unit_attrs(unit: str | None) -> dict[str, str]:
    """``units`` for every program, ``pint_unit`` for pint, ``wire_unit`` as it came.

    None of them where nothing tells. A unit that pint does not know stays in ``wire_unit``
    alone: in ``units`` it would stop ``.pint.quantify()`` for the whole Dataset.
    """
    if unit is None:
        return {}
    name = pint_name(unit)
    if name is None:
        return {"wire_unit": unit}
    return {"units": udunits(_columns.parse_unit(name)), "pint_unit": name, "wire_unit": unit}


def pint_name(unit: str) -> str | None:
    """The long name by which pint knows a unit, or None."""
    try:
        return _columns.name_of(_columns.parse_unit(unit))
    except UnitError:
        return None


def unit_in(attrs: dict[str, Any], data: Any) -> str | None:
    """The unit of a variable as a label would spell it; ``units`` goes before ``wire_unit``.

    Raises
    ------
    UnitError
        Where ``units`` is gone and ``wire_unit`` is not: pint took it away, and may have
        changed the values before it was lost.
    """
    wire, unit = attrs.get("wire_unit"), getattr(data, "units", attrs.get("units"))
    if unit is None:
        if wire is None or pint_name(str(wire)) is None:
            return None if wire is None else str(wire)
        raise UnitError(
            f"Cannot tell the unit of a variable that came in {wire}: its 'units' are gone, as "
            "pint loses them on Dask-backed data. Set attrs['units'] to what the values are in now."
        )
    own = attrs.get("pint_unit")
    if own is not None:
        written = udunits(_columns.parse_unit(str(own)))  # what `unit_attrs` wrote
        same = unit == written if isinstance(unit, str) else _columns.same_unit(unit, written)
        unit = str(own) if same else unit
    if wire is not None and _columns.same_unit(str(wire), unit):
        return str(wire)
    return str(unit) if isinstance(unit, str) else _columns.symbol(unit)


ZONE = "timezone"
_WRITTEN = {"minutes": 60 * 10**9, "seconds": 10**9, "microseconds": 1000}


def zone_text(tz: dt.tzinfo | None) -> str:
    """A zone as text that pandas reads back."""
    return "UTC" if tz is None or is_utc(tz) else str(tz)


def naive(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Instants as naive UTC in nanoseconds, whatever the frame's unit.

    Not in microseconds: `interp` on those is NaN, in silence, at a text or a nanosecond.
    """
    return index.tz_convert("UTC").tz_localize(None).as_unit("ns")


def instants(dim: str, index: pd.DatetimeIndex, **attrs: str) -> Any:
    """A coordinate of instants along a dimension."""
    utc = naive(index)
    attrs = {"standard_name": "time", **attrs, ZONE: zone_text(index.tz)}
    return (dim, utc, attrs, encoding(utc))


def time_coords(index: pd.DatetimeIndex) -> dict[str, Any]:
    """The coordinate of time, and local time too where the zone is not UTC."""
    tz: Any = index.tz
    coords = {TIME: instants(TIME, index, long_name="time (UTC)")}
    if not is_utc(tz):
        walls = index.tz_localize(None).as_unit("ns")
        attrs = {"long_name": f"local time ({zone_text(tz)})"}
        coords[LOCAL_TIME] = (TIME, walls, attrs, encoding(walls))
    return coords


def encoding(index: pd.DatetimeIndex) -> dict[str, Any]:
    """How instants are written so that they are read back to the last digit.

    In minutes where those are exact: `ncdump -t`, CDO and netCDF-3 take nothing finer.
    """
    since = index.dropna().as_unit("ns").asi8
    finest = next((n for n, size in _WRITTEN.items() if not (since % size).any()), "nanoseconds")
    units = f"{finest} since 1970-01-01"
    return {"units": units, "calendar": "proleptic_gregorian", "dtype": "int64"}


@dataclass(frozen=True)
class Grid:
    """Rows laid out along dimensions.

    Attributes
    ----------
    times : pandas.DatetimeIndex
        Of every meter, in the zone of the frame.
    others : dict
        Name of each further level to its values, e.g. the meters.
    order : ndarray of int64, or slice
        Takes rows into the order others, time.
    meter_dtype : str
        Of the level of meters.
    """

    times: pd.DatetimeIndex
    others: dict[str, list[Any]]
    order: Any
    meter_dtype: str = "object"

    @property
    def dims(self) -> tuple[str, ...]:
        """Meter first, then time, then the rest."""
        first = (METER,) if METER in self.others else ()
        return (*first, TIME, *(n for n in self.others if n != METER))

    def laid(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of shape (rows, n) as (*dims, n)."""
        sizes = [len(v) for v in self.others.values()]
        cube: npt.NDArray[Any] = values[self.order].reshape(
            *sizes, len(self.times), values.shape[1]
        )
        names = [*self.others, TIME]
        return cube.transpose([*(names.index(d) for d in self.dims), len(names)])


def grid_of(frame: pd.DataFrame, cure: str | None = None) -> Grid:
    """The dimensions of a frame's rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        Over time, or over time and other levels, such as meters.
    cure : str, optional
        What to do about meters whose times differ; None: convert each on its own.

    Raises
    ------
    RangeError
        Where the index has no times or naive ones, or the meters' times differ.
    """
    index = frame.index
    if not isinstance(index, pd.MultiIndex):
        return Grid(_aware(frame), {}, slice(None))
    at = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if len(at) != 1:
        raise RangeError(
            f"Cannot lay out an index of levels {list(index.names)}: it needs one level of times."
        )
    names = [METER if n is None else str(n) for n in index.names]
    keys = {n: index.get_level_values(i) for i, n in enumerate(names) if i != at[0]}
    coded = {name: pd.factorize(key) for name, key in keys.items()}
    others = {name: list(values) for name, (_, values) in coded.items()}
    order = np.lexsort([codes for codes, _ in reversed(coded.values())])
    times = _aware(pd.DataFrame(index=index.get_level_values(at[0])))[order]
    cells = int(np.prod([len(v) for v in others.values()]))
    size, left = divmod(len(times), max(cells, 1))
    rows = times.asi8[: size * cells].reshape(cells, size)
    if left or not (rows == rows[:1]).all():
        if METER not in others:
            raise RangeError(
                f"Cannot lay rows along time and {', '.join(others)}: some are missing."
            )
        meters = others[METER]
        alone = f"Convert each on its own: df.loc[{meters[0]!r}].dent.to_xarray()."
        raise RangeError(
            f"Cannot lay {len(meters)} meters along one time axis: their times differ, and nothing "
            f"is resampled or filled in silence. {cure or alone}"
        )
    dtype = str(keys[METER].dtype) if METER in keys else "object"
    return Grid(times[:size], others, order, dtype)


def _aware(frame: pd.DataFrame) -> pd.DatetimeIndex:
    times = time_index(frame)
    if times.tz is None:
        raise RangeError(
            "Cannot tell which instants a naive index means. Use "
            'df.tz_localize("UTC") where it is UTC, or name the zone it is in.'
        )
    return times


def bounds(
    grid: Grid, topics: set[str], frame: pd.DataFrame, interval: Any, lag: Any
) -> tuple[tuple[str, ...], npt.NDArray[Any]] | None:
    """What time each row stands for, as (dims, array [..., 2]), where one answer fits all.

    A result of a period or block: from its start to the next one's, as long as no period was
    taken out. A mean that the meter reported: the interval before its label. None where there
    is neither, or nothing tells.
    """
    utc = naive(grid.times)
    if topics & RESULTS:
        note = note_of(frame)
        until = note.get("until")
        if until is None or not len(utc) or note.get("periods") != len(utc):
            return None
        ends = utc[1:].append(naive(pd.DatetimeIndex([until])))
        return ((TIME, EDGE), np.stack([utc, ends], axis=1)) if utc[-1] < ends[-1] else None
    if all(kind_of(topic) != "interval_mean" for topic in topics):
        return None
    spans = []
    for meter in grid.others[METER] if METER in grid.others else [own_name(frame)]:
        ends = utc - pd.Timedelta(by_meter(lag, meter, "0min", "demand_lag"), unit="us")
        starts = ends - pd.Timedelta(interval_of(interval, meter), unit="us")
        spans.append(np.stack([starts, ends], axis=1))
    if any((span != spans[0]).any() for span in spans):
        return (METER, TIME, EDGE), np.stack(spans)
    return ((TIME, EDGE), spans[0]) if spans else None


def array_of(column: pd.Series[Any]) -> tuple[npt.NDArray[Any], dict[str, str]]:
    """A column as an array that netCDF and Zarr take, and its attrs; a missing text is empty."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(column)
        return naive(index).to_numpy(), {ZONE: zone_text(index.tz)}
    if hasattr(column.dtype, "units"):
        return magnitudes(column), {}
    kind = column.dtype.kind
    if kind == "m":
        return column.dt.total_seconds().to_numpy(), {"units": "s"}
    if kind in "biuf" and isinstance(column.dtype, np.dtype):
        return column.to_numpy(), {}
    found = np.empty(len(column), dtype=object)
    found[:] = [_text(v) for v in column]
    return found, {}


def _text(value: Any) -> str:
    """Text for what is none: flags joined by blanks, a time of day as on a clock."""
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    if isinstance(value, dt.time):
        return value.isoformat("auto" if value.second or value.microsecond else "minutes")
    return "" if pd.isna(value) else str(value)


def coordinate(name: str, values: Any) -> Any:
    """A coordinate along the dimension of its name."""
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        return instants(name, pd.DatetimeIndex(values))
    plain, attrs = array_of(pd.Series(values))
    if plain.dtype.kind == "O":
        return (name, plain.astype(str), attrs, {"dtype": np.dtype(object)})
    return (name, plain, attrs)
