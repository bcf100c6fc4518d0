"""The energy of a register, computed exactly and slowly, from the text of the rules.

It uses Fractions and lists, and shares no code with dentframe, so that the two can be compared.
Times are minutes after any origin, powers are kW and energies kWh, each an int or a Fraction.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

Number = Fraction | int
Row = tuple[Number, Number | None]
Reading = tuple[Number, Number]
Note = tuple[Number, str]
Swap = tuple[Number, Number, Number]

LONGEST_GLITCH = 4
MOST_JUMPS = 4
LEAST_LEFT = 3
JUMP = 10
IDLE_KW, IDLE_KW_OF_LONG_STEPS = 50, 5
LONG_STEP = 6 * 60
WARNED_KW = 2000
INTERVAL = 15
MICROSECOND = Fraction(1, 60_000_000)
"""How long a row that stands alone is taken to last, so that its flag has a place."""
MAKES_ESTIMATE = {"reset", "ambiguous_fall", "edge_in_gap"}


@dataclass(frozen=True)
class Rules:
    """What is known about a register, under the names that dentframe's users give.

    Parameters
    ----------
    max_kw : number, optional
        The greatest power of the element [kW].
    modulus : number, optional
        The value at which the register starts again at zero [kWh].
    allow_export : bool
        Whether the element may feed energy back.
    swaps : tuple of (time, closing, opening)
        The exchanges of the meter [min, kWh, kWh].
    max_gap : number
        The longest step inside which an interpolated edge still counts as recorded [min].
    """

    max_kw: Number | None = None
    modulus: Number | None = None
    allow_export: bool = False
    swaps: tuple[Swap, ...] = ()
    max_gap: Number = 30

    def cap(self, x: Reading, y: Reading) -> Fraction | None:
        """The greatest energy that can pass between two readings, None where it is not known."""
        return None if self.max_kw is None else Fraction(self.max_kw) * (y[0] - x[0]) / 60

    def exchanges(self, x: Reading, y: Reading) -> list[Swap]:
        """The exchanges between two readings; one at the instant of the later is among them."""
        return sorted(s for s in self.swaps if x[0] < s[0] <= y[0])

    def rolls_over(self, x: Reading, y: Reading) -> bool:
        """Whether the register passed its modulus between two readings."""
        cap = self.cap(x, y)
        if self.modulus is None or cap is None:
            return False
        return y[1] < x[1] and 0 <= y[1] - x[1] + self.modulus <= cap


@dataclass
class Step:
    """The time between two readings, what passed in it, and whether that is accepted.

    Attributes
    ----------
    start, end : number
        The instants of its two readings [min].
    covered : bool
        Whether its energy is accepted.
    energy, lo, hi : Fraction
        The energy and its bounds [kWh]; 0 where it is not accepted.
    flags : set of str
        What the rules found.
    """

    start: Number
    end: Number
    covered: bool = True
    energy: Fraction = Fraction(0)
    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)
    flags: set[str] = field(default_factory=set)

    @property
    def power(self) -> Fraction:
        """The mean power [kW]."""
        return self.energy * 60 / (self.end - self.start)

    def accept(self, energy: Number, *flags: str, hi: Number | None = None) -> Step:
        """Take this energy as what passed; `hi` is the most that it can have been."""
        self.energy = self.lo = Fraction(energy)
        self.hi = self.energy if hi is None else Fraction(hi)
        self.flags |= set(flags)
        return self

    def withhold(self, *flags: str) -> Step:
        """Make the step missing."""
        self.covered, self.energy, self.lo, self.hi = False, Fraction(0), Fraction(0), Fraction(0)
        self.flags |= set(flags)
        return self


@dataclass(frozen=True)
class Figure:
    """What the rules say of one period, under the names of dentframe's ``detail=True``.

    The numbers are None where nothing is known. `start` and `end` are the edges between which
    the energy was measured: the period's own, or the readings to which they moved. `opens` and
    `closes` are the last reading at or before the one and the first at or after the other.
    """

    start: Number
    end: Number
    flags: tuple[str, ...]
    readings: int
    expected: int
    opens: Reading | None
    closes: Reading | None
    energy: Fraction | None = None
    coverage: Fraction = Fraction(0)
    status: str = "missing"
    lo: Fraction | None = None
    hi: Fraction | None = None
    imported: Fraction | None = None
    exported: Fraction | None = None


def distinct_readings(rows: Iterable[Row]) -> tuple[list[Reading], list[Note]]:
    """Sort the rows and leave one value for each instant.

    Equal values of one instant are one reading, different ones are none, and a blank beside
    a value does not count.

    Parameters
    ----------
    rows : iterable of (time, value)
        The column as it was read, in any order; the value is None where it is blank.

    Returns
    -------
    readings : list of (time, value)
        The readings in the order of time.
    notes : list of (time, flag)
        What was noticed, and when.
    """
    cells_at: dict[Number, list[Number | None]] = {}
    for at, value in rows:
        cells_at.setdefault(at, []).append(value)
    readings: list[Reading] = []
    notes: list[Note] = []
    for at, cells in sorted(cells_at.items()):
        values = [v for v in cells if v is not None]
        if len(set(values)) > 1:
            notes.append((at, "conflicting_duplicate"))
            continue
        if len(values) > 1 or (not values and len(cells) > 1):
            notes.append((at, "duplicate_dropped"))
        if values:
            readings.append((at, values[0]))
        else:
            notes.append((at, "missing_value"))
    return readings, notes


def pieces_of_exchange(x: Reading, y: Reading, swaps: Sequence[Swap]) -> list[Number]:
    """List what each of the meters measured between two readings [kWh].

    Parameters
    ----------
    x, y : (time, value)
        The readings before and after.
    swaps : sequence of (time, closing, opening)
        The exchanges between them, in the order of time.

    Returns
    -------
    list of number
        The closing reading less the value before it, for each meter in turn.
    """
    begins = [x[1], *(opening for _, _, opening in swaps)]
    ends = [*(closing for _, closing, _ in swaps), y[1]]
    return [end - begin for begin, end in zip(begins, ends, strict=True)]


def refuted_by_pieces(pieces: Sequence[Number], cap: Fraction | None, rules: Rules) -> str | None:
    """The flag of what speaks against the pieces of an exchange and their sum, None for nothing.

    A declared exporter's pieces may fall, as far as they may rise.
    """
    all_of_them = [*pieces, sum(pieces)]
    if min(all_of_them) < (-cap if rules.allow_export and cap is not None else 0):
        return "unexplained_decrease"
    return "unexplained_jump" if cap is not None and max(all_of_them) > cap else None


def is_plausible(x: Reading, y: Reading, rules: Rules) -> bool:
    """Say whether the register can have gone from one reading to the other.

    Parameters
    ----------
    x, y : (time, value)
        The readings before and after.
    rules : Rules
        What is known about the register.

    Returns
    -------
    bool
        True where no rule speaks against it.
    """
    d, cap, swaps = y[1] - x[1], rules.cap(x, y), rules.exchanges(x, y)
    if swaps:
        return refuted_by_pieces(pieces_of_exchange(x, y, swaps), cap, rules) is None
    if rules.rolls_over(x, y):
        return True
    if cap is None:
        return d >= 0
    return (-cap if rules.allow_export else 0) <= d <= cap


def drop_glitches(readings: Sequence[Reading], rules: Rules) -> tuple[list[Reading], list[Note]]:
    """Drop the short runs of readings that their neighbours expose.

    Parameters
    ----------
    readings : sequence of (time, value)
        Distinct readings in the order of time.
    rules : Rules
        What is known about the register.

    Returns
    -------
    kept : list of (time, value)
        The readings that remain.
    notes : list of (time, flag)
        When a reading was dropped.
    """
    kept, notes, i = list(readings), list[Note](), 0
    while i < len(kept) - 1:
        run = None if is_plausible(kept[i], kept[i + 1], rules) else _glitch_at(kept, i, rules)
        if run is None:
            i += 1
            continue
        first, after = run
        notes += [(t, "glitch") for t, _ in kept[first:after]]
        del kept[first:after]
        i = first - 1
    return kept, notes


def _glitch_at(kept: Sequence[Reading], i: int, rules: Rules) -> tuple[int, int] | None:
    """The run to drop at the implausible step from reading `i`, as its first and its end."""
    at_hand = rules.exchanges(kept[i], kept[i + 1])
    for length in range(1, LONGEST_GLITCH + 1):
        for first in (i + 1, i + 1 - length):
            after = first + length
            if first < 1 or after >= len(kept):
                continue
            x, y = kept[first - 1], kept[after]
            if rules.exchanges(x, y) == at_hand and is_plausible(x, y, rules):
                return first, after
    return None


def apply_rules_1_to_6(x: Reading, y: Reading, rules: Rules) -> Step:
    """Decide what one step means, by the rules that need no other step.

    Parameters
    ----------
    x, y : (time, value)
        Two consecutive readings, glitches dropped.
    rules : Rules
        What is known about the register.

    Returns
    -------
    Step
        The step with its energy, or missing.
    """
    step, d, cap = Step(x[0], y[0]), y[1] - x[1], rules.cap(x, y)
    swaps = rules.exchanges(x, y)
    if swaps:
        return _step_of_exchange(step, pieces_of_exchange(x, y, swaps), cap, rules)
    if d >= 0:
        over = cap is not None and d > cap
        return step.withhold("unexplained_jump") if over else step.accept(d)
    if cap is None:
        return step.withhold("decrease_unclassified")
    return _step_of_fall(step, x, y, rules, cap)


def _step_of_fall(step: Step, x: Reading, y: Reading, rules: Rules, cap: Fraction) -> Step:
    """Rules 2 to 5 for a fall, in their order."""
    d, small = y[1] - x[1], 0 <= y[1] <= cap
    if rules.allow_export and -d <= cap:
        step.accept(d, "export")
        return step.accept(d, "ambiguous_fall", hi=y[1]) if small else step
    if rules.modulus is not None and rules.rolls_over(x, y):
        return step.accept(d + rules.modulus, "rollover")
    return step.accept(y[1], "reset", hi=cap) if small else step.withhold("unexplained_decrease")


def _step_of_exchange(
    step: Step, pieces: Sequence[Number], cap: Fraction | None, rules: Rules
) -> Step:
    """Rule 1, and what an exchange that contradicts the readings is."""
    refuted = refuted_by_pieces(pieces, cap, rules)
    if refuted is not None:
        return step.withhold("meter_swap", refuted)
    return step.accept(sum(pieces), "meter_swap", *(["export"] if sum(pieces) < 0 else []))


def steps_that_stand_out(steps: Iterable[Step]) -> list[Step]:
    """Find the steps that rule 7 takes for no use, where the greatest power is not known.

    Parameters
    ----------
    steps : iterable of Step
        All steps of the column.

    Returns
    -------
    list of Step
        The steps that stand out, at most four; a step that its demand confirms may be among them.
    """
    ordered = sorted((s for s in steps if s.covered), key=lambda s: (-s.power, s.start))
    for k in range(min(MOST_JUMPS, len(ordered) - LEAST_LEFT), 0, -1):
        least = ordered[k - 1]
        idle = IDLE_KW_OF_LONG_STEPS if least.end - least.start > LONG_STEP else IDLE_KW
        if least.power > JUMP * idle and least.power > JUMP * ordered[k].power:
            return ordered[:k]
    return []


def energy_of_means(
    rows: Iterable[Row], start: Number, end: Number, *, interval: Number = INTERVAL, lag: Number = 0
) -> tuple[Fraction, Fraction]:
    """Add up interval means, each of which covers the time that ends at its reading.

    Parameters
    ----------
    rows : iterable of (time, mean power)
        The column as it was read [kW].
    start, end : number
        The period [min].
    interval : number
        The length of an interval [min].
    lag : number
        How long after the end of its interval a mean is stamped [min].

    Returns
    -------
    energy : Fraction
        The energy of what is covered [kWh].
    covered : Fraction
        How much of the period is covered [min].
    """
    energy, covered, before = Fraction(0), Fraction(0), None
    for stamped, power in distinct_readings(rows)[0]:
        at = stamped - lag
        wide = before is None or 2 * (at - before) > 3 * interval
        begin = at - interval if before is None or wide else before
        share = max(Fraction(0), Fraction(min(at, end) - max(begin, start)))
        energy, covered, before = energy + power * share / 60, covered + share, at
    return energy, covered


class Register:
    """A register as it was read, with every step decided.

    Parameters
    ----------
    rows : iterable of (time, value)
        The whole column, in any order; the value is None where it is blank.
    rules : Rules
        What is known about the register.
    demand : sequence of (time, mean power)
        The DemandkW column of the same element, where it was read too [kW].
    interval, lag : number
        The length of a demand interval, and how late it is stamped [min].

    Attributes
    ----------
    readings : list of (time, value)
        The readings in use: duplicates and glitches are dropped.
    steps : list of Step
        The steps between them, and what lies outside them up to the outermost blank rows.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        rules: Rules | None = None,
        demand: Sequence[Row] = (),
        interval: Number = INTERVAL,
        lag: Number = 0,
    ) -> None:
        self.rules, self.interval = rules or Rules(), interval
        found, notes = distinct_readings(rows)
        self.readings, dropped = drop_glitches(found, self.rules)
        pairs = itertools.pairwise(self.readings)
        self.steps = [apply_rules_1_to_6(x, y, self.rules) for x, y in pairs]
        for step in steps_that_stand_out(self.steps) if self.rules.max_kw is None else ():
            measured = energy_of_means(demand, step.start, step.end, interval=interval, lag=lag)
            if not _is_confirmed(step, *measured):
                step.withhold("unexplained_jump")
        for step in self.steps:
            if step.covered and step.end - step.start > self.rules.max_gap:
                step.flags.add("gap_bridged")
        self._add_notes([*notes, *dropped])

    def _add_notes(self, notes: Sequence[Note]) -> None:
        """Flag each step that a noticed instant touches, also beyond the outermost readings."""
        used = [t for t, _ in self.readings]
        known = sorted({t for t, _ in notes}.union(used))
        outside = [(known[0], used[0]), (used[-1], known[-1])] if used else []
        if notes and len(known) == 1:
            outside = [(known[0], known[0] + MICROSECOND)]
        elif notes and not used:
            outside = [(known[0], known[-1])]
        self.steps += [Step(a, b, covered=False) for a, b in outside if a < b]
        self.steps.sort(key=lambda s: s.start)
        for at, flag in notes:
            for step in self.steps:
                if step.start <= at <= step.end:
                    step.flags.add(flag)

    def warned(self) -> list[Step]:
        """The accepted steps above 2,000 kW, of which a warning tells where no cap is known."""
        known = self.rules.max_kw is not None
        return [] if known else [s for s in self.steps if s.power > WARNED_KW]

    def figure(self, start: Number, end: Number, edges: str = "interpolate") -> Figure:
        """Measure one period.

        Parameters
        ----------
        start, end : number
            The period ``[start, end)`` [min].
        edges : str
            ``"interpolate"``, or ``"last_reading"``: each edge moves to the last reading.

        Returns
        -------
        Figure
            Energy, coverage, status, bounds, readings and flags.
        """
        if edges == "last_reading":
            start, end = self._moved(start), self._moved(end, closing=True)
        shares = [
            (step, Fraction(min(step.end, end) - max(step.start, start)) / (step.end - step.start))
            for step in self.steps
            if max(step.start, start) < min(step.end, end)
        ]
        covered = [(step, share) for step, share in shares if step.covered]
        flags = set().union(*(step.flags for step, _ in shares), self._edge_flags(covered))
        bare = Figure(
            start,
            end,
            flags=tuple(sorted(flags)),
            readings=sum(1 for t, _ in self.readings if start < t <= end),
            expected=int(Fraction(end - start) / self.interval + Fraction(1, 2)),
            opens=next((r for r in reversed(self.readings) if r[0] <= start), None),
            closes=next((r for r in self.readings if r[0] >= end), None),
        )
        return _with_energy(bare, covered) if covered else bare

    def _moved(self, edge: Number, *, closing: bool = False) -> Number:
        """An edge at the last reading; a closing one only where a reading follows."""
        before = [t for t, _ in self.readings if t <= edge]
        if not before or edge - before[-1] > self.rules.max_gap:
            return edge
        unfinished = closing and self.readings[-1][0] < edge
        return edge if unfinished else before[-1]

    def _edge_flags(self, covered: Iterable[tuple[Step, Fraction]]) -> set[str]:
        """What an edge inside a covered step is: such a step is not taken whole."""
        cut = [step for step, share in covered if share < 1]
        long = {step.end - step.start > self.rules.max_gap for step in cut}
        return {"edge_in_gap" if is_long else "edge_interpolated" for is_long in long}


def _is_confirmed(step: Step, energy: Fraction, covered: Fraction) -> bool:
    """Whether demand that covers the whole step agrees with the register within a fifth."""
    return covered == step.end - step.start and 5 * abs(energy - step.energy) <= step.energy


def _with_energy(bare: Figure, covered: Sequence[tuple[Step, Fraction]]) -> Figure:
    """The figure of a period, from its covered steps and the share of each that lies in it."""
    zero = Fraction(0)
    seen = sum((share * (step.end - step.start) for step, share in covered), zero)
    energies = [step.energy * share for step, share in covered]
    estimated = "estimated" if MAKES_ESTIMATE & set(bare.flags) else "recorded"
    return replace(
        bare,
        energy=sum(energies, zero),
        coverage=seen / (bare.end - bare.start),
        status="partial" if seen < bare.end - bare.start else estimated,
        lo=sum((step.lo if share == 1 else min(step.lo, zero) for step, share in covered), zero),
        hi=sum((step.hi if share == 1 else max(step.hi, zero) for step, share in covered), zero),
        imported=sum((max(e, zero) for e in energies), zero),
        exported=sum((max(-e, zero) for e in energies), zero),
    )
