"""Decoding cells, on one example of everything that a cell is known or feared to hold."""

import math

import numpy as np
import pytest

from dentframe.wire.pages_and_bad_cells import Report
from tests.wire_kit import BOTH, answer, bits, is_clean, row


@BOTH
@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.358", 1.358),
        (" 1.5 ", 1.5),
        ("\u00a01.5\n", 1.5),
        ("+1", 1.0),
        ("007", 7.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-0", -0.0),
        ("-0.0", -0.0),
        ("123456.7890123456789", 123456.7890123456789),
        ("9007199254740993", 9007199254740992.0),
        ("1e-400", 0.0),
        ("4.9e-324", 5e-324),
        (7, 7.0),
        (7.25, 7.25),
        (-0.0, -0.0),
        (10**30, 1e30),
    ],
)
def test_readable_cells_are_bit_identical_to_float(read, cell, value):
    """A text or JSON number becomes exactly what float() makes of it."""
    page = read(answer(row(A=cell, B="1")))
    assert bits(page.values[0]) == bits([value, 1.0])
    assert is_clean(page.report)


@BOTH
@pytest.mark.parametrize("cell", ["", " ", "\t\n", None])
def test_blank_cells_are_nan_never_zero(read, cell):
    """An empty, white or null cell is NaN and counted as blank."""
    page = read(answer(row(A=cell, B="1"), row(A="2", B="1")))
    assert np.isnan(page.values[0, 0])
    assert page.report == Report(rows=2, blank={"A": 1}, duplicates=1)


@BOTH
@pytest.mark.parametrize(
    ("cell", "sample"),
    [
        ("N/A", "N/A"),
        ("1_0", "1_0"),
        ("-inf", "-inf"),
        ("Infinity", "Infinity"),
        ("NaN", "NaN"),
        ("null", "null"),
        ("NULL", "NULL"),
        ("0\x1f", "0\ufffd"),
        ("1e999", "1e999"),
        ("0x10", "0x10"),
        ("1,5", "1,5"),
        ("\u0661", "\u0661"),
        (True, "true"),
        (False, "false"),
        ("x" * 50, "x" * 40),
        ("a\x1b[31m", "a\ufffd[31m"),
    ],
)
def test_unreadable_cells_are_nan_counted_and_shown(read, cell, sample):
    """Text that is no finite number is NaN, with a short, printable sample in the report."""
    page = read(answer(row(A=cell, B="1")))
    assert np.isnan(page.values[0, 0])
    assert page.report == Report(rows=1, unreadable={"A": (1, (sample,))})


@BOTH
@pytest.mark.parametrize("token", ["1e999", "-1e999", "[1]", '{"B":"9"}', "1" + "0" * 400])
def test_json_values_that_are_no_finite_number(read, token):
    """Nested values and numbers beyond a float are unreadable and touch no other cell."""
    body = answer(row(A="@", B="1")).replace(b'"@"', token.encode())
    page = read(body)
    assert np.isnan(page.values[0, 0])
    assert page.values[0, 1] == 1.0
    assert page.report.unreadable["A"][0] == 1


@BOTH
@pytest.mark.parametrize(
    ("token", "value", "unreadable"),
    [
        (rb'"\u002d0"', -0.0, {}),
        (rb'"-\u0030"', -0.0, {}),
        (rb'"n\u0061n"', math.nan, {"A": (1, ("nan",))}),
        (rb'"\u006eull"', math.nan, {"A": (1, ("null",))}),
        (b"-0", -0.0, {}),
    ],
)
def test_escaped_texts_are_what_they_stand_for(read, token, value, unreadable):
    """An escape hides neither a minus zero nor a text that is no number."""
    page = read(answer(row(A="@", B="1")).replace(b'"@"', token))
    assert bits(page.values[0]) == bits([value, 1.0])
    assert page.report.unreadable == unreadable


@BOTH
@pytest.mark.parametrize(
    "texts", [["NaN", "nan"], ["nan", "inf", "-inf"], ["NULL", None, None], ["null", "NaN", ""]]
)
def test_spellings_are_told_apart(read, texts):
    """Texts that a lax parser takes for one thing keep their own spelling, and null is blank."""
    odd = [text for text in texts if text]
    page = read(answer(*(row(A=text, B="1") for text in texts)))
    assert page.report.unreadable == {"A": (len(odd), tuple(odd))}
    assert page.report.blank == ({"A": len(texts) - len(odd)} if len(odd) < len(texts) else {})


@BOTH
def test_three_samples_and_the_count_of_all(read):
    """A column reports how many cells were unreadable and three different texts."""
    rows = [row(A=text, B="1", time=f"00:{i:02d}") for i, text in enumerate("zyzxw")]
    assert read(answer(*rows)).report.unreadable == {"A": (5, ("z", "y", "x"))}
