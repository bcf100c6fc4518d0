"""Windows and the planner, on the examples that a reader of the document would try."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dentframe.cloud import Window
from dentframe.cloud.planner import REQUEST_BYTES, plan
from dentframe.errors import RangeError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def texts(windows):
    return [str(window) for window in windows]


def planned(start, end, now=NOW, **options):
    return texts(plan(at(start), at(end), now=now, **options))


@pytest.mark.parametrize(
    ("text", "kind", "start", "end"),
    [
        ("2023-12", "month", "2023-12-01T00:00", "2024-01-01T00:00"),
        ("2024-02-29", "day", "2024-02-29T00:00", "2024-03-01T00:00"),
        ("2023-12-31T23", "hour", "2023-12-31T23:00", "2024-01-01T00:00"),
    ],
)
def test_a_window_knows_its_bounds_and_its_name(text, kind, start, end):
    """A window parses from its own text and spans exactly its month, day or hour."""
    window = Window.parse(text)
    assert (str(window), window.kind) == (text, kind)
    assert (window.start, window.end) == (at(start), at(end))
    assert len(window.minutes) == (window.end - window.start) // timedelta(minutes=1)


@pytest.mark.parametrize(
    "parts", [(2023, 13), (2023, 0), (2023, 2, 29), (2023, 1, 1, 24), (2023, 1, None, 3), (9999, 1)]
)
def test_no_window_outside_the_calendar(parts):
    """A month, day or hour that does not exist is refused with the value in the message."""
    with pytest.raises(RangeError, match=str(parts[0])):
        Window(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023",
        "2023-1",
        "2023-12-12T2",
        "2023-12-12T02:00",
        " 2023-12",
        "\u0662\u0660\u0662\u0663-12",
    ],
)
def test_text_that_is_no_window(text):
    """Only the three forms that a window prints are parsed."""
    with pytest.raises(RangeError, match="as a window"):
        Window.parse(text)


def test_params_are_those_of_the_document():
    """A request names the window by zero-padded year, month, day and hour."""
    assert Window(2023, 12).params() == {"year": "2023", "month": "12"}
    assert Window(2023, 1, 2, 3).params() == {
        "year": "2023",
        "month": "01",
        "day": "02",
        "hour": "03",
    }


def test_windows_of_all_kinds_sort_by_start_the_longer_first():
    """Sorting windows of different kinds does not compare None with a number."""
    mixed = [Window(2023, 1, 1, 0), Window(2023, 1, 1), Window(2023, 1), Window(2022, 12, 31)]
    assert texts(sorted(mixed)) == ["2022-12-31", "2023-01", "2023-01-01", "2023-01-01T00"]


def test_the_tree_of_windows():
    """Children partition their parent, which contains them."""
    month = Window(2024, 2)
    assert len(month.children()) == 29
    assert len(month.children()[0].children()) == 24
    assert Window(2024, 2, 1, 5).children() == ()
    assert all(map(month.contains, month.children()))
    assert not month.contains(Window(2024, 3, 1))


def test_december_in_los_angeles_is_two_requests():
    """A local month is its UTC month and one day of the next, not 54 requests."""
    assert planned("2023-12-01T08:00", "2024-01-01T08:00") == ["2023-12", "2024-01-01"]


def test_a_local_year_is_thirteen_requests_and_a_utc_year_twelve():
    """Seoul's 2018 starts in the last UTC day of 2017."""
    seoul = planned("2017-12-31T15:00", "2018-12-31T15:00")
    assert seoul == ["2017-12-31", *(f"2018-{month:02d}" for month in range(1, 13))]
    assert len(planned("2018-01-01", "2019-01-01")) == 12


def test_at_equal_requests_the_smaller_window():
    """One day of a month is asked as a day, and a part of an hour as that hour."""
    assert planned("2018-01-03T05:20", "2018-01-03T05:40") == ["2018-01-03T05"]
    assert planned("2018-01-03T05:20", "2018-01-03T06:01") == ["2018-01-03"]
    assert planned("2018-01-03", "2018-01-05") == ["2018-01"]


def test_today_is_a_day_even_on_the_first_of_the_month():
    """Where only one child of a window has begun, that child is asked."""
    assert planned("2023-12-01", "2024-01-01", now=at("2023-12-01T05:10")) == ["2023-12-01"]
    assert planned("2023-12-01", "2024-01-01", now=at("2023-12-01T00:10")) == ["2023-12-01T00"]
    assert planned("2023-12-01", "2024-01-01", now=at("2023-12-02T00:10")) == ["2023-12"]


def test_the_size_of_an_open_window_ends_at_now():
    """A month that has just begun is small, so its few days are one request."""
    now = at("2023-12-03T00:00")
    got = planned("2023-12-01T01:00", "2023-12-03", now=now, bytes_per_hour=16_000)
    assert got == ["2023-12"]


def test_zones_and_seconds_of_the_bounds():
    """Bounds in any zone, at any second, give the same UTC hours."""
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    start = datetime(2018, 1, 1, 0, 0, 59, tzinfo=kathmandu)
    assert texts(plan(start, start + timedelta(seconds=1), now=NOW)) == ["2017-12-31T18"]


def test_large_answers_are_asked_by_day_where_that_saves_more():
    """Days replace their month only if each added request saves more than the stated bytes."""
    saved_hours = 29 * 24
    enough = REQUEST_BYTES / saved_hours
    assert planned("2018-01-03", "2018-01-05", bytes_per_hour=enough * 0.999) == ["2018-01"]
    assert planned("2018-01-03", "2018-01-05", bytes_per_hour=enough * 1.001) == [
        "2018-01-03",
        "2018-01-04",
    ]


def test_the_future_is_never_asked_for():
    """Nothing that begins at or after now is asked; what contains now is."""
    now = at("2023-12-12T02:30")
    assert planned("2023-12-12T02:00", "2024-12-31", now=now) == ["2023-12-12T02"]
    assert planned("2023-12-12T02:00", "2024-12-31", now=at("2023-12-12T02:00")) == []
    assert planned("2023-12-12T03:00", "2024-12-31", now=now) == []
    assert planned("2023-11-01", "2024-12-31", now=now) == ["2023-11", "2023-12"]


def test_cached_windows_are_free():
    """Cached days replace their month where the rest needs no more requests."""
    days = [Window(2023, 12, day) for day in range(1, 31)]
    got = planned("2023-12-01", "2024-01-01", cached=days)
    assert got == [*texts(days), "2023-12-31"]
    assert planned("2023-12-05", "2023-12-06", cached=[Window(2023, 12)]) == ["2023-12"]
    both = [Window(2023, 12), *days]
    assert planned("2023-12-01", "2024-01-01", cached=both) == ["2023-12"]


def test_an_empty_range_needs_nothing():
    """A range that ends where it starts, or before, plans no request."""
    assert planned("2023-12-01", "2023-12-01") == []
    assert planned("2023-12-01T01:20", "2023-12-01T01:10") == []
