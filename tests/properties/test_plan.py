"""The planner against its definition: contain, tile once, cost least, ask no future."""

from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dentframe.cloud import Window
from dentframe.cloud.planner import REQUEST_BYTES, plan
from tests.wire_kit import hours_between

FIRST = datetime(2023, 1, 30, tzinfo=UTC)
MINUTES = st.integers(0, 40 * 1440)
SIZES = st.sampled_from([1.0, 2_000.0, 50_000.0, REQUEST_BYTES / 24, 3e6])


def instant(minutes):
    return FIRST + timedelta(minutes=minutes)


def any_window():
    def narrow(minutes, kind):
        moment = instant(minutes)
        parts = (moment.year, moment.month, moment.day, moment.hour)
        return Window(*parts[: {"month": 2, "day": 3, "hour": 4}[kind]])

    return st.builds(narrow, MINUTES, st.sampled_from(["month", "day", "hour"]))


def cost(window, now, cached, size):
    if window in cached:
        return 0.0
    end = min(window.end, now + timedelta(minutes=59))
    return REQUEST_BYTES + (end - window.start) // timedelta(hours=1) * size


@given(MINUTES, MINUTES, MINUTES, st.lists(any_window(), max_size=30), SIZES)
@example(0, 1440, 1440, [], 1.0)
@example(1, 1, 1, [], 1.0)
def test_a_plan_contains_the_range_and_tiles_it_once(start, end, now, cached, size):
    """Every hour of the range up to now is in exactly one window, and none is needless."""
    start, end, now = instant(start), instant(end), instant(now)
    windows = plan(start, end, now=now, cached=cached, bytes_per_hour=size)
    assert windows == sorted(windows)
    hours = [hour for window in windows for hour in window.hours]
    assert len(hours) == len(set(hours))
    assert set(hours) >= set(hours_between(start, min(end, now)))
    assert all(window.start < min(end, now) and window.end > start for window in windows)


def tilings(window, lo, hi):
    """Every way to contain the hours [lo, hi) of a window by it or by what is below it."""
    yield (window,)
    if window.hour is not None:
        return
    below = [
        list(tilings(child, lo, hi))
        for child in window.children()
        if child.hours.start < hi and child.hours.stop > lo
    ]
    for choice in product(*below):
        yield tuple(part for tiles in choice for part in tiles)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(1, 10), st.integers(0, 80), st.data(), SIZES)
def test_a_plan_is_optimal_against_brute_force(first, length, now, data, size):
    """No other tiling of a short range, months included, costs less."""
    start = datetime(2023, 1, 30, tzinfo=UTC) + timedelta(hours=first)
    end, now = start + timedelta(hours=length), FIRST + timedelta(hours=now)
    near = st.integers(-3, 15).map(lambda n: start + timedelta(hours=n))
    kinds = st.sampled_from([2, 3, 4])
    window = st.tuples(near, kinds).map(
        lambda t: Window(*(t[0].year, t[0].month, t[0].day, t[0].hour)[: t[1]])
    )
    cached = data.draw(st.sets(window, max_size=8))
    windows = plan(start, end, now=now, cached=cached, bytes_per_hour=size)
    lo = int(start.timestamp()) // 3600
    hi = -(-int(min(end, now).timestamp()) // 3600)
    if hi <= lo:
        assert windows == []
        return
    months = {Window(m.year, m.month) for m in (start, min(end, now) - timedelta(minutes=1))}
    least = sum(
        min(sum(cost(w, now, cached, size) for w in tiles) for tiles in tilings(month, lo, hi))
        for month in months
    )
    assert abs(sum(cost(w, now, cached, size) for w in windows) - least) < 1e-6


@given(MINUTES, MINUTES, st.permutations(list(Window(2023, 2).children())), SIZES)
def test_a_plan_does_not_depend_on_the_order_of_the_cache(start, end, days, size):
    """The same question has the same answer, whatever collection holds the cached windows."""
    bounds = (instant(start), instant(end))
    now = instant(50 * 1440)
    one = plan(*bounds, now=now, cached=days[:20], bytes_per_hour=size)
    two = plan(*bounds, now=now, cached=frozenset(reversed(days[:20])), bytes_per_hour=size)
    assert one == two


@given(any_window(), any_window())
def test_windows_nest_or_are_disjoint(one, two):
    """Two windows share no hour unless one contains the other, and their texts round-trip."""
    shared = len(range(max(one.hours.start, two.hours.start), min(one.hours.stop, two.hours.stop)))
    assert bool(shared) == (one.contains(two) or two.contains(one))
    assert Window.parse(str(one)) == one
    assert (one < two) + (two < one) + (one == two) == 1
