"""``DataFrame.dent`` has the verbs of any frame with wire-named columns; it keeps no state.

Every method is the function of the same name, with its signature and docstring.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.accessor_methods import frame_method, method
from dentframe.display import Card, WithCard
from dentframe.errors import KindError, did_you_mean
from dentframe.frame import csv_and_excel as _csv_and_excel
from dentframe.frame import quantify as _quantify
from dentframe.frame import reshape as _reshape
from dentframe.frame import select as _select
from dentframe.verbs import demand as _demand
from dentframe.verbs import energy as _energy
from dentframe.verbs import estimate as _estimate
from dentframe.verbs import frame_summary as _summary
from dentframe.verbs import gaps_and_coverage as _gaps_and_coverage
from dentframe.verbs import load_shape as _load_shape
from dentframe.verbs import peaks as _peaks
from dentframe.verbs import quality as _quality
from dentframe.verbs import reconcile as _reconcile
from dentframe.verbs import stats_and_factors as _stats_and_factors
from dentframe.verbs import virtual as _virtual
from dentframe.wire import columns as _columns

if TYPE_CHECKING:
    import xarray as xr

    from dentframe.plot import Pictures


_OF_NUMBERS = (
    "sum", "mean", "median", "min", "max", "std", "diff", "cumsum", "resample", "quantile",
    "rolling", "groupby", "agg", "aggregate", "describe", "interpolate",
)  # fmt: skip


_PICTURES = ("heatmap", "stack", "nights")


def _refuse(name: str, *_: Any, **__: Any) -> None:
    raise KindError(
        f"Cannot take .{name}() of readings: a register is a running total, and a mean counts by "
        "the time it stands for. Use energy() for kWh, demand() or peaks() for kW, stats(topic) "
        f"for samples; or df.{name}() for the bare numbers."
    )


@pd.api.extensions.register_dataframe_accessor("dent")
class DentAccessor(WithCard):
    """Energy, demand, units and shapes of a frame of meter readings.

    Works on any frame with at least one wire-named column (``kWHNet/Elm/A``), wherever it
    comes from; other columns are ignored.

    Examples
    --------
    >>> df.dent.elements
    ['A', 'B', 'C', 'D', 'E', 'F', 'G']
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        wire = _columns.wire_columns(frame.columns)
        if not wire and _columns.ATTRS not in frame.attrs:
            raise AttributeError(
                "'.dent' needs a frame with wire-named columns such as 'kWHNet/Elm/A'; this one "
                f"has {[str(c) for c in frame.columns[:4]]}."
            )
        self._frame = frame

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in _OF_NUMBERS:
                return functools.partial(_refuse, name)
            near = did_you_mean(name, dir(self))
            if name in _PICTURES:
                near = f": did you mean 'plot.{name}'?"
            elif hasattr(pd.DataFrame, name):
                near = f": df.{name} is pandas' own."
            raise AttributeError(f"'.dent' has no {name!r}{near}")

    def _card(self) -> Card:
        return _summary.card(self._frame)

    @property
    def units(self) -> dict[str, Any]:
        """Column to pint unit. See `dentframe.wire.columns.units`.

        Examples
        --------
        >>> str(df.dent.units["DemandkW/Elm/A"])
        'kilowatt'
        """
        return _columns.units(self._frame)

    @property
    def topics(self) -> list[str]:
        """The topics of the columns. See `dentframe.frame.select.topics`.

        Examples
        --------
        >>> df.dent.select(element="A").dent.topics
        ['kVAHNet', 'kWHNet', 'DemandkW', 'A', 'dPF', 'V']
        """
        return _select.topics(self._frame)

    @property
    def elements(self) -> list[str]:
        """The elements of the columns. See `dentframe.frame.select.elements`.

        Examples
        --------
        >>> df.dent.select(topic="kWHNet").dent.elements
        ['A', 'B', 'C', 'D', 'E', 'F', 'G']
        """
        return _select.elements(self._frame)

    @property
    def channels(self) -> list[str]:
        """The channels of the columns. See `dentframe.frame.select.channels`.

        Examples
        --------
        >>> df.dent.select(element="B").dent.channels
        ['B1', 'B2', 'B3']
        """
        return _select.channels(self._frame)

    @property
    def columns(self) -> pd.DataFrame:
        """Column to topic, scope, element, channel, kind, unit. See `dentframe.frame.select.table`.

        Examples
        --------
        >>> df.dent.columns.loc["kWHNet/Elm/A", ["kind", "unit"]].tolist()
        ['register', 'kWh']
        """
        return _select.table(self._frame)

    @property
    def plot(self) -> Pictures:
        """Pictures: heatmap, stack, duration, peaks, profile, nights, coverage (extra `plot`).

        Examples
        --------
        >>> df.dent.plot.heatmap(elements="A", tz=LA).get_ylabel()
        'time of day'
        """
        from dentframe.plot import Pictures

        return Pictures(self._frame)

    def to_xarray(self, *, interval: Any = "15min", demand_lag: Any = "0min") -> xr.Dataset:
        """A labelled Dataset of the frame. See `dentframe.datasets.to_xarray`.

        Examples
        --------
        >>> df.dent.select(topic="DemandkW").dent.to_xarray()["DemandkW"].dims
        ('time', 'element')
        """
        from dentframe.datasets import to_xarray

        return to_xarray(self._frame, interval=interval, demand_lag=demand_lag)

    select = frame_method(_select.select)
    by_element = method(_reshape.by_element)
    by_channel = method(_reshape.by_channel)
    to_long = method(_reshape.to_long)
    to_csv = method(_csv_and_excel.to_csv)
    to_excel = method(_csv_and_excel.to_excel)
    quantify = frame_method(_quantify.quantify)
    dequantify = frame_method(_quantify.dequantify)
    convert = frame_method(_quantify.convert)

    energy = method(_energy.energy)
    intervals = method(_energy.intervals)
    virtual = method(_virtual.virtual)
    reconcile = method(_reconcile.reconcile)
    check_demand_window = method(_demand.check_demand_window)
    estimate = frame_method(_estimate.estimate)

    demand = method(_demand.demand)
    apparent_demand = method(_demand.apparent_demand)
    peaks = method(_peaks.peaks)
    coincident = method(_peaks.coincident)
    load_factor = method(_stats_and_factors.load_factor)
    power_factor = method(_stats_and_factors.power_factor)
    duration = method(_load_shape.duration)

    stats = method(_stats_and_factors.stats)
    profile = method(_load_shape.profile)
    baseload = method(_load_shape.baseload)
    unusual = method(_load_shape.unusual)

    coverage = method(_gaps_and_coverage.coverage)
    gaps = method(_gaps_and_coverage.gaps)
    quality = method(_quality.quality)


def of_series(series: pd.Series[Any]) -> DentAccessor:
    """The accessor of a Series with a wire name, as of a frame with that one column."""
    if not _columns.is_wire(series.name):
        raise AttributeError(
            "'.dent' needs a Series with a wire name such as 'kWHNet/Elm/A'; this one is named "
            f"{series.name!r}."
        )
    return DentAccessor(series.to_frame())


_register: Any = pd.api.extensions.register_series_accessor("dent")
_register(of_series)
