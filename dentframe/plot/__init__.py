"""Pictures of meter readings, one function each: ``df.dent.plot``.

Importing this needs matplotlib: ``pip install "dentframe[plot]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentframe.errors import missing_extra
from dentframe.methods import method

try:
    import matplotlib as mpl  # noqa: F401 - is it there?
except ImportError:
    raise missing_extra("draw a picture", "plot") from None

from dentframe.plot import coverage as _coverage
from dentframe.plot import curves as _curves
from dentframe.plot import heatmap as _heatmap
from dentframe.plot import nights as _nights
from dentframe.plot import peaks as _peaks
from dentframe.plot import stack as _stack

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Pictures"]


class Pictures:
    """Pictures of a frame of meter readings: matplotlib Axes in, Axes out.

    Each is the function of the same name, with its signature and docstring.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    heatmap = method(_heatmap.heatmap)
    stack = method(_stack.stack)
    duration = method(_curves.duration)
    peaks = method(_peaks.peaks)
    profile = method(_curves.profile)
    nights = method(_nights.nights)
    coverage = method(_coverage.coverage)
