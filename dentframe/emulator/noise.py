"""Repeatable randomness: a number for every (key, counter), without a state.

A month can therefore be computed without the months before it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

# The constants of the public-domain SplitMix64 generator.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def key_of(*parts: object) -> int:
    """A 64-bit key from anything that prints: the name of one stream of numbers."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def uniform(key: int, counter: Ints) -> Floats:
    """Numbers in [0, 1), one for each counter, the same for the same key."""
    z = counter.astype(np.uint64) * _GOLDEN + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smooth(key: int, counter: Ints, every: int) -> Floats:
    """Numbers in [0, 1) that wander: drawn every so many counters, with straight lines between."""
    knots = np.arange(counter[0] // every, counter[-1] // every + 2, dtype=np.int64)
    return np.interp(counter / every, knots, uniform(key, knots))
