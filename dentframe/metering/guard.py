"""A column that bears a register's name and is none: differenced by hand, or feeding back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dentframe.errors import KindError
from dentframe.metering import glitches

if TYPE_CHECKING:
    from dentframe.metering.series import Series
    from dentframe.registers import Rules

JITTER = 0.01
"""A register that idles within this share of its value flickers in its last digit."""
FEWEST_FALLS = 8
"""Fewer falls are resets and glitches that the rules judge; more are another quantity."""


def refuse_differences(series: Series, rules: Rules) -> None:
    """A frame differenced by hand still carries the register's name."""
    d = np.diff(series.values)
    falls = np.flatnonzero(d < 0)
    if rules.allow_export or len(falls) < FEWEST_FALLS:
        return
    t, r = series.t, series.values
    explained = glitches.plausible(t[falls], r[falls], t[falls + 1], r[falls + 1], rules)
    left, moving = int((~explained).sum()), int((d != 0).sum())
    if left < FEWEST_FALLS or 5 * left <= moving or np.ptp(r) < JITTER * np.abs(r).max():
        return
    raise KindError(
        f"Cannot take {series.topic}/Elm/{series.element} of {series.name} for a register: "
        f"{left} of its {moving} non-zero steps fall. Either it was differenced by hand (then it "
        "is no register any more: use the readings as they came, or sum it yourself), or the "
        f'element feeds energy back: declare RegisterRules(allow_export={{"{series.name}": True}}, '
        f'max_kw={{"{series.name}": ...}}).'
    )
