"""What each step between two readings of a register means is decided here.

Glitches go first: a step is plausible when the register could have made it, and at an implausible
step the shortest run of one to four readings goes, starting at the step or ending just before it,
whose removal makes its neighbours plausible. Of two runs of equal length the one that starts at
the step goes. A real reset stays down, so that no run can be dropped. Then rules 1 to 7 give
each step that remains its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dentframe.errors import by
from dentframe.metering.energy_and_coverage import Cumulative, Special, reaching
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import Flag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.metering.register_rules import Rules
    from dentframe.metering.series import Bools, Floats, Ints, Series


LONGEST = 4
"""The most readings that a glitch has."""
MOST_JUMPS, LEAST_LEFT = 4, 3
"""How many steps may stand out, and how many others it takes to say so."""
JUMP = 10.0
IDLE_KW, IDLE_KW_OF_LONG, LONG = 50.0, 5.0, 6 * HOUR
"""Below ten times this power no step stands out; a long step averages, so its bound is lower."""
_EPS = 8 * np.finfo(float).eps

Swap = tuple[int, float, float]
"""An exchange of the meter: when [us], the closing and the opening reading [kWh]."""


def slack(r0: Any, r1: Any) -> Any:
    """What decimal readings may be off as floats, so that a step at its cap stays within it."""
    return _EPS * (abs(r0) + abs(r1))


def _limits(t0: Ints, r0: Floats, t1: Ints, r1: Floats, rules: Rules) -> Floats:
    """The greatest energy of each step [kWh]; infinite where `max_kw` is not known."""
    if rules.max_kw is None:
        return np.full(len(t0), np.inf)
    limits: Floats = rules.max_kw * rules.raw_hours(t0, t1) + slack(r0, r1)
    return limits


def plausible(t0: Ints, r0: Floats, t1: Ints, r1: Floats, rules: Rules) -> Bools:
    """Whether the register could have gone from each `r0` to its `r1`.

    Parameters
    ----------
    t0, t1 : ndarray of int64
        Instants of the two readings [us], shape (steps,).
    r0, r1 : ndarray of float
        Register values [kWh], shape (steps,).
    rules : Rules
        What is known about the register.
    """
    d, limit = r1 - r0, _limits(t0, r0, t1, r1, rules)
    good: Bools = (d <= limit) & (d >= (-limit if rules.allow_export else 0.0))
    if rules.modulus is not None:
        good |= _rolls_over(d, r0, r1, limit, rules.modulus)
    for i, swaps in exchanges(t0, t1, rules).items():
        good[i] = not energy_of_exchange((t0[i], r0[i]), (t1[i], r1[i]), swaps, rules)[1]
    return good


def _rolls_over(d: Any, r0: Any, r1: Any, limit: Any, modulus: float) -> Any:
    """Whether a fall is the register starting again at its modulus."""
    after = (modulus - r0) + r1
    return (d < 0) & (after >= -slack(r0, r1)) & (after <= limit)


def exchanges(t0: Ints, t1: Ints, rules: Rules) -> dict[int, tuple[Swap, ...]]:
    """The steps ``(t0, t1]`` that hold exchanges of the rules, and those exchanges."""
    if not rules.swaps:
        return {}
    when = np.array([at for at, _, _ in rules.swaps], dtype=np.int64)
    first, last = np.searchsorted(when, t0, side="right"), np.searchsorted(when, t1, side="right")
    return {i: rules.swaps[first[i] : last[i]] for i in np.flatnonzero(last > first).tolist()}


def energy_of_exchange(
    x: tuple[int, float], y: tuple[int, float], swaps: Sequence[Swap], rules: Rules
) -> tuple[float, int]:
    """What passed in a step that holds exchanges [kWh], and the flag of what refutes it, else 0.

    Each meter's own piece gets a verdict, and their sum: a closing reading below the reading before
    it is a mistake in the record, whatever the sum. A declared exporter's pieces may fall.
    """
    begins = np.array([x[1], *(opening for _, _, opening in swaps)])
    ends = np.array([*(closing for _, closing, _ in swaps), y[1]])
    may_be_off = slack(begins, ends)
    pieces = np.append(ends - begins, (ends - begins).sum())
    limit = np.append(may_be_off, may_be_off.sum())
    cap = np.inf if rules.max_kw is None else rules.max_kw * rules.raw_hours(x[0], y[0])
    least = -cap if rules.allow_export else 0.0
    d = float(pieces[-1])
    if (pieces < least - limit).any():
        return d, Flag.UNEXPLAINED_DECREASE
    if (pieces > cap + limit).any():
        return d, Flag.UNEXPLAINED_JUMP
    return (d if rules.allow_export else max(d, 0.0)), 0


def suspects(t: Ints, r: Floats, rules: Rules) -> Ints:
    """The steps that need a verdict: falls, rises beyond `max_kw`, and exchanges; in order."""
    found = r[1:] < r[:-1]
    if rules.max_kw is not None:
        found |= np.diff(r) > rules.max_kw * rules.raw_hours(t[:-1], t[1:])
    found[list(exchanges(t[:-1], t[1:], rules))] = True
    return np.flatnonzero(found)


def without_glitches(t: Ints, r: Floats, rules: Rules, suspect: Ints) -> Bools | None:
    """Which readings are no glitch; None where no step is implausible."""
    end = suspect + 1
    bad = suspect[~plausible(t[suspect], r[suspect], t[end], r[end], rules)]
    if not len(bad):
        return None
    n, kept = len(t), np.ones(len(t), dtype=np.bool_)
    after, before = [*range(1, n), -1], [*range(-1, n - 1)]
    for i in bad.tolist():
        # A dropped run leaves a plausible step behind, so only the first steps can be bad.
        if not kept[i] or after[i] != i + 1:
            continue
        # Pairs that may become neighbours: shortest run first, the run at the step first.
        pairs: list[tuple[int, int]] = []
        a, b = i, i + 1
        for _ in range(LONGEST):
            a, b = (before[a] if a >= 0 else -1), (after[b] if b >= 0 else -1)
            if b >= 0:
                pairs.append((i, b))
            if a >= 0:
                pairs.append((a, i + 1))
        good = _may_be_neighbours(pairs, i, t, r, rules)
        if good.any():
            a, b = pairs[int(np.argmax(good))]
            kept[a + 1 : b] = False
            after[a], before[b] = b, a
    return kept


def _may_be_neighbours(
    pairs: Sequence[tuple[int, int]], i: int, t: Ints, r: Floats, rules: Rules
) -> Bools:
    """Whether each two readings are plausible neighbours in place of those of a step."""
    a, b = np.array([(i, i + 1), *pairs]).T
    # No run goes across an exchange, unless it is that of the step at hand, which stands first.
    across = exchanges(t[a], t[b], rules)
    good = plausible(t[a], r[a], t[b], r[b], rules)
    good &= np.array([across.get(k) == across.get(0) for k in range(len(a))])
    return good[1:]


class Verdict(NamedTuple):
    """What became of a step.

    Attributes
    ----------
    d : float
        Accepted energy [kWh]; 0 where the step is withheld.
    hi : float
        The greatest energy that the step may have had [kWh], the least is `d`; of a withheld
        step what its readings claim.
    ok : bool
        Whether energy is accepted, so that the step's time is covered.
    flags : int
        What the rules found.
    """

    d: float
    hi: float
    ok: bool
    flags: int


def verdicts_on(
    t: Ints,
    r: Floats,
    rules: Rules,
    suspect: Ints,
    spacing: Ints,
    means: Cumulative | None = None,
) -> dict[int, Verdict]:
    """The verdicts on the steps of a register without glitches; every other step is plain use.

    Parameters
    ----------
    t : ndarray of int64
        Instants [us UTC], rising, shape (readings,).
    r : ndarray of float
        Register values [kWh], shape (readings,).
    rules : Rules
        What is known about the register.
    suspect : ndarray of int64
        The steps that need a verdict, by `suspects`.
    spacing : ndarray of int64
        The length of each step [us], shape (readings - 1,).
    means : Cumulative, optional
        The element's interval means: a step with which they agree is use.
    """
    found: dict[int, Verdict] = {}
    s, e = t[suspect], t[suspect + 1]
    swaps = exchanges(s, e, rules)
    limits = _limits(s, r[suspect], e, r[suspect + 1], rules)
    for k, (i, limit) in enumerate(zip(suspect.tolist(), limits.tolist(), strict=True)):
        r0, r1 = float(r[i]), float(r[i + 1])
        if k in swaps:
            # Rule 1: the old meter's rest and the new meter's start.
            d, refuted = energy_of_exchange((int(s[k]), r0), (int(e[k]), r1), swaps[k], rules)
            flags = int(Flag.METER_SWAP | refuted | (Flag.EXPORT if d < 0 and not refuted else 0))
            found[i] = Verdict(0.0 if refuted else d, d, not refuted, flags)
        elif r1 < r0:
            found[i] = _of_fall(r0, r1, rules, limit)
        elif r1 - r0 > limit:
            found[i] = Verdict(0.0, r1 - r0, False, int(Flag.UNEXPLAINED_JUMP))
    for i, d in _that_stand_out(r, spacing, found) if rules.max_kw is None else ():
        if not _agrees(means, t[i], t[i + 1], d):
            flags = found[i].flags if i in found else 0
            hi = found[i].hi if i in found else d
            found[i] = Verdict(0.0, hi, False, flags | int(Flag.UNEXPLAINED_JUMP))
    return found


def _of_fall(r0: float, r1: float, rules: Rules, limit: float) -> Verdict:
    """Rules 2 to 6: export, rollover, reset, else missing."""
    d, small = r1 - r0, 0 <= r1 <= limit
    if rules.max_kw is None:
        return Verdict(0.0, d, False, int(Flag.DECREASE_UNCLASSIFIED))
    if rules.allow_export and -d <= limit:
        unsure = Flag.AMBIGUOUS_FALL if small else 0
        return Verdict(d, r1 if small else d, True, int(Flag.EXPORT | unsure))
    if rules.modulus is not None and _rolls_over(d, r0, r1, limit, rules.modulus):
        d = max(rules.modulus - r0 + r1, 0.0)
        return Verdict(d, d, True, int(Flag.ROLLOVER))
    if small:
        return Verdict(r1, max(limit - slack(r0, r1), r1), True, int(Flag.RESET))
    return Verdict(0.0, d, False, int(Flag.UNEXPLAINED_DECREASE))


def _that_stand_out(
    r: Floats, spacing: Ints, verdicts: dict[int, Verdict]
) -> list[tuple[int, float]]:
    """Rule 7: the one to four steps whose power is far above that of all others, with energy."""
    d = np.diff(r)
    for i, verdict in verdicts.items():
        d[i] = verdict.d
    if len(d) == 0 or d.max() <= JUMP * IDLE_KW_OF_LONG * int(spacing.min()) / HOUR:
        return []
    power = d / (spacing / HOUR)
    withheld = [i for i, verdict in verdicts.items() if not verdict.ok]
    power[withheld] = -1.0
    idle = np.where(spacing > LONG, IDLE_KW_OF_LONG, IDLE_KW)
    if not (power > JUMP * idle).any():
        return []
    top = np.argpartition(-power, MOST_JUMPS)[: MOST_JUMPS + 1] if len(power) > MOST_JUMPS else ...
    top = np.arange(len(power))[top]
    top = top[np.argsort(-power[top], kind="stable")]
    off = slack(r[top], r[top + 1]) / (spacing[top] / HOUR)
    for k in range(min(MOST_JUMPS, len(d) - len(withheld) - LEAST_LEFT), 0, -1):
        others = max(idle[top[k - 1]], power[top[k]] + off[k])
        if power[top[k - 1]] - off[k - 1] > JUMP * others:
            return [(int(i), float(d[i])) for i in top[:k]]
    return []


def _agrees(means: Cumulative | None, s: int, e: int, d: float) -> bool:
    """Whether interval means that cover a whole step tell its energy within a fifth."""
    if means is None:
        return False
    energy, covered = means.measure(np.array([s]), np.array([e]))
    return bool(covered[0] == e - s and 5 * abs(energy[0] - d) <= d * (1 + _EPS))


JITTER = 0.01
"""A register that idles within this share of its value flickers in its last digit."""
FEWEST_FALLS = 8
"""Fewer falls are resets and glitches that the rules tell apart; more are another quantity."""


def refusal(series: Series, rules: Rules, suspect: Ints) -> str:
    """Why a column that bears a register's name is none, and what to do; empty where it is one."""
    falls = suspect[series.values[suspect + 1] < series.values[suspect]]
    if rules.allow_export or len(falls) < FEWEST_FALLS:
        return ""
    t, r = series.t, series.values
    explained = plausible(t[falls], r[falls], t[falls + 1], r[falls + 1], rules)
    left, moving = int((~explained).sum()), int((r[1:] != r[:-1]).sum())
    if left < FEWEST_FALLS or 5 * left <= moving or np.ptp(r) < JITTER * np.abs(r).max():
        return ""
    return (
        f"Cannot take {series.topic}/Elm/{series.element} of {series.name} for a register: "
        f"{left} of its {moving} non-zero steps fall. Either it was differenced by hand (then it "
        "is no register any more: use the readings as they came, or sum it yourself), or the "
        "element feeds energy back: "
        + by(
            f'declare RegisterRules(allow_export={{"{series.name}": True}}, '
            f'max_kw={{"{series.name}": ...}}).',
            f'give {series.name} role = "export" and max_kw in a file for --site.',
        )
    )


def from_register(series: Series, rules: Rules, means: Cumulative | None = None) -> Cumulative:
    """E(t) and C(t) of a register.

    Glitches go first, then every step between two readings that remain gets its verdict.

    Parameters
    ----------
    series : Series
        The readings of the register, the whole column as it was read.
    rules : Rules
        What is known about it.
    means : Cumulative, optional
        The element's interval means, which may confirm a step that stands out.

    Returns
    -------
    Cumulative
        Breakpoints are the readings in use, and the outermost rows where those are blank. A
        column that is no register is missing, and says why (`refusal`).
    """
    t, r, dropped = series.t, series.values, series.t[:0]
    suspect = suspects(t, r, rules)
    why = refusal(series, rules, suspect)
    if why:
        return _refused(series, rules, why)
    kept = without_glitches(t, r, rules, suspect)
    if kept is not None:
        t, r, dropped = t[kept], r[kept], t[~kept]
        suspect = suspects(t, r, rules)
    spacing = np.diff(t)
    verdicts = verdicts_on(t, r, rules, suspect, spacing, means)
    marks = (dropped, int(Flag.GLITCH)), (series.mark_t, series.marks)
    return _of_steps(series, t, r, spacing, verdicts, rules, marks)


def _refused(series: Series, rules: Rules, why: str) -> Cumulative:
    """A column that is no register: all of its time is missing, and flagged."""
    flag = Flag.DECREASE_UNCLASSIFIED if rules.max_kw is None else Flag.UNEXPLAINED_DECREASE
    no = Verdict(0.0, 0.0, False, int(flag))
    verdicts = dict.fromkeys(range(len(series.t) - 1), no)
    t, r = series.t, series.values
    made = _of_steps(series, t, r, np.diff(t), verdicts, rules, ())
    return replace(made, refusal=why)


def _of_steps(
    series: Series,
    t: Ints,
    r: Floats,
    spacing: Ints,
    verdicts: dict[int, Verdict],
    rules: Rules,
    marks: Iterable[tuple[Ints, Any]],
) -> Cumulative:
    """A register's readings and the verdicts on its special steps as E(t) and C(t)."""
    E, gap, parts = r, np.flatnonzero(spacing > rules.max_gap), list[tuple[Any, ...]]()
    if verdicts:
        at = np.array(sorted(verdicts), dtype=np.int64)
        d, hi, ok, flags = (np.array(x) for x in zip(*(verdicts[i] for i in at), strict=True))
        E, gap = _anchored(r, at, d), np.setdiff1d(gap, at[~ok])
        parts = [(at, flags, ok, hi - d)]
    edges, E, head, padding = reaching(t, E, series.mark_t)
    parts = [(part[0] + head, *part[1:]) for part in parts]
    parts += [(gap + head, int(Flag.GAP_BRIDGED)), (padding, 0, False)]
    # A mark is on the segment that holds it, and on both where it is a breakpoint.
    for when, what in (m for m in marks if len(m[0])):
        after = np.searchsorted(edges, when)
        at_edge = edges[np.minimum(after, len(edges) - 1)] == when
        bits = np.broadcast_to(what, when.shape)
        parts += [(after - 1, bits), (after[at_edge], bits[at_edge])]
    special = Special.of(max(len(edges) - 1, 0), *parts)
    return Cumulative(series, "register", edges, E, special, t, r, rules.max_gap, rules.max_kw)


def _anchored(r: Floats, at: Ints, d: Floats) -> Floats:
    """Running energy, anchored anew at each special step, so that plain stretches stay exact."""
    apart = d != r[at + 1] - r[at]
    at, d = at[apart], d[apart]
    if not len(at):
        return r
    starts = np.concatenate(([0], at + 1))
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(r))))
    local = r - r[starts][stretch]
    base = np.concatenate(([0.0], np.cumsum(local[at] + d)))
    return np.asarray(base[stretch] + local)
