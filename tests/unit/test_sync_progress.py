"""The honest time to go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentframe.archive.sync import Bar, spoken


def to_go(left, rate, times):
    """What a bar says when so many are left and the others came at these times."""
    clock = iter(times)
    bar = Bar(left + len(times), left + len(times), rate, shown=False, clock=lambda: next(clock))
    for _ in times:
        bar.step(asked=True)
    return bar.to_go


def test_the_time_to_go_by_hand():
    """Without a pace it is that of the rate limit, and with a slow one that of the pace."""
    assert to_go(600, 5, ()) == 120
    assert to_go(600, 5, [10.0]) == 120
    assert to_go(600, 5, [0.0, 1.0, 2.0]) == 600
    assert to_go(0, 5, [0.0, 1.0]) == 0


@given(
    left=st.integers(0, 1_000_000),
    rate=st.floats(0.1, 100),
    steps=st.lists(st.floats(0, 10), max_size=50),
)
def test_it_never_promises_more_than_the_limit_allows(left, rate, steps):
    """However fast the first answers came, the rest takes at least requests over rate."""
    times = [sum(steps[:n]) for n in range(len(steps))]
    assert to_go(left, rate, times) >= left / rate * (1 - 1e-12)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (49.2, "50 s"),
        (90, "90 s"),
        (91, "2 min"),
        (719, "12 min"),
        (5400, "1 h 30 min"),
        (12000, "3 h 20 min"),
        (120000, "1 d 10 h"),
    ],
)
def test_times_as_one_says_them(seconds, text):
    """Rounded up, in the two units that matter."""
    assert spoken(seconds) == text


def test_a_cached_window_does_not_hurry_the_clock():
    """Windows from the cache count as windows, not as pace."""
    clock = iter([0.0, 1.0])
    bar = Bar(4, 3, 5, shown=False, clock=lambda: next(clock))
    bar.step(asked=True)
    bar.step(asked=False)
    bar.step(asked=True)
    assert bar.to_go == 1.0


def test_it_is_shown_on_standard_error(capsys):
    """The bar says windows and time to go, and leaves nothing on standard output."""
    bar = Bar(2, 2, 5, shown=True)
    bar.step(asked=True)
    bar.close()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2 windows" in shown.err
    assert "1 s to go" in shown.err
