"""What each step between two readings of a register means is decided here.

Glitches go first: a step is plausible when the register could have made it, and at an implausible
step the shortest run of one to four readings goes, starting at the step or ending just before it,
whose removal makes its neighbours plausible. Of two runs of equal length the one that starts at
the step goes. A real reset stays down, so that no run can be dropped. Then rules 1 to 7 give
each step that remains its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dentframe.errors import by
from dentframe.metering.energy_and_coverage import Cumulative, Special, reaching
from dentframe.metering.register_rules import HOUR, Rules
from dentframe.metering.series import (
    NONE,
    Bools,
    Flag,
    Floats,
    Ints,
    Series,
    least_and_greatest,
)

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


def plausible(t: Ints, r: Floats, a: Ints, b: Ints, rules: Rules) -> Bools:
    """Whether the register could have gone from each reading `a` to its reading `b`.

    Parameters
    ----------
    t : ndarray of int64
        Instants of the readings [us], shape (readings,).
    r : ndarray of float
        Register values [kWh], shape (readings,).
    a, b : ndarray of int64
        The positions of two readings, shape (steps,).
    rules : Rules
        What is known about the register.
    """
    t0, r0, t1, r1 = t[a], r[a], t[b], r[b]
    d: Floats = r1 - r0
    limit = np.inf if rules.max_kw is None else rules.cap(t0, t1) + slack(r0, r1)
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
    cap = np.inf if rules.max_kw is None else rules.cap(x[0], y[0])
    least = -cap if rules.allow_export else 0.0
    d = float(pieces[-1])
    if (pieces < least - limit).any():
        return d, Flag.UNEXPLAINED_DECREASE
    if (pieces > cap + limit).any():
        return d, Flag.UNEXPLAINED_JUMP
    return (d if rules.allow_export else max(d, 0.0)), 0


class Extremes(NamedTuple):
    """The least and the greatest step [kWh], and what no spacing is below or above [us]."""

    least: float
    greatest: float
    shortest: float
    longest: float


def suspects(t: Ints, r: Floats, rules: Rules, extremes: Extremes) -> Ints:
    """The steps that need a verdict: falls, rises beyond `max_kw`, and exchanges; in order."""
    # Of most registers the extremes tell that there is none.
    most = np.inf if rules.max_kw is None else rules.cap(0, extremes.shortest)
    if 0 <= extremes.least <= extremes.greatest <= most and not (rules.swaps or rules.fixes):
        return NONE
    steps = np.diff(r)
    found = steps < 0
    if rules.max_kw is not None:
        found |= steps > rules.cap(t[:-1], t[1:])
    found[list(exchanges(t[:-1], t[1:], rules))] = True
    return np.flatnonzero(found)


def without_glitches(t: Ints, r: Floats, rules: Rules, bad: Ints) -> Bools:
    """Which readings are no glitch, where some steps are implausible."""
    n, kept = len(t), np.ones(len(t), dtype=np.bool_)
    after, before = [*range(1, n), -1], [*range(-1, n - 1)]
    for i in bad.tolist():
        # A dropped run leaves a plausible step behind, so only the first steps can be bad.
        if not kept[i] or after[i] != i + 1:
            continue
        # Pairs that may become neighbours: shortest run first, the run at the step first.
        pairs = [(i, i + 1)]
        a, b = i, i + 1
        for _ in range(LONGEST):
            a, b = (before[a] if a >= 0 else -1), (after[b] if b >= 0 else -1)
            pairs += [pair for pair in ((i, b), (a, i + 1)) if min(pair) >= 0]
        x, y = np.array(pairs).T
        # No run goes across an exchange, unless it is that of the step itself.
        across = exchanges(t[x], t[y], rules)
        good = plausible(t, r, x, y, rules)
        good &= np.array([across.get(k) == across.get(0) for k in range(len(x))])
        if good[1:].any():
            a, b = pairs[1 + int(np.argmax(good[1:]))]
            kept[a + 1 : b] = False
            after[a], before[b] = b, a
    return kept


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


def verdicts_on(t: Ints, r: Floats, rules: Rules, suspect: Ints) -> dict[int, Verdict]:
    """The verdicts of rules 1 to 6 on the steps of a register without glitches.

    Parameters
    ----------
    t : ndarray of int64
        Instants [us UTC], rising, shape (readings,).
    r : ndarray of float
        Register values [kWh], shape (readings,).
    rules : Rules
        What is known about the register.
    suspect : ndarray of int64
        The steps that need a verdict, by `suspects`; every other step is plain use.
    """
    found: dict[int, Verdict] = {}
    s, e = t[suspect], t[suspect + 1]
    swaps = exchanges(s, e, rules)
    for k, i in enumerate(suspect.tolist()):
        r0, r1 = float(r[i]), float(r[i + 1])
        limit = np.inf if rules.max_kw is None else float(rules.cap(s[k], e[k]) + slack(r0, r1))
        if k in swaps:
            # Rule 1: the old meter's rest and the new meter's start.
            d, refuted = energy_of_exchange((int(s[k]), r0), (int(e[k]), r1), swaps[k], rules)
            flags = int(Flag.METER_SWAP | refuted | (Flag.EXPORT if d < 0 and not refuted else 0))
            found[i] = Verdict(0.0 if refuted else d, d, not refuted, flags)
        elif r1 < r0:
            found[i] = _of_fall(r0, r1, rules, limit)
        elif r1 - r0 > limit:
            found[i] = Verdict(0.0, r1 - r0, False, int(Flag.UNEXPLAINED_JUMP))
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


def that_stand_out(
    t: Ints, r: Floats, steps: Floats, verdicts: dict[int, Verdict], means: Cumulative | None
) -> dict[int, Verdict]:
    """Rule 7 withholds the one to four steps whose power is far above that of all others.

    A step whose energy the element's interval means tell within a fifth is use.
    """
    spacing = np.diff(t)
    power = steps / (spacing / HOUR)
    withheld = [i for i, verdict in verdicts.items() if not verdict.ok]
    power[withheld] = -1.0
    idle = np.where(spacing > LONG, IDLE_KW_OF_LONG, IDLE_KW)
    if not (power > JUMP * idle).any():
        return {}
    top = np.argpartition(-power, MOST_JUMPS)[: MOST_JUMPS + 1] if len(power) > MOST_JUMPS else ...
    top = np.arange(len(power))[top]
    top = top[np.argsort(-power[top], kind="stable")]
    off = slack(r[top], r[top + 1]) / (spacing[top] / HOUR)
    most = min(MOST_JUMPS, len(power) - len(withheld) - LEAST_LEFT)
    others = [max(idle[top[k - 1]], power[top[k]] + off[k]) for k in range(1, most + 1)]
    apart = [k for k in range(most) if power[top[k]] - off[k] > JUMP * others[k]]
    found = {}
    for i in top[: apart[-1] + 1].tolist() if apart else ():
        d, s, e = float(steps[i]), t[i : i + 1], t[i + 1 : i + 2]
        energy, covered = (x[0] for x in means.measure(s, e)) if means is not None else (d, 0)
        if covered != e[0] - s[0] or 5 * abs(energy - d) > d * (1 + _EPS):
            before = verdicts.get(i, Verdict(d, d, True, 0))
            found[i] = Verdict(0.0, before.hi, False, before.flags | int(Flag.UNEXPLAINED_JUMP))
    return found


JITTER = 0.01
"""A register that idles within this share of its value flickers in its last digit."""
FEWEST_FALLS = 8
"""Fewer falls are resets and glitches that the rules tell apart; more are another quantity."""


def refusal(series: Series, rules: Rules, bad: Ints) -> str:
    """Why a column that bears a register's name is none, and what to do; empty where it is one."""
    r = series.values
    left = int((r[bad + 1] < r[bad]).sum())
    if rules.allow_export or left < FEWEST_FALLS:
        return ""
    moving = int((r[1:] != r[:-1]).sum())
    if 5 * left <= moving or np.ptp(r) < JITTER * np.abs(r).max():
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
    t, r, marks = series.t, series.values, [(series.mark_t, series.marks)]
    extremes = Extremes(*least_and_greatest(r), *(series.spacing or least_and_greatest(t)))
    suspect = bad = suspects(t, r, rules, extremes)
    if len(suspect):
        bad = suspect[~plausible(t, r, suspect, suspect + 1, rules)]
        why = refusal(series, rules, bad)
        if why:  # all of its time is missing, and flagged
            no_max = rules.max_kw is None
            flag = Flag.DECREASE_UNCLASSIFIED if no_max else Flag.UNEXPLAINED_DECREASE
            verdicts = dict.fromkeys(range(len(t) - 1), Verdict(0.0, 0.0, False, int(flag)))
            return _of_steps(series, t, r, extremes, verdicts, [], rules, refusal=why)
    if len(bad):
        kept = without_glitches(t, r, rules, bad)
        marks.append((t[~kept], np.full(len(t) - int(kept.sum()), int(Flag.GLITCH))))
        t, r = t[kept], r[kept]
        extremes = Extremes(*least_and_greatest(r), *least_and_greatest(t))
        suspect = suspects(t, r, rules, extremes)
    verdicts, greatest, steps = dict[int, Verdict](), 0.0, None
    if len(suspect):
        verdicts, steps = verdicts_on(t, r, rules, suspect), np.diff(r)
        steps[list(verdicts)] = [verdict.d for verdict in verdicts.values()]
        extremes = extremes._replace(least=steps.min(), greatest=steps.max())
    if len(t) > 1:
        greatest = max(extremes.greatest, -extremes.least) / (extremes.shortest / HOUR)
    if rules.max_kw is None and greatest > JUMP * IDLE_KW_OF_LONG:
        steps = np.diff(r) if steps is None else steps
        verdicts |= that_stand_out(t, r, steps, verdicts, means)
    return _of_steps(series, t, r, extremes, verdicts, marks, rules, greatest_kw=float(greatest))


def _of_steps(
    series: Series,
    t: Ints,
    r: Floats,
    extremes: Extremes,
    verdicts: dict[int, Verdict],
    marks: Sequence[tuple[Ints, Ints]],
    rules: Rules,
    **known: Any,
) -> Cumulative:
    """A register's readings and the verdicts on its special steps as E(t) and C(t)."""
    E, gap, parts = r, NONE, list[tuple[Any, ...]]()
    if extremes.longest > rules.max_gap:
        gap = np.flatnonzero(np.diff(t) > rules.max_gap)
    if verdicts:
        at = np.array(sorted(verdicts), dtype=np.int64)
        d, hi, ok, flags = (np.array(x) for x in zip(*(verdicts[i] for i in at), strict=True))
        parts, gap = [(at, flags, ok, hi - d)], np.setdiff1d(gap, at[~ok])
        apart = d != r[at + 1] - r[at]
        if apart.any():
            # Anchored anew at each such step, so that plain stretches stay exact.
            starts = np.concatenate(([0], at[apart] + 1))
            stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(r))))
            local = r - r[starts][stretch]
            E = np.concatenate(([0.0], np.cumsum(local[at[apart]] + d[apart])))[stretch] + local
    edges, E, head, padding = reaching(t, E, series.mark_t)
    parts = [(part[0] + head, *part[1:]) for part in parts]
    parts += [(gap + head, int(Flag.GAP_BRIDGED)), (padding, 0, False)]
    # A mark is on the segment that holds it, and on both where it is a breakpoint.
    for when, bits in (m for m in marks if len(m[0])):
        after = np.searchsorted(edges, when)
        at_edge = np.flatnonzero(edges[np.minimum(after, len(edges) - 1)] == when)
        parts += [(after - 1, bits), (after[at_edge], bits[at_edge])]
    return Cumulative(
        series, "register", edges, E, Special.of(edges, *parts), t, r, rules.max_gap, rules.max_kw,
        **known,
    )  # fmt: skip
