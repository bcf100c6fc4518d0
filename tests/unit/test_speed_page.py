"""The table of the page on speed: made from rows, put between its markers, nothing else touched."""

from __future__ import annotations

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("dask")
pytest.importorskip("polars")

from tests.benchmarks.rounds import Row, digits, in_turn
from tests.benchmarks.speed_page import BEGIN, END, PAGE, machine, replaced, table


def test_only_what_is_between_the_markers_changes():
    """What stands before and after them stays, whatever stood between."""
    page = f"# Speed\n\nbefore\n{BEGIN}\nold | table\n{END}\nafter  \n"
    assert replaced(page, "| new |") == (
        f"# Speed\n\nbefore\n{BEGIN}\n\n| new |\n\n{END}\nafter  \n"
    )


def test_writing_twice_is_writing_once():
    """A second table replaces the first."""
    page = f"a\n{BEGIN}{END}\nb"
    assert replaced(replaced(page, "one"), "two") == replaced(page, "two")


@pytest.mark.parametrize(
    "page",
    [
        "nothing",
        BEGIN,
        END,
        f"{END}{BEGIN}",
        f"{BEGIN}{BEGIN}{END}",
        f"{BEGIN}{END}{END}",
        f"{END}{BEGIN}{END}",
        f"{BEGIN}{END}{BEGIN}",
    ],
)
def test_a_page_without_its_markers_is_refused(page):
    """Rather an error than a table in the wrong place, or two of them."""
    with pytest.raises(ValueError, match="once each"):
        replaced(page, "table")


def test_the_page_of_the_docs_has_its_markers():
    """What `make bench` writes has a place."""
    assert "new" in replaced(PAGE.read_text(encoding="utf-8"), "new")


def test_a_row_tells_the_median_and_the_spread():
    """Of 0.5, 0.04 and 12 the middle one is quoted, beside the least and the most."""
    rows = [Row("read", "json", (0.5, 0.04, 12.4)), Row("read", "orjson", (1.0,), "memory")]
    assert table(rows).splitlines()[2:] == [
        "| read | json | wall | 0.50 | 0.040 – 12 | 3 |",
        "|  | orjson | memory | 1.00 | 1.00 – 1.00 | 1 |",
    ]


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0123, "0.012"), (0.0999, "0.100"), (1, "1.00"), (9.5, "9.50"), (68.2, "68")],
)
def test_a_ratio_has_digits_that_mean_something(ratio, text):
    """Three decimals below a tenth, none above ten."""
    assert digits(ratio) == text


def test_ways_are_measured_in_turn():
    """The first round is not counted, and the order turns from round to round."""
    order, clock = [], iter(range(100))

    def measure(way):
        order.append(way)
        return float(next(clock))

    took = in_turn({"a": "A", "b": "B"}, 2, measure)
    assert order == ["A", "B", "A", "B", "B", "A"]
    assert took == {"a": [2.0, 5.0], "b": [3.0, 4.0]}


def test_the_machine_is_named_without_its_name(monkeypatch):
    """Cores and versions are told; the host and its paths are not."""
    monkeypatch.setattr("tests.benchmarks.speed_page.PACKAGES", ("pandas",))
    monkeypatch.setattr("platform.node", lambda: pytest.fail("the host's name was asked for"))
    assert "cores" in machine()
    assert "/" not in machine()
