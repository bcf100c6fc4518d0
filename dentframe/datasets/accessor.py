"""``Dataset.dent``: the verbs on a labelled Dataset, with Datasets as their results.

Registered by importing `dentframe.datasets`: the engine ``dentcloud`` and ``df.dent.to_xarray()``
do so, and `dentframe` where xarray is loaded already.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import xarray as xr

from dentframe import cards as _cards
from dentframe.datasets import dataset_to_frame as _dataset_to_frame
from dentframe.datasets import results as _results
from dentframe.errors import missing_extra
from dentframe.frame import csv_and_excel as _csv_and_excel
from dentframe.frame import quantify as _quantify
from dentframe.frame import reshape as _reshape
from dentframe.frame import select as _select
from dentframe.methods import check_words, method, sign_as_method
from dentframe.verbs.coincident import coincident
from dentframe.verbs.demand import apparent_demand, demand
from dentframe.verbs.demand_window import check_demand_window
from dentframe.verbs.energy import energy, intervals
from dentframe.verbs.estimate import estimate
from dentframe.verbs.load_profile import baseload, duration, profile, unusual
from dentframe.verbs.peaks import peaks
from dentframe.verbs.quality import coverage, gaps, quality
from dentframe.verbs.reconcile import reconcile
from dentframe.verbs.stats_and_factors import load_factor, power_factor, stats
from dentframe.verbs.summary import card
from dentframe.verbs.virtual import virtual
from dentframe.wire import columns as _columns

if TYPE_CHECKING:
    import pandas as pd

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
        answer: xr.Dataset = _results.as_dataset(frame, result, function.__name__, topic)
        answer = _results.keep_bounds(answer, self._dataset)
        return _results.quantify(answer) if _results.is_quantified(self._dataset) else answer

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
        self._held = dataset

    def __repr__(self) -> str:
        return _cards.text_of(self._card, self)

    def _repr_html_(self) -> str:
        return _cards.html_of(self._card, self)

    @staticmethod
    def _card(accessor: DatasetAccessor) -> _cards.Card:
        """The frame's own; of a Dataset that is not computed yet, what is known without."""
        dataset = accessor._dataset
        if not dataset.chunks:
            return card(accessor._frame)
        held = ", ".join(f"{n} {name}" for name, n in dataset.sizes.items())
        facts = [("topics", ", ".join(accessor.topics)), ("elements", ", ".join(accessor.elements))]
        return _cards.Card(f"DENT readings, not computed yet: {held}", facts)

    @property
    def _dataset(self) -> xr.Dataset:
        if not _dataset_to_frame.is_dent(self._held):
            raise AttributeError(
                "'.dent' needs a Dataset with variables over time and element or channel, such "
                f"as to_xarray() gives; this one has {[str(v) for v in self._held.data_vars][:4]}."
            )
        return self._held

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
        """The variables as pint quantities. See `dentframe.datasets.results.quantify`."""
        return _results.quantify(self._dataset)

    def dequantify(self) -> xr.Dataset:
        """Plain variables that say their units. See `dentframe.datasets.results.dequantify`."""
        return _results.dequantify(self._dataset)

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
