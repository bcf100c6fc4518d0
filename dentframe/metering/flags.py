"""The flags a figure may carry, as bits inside and as sorted names outside."""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache


class Flag(IntFlag):
    """What bears on a figure. Names in lower case are what users see."""

    AMBIGUOUS_FALL = 1 << 0
    CONFLICTING_DUPLICATE = 1 << 1
    DECREASE_UNCLASSIFIED = 1 << 2
    DUPLICATE_DROPPED = 1 << 3
    EDGE_IN_GAP = 1 << 4
    EDGE_INTERPOLATED = 1 << 5
    EXPORT = 1 << 6
    GAP_BRIDGED = 1 << 7
    GLITCH = 1 << 8
    METER_SWAP = 1 << 9
    MISSING_VALUE = 1 << 10
    NEGATIVE_RESIDUAL = 1 << 11
    RESET = 1 << 12
    ROLLOVER = 1 << 13
    UNEXPLAINED_DECREASE = 1 << 14
    UNEXPLAINED_JUMP = 1 << 15


FLAGS: tuple[str, ...] = tuple(sorted(str(f.name).lower() for f in Flag))
ESTIMATES = Flag.RESET | Flag.AMBIGUOUS_FALL | Flag.EDGE_IN_GAP
"""Flags that make a wholly covered figure an estimate."""


@lru_cache(maxsize=1024)
def names(bits: int) -> tuple[str, ...]:
    """The flags of a bit pattern, sorted.

    Examples
    --------
    >>> names(Flag.RESET | Flag.GLITCH)
    ('glitch', 'reset')
    """
    return tuple(sorted(str(f.name).lower() for f in Flag if bits & f))
