"""What one writes without dentframe, written as well as it is usually written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

Numbers = Callable[[pd.DataFrame], pd.DataFrame]


def as_floats(frame: pd.DataFrame) -> pd.DataFrame:
    """All columns at once; one cell that is no number stops it."""
    return frame.astype(float)


def as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Column by column, what is no number missing: what bad cells ask for."""
    return frame.apply(pd.to_numeric, errors="coerce")


def month(
    body: bytes, loads: Callable[[bytes], Any] = json.loads, numbers: Numbers = as_floats
) -> pd.DataFrame:
    """An answer's body as a frame: json, DataFrame, times, numbers."""
    frame = pd.DataFrame(loads(body)["topics"])
    when = pd.to_datetime(frame.pop("date") + " " + frame.pop("time"), utc=True)
    return numbers(frame).set_axis(pd.DatetimeIndex(when))


def agree(mine: pd.DataFrame, other: pd.DataFrame) -> None:
    """Two frames hold the same floats at the same times, whatever the order of their columns."""
    assert set(mine) <= set(other)
    assert (mine.index == other.index).all()
    np.testing.assert_array_equal(mine, other[list(mine)])


def year(bodies: Iterable[bytes]) -> pd.DataFrame:
    """Several months as one frame."""
    return pd.concat([month(body) for body in bodies])
