"""What a verb gave for a frame, as a Dataset with its units. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe import columns as _columns
from dentframe import units as _units
from dentframe.labelled import build, names, results, unbuild
from dentframe.topics import TOPICS

if TYPE_CHECKING:
    import xarray as xr

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
        return build.to_dataset(results.completed(result))
    if results.is_rows(result):
        return results.rows_dataset(result, _asked(topic))
    shown = str(topic) if name in {"by_element", "by_channel"} else name
    return results.figures_dataset(result, shown, _unit(frame, name, topic))


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
    told = {_units.unit_text(frame, x) for x in labels}
    return told.pop() if len(told) == 1 else None


def keep_bounds(result: xr.Dataset, dataset: xr.Dataset) -> xr.Dataset:
    """A part of a Dataset with the time bounds that the whole one has.

    A frame has no place for them, so the way through it would put the usual interval there.
    """
    if names.BOUNDS not in dataset.coords or names.BOUNDS not in result.coords:
        return result
    if _topics(result).isdisjoint(_topics(dataset)):
        return result  # its rows are blocks or periods, which have bounds of their own
    whole, part = dataset[names.TIME].to_numpy(), result[names.TIME].to_numpy()
    if whole.shape == part.shape and np.array_equal(whole, part):
        own = dataset[names.BOUNDS]
        if set(own.dims) <= set(result.dims):
            return result.assign_coords({names.BOUNDS: own.variable})
    return result


def _topics(dataset: xr.Dataset) -> set[str]:
    return {found.slot.topic for found in unbuild.readings(dataset)}
