"""The module names the dimensions and variables of a Dataset, and says what each variable is.

A topic and its scope make a variable's name, and its attrs are units and the CF conventions' own.
Instants with a zone are kept as naive UTC with a ``timezone`` attr: xarray keeps a zoned dtype
only as an extension array, which netCDF, Zarr, ``interp``, ``.dt`` and ``groupby`` refuse.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import RangeError, UnitError
from dentframe.metering.attrs import own_name
from dentframe.times.ranges import is_utc
from dentframe.verbs.inputs import by_meter, interval_of
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, ELEMENT
from dentframe.wire.topics import TOPICS, kind_of

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


@dataclass(frozen=True)
class Slot:
    """What one variable holds: a topic over its elements, its channels or what else there is."""

    topic: str
    scope: str


def clean(text: str) -> str:
    """Text as a name that netCDF and Zarr allow: ASCII, no slash, a letter or digit first."""
    name = _ILLEGAL.sub("_", text)
    return name if name[:1].isalnum() else f"x{name}"


def dim_of(scope: str) -> str:
    """The dimension that a scope's ids are laid along."""
    known = DIMS.get(scope)
    return known or free(clean(scope), TAKEN)


def variable_names(slots: Iterable[Slot]) -> dict[Slot, str]:
    """A name for each slot: the topic, with the scope only where a topic has several.

    Examples
    --------
    >>> list(variable_names([Slot("dPF", "Ch"), Slot("dPF", "Elm"), Slot("A", "Ch")]).values())
    ['dPF_ch', 'dPF_elm', 'A']
    """
    slots = list(dict.fromkeys(slots))
    of_topic = [s.topic for s in slots]
    dims = {dim_of(s.scope) for s in slots}
    names: dict[Slot, str] = {}
    for slot in slots:
        several = of_topic.count(slot.topic) > 1
        name = _suffixed(slot) if several else clean(slot.topic)
        names[slot] = free(name, TAKEN | dims | set(names.values()))
    return names


def _suffixed(slot: Slot) -> str:
    return f"{clean(slot.topic)}_{clean(slot.scope).lower()}"


def free(name: str, taken: Iterable[str]) -> str:
    """The name, with underscores after it until it is none of those taken."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def slot_of(name: str, attrs: Mapping[str, Any], dim: str) -> Slot:
    """What a variable of this name holds, laid along `dim`.

    The attrs tell, but only where they agree with the name: arithmetic keeps the attrs of
    its first operand, and a variable made of ``A`` is not ``A``.
    """
    scope = SCOPES.get(dim) or str(attrs.get("scope", dim))
    told = Slot(str(attrs.get("topic", "")), scope)
    if told.topic and name.rstrip("_") in {
        clean(told.topic).rstrip("_"),
        _suffixed(told).rstrip("_"),
    }:
        return told
    suffix = f"_{clean(scope).lower()}"
    return Slot(name.removesuffix(suffix) or name, scope)


CONVENTIONS = "CF-1.11"
CELL_METHODS = {
    "interval_mean": "time: mean",
    "sample": "time: point",
    "ratio": "time: point",
    "register": "time: point",
    "interval_energy": "time: sum",
}
LONG_NAMES = {
    "kVAHNet": "net apparent energy register",
    "kWHNet": "net active energy register",
    "kVARHNet": "net reactive energy register",
    "kWH+": "imported active energy register",
    "kWH-": "exported active energy register",
    "DemandkW": "active power demand",
    "DemandkVA": "apparent power demand",
    "DemandkWMax": "greatest active power demand",
    "A": "current",
    "V": "voltage",
    "dPF": "displacement power factor",
    "aPF": "apparent power factor",
    "kW": "active power",
    "kVA": "apparent power",
    "kVAR": "reactive power",
    "Frequency": "line frequency",
    "Energy": "active energy",
    "ApparentEnergy": "apparent energy",
    "ReactiveEnergy": "reactive energy",
    "Demand": "mean active power",
    "ApparentDemand": "mean apparent power",
}
"""Plain names for axes; no quantity of a meter has a CF standard name."""


def variable_attrs(slot: Slot, unit: str | None) -> dict[str, str]:
    """The attrs of a variable whose unit is written `unit`, as the wire or a label spells it."""
    kind = kind_of(slot.topic, unit)
    attrs = {"long_name": LONG_NAMES.get(slot.topic, slot.topic), **unit_attrs(unit)}
    if kind in CELL_METHODS:
        attrs["cell_methods"] = CELL_METHODS[kind]
    return {**attrs, "topic": slot.topic, "scope": slot.scope, "kind": kind}


_UDUNITS = {
    "": "1", "Wh": "W h", "kWh": "kW h", "MWh": "MW h", "VA": "V A", "kVA": "kV A", "kVAh": "kV A h"
}  # fmt: skip
"""pint's symbols as UDUNITS and a pint that knows nothing of metering read them."""


def global_attrs(topics: Iterable[str]) -> dict[str, str]:
    """What a whole Dataset says of itself, the same at each call."""
    named = ", ".join(LONG_NAMES.get(topic, topic) for topic in dict.fromkeys(topics))
    return {
        "Conventions": CONVENTIONS,
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
    wire, held = attrs.get("wire_unit"), getattr(data, "units", None)
    told = attrs.get("units") if held is None else held
    if told is None:
        return _without_units(wire)
    own = attrs.get("pint_unit")
    if own is not None and _in_udunits(told, str(own)):
        told = str(own)
    if wire is not None and _columns.same_unit(str(wire), told):
        return str(wire)
    return str(told) if isinstance(told, str) else _columns.symbol(told)


def _in_udunits(told: Any, name: str) -> bool:
    """Whether a unit, as text or pint's, is what `unit_attrs` wrote for the one of this name."""
    written = udunits(_columns.parse_unit(name))
    return told == written if isinstance(told, str) else _columns.same_unit(told, written)


def _without_units(wire: Any) -> str | None:
    if wire is None or pint_name(str(wire)) is None:
        return None if wire is None else str(wire)
    raise UnitError(
        f"Cannot tell the unit of a variable that came in {wire}: its 'units' are gone, as pint "
        "loses them on Dask-backed data. Set attrs['units'] to what the values are in now."
    )


Bounds = tuple[tuple[str, ...], npt.NDArray[Any]]
ZONE = "timezone"
_UNITS = ("s", "ms", "us", "ns")
_RESULTS = {"Demand", "ApparentDemand"}


def zone_text(tz: dt.tzinfo | None) -> str:
    """A zone as text that pandas reads back."""
    return "UTC" if tz is None or is_utc(tz) else str(tz)


def naive(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Instants as naive UTC in nanoseconds, whatever the frame's unit.

    Not in microseconds: `interp` on those is NaN, in silence, at a text or a nanosecond.
    """
    return index.tz_convert("UTC").tz_localize(None).as_unit("ns")


def aware(values: Any, zone: str, unit: str) -> pd.DatetimeIndex:
    """Naive UTC instants in their zone again."""
    known: Any = unit if unit in _UNITS else "us"
    index = pd.DatetimeIndex(np.atleast_1d(values)).as_unit(known)
    return index.tz_localize("UTC").tz_convert(zone)


def time_coords(index: pd.DatetimeIndex) -> dict[str, Any]:
    """The coordinate of time, and local time beside it where the zone is not UTC."""
    tz: Any = index.tz
    utc = naive(index)
    attrs = {"standard_name": "time", "long_name": "time (UTC)", ZONE: zone_text(tz)}
    coords: dict[str, Any] = {TIME: (TIME, utc, attrs, encoding(utc))}
    if not is_utc(tz):
        walls = index.tz_localize(None).as_unit(utc.unit)
        told = {"long_name": f"local time ({zone_text(tz)})"}
        coords[LOCAL_TIME] = (TIME, walls, told, encoding(walls))
    return coords


def encoding(index: pd.DatetimeIndex) -> dict[str, Any]:
    """How instants are written so that they are read back to the last digit.

    In minutes where those are exact: `ncdump -t`, CDO and netCDF-3 take nothing finer.
    """
    since = index.dropna().as_unit("ns").asi8
    finest = next((n for n, size in _WRITTEN.items() if not (since % size).any()), "nanoseconds")
    calendar = {"calendar": "proleptic_gregorian", "dtype": "int64"}
    return {"units": f"{finest} since 1970-01-01", **calendar}


_WRITTEN = {"minutes": 60 * 10**9, "seconds": 10**9, "microseconds": 1000}


def bounds(
    grid: Grid, topics: set[str], frame: pd.DataFrame, interval: Any, lag: Any
) -> Bounds | None:
    """What time each row stands for, as (dims, array [..., 2]), where one answer fits all.

    A result of a period or block: from its start to the next one's. A mean that the meter
    reported: the interval before its label. None where there is neither, or nothing tells.
    """
    kinds = {TOPICS[t].kind for t in topics if t in TOPICS}
    if "interval_energy" in kinds or topics & _RESULTS:
        return _periods(grid, frame.attrs.get(_columns.ATTRS))
    if "interval_mean" not in kinds:
        return None
    own = None if METER in grid.others else own_name(frame)
    return _means(grid, own, interval, lag)


def _means(grid: Grid, own: str | None, interval: Any, lag: Any) -> Bounds | None:
    utc = naive(grid.times)
    parts = []
    for meter in grid.others.get(METER, [own]):
        late = by_meter(lag, meter, "0min", "demand_lag")
        end = utc - pd.Timedelta(late, unit="us")
        start = end - pd.Timedelta(interval_of(interval, meter), unit="us")
        parts.append(np.stack([start.as_unit(utc.unit), end.as_unit(utc.unit)], axis=1))
    if not parts:
        return None
    if all((p == parts[0]).all() for p in parts):
        return (TIME, EDGE), parts[0]
    return (METER, TIME, EDGE), np.stack(parts)


def _periods(grid: Grid, told: Any) -> Bounds | None:
    """From each start to the next, as long as no period was taken out."""
    info = told if isinstance(told, dict) else {}
    until, starts = info.get("until"), naive(grid.times)
    if until is None or not len(starts) or info.get("periods") != len(starts):
        return None
    end = naive(pd.DatetimeIndex([until]).as_unit(starts.unit))
    if not starts[-1] < end[0]:
        return None
    return (TIME, EDGE), np.stack([starts, starts[1:].append(end)], axis=1)


THEY_DIFFER = "their times differ"


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


def grid(frame: pd.DataFrame) -> Grid:
    """The dimensions of a frame's rows.

    Raises
    ------
    RangeError
        Where the index has no times or naive ones, or the meters' times differ.
    """
    index = frame.index
    if not isinstance(index, pd.MultiIndex):
        return Grid(_aware(index), {}, slice(None))
    at = _time_level(index)
    named = (METER if n is None else str(n) for n in index.names)
    names = [n for i, n in enumerate(named) if i != at]
    keys = [index.get_level_values(i) for i in range(index.nlevels) if i != at]
    found = [pd.factorize(k) for k in keys]
    others = {n: list(v) for n, (_, v) in zip(names, found, strict=True)}
    times = _aware(index.get_level_values(at))
    order = np.lexsort([c for c, _ in reversed(found)])
    dtype = str(keys[names.index(METER)].dtype) if METER in others else "object"
    return Grid(_shared(times[order], others), others, order, dtype)


def _time_level(index: pd.MultiIndex) -> int:
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if len(levels) != 1:
        raise RangeError(
            f"Cannot lay out an index of levels {list(index.names)}: it needs one level of times."
        )
    return levels[0]


def _aware(index: pd.Index) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex):
        raise RangeError(
            f"Cannot find the times of this frame: its index is a {type(index).__name__}, not a "
            "DatetimeIndex (or a MultiIndex of meter and time). Use df.set_index(...) first."
        )
    if index.tz is None:
        raise RangeError(
            "Cannot tell which instants a naive index means. Use "
            'df.tz_localize("UTC") where it is UTC, or name the zone it is in.'
        )
    if index.hasnans:
        raise RangeError("Cannot place rows without a time. Use df[df.index.notna()] first.")
    return index


def _shared(times: pd.DatetimeIndex, others: dict[str, list[Any]]) -> pd.DatetimeIndex:
    """The times that every meter has; `times` come meter after meter."""
    cells = int(np.prod([len(v) for v in others.values()]))
    if not len(times):
        return times
    size, left = divmod(len(times), cells)
    rows = times.asi8[: size * cells].reshape(cells, size)
    if left or not (rows == rows[0]).all():
        raise _unequal(others)
    return times[:size]


def _unequal(others: dict[str, list[Any]]) -> RangeError:
    if METER not in others:
        return RangeError(f"Cannot lay rows along time and {', '.join(others)}: some are missing.")
    first = others[METER][0]
    cure = f"Convert each on its own: df.loc[{first!r}].dent.to_xarray()."
    return times_differ(len(others[METER]), cure)


def times_differ(meters: int, cure: str) -> RangeError:
    """The error for meters that cannot share a time axis, with the way round it."""
    return RangeError(
        f"Cannot lay {meters} meters along one time axis: {THEY_DIFFER}, and nothing is resampled "
        f"or filled in silence. {cure}"
    )
