"""The tables that verbs give, as Datasets: rows by their keys, figures by their labels. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe import units as _units
from dentframe.labelled import cf, times
from dentframe.labelled.names import EDGE, METER, TIME, clean
from dentframe.quantify import magnitudes

if TYPE_CHECKING:
    import xarray as xr

PERIOD, ROW, ELEMENT = "period", "row", "element"
PERIOD_BOUNDS = "period_bnds"
_KEYS = (METER, PERIOD, "window", ELEMENT, "rank")
_OF_TOPIC = {
    **dict.fromkeys(("energy", "lo", "hi", "open_reading", "close_reading"), "energy"),
    **dict.fromkeys(("imported", "exported"), "energy"),
    **dict.fromkeys(("peak", "site_peak", "coincident", "own_peak", "uncovered_kw"), "power"),
}
"""Columns in the unit of what was asked about: active, apparent or reactive."""
_SHARES = ("coverage", "share", "diversity", "coincidence", "ratio", "relative", "margin", "value")
_ALWAYS = {
    **dict.fromkeys(("register", "demand", "residual", "at_gaps", "kwh_at_risk"), "kWh"),
    **dict.fromkeys(("rms", "next_rms", "rms_at_zero"), "kWh"),
    **dict.fromkeys(_SHARES, "1"),
    "uncovered_hours": "hour",
    "apparent_energy": "kVAh",
}
_FAMILIES = (
    {"energy": "kWh", "power": "kW"},
    {"energy": "kVAh", "power": "kVA"},
    {"energy": "kvarh", "power": "kvar"},
)


def is_rows(table: pd.DataFrame) -> bool:
    """Whether a table has one row a figure, with its keys in columns."""
    plain = table.index.nlevels == 1 and table.index.name is None
    keys = {ELEMENT, PERIOD, "start"} & {str(c) for c in table.columns}
    return plain and bool(keys) and not isinstance(table.index, pd.DatetimeIndex)


def rows_dataset(rows: pd.DataFrame, unit: str | None = None) -> xr.Dataset:
    """One row a figure as variables over (meter,) period, window, element and rank.

    Tables without a period, such as `gaps`, keep their rows as a dimension ``row``. `unit` is
    that of the energy or power asked about, where the rows' own attrs do not tell it.
    """
    import xarray as xr

    table, bounds = _keyed(rows)
    family = _family(rows, unit)
    dims = [k for k in _KEYS if k in table.columns] if PERIOD in table.columns else []
    if not dims or table.duplicated(dims).any():
        table, dims = table.assign(**{ROW: np.arange(len(table))}), [ROW]
    codes, coords = _coded(table, dims)
    values = [c for c in table.columns if c not in dims]
    found = {str(c): _cell_variable(table, c, dims, codes, coords, family) for c in values}
    dataset = xr.Dataset(found, coords={d: _coord(d, v) for d, v in coords.items()})
    if bounds is not None and dims != [ROW]:
        _add_period_bounds(dataset, bounds)
    dataset.attrs = {"Conventions": cf.CONVENTIONS}
    return dataset


def _keyed(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The rows with a column ``period``, and the periods' starts and ends where they tell."""
    if PERIOD not in rows.columns and {"energy", "start", "end"} <= set(rows.columns):
        rows = rows.rename(columns={"start": PERIOD})
        spans = rows[[PERIOD, "end"]].drop_duplicates()
        if spans[PERIOD].is_unique:
            return rows.drop(columns="end"), spans
    return rows, None


def _coded(
    table: pd.DataFrame, dims: list[str]
) -> tuple[list[npt.NDArray[np.int64]], dict[str, Any]]:
    codes, coords = [], {}
    for name in dims:
        order, values = pd.factorize(table[name], sort=name in {PERIOD, "rank"})
        codes.append(order.astype(np.int64))
        coords[name] = values
    return codes, coords


def _cell_variable(
    table: pd.DataFrame,
    name: Any,
    dims: list[str],
    codes: list[Any],
    coords: dict[str, Any],
    family: dict[str, str],
) -> Any:
    values, attrs = _values(table[name])
    shape = tuple(len(coords[d]) for d in dims)
    cube = _blank(values, shape, whole=len(table) == int(np.prod(shape)))
    cube[tuple(codes)] = values
    unit = _ALWAYS.get(str(name), family.get(_OF_TOPIC.get(str(name), "")))
    if hasattr(table[name].dtype, "units"):
        unit = _units.symbol(table[name].dtype.units)
    if values.dtype.kind == "f":
        attrs = {**cf.unit_attrs(unit), **attrs}
    if name == "energy":
        attrs["cell_methods"] = f"{PERIOD}: sum"
    return (tuple(dims), cube, attrs)


def _family(rows: pd.DataFrame, unit: str | None) -> dict[str, str]:
    """The units of energy and power that go with a unit; none where nothing tells it."""
    told: set[str | None] = {*_units.attrs_units(rows).values()} or {unit}
    return next((f for f in _FAMILIES if told & set(f.values())), {})


def _values(column: pd.Series[Any]) -> tuple[npt.NDArray[Any], dict[str, str]]:
    """A column as an array that netCDF and Zarr take, and its attrs."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(column)
        return times.naive(index).to_numpy(), {times.ZONE: times.zone_text(index.tz)}
    if hasattr(column.dtype, "units"):
        return magnitudes(column), {}
    kind = column.dtype.kind
    if kind == "m":
        return column.dt.total_seconds().to_numpy(), {"units": "second"}
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
    return "" if value is None or value is pd.NA or value is pd.NaT else str(value)


def _blank(values: npt.NDArray[Any], shape: tuple[int, ...], *, whole: bool) -> npt.NDArray[Any]:
    """Cells that no row fills are NaN, NaT or empty text; never 0."""
    kind = values.dtype.kind
    if kind == "O":
        return np.full(shape, "", dtype=object)
    if kind == "M":
        return np.full(shape, np.datetime64("NaT"), dtype=values.dtype)
    return np.empty(shape, values.dtype) if whole else np.full(shape, np.nan)


def _coord(name: str, values: Any) -> Any:
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(values)
        utc = times.naive(index)
        attrs = {"standard_name": "time", times.ZONE: times.zone_text(index.tz)}
        return (name, utc, attrs, times.encoding(utc))
    plain, attrs = _values(pd.Series(values))
    if plain.dtype.kind == "O":
        return (name, plain.astype(str), attrs, {"dtype": np.dtype(object)})
    return (name, plain, attrs)


def _add_period_bounds(dataset: xr.Dataset, spans: pd.DataFrame) -> None:
    spans = spans.sort_values(PERIOD)
    ends = times.naive(pd.DatetimeIndex(spans["end"])).to_numpy()
    starts = dataset[PERIOD].to_numpy()
    dataset.coords[PERIOD_BOUNDS] = ((PERIOD, EDGE), np.stack([starts, ends], axis=1))
    dataset[PERIOD].attrs["bounds"] = PERIOD_BOUNDS


def figures_dataset(table: pd.DataFrame, name: str, unit: str | None = None) -> xr.Dataset:
    """Figures by their labels, such as period to element, as one variable, or one a statistic.

    The levels of the index are dimensions, and so are those of the columns: ``element`` where
    they have no name, and variables where they are statistics.
    """
    import xarray as xr

    if "statistic" in table.columns.names:
        found = {
            k: _figures(part, "1" if k == "coverage" else unit) for k, part in _by_statistic(table)
        }
    else:
        found = {clean(name): _figures(table, unit)}
    dataset = xr.Dataset(found)
    if isinstance(table.index.get_level_values(-1), pd.DatetimeIndex):
        index = pd.DatetimeIndex(table.index.get_level_values(-1).unique())
        dataset = dataset.assign_coords(times.time_coords(index))
    dataset.attrs = {"Conventions": cf.CONVENTIONS}
    return dataset


def _by_statistic(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    names = dict.fromkeys(table.columns.get_level_values("statistic"))
    return [(str(k), _one(table, k)) for k in names]


def _one(table: pd.DataFrame, statistic: Any) -> pd.DataFrame:
    found = table.xs(statistic, axis="columns", level="statistic")
    return found if isinstance(found, pd.DataFrame) else found.to_frame()


def _figures(table: pd.DataFrame, unit: str | None) -> xr.DataArray:
    import xarray as xr

    if list(table.columns.names) == [ELEMENT, "channel"]:
        table = table.droplevel(ELEMENT, axis=1)
    axes = [*_levels(table.index, TIME), *_levels(table.columns, ELEMENT)]
    uniques = [list(dict.fromkeys(keys)) for _, keys in axes]
    rows = [pd.factorize(k)[0] for _, k in _levels(table.index, TIME)]
    columns = [pd.factorize(k)[0] for _, k in _levels(table.columns, ELEMENT)]
    cube = np.full([len(u) for u in uniques], np.nan)
    at = (*(r[:, None] for r in rows), *(c[None, :] for c in columns))
    values = [magnitudes(table.iloc[:, i]) for i in range(table.shape[1])]
    cube[at] = np.stack(values, axis=1) if values else np.empty((len(table), 0))
    coords = {n: _coord(n, pd.Index(k).unique()) for n, k in axes}
    return xr.DataArray(cube, coords, [n for n, _ in axes], attrs=cf.unit_attrs(unit))


def _levels(index: pd.Index, default: str) -> list[tuple[str, pd.Index]]:
    if not isinstance(index, pd.MultiIndex):
        return [(str(index.name or default), index)]
    names = [str(n) if n is not None else f"{default}_{i}" for i, n in enumerate(index.names)]
    return [(n, index.get_level_values(i)) for i, n in enumerate(names)]


def completed(frame: pd.DataFrame) -> pd.DataFrame:
    """A wide result over time and windows with a row of NaN where a window has no time."""
    index = frame.index
    if not isinstance(index, pd.MultiIndex) or set(index.names) <= {METER, TIME, None}:
        return frame
    whole = pd.MultiIndex.from_product(
        [index.get_level_values(i).unique() for i in range(index.nlevels)], names=index.names
    )
    made = frame if len(whole) == len(index) else frame.reindex(whole)
    made.attrs = frame.attrs
    return made
