"""Decoding whole answers: the document's examples, refusals, what is broken, and the fast way."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dentframe.cloud import Window
from dentframe.errors import DecodeError, RequestError
from dentframe.wire import decode as wire
from dentframe.wire.decode import decode, decode_slow
from dentframe.wire.pages_and_bad_cells import Report, decode_meters, decode_topics
from tests.wire_kit import BOTH, answer, is_clean, row

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "api" / "examples"


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
    assert is_clean(page.report)
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
    assert page.report == Report()


@BOTH
@pytest.mark.parametrize("spaces", [{"indent": 2}, {"separators": (",", ":")}, {"indent": "\t"}])
def test_pretty_printed_json_and_a_byte_order_mark(read, spaces):
    """White space between tokens, and a mark before them, change nothing."""
    document = json.loads(answer(row(A="1", B="2"), row(A="3", B="4", time="02:17")))
    page = read(b"\xef\xbb\xbf" + json.dumps(document, **spaces).encode() + b"\r\n ")
    assert page.values.tolist() == [[1, 2], [3, 4]]
    assert is_clean(page.report)


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
    both = Report.total((one, two))
    assert both.rows == 3
    assert both.absent == {"A": 1, "B": 1}
    assert both.unreadable == {"A": (4, ("x", "y", "z"))}
    assert both.unsorted
    assert not is_clean(both)
    assert Report.total((one, Report())) == one == Report.total((Report(), one))
    assert Report.total(()) == Report()
    assert is_clean(Report(rows=5))


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
    slow = wire.SliceReader.spread
    monkeypatch.setattr(wire, "decode_slow", None)
    monkeypatch.setattr(wire.SliceReader, "spread", lambda *args: slices.append(1) or slow(*args))
    document = json.loads(answer(*(row(cells, time=f"00:{i:02d}") for i in range(60))))
    page = decode(json.dumps(document, **spaces).encode(), slice_bytes=500)
    assert page.report.rows == 60
    assert len(slices) <= 1
