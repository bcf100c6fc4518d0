"""Samples as straight lines between their instants: areas, extremes, weighted means. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dentframe.metering.rows import Floats, Ints
    from dentframe.metering.series import Series


def _ok(x: Series, w: int) -> Any:
    return 2 * np.diff(x.t) <= 3 * w


def covered(x: Series, at: Ints, w: int) -> Ints:
    """Time between samples up to each instant [us]."""
    if len(x.t) < 2:
        return np.zeros(len(at), dtype=np.int64)
    ok, spacing = _ok(x, w), np.diff(x.t)
    total = np.concatenate(([0], np.cumsum(np.where(ok, spacing, 0))))
    i = np.clip(np.searchsorted(x.t, at, side="right") - 1, 0, len(x.t) - 2)
    into = np.clip(at - x.t[i], 0, spacing[i])
    return np.asarray(total[i] + np.where(ok[i], into, 0))


def integral(x: Series, at: Ints, w: int) -> Floats:
    """Area under the straight lines between samples, up to each instant [unit x us]."""
    if len(x.t) < 2:
        return np.zeros(len(at))
    ok, spacing, v = _ok(x, w), np.diff(x.t), x.values
    total = np.concatenate(([0.0], np.cumsum(np.where(ok, (v[1:] + v[:-1]) / 2 * spacing, 0.0))))
    i = np.clip(np.searchsorted(x.t, at, side="right") - 1, 0, len(x.t) - 2)
    into = np.clip(at - x.t[i], 0, spacing[i])
    reached = v[i] + (v[i + 1] - v[i]) * (into / spacing[i])
    return np.asarray(total[i] + np.where(ok[i], (v[i] + reached) / 2 * into, 0.0))


def weighted(x: Series, kw: Series | None, s: Ints, e: Ints) -> Floats:
    """Power-weighted mean of a ratio: sum(kW) / sum(kW / |PF|) over common instants."""
    if kw is None:
        return np.full(len(s), np.nan)
    _, i, j = np.intersect1d(x.t, kw.t, assume_unique=True, return_indices=True)
    power, factor, t = np.abs(kw.values[j]), np.abs(x.values[i]), x.t[i]
    use = factor > 0
    power, apparent, t = power[use], power[use] / factor[use], t[use]
    above, below = (np.concatenate(([0.0], np.cumsum(y))) for y in (power, apparent))
    a, b = np.searchsorted(t, s, side="left"), np.searchsorted(t, e, side="left")
    b = _with_last(t, e, b)
    out = np.full(len(s), np.nan)
    np.divide(above[b] - above[a], below[b] - below[a], out=out, where=below[b] > below[a])
    return out


def _with_last(t: Ints, e: Ints, b: Ints) -> Ints:
    """The span's end includes a sample that lies on it."""
    if len(e) and len(t) and t[-1] == e[-1]:
        b = b.copy()
        b[-1] = len(t)
    return b


def extremes(x: Series, s: Ints, e: Ints) -> tuple[Floats, Floats]:
    """Least and greatest sample with ``s <= t < e`` of each period, the span's end included."""
    a = np.searchsorted(x.t, s, side="left")
    b = _with_last(x.t, e, np.searchsorted(x.t, e, side="left"))
    some = np.flatnonzero(b > a)
    found = np.full((2, len(s)), np.nan)
    if len(some):
        # reduceat takes (start, stop) pairs; every other result is the stretch between periods.
        cuts = np.stack([a[some], b[some]], axis=1).ravel()
        padded = np.append(x.values, np.nan)
        found[0, some] = np.fmin.reduceat(padded, cuts)[::2]
        found[1, some] = np.fmax.reduceat(padded, cuts)[::2]
    return found[0], found[1]
