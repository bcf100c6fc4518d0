"""The package draws pictures of meter readings, one function each: ``df.dent.plot``.

Importing this needs matplotlib: ``pip install "dentframe[plot]"``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dentframe.accessor_methods import method
from dentframe.errors import did_you_mean, missing_extra

try:
    import_module("matplotlib")
except ImportError:
    raise missing_extra("draw a picture", "plot") from None

from dentframe.plot import heatmap_and_coverage as _heatmap_and_coverage
from dentframe.plot import peaks_duration_and_profile as _lines
from dentframe.plot import stack_and_nights as _stack_and_nights

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

    heatmap = method(_heatmap_and_coverage.heatmap)
    stack = method(_stack_and_nights.stack)
    duration = method(_lines.duration)
    peaks = method(_lines.peaks)
    profile = method(_lines.profile)
    nights = method(_stack_and_nights.nights)
    coverage = method(_heatmap_and_coverage.coverage)
