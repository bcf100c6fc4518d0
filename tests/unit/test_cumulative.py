"""E(t) and C(t): registers, means, glitches, jumps, and the arrays behind them."""

from __future__ import annotations

import numpy as np
import pytest

from dentframe.metering.energy_and_coverage import STATUSES, from_means, status
from dentframe.metering.falls_glitches_and_exchanges import from_register
from dentframe.metering.register_rules import MINUTE, Rules
from dentframe.metering.series import NONE, Flag, Series, names

Q = 15 * MINUTE


def series(values, minutes=None, topic="kWHNet"):
    at = np.arange(len(values)) * 15 if minutes is None else np.array(minutes)
    t = at.astype(np.int64) * MINUTE
    return Series(None, "A", topic, t, np.array(values, dtype=float), NONE, NONE)


def register(values, minutes=None, **rules):
    return from_register(series(values, minutes), Rules(**rules))


def means(values, minutes=None, lag=0):
    minutes = (np.arange(len(values)) + 1) * 15 if minutes is None else minutes
    return from_means(series(values, minutes, "DemandkW"), Q, lag)


def whole(c):
    s, e = c.t[:1], c.t[-1:]
    flags = int(c.flags_in(s, e)[0])
    return float(c.energy(s, e)[0]), float(c.coverage(s, e)[0]), names(flags)


@pytest.mark.parametrize("run", [1, 2, 3, 4])
def test_runs_of_up_to_four_are_glitches(run):
    """A run of zeros that its neighbours expose is bridged."""
    energy, coverage, flags = whole(register([100, 101, *[0] * run, 102, 103]))
    assert (energy, coverage) == (3, 1)
    assert "glitch" in flags


def test_five_zeros_are_no_glitch():
    """A longer run is judged by the rules."""
    energy, _, flags = whole(register([998, 999, 1000, 1001, *[0] * 5, 1002, 1003]))
    assert "glitch" not in flags
    assert flags == ("decrease_unclassified", "unexplained_jump")
    assert energy == 4


def test_of_two_runs_the_one_at_the_step_goes():
    """Jitter drops the later reading first."""
    c = register([215.6, 215.7, 215.6, 215.8, 215.9])
    assert c.readings.tolist() == [215.6, 215.7, 215.8, 215.9]


def test_a_blip_before_the_last_reading():
    """A run may end just before the step."""
    c = register([100, 101, 900, 102])
    assert c.readings.tolist() == [100, 101, 102]


def test_glitches_may_follow_each_other():
    """Steps are examined in time order, again from the dropped place."""
    energy, coverage, flags = whole(register([10, 11, 0, 12, 0, 13, 14, 0, 15]))
    assert (energy, coverage) == (5, 1)
    assert flags == ("glitch",)


def test_a_rise_beyond_the_cap():
    """More than max_kw allows is missing, not use."""
    energy, coverage, flags = whole(register([10, 11, 500, 501], max_kw=50.0))
    assert (energy, coverage) == (2, pytest.approx(2 / 3))
    assert flags == ("unexplained_jump",)


def test_a_rise_at_the_cap():
    """Decimals at the cap stay within it as floats."""
    assert whole(register([100.1, 112.6], max_kw=50.0))[1] == 1


def test_an_ambiguous_fall():
    """An exporter's small register may as well have been cleared: signed value, bounds to r1."""
    c = register([2.0, 0.5, 0.75], max_kw=10.0, allow_export=True)
    s, e = c.t[:1], c.t[1:2]
    assert c.energy(s, e)[0] == -1.5
    assert [x[0] for x in c.bounds(s, e)] == [-1.5, 0.5]
    assert names(int(c.flags_in(s, e)[0])) == ("ambiguous_fall", "export")
    assert STATUSES[status(c.coverage(s, e), c.flags_in(s, e))[0]] == "estimated"


def test_an_exporter_below_zero_is_not_ambiguous():
    """A register below zero was not cleared."""
    assert whole(register([1.0, -0.5], max_kw=10.0, allow_export=True))[2] == ("export",)


def test_a_step_that_stands_out_is_withheld():
    """Without max_kw a step of ten times 50 kW and of ten times the next one is no use."""
    calm = [100, 101, 102, 103, 104]
    assert whole(register([*calm, 230]))[2] == ("unexplained_jump",)
    assert whole(register([*calm, 229]))[0] == 129
    assert whole(register([*calm, 230, 242, 254.61]))[0] == 154.61
    assert register([*calm, 230]).hi[-1] == 126


def test_three_other_steps_are_needed_for_a_jump():
    """Few steps tell nothing."""
    assert whole(register([0, 5000, 5001, 5002]))[0] == 5002
    assert whole(register([0, 5000, 5001, 5002, 5003]))[0] == 3


def test_contradictory_swaps_are_missing():
    """A swap record that makes a load negative is no explanation."""
    energy, _, flags = whole(register([10, 11, 3, 4], swaps=((20 * MINUTE, 5.0, 2.0),)))
    assert energy == 2
    assert flags == ("meter_swap", "unexplained_decrease")


def test_two_swaps_in_one_step():
    """Each meter between them counts from its opening to its closing."""
    swaps = ((16 * MINUTE, 11.5, 0.0), (18 * MINUTE, 0.5, 7.0))
    assert whole(register([10, 11, 8, 9], swaps=swaps))[0] == pytest.approx(1 + 2.0 + 1)


def test_large_registers_stay_exact():
    """Increments of a large register are differences of readings, not sums of rounded ones."""
    r = 4_000_000 + np.arange(2000) * 0.1
    c = register(r)
    assert c.energy(c.t[:-1], c.t[1:]) == pytest.approx(np.diff(r), abs=1e-9)
    assert c.energy(c.t[:1], c.t[-1:])[0] == r[-1] - r[0]


def test_after_a_reset_increments_stay_exact():
    """Each stretch is anchored anew."""
    r = np.r_[4_000_000 + np.arange(50) * 0.1, np.arange(50) * 0.1]
    c = register(r, max_kw=50.0)
    assert c.energy(c.t[-2:-1], c.t[-1:])[0] == r[-1] - r[-2]


def test_coverage_is_an_integer_ratio():
    """Full coverage is exactly 1, whatever the length."""
    c = means(np.ones(35_040))
    assert c.coverage(c.t[:1], c.t[-1:])[0] == 1


@pytest.mark.parametrize(("minutes", "covered"), [([15, 37], 37), ([15, 38], 30), ([15, 20], 20)])
def test_spacings_of_means(minutes, covered):
    """One and a half windows are covered, beyond only one; an extra covers its spacing."""
    c = means([4.0, 4.0], minutes)
    assert c.covered(c.t[:1], c.t[-1:])[0] == covered * MINUTE


def test_a_lag_shifts_the_intervals():
    """A mean stamped t ends a lag earlier."""
    assert means([4.0], [17], lag=2 * MINUTE).t.tolist() == [0, 15 * MINUTE]


def test_means_have_no_bounds():
    """Bounds of a mean's share are not known."""
    c = means([1.0, 2.0])
    assert np.isnan(c.bounds(c.t[:1], c.t[-1:])).all()


def test_nothing_at_all():
    """A series without readings is missing everywhere."""
    for c in (register([]), means([]), register([5.0])):
        s, e = np.array([0]), np.array([Q])
        assert np.isnan(c.energy(s, e)[0])
        assert c.coverage(s, e)[0] == 0
        assert np.isnan(c.split(s, e)).all()


def test_outside_the_readings():
    """Before the first and after the last reading nothing is covered."""
    c = register([1.0, 2.0, 3.0])
    assert c.energy(np.array([-Q, 2 * Q]), np.array([0, 9 * Q])).tolist() == pytest.approx(
        [np.nan, np.nan], nan_ok=True
    )
    assert c.energy(np.array([-Q]), np.array([Q]))[0] == 1


def test_statuses():
    """The worst part goes first."""
    coverage = np.array([1.0, 1.0, 0.5, 0.0])
    flags = np.array([0, int(Flag.RESET), int(Flag.RESET), 0])
    assert [STATUSES[i] for i in status(coverage, flags)] == [
        "recorded",
        "estimated",
        "partial",
        "missing",
    ]
