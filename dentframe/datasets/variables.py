"""The variables of a Dataset have their names, attrs, units and time bounds from here.

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
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import UnitError
from dentframe.frame.quantify import magnitudes
from dentframe.metering.series import own_name
from dentframe.times.dates_and_ranges import is_utc
from dentframe.verbs.inputs import by_meter, interval_of
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, ELEMENT
from dentframe.wire.topics import TOPICS, kind_of

if TYPE_CHECKING:
    import xarray as xr

    from dentframe.datasets.frame_to_dataset import Grid

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
    own = Slot(str(attrs.get("topic", "")), scope)
    if own.topic and name.rstrip("_") in {
        clean(own.topic).rstrip("_"),
        _suffixed(own).rstrip("_"),
    }:
        return own
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
    unit = attrs.get("units") if held is None else held
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
    """The coordinate of time, and local time too where the zone is not UTC."""
    tz: Any = index.tz
    utc = naive(index)
    attrs = {"standard_name": "time", "long_name": "time (UTC)", ZONE: zone_text(tz)}
    coords: dict[str, Any] = {TIME: (TIME, utc, attrs, encoding(utc))}
    if not is_utc(tz):
        walls = index.tz_localize(None).as_unit(utc.unit)
        local = {"long_name": f"local time ({zone_text(tz)})"}
        coords[LOCAL_TIME] = (TIME, walls, local, encoding(walls))
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


def _periods(grid: Grid, note: Any) -> Bounds | None:
    """From each start to the next, as long as no period was taken out."""
    info = note if isinstance(note, dict) else {}
    until, starts = info.get("until"), naive(grid.times)
    if until is None or not len(starts) or info.get("periods") != len(starts):
        return None
    end = naive(pd.DatetimeIndex([until]).as_unit(starts.unit))
    if not starts[-1] < end[0]:
        return None
    return (TIME, EDGE), np.stack([starts, starts[1:].append(end)], axis=1)


def quantify(dataset: xr.Dataset) -> xr.Dataset:
    """Give every variable that says its ``units`` a pint array.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables with ``units``, as `to_xarray` gives them.

    Returns
    -------
    xarray.Dataset
        The same variables as quantities of the application's registry, computed where they
        were lazy: on Dask's arrays pint loses units in silence. Arithmetic and reductions
        keep units; `dequantify` before writing, plotting with units, or ``resample``.

    Raises
    ------
    UnitError
        Where a unit cannot be read.
    """
    ureg = _columns.registry()
    made = dataset.compute()
    for name, array in made.data_vars.items():
        if "units" in array.attrs and array.dtype.kind in "fiu":
            unit = _columns.parse_unit(str(unit_in(array.attrs, array.data)))
            attrs = {k: v for k, v in array.attrs.items() if k != "units"}
            data = ureg.Quantity(array.data, unit)
            made[name] = (array.dims, data, attrs)
    return made


def is_quantified(dataset: xr.Dataset) -> bool:
    """Whether pint has taken the ``units`` of a variable into its array."""
    held = (array.attrs for array in dataset.data_vars.values())
    return any("pint_unit" in attrs and "units" not in attrs for attrs in held)


def dequantify(dataset: xr.Dataset) -> xr.Dataset:
    """Turn pint arrays into plain ones that say their ``units`` in the attrs.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables of any kind; those without a pint array stay as they are.

    Returns
    -------
    xarray.Dataset
        The same values. ``units`` is what pint said last.
    """
    made = dataset.copy()
    for name, array in dataset.data_vars.items():
        unit = getattr(array.data, "units", None)
        if unit is not None:
            now = _columns.parse_unit(str(unit_in(array.attrs, array.data)))
            attrs = {**array.attrs, **unit_attrs(_columns.name_of(now))}
            attrs["wire_unit"] = _columns.symbol(now)
            made[name] = (array.dims, array.data.magnitude, attrs)
    return made


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
        index = pd.DatetimeIndex(values)
        utc = naive(index)
        attrs = {"standard_name": "time", ZONE: zone_text(index.tz)}
        return (name, utc, attrs, encoding(utc))
    plain, attrs = array_of(pd.Series(values))
    if plain.dtype.kind == "O":
        return (name, plain.astype(str), attrs, {"dtype": np.dtype(object)})
    return (name, plain, attrs)
