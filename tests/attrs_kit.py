"""Frames that tell of a read which never was."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dentframe.frame.assemble import note


def told(frame: pd.DataFrame, ranges: Any, **more: Any) -> pd.DataFrame:
    """The frame with the note that a read of these ranges, meter to (start, end), would leave."""
    units = more.pop("units", {})
    spans = {m: tuple(map(_utc, span)) for m, span in ranges.items()}
    frame.attrs["dentcloud"] = note(units, spans, frame, **more)
    return frame


def _utc(value: Any) -> pd.Timestamp:
    at = pd.Timestamp(value)
    return at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
