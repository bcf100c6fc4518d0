"""Decoding, on one example of everything that the wire is known or feared to carry."""

import json
import math
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dentframe.cloud import wire, wire_fast
from dentframe.cloud.windows import Window
from dentframe.cloud.wire import Report, decode, decode_meters, decode_slow, decode_topics
from dentframe.errors import DecodeError, RequestError

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "api" / "examples"
BOTH = pytest.mark.parametrize("read", [decode, decode_slow], ids=["fast", "slow"])


def row(cells=None, day="2023-12-12", time="02:02", **more):
    return {"date": day, "time": time, **(cells or {}), **more}


def answer(*rows, headers=("A", "B"), **more):
    return json.dumps(
        {"headers": ["date", "time", *headers], "topics": list(rows), **more}
    ).encode()


def bits(values):
    return [struct.pack("<d", value) for value in values]


def example(name):
    path = EXAMPLES / name
    if not path.exists():
        pytest.skip("the vendor's examples are not here")
    return path.read_bytes()


@BOTH
def test_the_example_of_the_document(read):
    """Four rows of eight columns, in UTC, column-major, with nothing to report."""
    page = read(example("getData.json"), Window(2023, 12, 12, 2))
    assert page.values.shape == (4, 8)
    assert page.values.flags.f_contiguous
    assert page.columns[0] == "A/Ch/A1"
    assert page.values[2].tolist() == [7.366, 0.374, 0.23, 0.0, 0.0, 0.639, 0.0, 0.0]
    times = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=m) for m in page.minutes.tolist()]
    assert times[0] == datetime(2023, 12, 12, 2, 2, tzinfo=UTC)
    assert page.report.clean
    assert page.report.rows == 4


def test_the_other_examples_of_the_document():
    """Meters are strings, and topics have a unit, a request key and a description."""
    assert decode_meters(example("getMeters.json")) == ["P482311252", "P482102272", "P482102270"]
    topics = decode_topics(example("getTopics.json"))
    assert topics[2] == {
        "unit": "kW",
        "requestKey": "DemandkW",
        "description": "Power. Demand Kilowatts.",
    }


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
    assert page.report.clean


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


@BOTH
def test_a_missing_key_shifts_nothing(read):
    """A row without a key has NaN there, and its other cells stay in their columns."""
    page = read(answer(row(B="2"), row(A="1", B="2", time="02:17")))
    np.testing.assert_array_equal(page.values, [[math.nan, 2], [1, 2]])
    assert page.report == Report(rows=2, absent={"A": 1})


@BOTH
def test_keys_in_any_order(read):
    """The order of keys in a row, and of date and time in the headers, means nothing."""
    body = (
        b'{"headers":["B","time","A","date"],"topics":'
        b'[{"A":"1","time":"02:02","B":"2","date":"2023-12-12"}]}'
    )
    page = read(body)
    assert page.columns == ("B", "A")
    assert page.values.tolist() == [[2.0, 1.0]]
    assert page.report.clean


@BOTH
def test_a_key_that_the_headers_lack_is_kept(read):
    """An unexpected key becomes a column after the headers', NaN where rows lack it."""
    page = read(answer(row(A="1", B="2"), row(A="1", B="2", X="9", time="02:17")))
    assert page.columns == ("A", "B", "X")
    np.testing.assert_array_equal(page.values, [[1, 2, math.nan], [1, 2, 9]])
    assert page.report == Report(rows=2, unexpected={"X": 1})


@BOTH
def test_the_last_of_duplicate_keys_counts(read):
    """A key twice in a row, or a name twice in the headers, gives one cell."""
    body = (
        b'{"headers":["A","date","time","A"],"topics":'
        b'[{"date":"2023-12-12","time":"02:02","A":"oops","A":"2"}]}'
    )
    page = read(body)
    assert page.columns == ("A",)
    assert page.values.tolist() == [[2.0]]
    assert page.report.clean


@BOTH
def test_rows_keep_the_order_of_the_wire(read):
    """Unsorted and duplicate rows are kept as they came, and reported."""
    page = read(
        answer(
            *(row(A=a, B="0", time=t) for a, t in [("1", "02:17"), ("2", "02:02"), ("3", "02:02")])
        )
    )
    assert page.values[:, 0].tolist() == [1, 2, 3]
    assert (page.report.unsorted, page.report.duplicates) == (True, 1)


@BOTH
def test_rows_outside_the_window_are_dropped_and_counted(read):
    """A window is half-open, and nothing of a dropped row is counted elsewhere."""
    inside = [row(A="1", B="2", day=day) for day in ("2023-12-01", "2023-12-31")]
    outside = [row(A="x", X="1", day=day) for day in ("2023-11-30", "2024-01-01")]
    page = read(answer(outside[0], *inside, outside[1]), Window(2023, 12))
    assert len(page.minutes) == 2
    assert page.columns == ("A", "B")
    assert page.report == Report(rows=2, outside=2)


@BOTH
@pytest.mark.parametrize(
    ("day", "time"),
    [
        ("2023-02-30", "02:02"),
        ("2023-12-12", "25:61"),
        ("2023-12-12", "24:00"),
        ("2023-12-12", "02:02:60"),
        ("", "02:02"),
        ("12/12/2023", "02:02"),
        ("2023-12-12T00:00", "02:02"),
        ("\u0662\u0660\u0662\u0663-12-12", "02:02"),
        ("0000-01-01", "02:02"),
        (None, "02:02"),
        (20231212, "02:02"),
        ("2023-12-12", 2),
    ],
)
def test_rows_without_a_usable_time_are_dropped_and_counted(read, day, time):
    """A date or time that does not exist drops its row, with a sample in the report."""
    page = read(answer(row(A="1", B="2"), row(A="5", B="6", day=day, time=time)))
    assert page.values.tolist() == [[1.0, 2.0]]
    assert page.report.bad_dates == 1
    assert len(page.report.bad_date_samples) == 1


@BOTH
def test_a_row_without_date(read):
    """A row that lacks the date key is a row with a bad date."""
    body = answer({"time": "02:02", "A": "1", "B": "2"})
    assert read(body).report == Report(bad_dates=1, bad_date_samples=(" 02:02",))


@BOTH
@pytest.mark.parametrize(
    ("day", "time", "minute"),
    [
        ("1970-1-2", "3:4", 1440 + 184),
        (" 1970-01-02 ", " 03:04:59 ", 1440 + 184),
        ("1970-01-02", "03:04:59.999", 1440 + 184),
        ("1969-12-31", "23:59", -1),
    ],
)
def test_forms_of_date_and_time(read, day, time, minute):
    """One or two digits are read, and seconds are dropped to the minute."""
    page = read(answer(row(A="1", B="2", day=day, time=time)))
    assert page.minutes.tolist() == [minute]


@BOTH
@pytest.mark.parametrize(
    ("body", "columns"),
    [
        (b'{"headers":[],"topics":[]}', ()),
        (b'{"headers":["date","time","A"],"topics":[]}', ("A",)),
        (b' \xef\xbb\xbf{"headers":[],"topics":[]}'.strip(), ()),
        (b'{"topics" : [ ], "headers" : [ ] }\n', ()),
    ],
)
def test_an_empty_answer_is_a_page_without_rows(read, body, columns):
    """Empty headers or topics are a result, not an error."""
    page = read(body)
    assert page.columns == columns
    assert page.values.shape == (0, len(columns))
    assert page.report == Report.zero()


@BOTH
@pytest.mark.parametrize("spaces", [{"indent": 2}, {"separators": (",", ":")}, {"indent": "\t"}])
def test_pretty_printed_json_and_a_byte_order_mark(read, spaces):
    """White space between tokens, and a mark before them, change nothing."""
    document = json.loads(answer(row(A="1", B="2"), row(A="3", B="4", time="02:17")))
    page = read(b"\xef\xbb\xbf" + json.dumps(document, **spaces).encode() + b"\r\n ")
    assert page.values.tolist() == [[1, 2], [3, 4]]
    assert page.report.clean


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b'{"success":false,"error":"no such\\nmeter"}',
        b'{"success":false,"error":"no such\\nmeter","headers":[],"topics":[]}',
        b'{"headers":[],"success":false,"error":"no such\\nmeter","topics":[]}',
        b'{"success":"false","message":"no such\\nmeter"}',
    ],
)
def test_a_refusal_with_status_200(read, body):
    """success:false is the service saying no, in its own words, on one line."""
    with pytest.raises(RequestError, match="no such\ufffdmeter") as caught:
        read(body)
    assert not caught.value.retryable


def test_a_refusal_is_cut_short_and_may_lack_a_reason():
    """The message of the service is limited to 200 characters."""
    with pytest.raises(RequestError) as caught:
        decode(json.dumps({"success": False, "error": "x" * 1000}).encode())
    assert len(str(caught.value)) < 400
    with pytest.raises(RequestError, match="no reason"):
        decode_meters(b'{"success":false}')


GOOD = answer(row(A="1", B="2"), row(A="3", B="4", time="02:17"))
BROKEN = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "number": b"5",
    "string": b'"no"',
    "array": b"[]",
    "html": b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
    "cut": GOOD[:-1],
    "cut in a row": GOOD[:-20],
    "cut in the headers": GOOD[:20],
    "trailing": GOOD + b"}",
    "two": GOOD + GOOD,
    "encoded surrogate": GOOD.replace(b'"1"', b'"\xed\xa0\x80"'),
    "utf-16": GOOD.decode().encode("utf-16"),
    "latin-1": GOOD.replace(b'"1"', b'"\xe9"'),
    "literal NaN": GOOD.replace(b'"1"', b"NaN"),
    "literal Infinity": GOOD.replace(b'"1"', b"-Infinity"),
    "raw control": GOOD.replace(b'"1"', b'"\n"'),
    "no headers": b'{"topics":[]}',
    "no topics": b'{"headers":[]}',
    "null headers": b'{"headers":null,"topics":[]}',
    "headers of numbers": b'{"headers":[1],"topics":[]}',
    "topics an object": b'{"headers":[],"topics":{}}',
    "a row that is a list": b'{"headers":[],"topics":[[]]}',
    "a row that is null": GOOD.replace(b"}]", b"},null]"),
    "a row that is text": b'{"headers":["date"],"topics":["},{"]}',
    "message": b'{"message":"Forbidden"}',
    "missing comma": GOOD.replace(b"}, {", b"} {"),
    "double comma": GOOD.replace(b"}, {", b"},,{"),
    "trailing comma": GOOD.replace(b"}]", b"},]"),
    "deep": b"[" * 100_000,
    "deep cell": GOOD.replace(b'"1"', b"[" * 100_000 + b"]" * 100_000),
    "lone surrogate in a name": GOOD.replace(b'"A"', b'"\\ud800"'),
}


@BOTH
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_is_none(read, body):
    """What the API does not describe is a retryable error that shows a little of what came."""
    with pytest.raises(DecodeError, match="Cannot decode readings") as caught:
        read(body)
    assert caught.value.retryable
    assert len(str(caught.value)) < 500
    assert "Ask again" in str(caught.value)


@pytest.mark.parametrize("read", [decode_meters, decode_topics])
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"<html>", b'{"meters":[1],"topics":[1]}', b'{"meters":{},"topics":{}}'],
)
def test_lists_that_are_none(read, body):
    """Meters and topics have the same typed errors."""
    with pytest.raises(DecodeError):
        read(body)


def test_a_topic_without_unit_or_description():
    """A request key is needed; what is missing beside it is empty."""
    body = b'{"topics":[{"requestKey":"V","unit":null,"more":1}]}'
    assert decode_topics(body) == [{"unit": "", "requestKey": "V", "description": ""}]


def test_reports_add_up():
    """Reports of several answers make one, whose zero is the empty report."""
    one = Report(
        rows=1, absent={"A": 1}, unreadable={"A": (2, ("x", "y"))}, bad_date_samples=("p",)
    )
    two = Report(rows=2, absent={"B": 1}, unreadable={"A": (2, ("y", "z", "w"))}, unsorted=True)
    both = one + two
    assert both.rows == 3
    assert both.absent == {"A": 1, "B": 1}
    assert both.unreadable == {"A": (4, ("x", "y", "z"))}
    assert both.unsorted
    assert not both.clean
    assert one + Report.zero() == one == Report.zero() + one
    assert Report(rows=5).clean


def test_what_a_slice_teaches_holds_for_the_next():
    """Texts and keys that one slice met for the first time decode alike in all later ones."""
    cells = [{"A": " 1.5", "B": "bad"}, {"A": "2", "X": "3"}, {"A": "+4", "B": "", "X": "bad"}]
    rows = [row(cells[i % 3], time=f"{i // 60:02d}:{i % 60:02d}") for i in range(300)]
    page, slow = decode(answer(*rows), slice_bytes=1), decode_slow(answer(*rows))
    np.testing.assert_array_equal(page.values, slow.values)
    assert page.report == slow.report
    assert page.report.unexpected == {"X": 200}


@pytest.mark.parametrize("spaces", [{}, {"indent": 1}, {"separators": (",", ":")}])
@pytest.mark.parametrize("cells", [{"A": "1", "B": "2"}, {"A": "bad", "X": None}, {}])
def test_ordinary_answers_go_the_fast_way(monkeypatch, spaces, cells):
    """At most the first slice, from which the reader learns, is decoded value by value."""
    slices = []
    slow = wire_fast.SliceReader._read_slowly
    monkeypatch.setattr(wire, "decode_slow", None)
    monkeypatch.setattr(
        wire_fast.SliceReader, "_read_slowly", lambda *args: slices.append(1) or slow(*args)
    )
    document = json.loads(answer(*(row(cells, time=f"00:{i:02d}") for i in range(60))))
    page = decode(json.dumps(document, **spaces).encode(), slice_bytes=500)
    assert page.report.rows == 60
    assert len(slices) <= 1
