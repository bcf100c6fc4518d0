"""``DataFrame.dent``: the verbs on any frame with wire-named columns. A facade, no state.

Every method is the function of the same name, with its signature and docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

import dentframe
from dentframe.verbs import frame_verb, verb

if TYPE_CHECKING:  # at run time a verb's module is imported when the verb is first looked up
    import dentframe.coincident
    import dentframe.columns
    import dentframe.datasets
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
    import dentframe.shown
    import dentframe.stats
    import dentframe.summary
    import dentframe.tables
    import dentframe.units
    import dentframe.virtual
    from dentframe.plot.pictures import Pictures


@pd.api.extensions.register_dataframe_accessor("dent")
class DentAccessor:
    """Energy, demand, units and shapes of a frame of meter readings.

    Works on any frame with at least one wire-named column (``kWHNet/Elm/A``), wherever it
    comes from; other columns are ignored.

    Examples
    --------
    >>> df.dent.elements
    ['A', 'B', 'C', 'D', 'E', 'F', 'G']
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        wire = dentframe.columns.wire_columns(frame.columns)
        if not wire and dentframe.units.ATTRS not in frame.attrs:
            raise AttributeError(
                "'.dent' needs a frame with wire-named columns such as 'kWHNet/Elm/A'; this one "
                f"has {[str(c) for c in frame.columns[:4]]}."
            )
        self._frame = frame

    def __repr__(self) -> str:
        return dentframe.shown.text_of(dentframe.summary.card, self._frame)

    def _repr_html_(self) -> str:
        return dentframe.shown.html_of(dentframe.summary.card, self._frame)

    @property
    def units(self) -> dict[str, Any]:
        """Column to pint unit. See `dentframe.units.units`.

        Examples
        --------
        >>> str(df.dent.units["DemandkW/Elm/A"])
        'kilowatt'
        """
        return dentframe.units.units(self._frame)

    @property
    def topics(self) -> list[str]:
        """The topics of the columns. See `dentframe.reshape.topics`.

        Examples
        --------
        >>> df.dent.select(element="A").dent.topics
        ['kVAHNet', 'kWHNet', 'DemandkW', 'A', 'dPF', 'V']
        """
        return dentframe.reshape.topics(self._frame)

    @property
    def elements(self) -> list[str]:
        """The elements of the columns. See `dentframe.reshape.elements`.

        Examples
        --------
        >>> df.dent.select(topic="kWHNet").dent.elements
        ['A', 'B', 'C', 'D', 'E', 'F', 'G']
        """
        return dentframe.reshape.elements(self._frame)

    @property
    def channels(self) -> list[str]:
        """The channels of the columns. See `dentframe.reshape.channels`.

        Examples
        --------
        >>> df.dent.select(element="B").dent.channels
        ['B1', 'B2', 'B3']
        """
        return dentframe.reshape.channels(self._frame)

    @property
    def columns(self) -> pd.DataFrame:
        """Column to topic, scope, element, channel, kind, unit. See `dentframe.reshape.table`.

        Examples
        --------
        >>> df.dent.columns.loc["kWHNet/Elm/A", ["kind", "unit"]].tolist()
        ['register', 'kWh']
        """
        return dentframe.reshape.table(self._frame)

    @property
    def plot(self) -> Pictures:
        """Pictures: heatmap, stack, duration, peaks, profile, coverage. Needs the extra `plot`.

        Examples
        --------
        >>> df.dent.plot.heatmap(elements="A", tz=LA).get_ylabel()
        'time of day'
        """
        from dentframe.plot.pictures import Pictures

        return Pictures(self._frame)

    select = frame_verb(lambda: dentframe.reshape.select)
    by_element = verb(lambda: dentframe.reshape.by_element)
    by_channel = verb(lambda: dentframe.reshape.by_channel)
    to_long = verb(lambda: dentframe.reshape.to_long)
    to_xarray = verb(lambda: dentframe.datasets.to_xarray)
    to_csv = verb(lambda: dentframe.tables.to_csv)
    to_excel = verb(lambda: dentframe.tables.to_excel)
    quantify = frame_verb(lambda: dentframe.quantify.quantify)
    dequantify = frame_verb(lambda: dentframe.quantify.dequantify)
    convert = frame_verb(lambda: dentframe.quantify.convert)

    energy = verb(lambda: dentframe.energy.energy)
    intervals = verb(lambda: dentframe.energy.intervals)
    virtual = verb(lambda: dentframe.virtual.virtual)
    reconcile = verb(lambda: dentframe.reconcile.reconcile)
    check_demand_window = verb(lambda: dentframe.demand_window.check_demand_window)
    estimate = frame_verb(lambda: dentframe.estimate.estimate)

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
