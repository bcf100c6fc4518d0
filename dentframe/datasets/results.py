"""The module makes labelled Datasets of what verbs give, and frames of Datasets.

Rows become coordinates by their keys, and figures become variables by their labels. Arrays may be
pint quantities. Nothing is read from disk or written here.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.datasets import dataset_to_frame, frame_to_dataset, variables
from dentframe.datasets.variables import EDGE, METER, TIME, clean
from dentframe.frame.quantify import magnitudes
from dentframe.wire import columns as _columns
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    import xarray as xr


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
            unit = _columns.parse_unit(str(variables.unit_in(array.attrs, array.data)))
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
            now = _columns.parse_unit(str(variables.unit_in(array.attrs, array.data)))
            told = {**array.attrs, **variables.unit_attrs(_columns.name_of(now))}
            told["wire_unit"] = _columns.symbol(now)
            made[name] = (array.dims, array.data.magnitude, told)
    return made


PERIOD, ROW, ELEMENT = "period", "row", "element"
PERIOD_BOUNDS = "period_bnds"
_KEYS = (METER, PERIOD, "window", ELEMENT, "rank")
_OF_TOPIC = {
    **dict.fromkeys(("energy", "lo", "hi", "open_reading", "close_reading"), "energy"),
    **dict.fromkeys(("imported", "exported", "expected", "excess"), "energy"),
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
    dataset.attrs = variables.global_attrs(found)
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
        unit = _columns.symbol(table[name].dtype.units)
    if values.dtype.kind == "f":
        attrs = {**variables.unit_attrs(unit), **attrs}
    if name == "energy":
        attrs["cell_methods"] = f"{PERIOD}: sum"
    return (tuple(dims), cube, attrs)


def _family(rows: pd.DataFrame, unit: str | None) -> dict[str, str]:
    """The units of energy and power that go with a unit; none where nothing tells it."""
    told: set[str | None] = {*_columns.attrs_units(rows).values()} or {unit}
    return next((f for f in _FAMILIES if told & set(f.values())), {})


def _values(column: pd.Series[Any]) -> tuple[npt.NDArray[Any], dict[str, str]]:
    """A column as an array that netCDF and Zarr take, and its attrs."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(column)
        return variables.naive(index).to_numpy(), {variables.ZONE: variables.zone_text(index.tz)}
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
    return "" if value is None or value is pd.NA or value is pd.NaT else str(value)


def _blank(values: npt.NDArray[Any], shape: tuple[int, ...], *, whole: bool) -> npt.NDArray[Any]:
    """Cells that no row fills are NaN, NaT or empty text; never 0."""
    kind = values.dtype.kind
    if kind == "O":
        return np.full(shape, "", dtype=object)
    if kind == "M":
        return np.full(shape, np.array("NaT", values.dtype))
    return np.empty(shape, values.dtype) if whole else np.full(shape, np.nan)


def _coord(name: str, values: Any) -> Any:
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(values)
        utc = variables.naive(index)
        attrs = {"standard_name": "time", variables.ZONE: variables.zone_text(index.tz)}
        return (name, utc, attrs, variables.encoding(utc))
    plain, attrs = _values(pd.Series(values))
    if plain.dtype.kind == "O":
        return (name, plain.astype(str), attrs, {"dtype": np.dtype(object)})
    return (name, plain, attrs)


def _add_period_bounds(dataset: xr.Dataset, spans: pd.DataFrame) -> None:
    spans = spans.sort_values(PERIOD)
    ends = variables.naive(pd.DatetimeIndex(spans["end"])).to_numpy()
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
        found = {}
        for k in dict.fromkeys(table.columns.get_level_values("statistic")):
            part = pd.DataFrame(table.xs(k, axis="columns", level="statistic"))
            found[str(k)] = _figures(part, "1" if k == "coverage" else unit)
    else:
        found = {clean(name): _figures(table, unit)}
    dataset = xr.Dataset(found)
    if isinstance(table.index.get_level_values(-1), pd.DatetimeIndex):
        index = pd.DatetimeIndex(table.index.get_level_values(-1).unique())
        dataset = dataset.assign_coords(variables.time_coords(index))
    dataset.attrs = variables.global_attrs(found)
    return dataset


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
    return xr.DataArray(cube, coords, [n for n, _ in axes], attrs=variables.unit_attrs(unit))


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


_UNITS = {"load_factor": "1", "power_factor": "1", "coverage": "1"}
_POWER = frozenset({"baseload", "duration", "profile"})
_APPARENT = frozenset({"kVA", "kVAh"})


def as_dataset(frame: pd.DataFrame, result: Any, name: str, topic: Any = None) -> Any:
    """The answer of verb `name` about `frame`; what is no frame stays as it is.

    Parameters
    ----------
    frame : pandas.DataFrame
        What the verb was asked about.
    result : object
        What it gave.
    name : str
        The verb, which names a figure that has no topic of its own.
    topic : str, optional
        What it was asked about, where the verb has such a parameter.
    """
    if not isinstance(result, pd.DataFrame):
        return result
    if _columns.wire_columns(result.columns):
        return frame_to_dataset.to_dataset(completed(result))
    if is_rows(result):
        return rows_dataset(result, _asked(topic))
    shown = str(topic) if name in {"by_element", "by_channel"} else name
    return figures_dataset(result, shown, _unit(frame, name, topic))


def _asked(topic: Any) -> str:
    """The unit of the topic asked about; verbs take active energy and power by themselves."""
    known = TOPICS.get(str(topic))
    return "kWh" if known is None else known.unit


def _unit(frame: pd.DataFrame, name: str, topic: Any) -> str | None:
    """The unit of figures without a topic, from the verb and what it was asked about."""
    if name in _UNITS:
        return _UNITS[name]
    if name in _POWER:
        return "kVA" if _asked(topic) in _APPARENT else "kW"
    labels = [x for x in _columns.wire_columns(frame.columns) if _columns.parse(x).topic == topic]
    told = {_columns.unit_text(frame, x) for x in labels}
    return told.pop() if len(told) == 1 else None


def keep_bounds(result: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """A part of a Dataset with the time bounds that the whole one has.

    A frame has no place for them, so the way through it would put the usual interval there.
    """
    if variables.BOUNDS not in dataset.coords or variables.BOUNDS not in result.coords:
        return result
    if _topics(result).isdisjoint(_topics(dataset)):
        return result  # its rows are blocks or periods, which have bounds of their own
    whole, part = dataset[variables.TIME].to_numpy(), result[variables.TIME].to_numpy()
    if whole.shape == part.shape and np.array_equal(whole, part):
        own = dataset[variables.BOUNDS]
        if set(own.dims) <= set(result.dims):
            return result.assign_coords({variables.BOUNDS: own.variable})
    return result


def _topics(dataset: xr.Dataset) -> set[str]:
    return {found.slot.topic for found in dataset_to_frame.readings(dataset)}


def to_xarray(
    frame: pd.DataFrame, *, interval: Any = "15min", demand_lag: Any = "0min"
) -> xr.Dataset:
    """A frame, or a result of the verbs, as a labelled Dataset.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns): readings, or
        a wide result such as that of `energy`. Or the rows of a result: of
        ``energy(..., detail=True)``, of `peaks`.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``: that is what
        ``time_bnds`` says.

    Returns
    -------
    xarray.Dataset
        One variable a topic: over (time, element) or (time, channel), with ``_elm`` or ``_ch``
        after its name where a topic has both; over (meter, time, ...) where the frame has
        several meters. Each says its ``units`` (as pint parses them), ``wire_unit``,
        ``long_name``, CF ``cell_methods``, ``topic``, ``scope`` and ``kind``. Cells that are
        no column of the frame are NaN.

        Times are naive UTC, with the frame's zone in ``time.attrs["timezone"]``; where that is
        not UTC, ``local_time`` lies along time. ``time_bnds`` holds the spans of interval means,
        or of the periods of energy. Other columns of numbers, truth values or text lie along
        time too. `to_frame` goes back.

        Rows become variables over (period, element), those of `peaks` over (period, element,
        rank); flags are text, joined by blanks.

    Raises
    ------
    RangeError
        For a naive index, or meters whose times differ: those are converted one by one,
        ``df.loc[meter].dent.to_xarray()``.
    UnitError
        Where the columns of one topic are in different units.
    DecodeError
        Where a wire-named column holds something else than numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01", periods=2, freq="15min", tz="UTC", name="time")
    >>> readings = pd.DataFrame({"DemandkW/Elm/A": [1.0, 2.0]}, index=t)
    >>> to_xarray(readings)["DemandkW"].dims
    ('time', 'element')
    """
    import dentframe.datasets.accessor  # noqa: F401 - registers Dataset.dent

    if _columns.wire_columns(frame.columns) or not frame.columns.size:
        whole = completed(frame)
        return frame_to_dataset.to_dataset(whole, interval=interval, demand_lag=demand_lag)
    if is_rows(frame):
        return rows_dataset(frame)
    return figures_dataset(frame, "value")
