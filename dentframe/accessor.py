"""``DataFrame.dent``: the verbs on any frame with wire-named columns. A facade, no state.

Every method is the function of the same name, with its signature and docstring.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from dentframe import coincident as _coincident
from dentframe import columns as _columns
from dentframe import demand as _demand
from dentframe import demand_window as _demand_window
from dentframe import energy as _energy
from dentframe import estimate as _estimate
from dentframe import factors as _factors
from dentframe import gaps as _gaps
from dentframe import peaks as _peaks
from dentframe import profile as _profile
from dentframe import quality as _quality
from dentframe import quantify as _quantify
from dentframe import reconcile as _reconcile
from dentframe import reshape as _reshape
from dentframe import shape as _shape
from dentframe import stats as _stats
from dentframe import tables as _tables
from dentframe import units as _units
from dentframe import virtual as _virtual
from dentframe.verbs import verb


@pd.api.extensions.register_dataframe_accessor("dent")
class DentAccessor:
    """Energy, demand, units and shapes of a frame of meter readings.

    Works on any frame with at least one wire-named column (``kWHNet/Elm/A``), wherever it
    comes from; other columns are ignored.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        if not _columns.wire_columns(frame.columns) and _units.ATTRS not in frame.attrs:
            raise AttributeError(
                "'.dent' needs a frame with wire-named columns such as 'kWHNet/Elm/A'; this one "
                f"has {[str(c) for c in frame.columns[:4]]}."
            )
        self._frame = frame

    @property
    def units(self) -> dict[str, Any]:
        """Column to pint unit. See `dentframe.units.units`."""
        return _units.units(self._frame)

    @property
    def topics(self) -> list[str]:
        """The topics of the columns. See `dentframe.reshape.topics`."""
        return _reshape.topics(self._frame)

    @property
    def elements(self) -> list[str]:
        """The elements of the columns. See `dentframe.reshape.elements`."""
        return _reshape.elements(self._frame)

    @property
    def channels(self) -> list[str]:
        """The channels of the columns. See `dentframe.reshape.channels`."""
        return _reshape.channels(self._frame)

    @property
    def columns(self) -> pd.DataFrame:
        """Column to topic, scope, element, channel, kind, unit. See `dentframe.reshape.table`."""
        return _reshape.table(self._frame)

    select = verb(_reshape.select)
    by_element = verb(_reshape.by_element)
    by_channel = verb(_reshape.by_channel)
    to_long = verb(_reshape.to_long)
    to_csv = verb(_tables.to_csv)
    to_excel = verb(_tables.to_excel)
    quantify = verb(_quantify.quantify)
    dequantify = verb(_quantify.dequantify)
    convert = verb(_quantify.convert)

    energy = verb(_energy.energy)
    intervals = verb(_energy.intervals)
    virtual = verb(_virtual.virtual)
    reconcile = verb(_reconcile.reconcile)
    check_demand_window = verb(_demand_window.check_demand_window)
    estimate = verb(_estimate.estimate)

    demand = verb(_demand.demand)
    apparent_demand = verb(_demand.apparent_demand)
    peaks = verb(_peaks.peaks)
    coincident = verb(_coincident.coincident)
    load_factor = verb(_factors.load_factor)
    power_factor = verb(_factors.power_factor)
    duration = verb(_shape.duration)

    stats = verb(_stats.stats)
    profile = verb(_profile.profile)
    baseload = verb(_shape.baseload)

    coverage = verb(_gaps.coverage)
    gaps = verb(_gaps.gaps)
    quality = verb(_quality.quality)
