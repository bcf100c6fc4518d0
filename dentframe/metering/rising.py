"""Registers that only rise, side by side: the common case without a loop. Pure.

Where a meter's registers have no blank, no fall and nothing to judge, E(t) is the reading
itself, less the first. Such registers share their instants, gaps and flags, and the arrays of a
`Cumulative` are made only when somebody asks for them. What is not plain takes the long way,
with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dentframe.metering.cumulative import Cumulative
from dentframe.metering.series import NONE, Flag, Floats, Ints, Series
from dentframe.metering.steps import HOUR, IDLE_KW, IDLE_KW_OF_LONG, JUMP, LONG, Bools

if TYPE_CHECKING:
    from dentframe.metering.registers import Rules


@dataclass(frozen=True)
class Block:
    """Plain registers of one meter.

    Attributes
    ----------
    meter : str or None
        The meter.
    topic : str
        The registers' topic.
    elements : tuple of str
        One per column.
    t : ndarray of int64
        Instants of the readings [us UTC], rising, shape (readings,).
    values : ndarray of float
        Register values, shape (readings, elements).
    max_gap : int
        The longest spacing that is no gap [us].
    """

    meter: str | None
    topic: str
    elements: tuple[str, ...]
    t: Ints
    values: Floats
    max_gap: int

    @cached_property
    def gap(self) -> Bools:
        """Spacings longer than `max_gap`."""
        return np.diff(self.t) > self.max_gap

    @cached_property
    def flags(self) -> Ints:
        """Flag bits of each step: a gap is bridged."""
        return self.gap * int(Flag.GAP_BRIDGED)

    def energy(self, s: Ints, e: Ints) -> Floats:
        """Energy of each period and element [kWh], shape (periods, elements)."""
        difference: Floats = self._at(e) - self._at(s)
        return difference

    def _at(self, x: Ints) -> Floats:
        x = np.clip(x, self.t[0], self.t[-1])
        i = np.searchsorted(self.t, x, side="right") - 1
        after = np.minimum(i + 1, len(self.t) - 1)
        part = (x - self.t[i]) / np.maximum(self.t[after] - self.t[i], 1)
        low, high = self.values[i] - self.values[0], self.values[after] - self.values[0]
        found: Floats = low + (high - low) * part[:, None]
        return found


class Plain(Cumulative):
    """One register of a block, as a `Cumulative` whose arrays are made when asked for."""

    def __init__(self, block: Block, column: int) -> None:
        self.__dict__.update(
            block=block, column=column, source="register", t=block.t, at=block.t,
            max_gap=block.max_gap,
        )  # fmt: skip

    block: Block
    column: int

    @property
    def meter(self) -> str | None:
        """The meter."""
        return self.block.meter

    @property
    def element(self) -> str:
        """The element's letter."""
        return self.block.elements[self.column]

    @property
    def topic(self) -> str:
        """The register's topic."""
        return self.block.topic

    @cached_property
    def readings(self) -> Floats:
        """The register's values, shape (readings,)."""
        return np.ascontiguousarray(self.block.values[:, self.column])

    @cached_property
    def series(self) -> Series:
        """What it was made from."""
        return Series(self.meter, self.element, self.topic, self.t, self.readings, NONE, NONE)

    @cached_property
    def E(self) -> Floats:  # noqa: N802
        """Energy since the first reading."""
        return self.readings - self.readings[:1]

    @cached_property
    def C(self) -> Ints:  # noqa: N802
        """Time since the first reading."""
        since: Ints = self.t - self.t[0]
        return since

    @cached_property
    def ok(self) -> Bools:
        """Every step is covered."""
        return np.ones(len(self.t) - 1, dtype=np.bool_)

    @cached_property
    def hi(self) -> Floats:
        """The increment itself: nothing is in doubt."""
        return np.diff(self.readings)

    def _energy_at(self, i: Ints, into: Ints) -> Floats:
        """As of any series, without the array of all its E."""
        values, after = self.block.values[:, self.column], np.minimum(i + 1, len(self.t) - 1)
        low, high = values[i] - values[0], values[after] - values[0]
        found: Floats = low + (high - low) * (into / np.maximum(self.t[after] - self.t[i], 1))
        return found

    def _covered_at(self, i: Ints, into: Ints) -> Ints:
        since: Ints = self.t[i] - self.t[0] + into
        return since

    def flags_in(self, s: Ints, e: Ints) -> Ints:
        """The flag bits that bear on each period, those of its edges included."""
        if self.block.gap.any():
            return super().flags_in(s, e)
        return self.edge_flags(s) | self.edge_flags(e)

    @property
    def flags(self) -> Ints:
        """Those of the block."""
        return self.block.flags

    @property
    def gap(self) -> Bools:
        """Those of the block."""
        return self.block.gap


def block_of(
    meter: str | None,
    topic: str,
    elements: Sequence[str],
    t: Ints,
    values: Floats,
    rules: Sequence[Rules],
) -> tuple[list[Plain], list[int]]:
    """The plain ones among a meter's registers, and which columns are not.

    Parameters
    ----------
    meter, topic : str
        Whose registers they are.
    elements : sequence of str
        One per column.
    t : ndarray of int64
        Instants of the rows [us UTC], rising, shape (rows,).
    values : ndarray of float
        Register values [the topic's unit], NaN where blank, shape (rows, elements).
    rules : sequence of Rules
        One per column.
    """
    plain = _plain(t, values, rules) if len(t) > 1 else np.zeros(len(elements), dtype=np.bool_)
    columns = np.flatnonzero(plain).tolist()
    found: list[Plain] = []
    for max_gap in sorted({rules[i].max_gap for i in columns}):
        own = [i for i in columns if rules[i].max_gap == max_gap]
        part = values if len(own) == values.shape[1] else values[:, own]
        block = Block(meter, topic, tuple(elements[i] for i in own), t, part, max_gap)
        found += [Plain(block, k) for k in range(len(own))]
    return found, np.flatnonzero(~plain).tolist()


def _plain(t: Ints, values: Floats, rules: Sequence[Rules]) -> Bools:
    """Which columns rise throughout, without a step to judge. NaN and infinity never pass."""
    plain: Bools = np.asarray(np.isfinite(values[[0, -1]]).all(axis=0))
    plain &= np.array([not r.swaps for r in rules], dtype=np.bool_)
    if not plain.any():
        return plain
    plain &= (values[1:] >= values[:-1]).all(axis=0)
    capped = np.array([r.max_kw is not None for r in rules], dtype=np.bool_)
    if capped.any():
        plain &= ~capped | _within_caps(t, values, rules)
    if not capped.all():
        plain &= capped | _none_stands_out(t, values)
    return plain


def _within_caps(t: Ints, values: Floats, rules: Sequence[Rules]) -> Bools:
    caps = np.array([np.inf if r.max_kw is None else r.max_kw for r in rules])
    hours = (np.diff(t) / HOUR)[:, None]
    return np.asarray((np.diff(values, axis=0) <= caps * hours).all(axis=0))


def _none_stands_out(t: Ints, values: Floats) -> Bools:
    """Whether every step has so little power that rule 7 does not look at it."""
    spacing = np.diff(t)
    most = JUMP * np.where(spacing > LONG, IDLE_KW_OF_LONG, IDLE_KW) * (spacing / HOUR)
    return np.asarray((np.diff(values, axis=0) <= most[:, None]).all(axis=0))
