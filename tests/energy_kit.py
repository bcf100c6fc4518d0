"""What the tests of energy share: steady registers, readings by hand, and quiet calls."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from dentframe.errors import CoverageWarning
from dentframe.verbs.energy import energy

NY, LA = "America/New_York", "America/Los_Angeles"
A, C, MEAN = "kWHNet/Elm/A", "kWHNet/Elm/C", "DemandkW/Elm/A"


def register(start="2024-01-01 05:00", n=97, label=A, kw=4.0, freq="15min", first=1000.0):
    """A steady load's register."""
    index = pd.date_range(start, periods=n, freq=freq, tz="UTC", unit="us", name="time")
    step = kw * pd.Timedelta(freq) / pd.Timedelta(hours=1)
    return pd.DataFrame({label: first + step * np.arange(n)}, index=index)


def readings(values, start="2024-01-01", freq="15min", label=A):
    index = pd.date_range(start, periods=len(values), freq=freq, tz="UTC", unit="us")
    return pd.DataFrame({label: np.array(values, dtype=float)}, index=index)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return call(*args, **kwargs)


def row(frame, **kwargs):
    return quiet(energy, frame, detail=True, **kwargs).iloc[0]
