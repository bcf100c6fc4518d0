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
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

import numpy as np
import pandas as pd
import xarray as xr

from dentframe.accessor_methods import check_words, method, sign_as_method
from dentframe.datasets import cf_names_units_and_times as variables
from dentframe.datasets import frame_and_dataset as _convert
from dentframe.datasets.cf_names_units_and_times import EDGE, METER, TIME, clean
from dentframe.display import Card, WithCard
from dentframe.errors import missing_extra
from dentframe.frame import csv_and_excel as _csv_and_excel
from dentframe.frame import quantify as _quantify
from dentframe.frame import reshape as _reshape
from dentframe.frame import select as _select
from dentframe.frame.quantify import magnitudes
from dentframe.verbs.demand import apparent_demand, check_demand_window, demand
from dentframe.verbs.energy import energy, intervals
from dentframe.verbs.estimate import estimate
from dentframe.verbs.frame_summary import card
from dentframe.verbs.gaps_and_coverage import coverage, gaps
from dentframe.verbs.load_shape import baseload, duration, profile, unusual
from dentframe.verbs.peaks import coincident, peaks
from dentframe.verbs.quality import quality
from dentframe.verbs.reconcile import reconcile
from dentframe.verbs.stats_and_factors import load_factor, power_factor, stats
from dentframe.verbs.virtual import virtual
from dentframe.wire import columns as _columns
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.plot import Pictures

P = ParamSpec("P")
_untyped: Any = xr  # its registrars have no types


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
        attrs = [array.attrs for array in self._dataset.data_vars.values()]
        quantified = any("pint_unit" in own and "units" not in own for own in attrs)
        return quantify(answer) if quantified else answer

    sign_as_method(call, function, return_annotation="xr.Dataset")
    return call


def _of_head(function: Callable[[pd.DataFrame], Any], what: str) -> property:
    """A property that asks the frame without its rows, so that nothing lazy is computed."""
    doc = f"{what} See `{function.__module__}.{function.__name__}`."
    return property(lambda self: function(_convert.head(self._dataset)), doc=doc)


@_untyped.register_dataset_accessor("dent")
class DatasetAccessor(WithCard):
    """Energy, demand, units and shapes of a Dataset of meter readings.

    Every verb has the signature and the figures of the frame's; where that gives a frame, this
    gives a Dataset. A Dask-backed Dataset is computed once a call. On a Dataset that holds no
    readings each of them raises AttributeError.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        # xarray makes a RuntimeError of an AttributeError here, which would break hasattr().
        self._given = dataset

    def _card(self) -> Card:
        """The frame's own; of a Dataset that is not computed yet, what is known without."""
        dataset = self._dataset
        if not dataset.chunks:
            return card(self._frame)
        held = ", ".join(f"{n} {name}" for name, n in dataset.sizes.items())
        facts = [("topics", ", ".join(self.topics)), ("elements", ", ".join(self.elements))]
        return Card(f"DENT readings, not computed yet: {held}", facts)

    @property
    def _dataset(self) -> xr.Dataset:
        if not _convert.is_dent(self._given):
            raise AttributeError(
                "'.dent' needs a Dataset with variables over time and element or channel, such "
                f"as to_xarray() gives; this one has {[str(v) for v in self._given.data_vars][:4]}."
            )
        return self._given

    @property
    def _frame(self) -> pd.DataFrame:
        return self.to_frame()

    units = _of_head(_columns.units, "Column of the frame to pint unit.")
    topics = _of_head(_select.topics, "The topics of the variables.")
    elements = _of_head(_select.elements, "The elements of the variables.")
    channels = _of_head(_select.channels, "The channels of the variables.")
    columns = _of_head(_select.table, "Column to topic, scope, kind, unit.")

    def to_frame(self) -> pd.DataFrame:
        """The frame of the Dataset. See `dentframe.datasets.to_frame`."""
        return _convert.to_frame(self._dataset)

    def quantify(self) -> xr.Dataset:
        """The variables as pint quantities. See `dentframe.datasets.accessor.quantify`."""
        return quantify(self._dataset)

    def dequantify(self) -> xr.Dataset:
        """Turn pint arrays into plain ones that say their ``units`` in the attrs.

        Returns
        -------
        xarray.Dataset
            The same values; variables without a pint array stay as they are. ``units`` is what
            pint said last.
        """
        made = self._dataset.copy()
        for name, array in self._dataset.data_vars.items():
            if getattr(array.data, "units", None) is not None:
                now = _columns.parse_unit(str(variables.unit_in(array.attrs, array.data)))
                attrs = {**array.attrs, **variables.unit_attrs(_columns.name_of(now))}
                attrs["wire_unit"] = _columns.symbol(now)
                made[name] = (array.dims, array.data.magnitude, attrs)
        return made

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
        frame: Any = self._frame  # pandas' types know no accessor
        return cast("Pictures", frame.dent.plot)

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


_untyped.register_dataarray_accessor("dent")(_of_array)


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
            made[name] = (array.dims, ureg.Quantity(array.data, unit), attrs)
    return made


# --- results as Datasets ----------------------------------------------------------------

PERIOD, ROW, ELEMENT = "period", "row", "element"
PERIOD_BOUNDS = "period_bnds"
_KEYS = (METER, PERIOD, "window", ELEMENT, "rank")
_UNITS = {
    "energy": ("energy", "lo", "hi", "open_reading", "close_reading", "imported", "exported",
               "expected", "excess"),
    "power": ("peak", "site_peak", "coincident", "own_peak", "uncovered_kw"),
    "kWh": ("register", "demand", "residual", "at_gaps", "kwh_at_risk", "rms", "next_rms",
            "rms_at_zero"),
    "1": ("coverage", "share", "diversity", "coincidence", "ratio", "relative", "margin", "value"),
    "hour": ("uncovered_hours",),
    "kVAh": ("apparent_energy",),
}  # fmt: skip
"""The columns of rows by their unit; energy and power are in that of what was asked about."""
_UNIT_OF = {column: unit for unit, columns in _UNITS.items() for column in columns}
_FAMILIES = (("kWh", "kW"), ("kVAh", "kVA"), ("kvarh", "kvar"))


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
    table, ends = rows, None
    if PERIOD not in rows.columns and {"energy", "start", "end"} <= set(rows.columns):
        table = rows.rename(columns={"start": PERIOD})
        spans = table[[PERIOD, "end"]].drop_duplicates()
        if spans[PERIOD].is_unique:
            table, ends = table.drop(columns="end"), spans.sort_values(PERIOD)["end"]
    units: set[str | None] = {*_columns.attrs_units(rows).values()} or {unit}
    # The units of energy and power that go with it; none where nothing tells.
    family = next((f for f in _FAMILIES if units & {*f}), (None, None))
    dims = [k for k in _KEYS if k in table.columns] if PERIOD in table.columns else []
    if not dims or table.duplicated(dims).any():
        table, dims, ends = table.assign(**{ROW: np.arange(len(table))}), [ROW], None
    coded = {d: pd.factorize(table[d], sort=d in {PERIOD, "rank"}) for d in dims}
    found = {}
    for label in table.columns.drop(dims):
        own = _UNIT_OF.get(str(label))
        own = {"energy": family[0], "power": family[1]}.get(str(own), own)
        found[str(label)] = _cell_variable(table[label], coded, own)
    coords = {d: variables.coordinate(d, values) for d, (_, values) in coded.items()}
    dataset = xr.Dataset(found, coords=coords)
    if ends is not None:
        both = [dataset[PERIOD].to_numpy(), variables.naive(pd.DatetimeIndex(ends)).to_numpy()]
        dataset.coords[PERIOD_BOUNDS] = ((PERIOD, EDGE), np.stack(both, axis=1))
        dataset[PERIOD].attrs["bounds"] = PERIOD_BOUNDS
    dataset.attrs = variables.global_attrs(found)
    return dataset


def _cell_variable(column: pd.Series[Any], coded: dict[str, Any], unit: str | None) -> Any:
    """A column of rows over the dimensions of their keys, each with its codes and values."""
    values, attrs = variables.array_of(column)
    shape = tuple(len(found) for _, found in coded.values())
    kind, whole = values.dtype.kind, len(values) == int(np.prod(shape))
    cube = np.empty(shape, values.dtype if whole or kind in "OM" else np.float64)
    if not whole:  # cells that no row fills are NaN, NaT or empty text; never 0
        cube[...] = {"O": "", "M": np.datetime64("NaT", "ns")}.get(kind, np.nan)
    cube[tuple(codes for codes, _ in coded.values())] = values
    own: Any = column.dtype
    if hasattr(own, "units"):
        unit = _columns.symbol(own.units)
    if kind == "f":
        attrs = {**variables.unit_attrs(unit), **attrs}
    if column.name == "energy":
        attrs["cell_methods"] = f"{PERIOD}: sum"
    return (tuple(coded), cube, attrs)


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
        return to_xarray(result)
    # Verbs take active energy and power by themselves.
    asked = TOPICS[str(topic)].unit if str(topic) in TOPICS else "kWh"
    if _is_rows(result):
        return _rows_dataset(result, asked)
    if name in {"load_factor", "power_factor", "coverage"}:
        return _figures_dataset(result, name, "1")
    if name in {"baseload", "duration", "profile"}:
        return _figures_dataset(result, name, "kVA" if asked in {"kVA", "kVAh"} else "kW")
    labels = [x for x in _columns.wire_columns(frame.columns) if _columns.parse(x).topic == topic]
    units = {_columns.unit_text(frame, x) for x in labels}
    shown = str(topic) if name in {"by_element", "by_channel"} else name
    return _figures_dataset(result, shown, units.pop() if len(units) == 1 else None)


def _keep_bounds(result: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """A part of a Dataset with the time bounds that the whole one has.

    A frame has no place for them, so the way through it would put the usual interval there.
    Rows of other topics are blocks or periods, which have bounds of their own.
    """
    if variables.BOUNDS not in dataset.coords or variables.BOUNDS not in result.coords:
        return result
    here, there = ({s.topic for s, _ in _convert.readings(x).values()} for x in (result, dataset))
    # Not by the index: a Dataset of one instant, isel(time=0), has none.
    same = np.array_equal(result[TIME].to_numpy(), dataset[TIME].to_numpy())
    own = dataset[variables.BOUNDS]
    if same and not here.isdisjoint(there) and set(own.dims) <= set(result.dims):
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
        return _convert.to_dataset(whole, interval=interval, demand_lag=demand_lag)
    if _is_rows(frame):
        return _rows_dataset(frame)
    return _figures_dataset(frame, "value")
