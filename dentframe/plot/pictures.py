"""``df.dent.plot``: the pictures, each a function of the same name. A facade, no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentframe.plot import coverage as _coverage
from dentframe.plot import duration as _duration
from dentframe.plot import heatmap as _heatmap
from dentframe.plot import peaks as _peaks
from dentframe.plot import profile as _profile
from dentframe.plot import stack as _stack
from dentframe.verbs import verb

if TYPE_CHECKING:
    import pandas as pd


class Pictures:
    """Pictures of a frame of meter readings: matplotlib Axes in, Axes out.

    Needs the extra `plot`: ``pip install "dentframe[plot]"``.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    heatmap = verb(lambda: _heatmap.heatmap)
    stack = verb(lambda: _stack.stack)
    duration = verb(lambda: _duration.duration)
    peaks = verb(lambda: _peaks.peaks)
    profile = verb(lambda: _profile.profile)
    coverage = verb(lambda: _coverage.coverage)
