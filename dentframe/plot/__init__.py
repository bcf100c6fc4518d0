"""Pictures of meter readings: one file a picture, and what they share. matplotlib on use only."""

from __future__ import annotations

from dentframe.plot.pictures import Pictures

__all__ = ["Pictures"]
