"""Decoding against its definition: the fast way equals the slow one, wherever a slice is cut."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dentframe.cloud import Window
from dentframe.errors import DentError
from dentframe.wire.decode import decode, decode_slow, number

# The first draw of a text builds a table of all of Unicode, which takes seconds.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NASTY = st.sampled_from(
    [
        "},{", "]}", '"', '","', "\\", '\\"', '}],"topics":[{', '],"topics":[', "},\n {", "{}", "[",
        "nan", "NaN", "-NaN", "+nan", "inf", "-inf", "Infinity", "null", "NULL", "true", "1_0",
        "-0", "-0.0", "-00", "-0e5", "+1", ".5", "5.", "007", " 1.5 ", "\u00a02", "\u0661", "1e999",
        "1e-400", "0x10", "", " ", "\t", "N/A", "-", "é", "\U0001f600", "\x00", "\u2028", "1\x002",
    ]
)  # fmt: skip
PLAIN = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: f"{x:.3f}")
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DIGITS = st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
NUMBERS = PLAIN | FLOATS.map(repr) | DIGITS
JSON_NUMBERS = FLOATS | st.integers(-(10**40), 10**40)
CELLS = NUMBERS | NASTY | st.text(max_size=5) | JSON_NUMBERS | st.none() | st.booleans()
NESTED = st.sampled_from([[], {}, [{"A": "1"}], {"A": "1"}, [[["},{"]]]])
NAMES = st.sampled_from(
    ["A", "B", "A/Ch/A1", "dPF/Elm/C", "", "f0", "f1", 'q"', "b\\", "é", "},{", '"topics":[', "\n"]
)
DATES = st.sampled_from(["2023-12-12", "2023-12-13", "2024-01-01", "2023-2-30", "", "},{", None, 5])
TIMES = st.sampled_from(["02:02", "02:17", "2:5", "23:59:59", "24:00", "x", None])


@st.composite
def rows(draw, names):
    cells = draw(st.dictionaries(st.sampled_from(names), CELLS | NESTED, max_size=6))
    items = list(cells.items())
    for key, values in (("date", DATES), ("time", TIMES)):
        if draw(st.integers(0, 9)):
            items.append((key, draw(values)))
    if items and not draw(st.integers(0, 4)):
        items.append((draw(st.sampled_from(items))[0], draw(CELLS)))
    return draw(st.permutations(items))


@st.composite
def tidy_rows(draw, names):
    """Rows that the fast way takes, with the few bad texts that a service would repeat."""
    cells = NUMBERS | st.sampled_from(["", "N/A", "-", "nan", "ERR", "-inf", None, 1.5])
    made = [(name, draw(cells)) for name in names if draw(st.integers(0, 9))]
    return [("date", "2023-12-12"), ("time", draw(TIMES.filter(bool))), *made]


@st.composite
def common_rows(draw, names):
    cells = [(name, draw(NUMBERS | NASTY)) for name in names]
    return [("date", "2023-12-12"), ("time", draw(TIMES)), *cells]


def dumped(document_rows, headers, style, *, escape):
    def text(value):
        return json.dumps(value, ensure_ascii=escape, allow_nan=False)

    comma, colon, gap = style
    body = comma.join(
        "{" + comma.join(f"{text(k)}{colon}{text(v)}" for k, v in row) + gap + "}"
        for row in document_rows
    )
    head = comma.join(text(name) for name in headers)
    return f'{{"headers"{colon}[{head}]{comma}"topics"{colon}[{gap}{body}{gap}]{gap}}}'.encode()


STYLES = st.sampled_from(
    [(",", ":", ""), (", ", ": ", ""), (",\n  ", " : ", "\n"), (" ,", ":", " ")]
)


@st.composite
def bodies(draw):
    kind = draw(st.sampled_from([rows, common_rows, tidy_rows]))
    some = st.sampled_from(["A", "B", "C1", "D"]) if kind is tidy_rows else NAMES
    names = draw(st.lists(some, min_size=1, max_size=5, unique=True))
    document_rows = draw(st.lists(kind(names), max_size=12))
    headers = ["date", "time", *draw(st.lists(st.sampled_from(names), max_size=6))]
    if kind is not rows:
        headers = ["date", "time", *names]
    style = draw(STYLES)
    return dumped(document_rows, headers, style, escape=draw(st.booleans()))


def result(read, *args, **options):
    try:
        page = read(*args, **options)
    except DentError as error:
        return type(error), str(error)
    return (
        page.columns,
        page.minutes.tolist(),
        page.values.shape,
        page.values.tobytes(),
        page.report,
    )


WINDOWS = st.sampled_from([None, Window(2023, 12), Window(2023, 12, 12), Window(2023, 12, 12, 2)])


@unhurried
@given(bodies(), WINDOWS, st.integers(1, 400))
def test_the_fast_way_equals_the_slow_one(body, window, size):
    """Any answer, cut into slices of any size, gives the same page or the same error."""
    assert result(decode, body, window, slice_bytes=size) == result(decode_slow, body, window)


@unhurried
@given(bodies())
def test_every_slice_size_gives_the_same(body):
    """Cutting at every place there is repeats no row and loses none."""
    whole = result(decode_slow, body)
    for size in range(1, min(len(body), 150)):
        assert result(decode, body, slice_bytes=size) == whole


@unhurried
@given(bodies(), st.data(), st.integers(1, 100))
def test_damaged_bodies_give_the_same_or_a_typed_error(body, data, size):
    """A body that is cut, spliced or overwritten anywhere never decodes to something else."""
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, min(len(body), start + 20)))
    glyphs = st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"},{", b"1"])
    patch = data.draw(glyphs | st.binary(max_size=3))
    damaged = body[:start] + patch + body[stop:]
    assert result(decode, damaged, slice_bytes=size) == result(decode_slow, damaged)


@unhurried
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_a_page_or_a_typed_error(body):
    """Whatever comes, no other exception leaves the decoder."""
    assert result(decode, body, slice_bytes=1) == result(decode_slow, body)


@st.composite
def tables(draw):
    names = draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=6, unique=True))
    assume(not {"date", "time"} & set(names))
    cells = st.dictionaries(st.sampled_from(names), NUMBERS, max_size=6)
    return names, draw(st.lists(cells, max_size=20))


@unhurried
@given(tables(), st.integers(1, 300), STYLES)
def test_every_value_lands_once_in_its_own_column(table, size, style):
    """Each cell is where its row and key say, bit for bit what float() gives, and nowhere else."""
    names, cells = table
    times = [f"{i // 60:02d}:{i % 60:02d}" for i in range(len(cells))]
    made = [
        [("date", "2023-12-12"), *row.items(), ("time", time)]
        for row, time in zip(cells, times, strict=True)
    ]
    page = decode(dumped(made, names, style, escape=False), slice_bytes=size)
    want = np.array([[number(row.get(name, "")) for name in names] for row in cells])
    assert page.columns == tuple(names)
    assert page.values.tobytes() == want.reshape(len(cells), len(names)).tobytes()
    assert sum(page.report.absent.values()) == sum(len(names) - len(row) for row in cells)


@unhurried
@given(st.lists(NUMBERS | JSON_NUMBERS.map(repr), min_size=1, max_size=30))
@example(["0.1", "2.2250738585072011e-308", "5e-324", "9007199254740993", "1" + "0" * 300])
def test_numbers_are_bit_identical_to_float(texts):
    """As text or as JSON number, a cell has the very bits of float()."""
    texts = [text for text in texts if math.isfinite(float(text))]
    made = [[("date", "2023-12-12"), ("time", "00:00"), ("A", text)] for text in texts]
    page = decode(dumped(made, ["A"], (",", ":", ""), escape=False))
    assert [struct.pack("<d", v) for v in page.values[:, 0]] == [
        struct.pack("<d", float(text)) for text in texts
    ]


@unhurried
@given(st.text(max_size=8) | NASTY)
def test_a_number_is_what_float_says_or_not_a_number(text):
    """The reader of one text accepts nothing that float() refuses, and changes no value."""
    value = number(text)
    assert not math.isinf(value)
    if not math.isnan(value):
        assert struct.pack("<d", value) == struct.pack("<d", float(text))
    elif text.strip().isascii() and "_" not in text:
        with pytest.raises((ValueError, ArithmeticError)):
            int(float(text))
