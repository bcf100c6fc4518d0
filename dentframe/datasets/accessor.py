"""``Dataset.dent`` has the verbs of a frame on a labelled Dataset, with Datasets as their results.

Of a result, rows become coordinates by their keys, and figures become variables by their labels.
Importing `dentframe.datasets` registers the accessor: the engine ``dentcloud`` and
``df.dent.to_xarray()`` do so, and `dentframe` where xarray is loaded already.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import numpy as np
import pandas as pd
import xarray as xr

from dentframe import display as _display
from dentframe.accessor_methods import check_words, method, sign_as_method
from dentframe.datasets import dataset_to_frame as _dataset_to_frame
from dentframe.datasets import frame_to_dataset as _frame_to_dataset
from dentframe.datasets import variables
from dentframe.datasets.variables import EDGE, METER, TIME, clean
from dentframe.errors import missing_extra
from dentframe.frame import csv_and_excel as _csv_and_excel
from dentframe.frame import quantify as _quantify
from dentframe.frame import reshape as _reshape
from dentframe.frame import select as _select
from dentframe.frame.quantify import magnitudes
from dentframe.verbs.demand import apparent_demand, demand
from dentframe.verbs.demand_window_check import check_demand_window
from dentframe.verbs.energy import energy, intervals
from dentframe.verbs.estimate import estimate
from dentframe.verbs.gaps_and_coverage import coverage, gaps
from dentframe.verbs.load_shape import baseload, duration, profile, unusual
from dentframe.verbs.peaks import coincident, peaks
from dentframe.verbs.quality import quality
from dentframe.verbs.reconcile import reconcile
from dentframe.verbs.stats_and_factors import load_factor, power_factor, stats
from dentframe.verbs.summary import card
from dentframe.verbs.virtual import virtual
from dentframe.wire import columns as _columns
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.plot import Pictures

P = ParamSpec("P")
_register: Any = xr.register_dataset_accessor


def labelled(
    function: Callable[Concatenate[pd.DataFrame, P], pd.DataFrame],
) -> Callable[Concatenate[DatasetAccessor, P], xr.Dataset]:
    """A verb of frames with this accessor in place of its frame, and a Dataset as its answer."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(self: DatasetAccessor, /, *args: P.args, **kwargs: P.kwargs) -> xr.Dataset:
        check_words(function, kwargs)
        frame = self.to_frame()
        result = function(frame, *args, **kwargs)
        topic = signature.bind(frame, *args, **kwargs).arguments.get("topic")
        answer: xr.Dataset = _as_dataset(frame, result, function.__name__, topic)
        answer = _keep_bounds(answer, self._dataset)
        return variables.quantify(answer) if variables.is_quantified(self._dataset) else answer

    sign_as_method(call, function, return_annotation="xr.Dataset")
    return call


@_register("dent")
class DatasetAccessor:
    """Energy, demand, units and shapes of a Dataset of meter readings.

    Every verb has the signature and the figures of the frame's; where that gives a frame, this
    gives a Dataset. A Dask-backed Dataset is computed once a call. On a Dataset that holds no
    readings each of them raises AttributeError.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        # xarray makes a RuntimeError of an AttributeError here, which would break hasattr().
        self._given = dataset

    def __repr__(self) -> str:
        return _display.text_of(self._card, self)

    def _repr_html_(self) -> str:
        return _display.html_of(self._card, self)

    @staticmethod
    def _card(accessor: DatasetAccessor) -> _display.Card:
        """The frame's own; of a Dataset that is not computed yet, what is known without."""
        dataset = accessor._dataset
        if not dataset.chunks:
            return card(accessor._frame)
        held = ", ".join(f"{n} {name}" for name, n in dataset.sizes.items())
        facts = [("topics", ", ".join(accessor.topics)), ("elements", ", ".join(accessor.elements))]
        return _display.Card(f"DENT readings, not computed yet: {held}", facts)

    @property
    def _dataset(self) -> xr.Dataset:
        if not _dataset_to_frame.is_dent(self._given):
            raise AttributeError(
                "'.dent' needs a Dataset with variables over time and element or channel, such "
                f"as to_xarray() gives; this one has {[str(v) for v in self._given.data_vars][:4]}."
            )
        return self._given

    @property
    def _frame(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def _head(self) -> pd.DataFrame:
        """The frame without its rows, which tells what there is and computes nothing."""
        return _dataset_to_frame.head(self._dataset)

    @property
    def units(self) -> dict[str, Any]:
        """Column of the frame to pint unit. See `dentframe.wire.columns.units`."""
        return _columns.units(self._head)

    @property
    def topics(self) -> list[str]:
        """The topics of the variables. See `dentframe.frame.select.topics`."""
        return _select.topics(self._head)

    @property
    def elements(self) -> list[str]:
        """The elements of the variables. See `dentframe.frame.select.elements`."""
        return _select.elements(self._head)

    @property
    def channels(self) -> list[str]:
        """The channels of the variables. See `dentframe.frame.select.channels`."""
        return _select.channels(self._head)

    @property
    def columns(self) -> pd.DataFrame:
        """Column to topic, scope, kind, unit. See `dentframe.frame.select.table`."""
        return _select.table(self._head)

    def to_frame(self) -> pd.DataFrame:
        """The frame of the Dataset. See `dentframe.datasets.to_frame`."""
        return _dataset_to_frame.to_frame(self._dataset)

    def quantify(self) -> xr.Dataset:
        """The variables as pint quantities. See `dentframe.datasets.variables.quantify`."""
        return variables.quantify(self._dataset)

    def dequantify(self) -> xr.Dataset:
        """Plain variables that say their units. See `dentframe.datasets.variables.dequantify`."""
        return variables.dequantify(self._dataset)

    def to_netcdf(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write a netCDF file that other programs read; options are `Dataset.to_netcdf`'s.

        Quantities are written as plain numbers with their ``units``, and names as arrays of
        characters: CDO refuses a file with netCDF-4's strings.

        Raises
        ------
        MissingExtraError
            Where neither netCDF4 nor h5netcdf is installed.
        """
        if not any(map(find_spec, ("netCDF4", "h5netcdf"))):
            raise missing_extra("write netCDF", "netcdf")
        made = self.dequantify()
        for text in (v for v in made.variables.values() if v.dtype.kind in "OU"):
            text.encoding["dtype"] = "S1"
        made.to_netcdf(path, **options)

    @property
    def plot(self) -> Pictures:
        """Pictures of the readings, those of `DataFrame.dent.plot`."""
        drawn: Any = self._frame.dent  # pandas' types know no accessor
        pictures: Pictures = drawn.plot
        return pictures

    to_csv = method(_csv_and_excel.to_csv)
    to_excel = method(_csv_and_excel.to_excel)
    to_long = method(_reshape.to_long)


_VERBS: tuple[Any, ...] = (
    _select.select, _reshape.by_element, _reshape.by_channel, _quantify.convert, energy, intervals,
    virtual, reconcile, check_demand_window, estimate, demand, apparent_demand, peaks, coincident,
    load_factor, power_factor, duration, stats, profile, baseload, unusual, coverage, gaps, quality,
)  # fmt: skip
for _verb in _VERBS:
    setattr(DatasetAccessor, _verb.__name__, labelled(_verb))


def _of_array(array: xr.DataArray) -> DatasetAccessor:
    """One variable as a Dataset of it: its name, or its ``topic`` where it has none."""
    name = array.attrs.get("topic", "value") if array.name is None else array.name
    return DatasetAccessor(array.to_dataset(name=name))


_register_array: Any = xr.register_dataarray_accessor
_register_array("dent")(_of_array)


# --- results as Datasets ----------------------------------------------------------------

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


def _is_rows(table: pd.DataFrame) -> bool:
    """Whether a table has one row a figure, with its keys in columns."""
    plain = table.index.nlevels == 1 and table.index.name is None
    keys = {ELEMENT, PERIOD, "start"} & {str(c) for c in table.columns}
    return plain and bool(keys) and not isinstance(table.index, pd.DatetimeIndex)


def _rows_dataset(rows: pd.DataFrame, unit: str | None = None) -> xr.Dataset:
    """One row a figure as variables over (meter,) period, window, element and rank.

    Tables without a period, such as `gaps`, keep their rows as a dimension ``row``. `unit` is
    that of the energy or power asked about, where the rows' own attrs do not tell it.
    """
    table, bounds = _keyed(rows)
    units: set[str | None] = {*_columns.attrs_units(rows).values()} or {unit}
    # The units of energy and power that go with it; none where nothing tells.
    family = next((f for f in _FAMILIES if units & set(f.values())), {})
    dims = [k for k in _KEYS if k in table.columns] if PERIOD in table.columns else []
    if not dims or table.duplicated(dims).any():
        table, dims = table.assign(**{ROW: np.arange(len(table))}), [ROW]
    codes, coords = [], {}
    for name in dims:
        order, coords[name] = pd.factorize(table[name], sort=name in {PERIOD, "rank"})
        codes.append(order.astype(np.int64))
    values = [c for c in table.columns if c not in dims]
    found = {str(c): _cell_variable(table, c, dims, codes, coords, family) for c in values}
    dataset = xr.Dataset(found, coords={d: variables.coordinate(d, v) for d, v in coords.items()})
    if bounds is not None and dims != [ROW]:
        ends = variables.naive(pd.DatetimeIndex(bounds.sort_values(PERIOD)["end"])).to_numpy()
        spans = np.stack([dataset[PERIOD].to_numpy(), ends], axis=1)
        dataset.coords[PERIOD_BOUNDS] = ((PERIOD, EDGE), spans)
        dataset[PERIOD].attrs["bounds"] = PERIOD_BOUNDS
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


def _cell_variable(
    table: pd.DataFrame,
    name: Any,
    dims: list[str],
    codes: list[Any],
    coords: dict[str, Any],
    family: dict[str, str],
) -> Any:
    values, attrs = variables.array_of(table[name])
    shape = tuple(len(coords[d]) for d in dims)
    kind, whole = values.dtype.kind, len(table) == int(np.prod(shape))
    cube = np.empty(shape, values.dtype if whole or kind in "OM" else np.float64)
    if not whole:  # cells that no row fills are NaN, NaT or empty text; never 0
        cube[...] = {"O": "", "M": np.datetime64("NaT")}.get(kind, np.nan)
    cube[tuple(codes)] = values
    unit = _ALWAYS.get(str(name), family.get(_OF_TOPIC.get(str(name), "")))
    if hasattr(table[name].dtype, "units"):
        unit = _columns.symbol(table[name].dtype.units)
    if values.dtype.kind == "f":
        attrs = {**variables.unit_attrs(unit), **attrs}
    if name == "energy":
        attrs["cell_methods"] = f"{PERIOD}: sum"
    return (tuple(dims), cube, attrs)


def _figures_dataset(table: pd.DataFrame, name: str, unit: str | None = None) -> xr.Dataset:
    """Figures by their labels, such as period to element, as one variable, or one a statistic.

    The levels of the index are dimensions, and so are those of the columns: ``element`` where
    they have no name, and variables where they are statistics.
    """
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
    if list(table.columns.names) == [ELEMENT, "channel"]:
        table = table.droplevel(ELEMENT, axis=1)
    rows, columns = _levels(table.index, TIME), _levels(table.columns, ELEMENT)
    coded = {name: pd.factorize(keys) for name, keys in (*rows, *columns)}
    cube = np.full([len(keys) for _, keys in coded.values()], np.nan)
    values = [magnitudes(table.iloc[:, i]) for i in range(table.shape[1])]
    at = [coded[name][0][:, None] for name, _ in rows]
    at += [coded[name][0][None, :] for name, _ in columns]
    cube[tuple(at)] = np.stack(values, axis=1) if values else np.empty((len(table), 0))
    coords = {name: variables.coordinate(name, keys) for name, (_, keys) in coded.items()}
    return xr.DataArray(cube, coords, list(coded), attrs=variables.unit_attrs(unit))


def _levels(index: pd.Index, default: str) -> list[tuple[str, pd.Index]]:
    if not isinstance(index, pd.MultiIndex):
        return [(str(index.name or default), index)]
    names = [str(n) if n is not None else f"{default}_{i}" for i, n in enumerate(index.names)]
    return [(n, index.get_level_values(i)) for i, n in enumerate(names)]


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
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


def _as_dataset(frame: pd.DataFrame, result: Any, name: str, topic: Any = None) -> Any:
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
        return _frame_to_dataset.to_dataset(_completed(result))
    if _is_rows(result):
        return _rows_dataset(result, _asked(topic))
    shown = str(topic) if name in {"by_element", "by_channel"} else name
    return _figures_dataset(result, shown, _unit(frame, name, topic))


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
    units = {_columns.unit_text(frame, x) for x in labels}
    return units.pop() if len(units) == 1 else None


def _keep_bounds(result: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """A part of a Dataset with the time bounds that the whole one has.

    A frame has no place for them, so the way through it would put the usual interval there.
    """
    if variables.BOUNDS not in dataset.coords or variables.BOUNDS not in result.coords:
        return result
    here, there = (
        {found.slot.topic for found in _dataset_to_frame.readings(x)} for x in (result, dataset)
    )
    if here.isdisjoint(there):
        return result  # its rows are blocks or periods, which have bounds of their own
    whole, part = dataset[variables.TIME].to_numpy(), result[variables.TIME].to_numpy()
    if whole.shape == part.shape and np.array_equal(whole, part):
        own = dataset[variables.BOUNDS]
        if set(own.dims) <= set(result.dims):
            return result.assign_coords({variables.BOUNDS: own.variable})
    return result


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
    if _columns.wire_columns(frame.columns) or not frame.columns.size:
        whole = _completed(frame)
        return _frame_to_dataset.to_dataset(whole, interval=interval, demand_lag=demand_lag)
    if _is_rows(frame):
        return _rows_dataset(frame)
    return _figures_dataset(frame, "value")
