"""What a sync has to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dentframe.archive.sync import MeterPlan, jobs, plan_meter
from dentframe.cloud import Window
from tests.wire_kit import hours_between

START, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
MONTHS = [Window(year, month) for year in (2022, 2023) for month in range(1, 13)]


def test_two_empty_years_are_24_months():
    """Nothing held: each month is one request, in the order of time."""
    assert plan_meter(START, END, NOW) == MeterPlan(tuple(MONTHS), cached=0, held=0)


def test_what_is_held_is_not_read_and_what_is_cached_costs_nothing():
    """Held months are left out, cached ones are read without a request."""
    held, cached = frozenset(MONTHS[:10]), frozenset(MONTHS[8:12])
    assert plan_meter(START, END, NOW, held, cached) == MeterPlan(
        tuple(MONTHS[10:]), cached=2, held=10
    )


def test_jobs_go_meter_by_meter_in_the_order_of_time():
    """A meter's years come one after the other, and no meter before the last is done."""
    found = list(jobs({m: plan_meter(START, END, NOW) for m in ("P2", "P1")}, ("A", "V")))
    assert [j.meter for j in found] == ["P2"] * 24 + ["P1"] * 24
    assert [j.window for j in found] == MONTHS * 2
    assert {j.topics for j in found} == {("A", "V")}


def test_meters_alike_share_one_plan():
    """Ten thousand new meters cost the memory of one."""
    assert len({id(plan_meter(START, END, NOW)) for _ in range(100)}) == 1


def test_the_future_is_not_asked_for():
    """The span is cut at the present; the open month is one window."""
    found = plan_meter(START, END, datetime(2022, 2, 10, tzinfo=UTC))
    assert found.windows == (Window(2022, 1), Window(2022, 2))


@given(
    held=st.sets(st.sampled_from(MONTHS)),
    hours=st.tuples(st.integers(0, 17000), st.integers(1, 17000)),
)
def test_held_and_needed_together_contain_the_span(held, hours):
    """Whatever the archive holds, it and what is read hold the whole span, nothing twice."""
    start = START + timedelta(hours=min(hours))
    end = START + timedelta(hours=max(hours))
    found = plan_meter(start, end, NOW, frozenset(held))
    there = {hour for window in {*found.windows, *held} for hour in window.hours}
    assert there >= set(hours_between(start, end))
    assert not set(found.windows) & held
