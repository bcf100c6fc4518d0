"""``Dataset.dent``: the verbs on a labelled Dataset, their results as Datasets. A facade.

Registered by importing this module: `dentframe` does so where xarray is loaded already, and so
do the engine ``dentcloud`` and ``df.dent.to_xarray()``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import xarray as xr

import dentframe
from dentframe.labelled import answers, duck, unbuild
from dentframe.verbs import Verb
from dentframe.verbs import verb as plain

if TYPE_CHECKING:  # at run time a verb's module is imported when the verb is first looked up
    import pandas as pd

    import dentframe.coincident
    import dentframe.demand
    import dentframe.demand_window
    import dentframe.energy
    import dentframe.estimate
    import dentframe.factors
    import dentframe.gaps
    import dentframe.peaks
    import dentframe.profile
    import dentframe.quality
    import dentframe.quantify
    import dentframe.reconcile
    import dentframe.reshape
    import dentframe.shape
    import dentframe.stats
    import dentframe.tables
    import dentframe.units
    import dentframe.virtual

P = ParamSpec("P")
_register: Any = xr.register_dataset_accessor


def verb(
    find: Callable[[], Callable[Concatenate[pd.DataFrame, P], pd.DataFrame]],
) -> Verb[P, xr.Dataset]:
    """The method for a frame's verb: it asks the Dataset's frame and gives a Dataset."""
    return Verb(find, labelled)


def labelled(function: Callable[Concatenate[pd.DataFrame, P], pd.DataFrame]) -> Any:
    """A verb of frames with this accessor in place of its frame, and a Dataset as its answer."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(self: DatasetAccessor, /, *args: P.args, **kwargs: P.kwargs) -> xr.Dataset:
        frame = self.to_frame()
        result = function(frame, *args, **kwargs)
        topic = signature.bind(frame, *args, **kwargs).arguments.get("topic")
        answer: xr.Dataset = answers.as_dataset(frame, result, function.__name__, topic)
        return answers.keep_bounds(answer, self._dataset)

    first, *others = signature.parameters.values()
    own = first.replace(name="self", annotation=inspect.Parameter.empty)
    vars(call)["__signature__"] = inspect.Signature([own, *others], return_annotation="xr.Dataset")
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

    @property
    def _dataset(self) -> xr.Dataset:
        if not unbuild.is_dent(self._held):
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
        return unbuild.head(self._dataset)

    @property
    def units(self) -> dict[str, Any]:
        """Column of the frame to pint unit. See `dentframe.units.units`."""
        return dentframe.units.units(self._head)

    @property
    def topics(self) -> list[str]:
        """The topics of the variables. See `dentframe.reshape.topics`."""
        return dentframe.reshape.topics(self._head)

    @property
    def elements(self) -> list[str]:
        """The elements of the variables. See `dentframe.reshape.elements`."""
        return dentframe.reshape.elements(self._head)

    @property
    def channels(self) -> list[str]:
        """The channels of the variables. See `dentframe.reshape.channels`."""
        return dentframe.reshape.channels(self._head)

    @property
    def columns(self) -> pd.DataFrame:
        """Column to topic, scope, element, channel, kind, unit. See `dentframe.reshape.table`."""
        return dentframe.reshape.table(self._head)

    def to_frame(self) -> pd.DataFrame:
        """The frame of the Dataset. See `dentframe.datasets.to_frame`."""
        return unbuild.to_frame(self._dataset)

    def quantify(self) -> xr.Dataset:
        """The variables as pint quantities. See `dentframe.labelled.duck.quantify`."""
        return duck.quantify(self._dataset)

    def dequantify(self) -> xr.Dataset:
        """Plain variables that say their units. See `dentframe.labelled.duck.dequantify`."""
        return duck.dequantify(self._dataset)

    to_csv = plain(lambda: dentframe.tables.to_csv)
    to_excel = plain(lambda: dentframe.tables.to_excel)
    to_long = plain(lambda: dentframe.reshape.to_long)

    select = verb(lambda: dentframe.reshape.select)
    by_element = verb(lambda: dentframe.reshape.by_element)
    by_channel = verb(lambda: dentframe.reshape.by_channel)
    convert = verb(lambda: dentframe.quantify.convert)

    energy = verb(lambda: dentframe.energy.energy)
    intervals = verb(lambda: dentframe.energy.intervals)
    virtual = verb(lambda: dentframe.virtual.virtual)
    reconcile = verb(lambda: dentframe.reconcile.reconcile)
    check_demand_window = verb(lambda: dentframe.demand_window.check_demand_window)
    estimate = verb(lambda: dentframe.estimate.estimate)

    demand = verb(lambda: dentframe.demand.demand)
    apparent_demand = verb(lambda: dentframe.demand.apparent_demand)
    peaks = verb(lambda: dentframe.peaks.peaks)
    coincident = verb(lambda: dentframe.coincident.coincident)
    load_factor = verb(lambda: dentframe.factors.load_factor)
    power_factor = verb(lambda: dentframe.factors.power_factor)
    duration = verb(lambda: dentframe.shape.duration)

    stats = verb(lambda: dentframe.stats.stats)
    profile = verb(lambda: dentframe.profile.profile)
    baseload = verb(lambda: dentframe.shape.baseload)

    coverage = verb(lambda: dentframe.gaps.coverage)
    gaps = verb(lambda: dentframe.gaps.gaps)
    quality = verb(lambda: dentframe.quality.quality)
