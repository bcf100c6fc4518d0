"""``df.dent.plot``: the pictures, each a function of the same name. A facade, no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentframe.methods import method
from dentframe.plot import coverage as _coverage
from dentframe.plot import duration as _duration
from dentframe.plot import heatmap as _heatmap
from dentframe.plot import peaks as _peaks
from dentframe.plot import profile as _profile
from dentframe.plot import stack as _stack

if TYPE_CHECKING:
    import pandas as pd


class Pictures:
    """Pictures of a frame of meter readings: matplotlib Axes in, Axes out.

    Needs the extra `plot`: ``pip install "dentframe[plot]"``.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    heatmap = method(_heatmap.heatmap)
    stack = method(_stack.stack)
    duration = method(_duration.duration)
    peaks = method(_peaks.peaks)
    profile = method(_profile.profile)
    coverage = method(_coverage.coverage)
