"""Pictures of meter readings, one function each: ``df.dent.plot``.

Importing this needs matplotlib: ``pip install "dentframe[plot]"``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dentframe.errors import did_you_mean, missing_extra
from dentframe.methods import method

try:
    import_module("matplotlib")
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

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            there = [x for x in dir(self) if not x.startswith("_")]
            raise AttributeError(
                f"'.dent.plot' has no {name!r}, it has {', '.join(there)}"
                f"{did_you_mean(name, there) or '.'} df.plot is pandas' own."
            )

        def __call__(self, *_: Any, **__: Any) -> Any:
            """Refuse ``df.dent.plot()``, which names no picture."""
            return self.__getattr__("()")

    heatmap = method(_heatmap.heatmap)
    stack = method(_stack.stack)
    duration = method(_curves.duration)
    peaks = method(_peaks.peaks)
    profile = method(_curves.profile)
    nights = method(_nights.nights)
    coverage = method(_coverage.coverage)
