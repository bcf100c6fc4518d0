"""Lifetimes, keys, blobs, what is held, the cap; no HTTP."""

from __future__ import annotations

import gzip
import json
import math
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from dentframe.cloud import Window
from dentframe.cloud.client import Notices
from dentframe.cloud.http_cache import CacheFile, HttpCache, pack, unpack
from dentframe.cloud.planner import Sizes, pieces
from dentframe.cloud.read_in_threads import choose_sets
from dentframe.cloud.requests_and_responses import ApiRequest, Reply, lifetime, prefix
from dentframe.wire.decode import decode
from dentframe.wire.pages_and_bad_cells import complete, fingerprint

DAY = Window(2023, 12, 12)
HOURS = timedelta(hours=1)
TWO = ("DemandkW/Elm/A", "DemandkW/Elm/B")


def body(
    minutes=range(2, 1440, 15),
    columns=("DemandkW/Elm/A",),
    day="2023-12-12",
    value="1.0",
    blank=lambda minute, column: False,
):
    rows = [
        {"date": day, "time": f"{m // 60:02d}:{m % 60:02d}"}
        | {c: "" if blank(m, c) else value for c in columns}
        for m in minutes
    ]
    return json.dumps({"headers": ["date", "time", *columns], "topics": rows}).encode()


def page(*args, **kwargs):
    return decode(body(*args, **kwargs), DAY)


@pytest.fixture
def store(tmp_path):
    made = CacheFile(tmp_path, Notices())
    yield made
    made.close()


@pytest.fixture
def cache(store):
    return HttpCache(store, "acc", lambda: datetime(2024, 1, 1, tzinfo=UTC))


def put(cache, meter, topics, seconds):
    key, now = ApiRequest("getData", meter, DAY, topics).key("acc"), cache.present().timestamp()
    cache.file.put(key, pack(b"x", ("", 0.0)), now, now + seconds)


def after(hours):
    return DAY.end + hours * HOURS


@pytest.mark.parametrize(
    ("made", "hours", "seconds"),
    [
        (page(), 48, math.inf),
        (page(), 47, 4.7 * 3600),
        (page(), 1, 360),
        (page(), 0, 300),
        (page(), -3, 300),
        (page(range(2, 1400, 15)), 100, 36000),
        (page(range(2, 1400, 15)), 24 * 365, 30 * 86400),
        (page([]), 100, 36000),
        (page([]), 24 * 365, 86400),
        (page([]), 47, 0),
        (page([]), -3, 0),
    ],
)
def test_lifetimes_are_those_of_the_design(made, hours, seconds):
    """Complete, incomplete, empty and open windows, by age."""
    assert lifetime(made, ("DemandkW",), after(hours)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("made", "whole"),
    [
        (page(), True),
        (page(columns=("DemandkW/Elm/A", "A/Ch/A1")), True),
        (page(columns=("A/Ch/A1",)), False),
        (page(value="N/A"), False),
        (page([m for m in range(2, 1440, 15) if m != 602]), False),
        (page(range(62, 1440, 15)), False),
        (page(range(2, 1400, 15)), False),
        (page([2]), False),
        (page([]), False),
        (page(value=""), False),
        (page(columns=TWO, blank=lambda minute, column: column == TWO[1]), True),
        (page(columns=TWO, blank=lambda minute, column: minute > 1000), False),
        (page(columns=TWO, blank=lambda minute, column: minute == 602), False),
    ],
)
def test_completeness_is_topics_cells_and_spacing(made, whole):
    """A topic without a column, text, blanks, a gap within or at an edge: incomplete.

    A column that is blank throughout beside others with values is a spare input.
    """
    assert complete(made, ("DemandkW",)) is whole


@pytest.mark.parametrize(
    ("made", "otherwise"),
    [(page(value=""), 30 * 86400), (page([]), 86400), (page([2]), 30 * 86400)],
)
def test_a_window_that_does_not_change_is_final_after_a_year(made, otherwise):
    """The same in two answers a week apart, a year after its end: it is asked no more."""
    for hours, first, seconds in (
        (24 * 365, 24 * 358, math.inf),
        (24 * 365, 24 * 358.5, otherwise),
        (24 * 364, 24 * 10, otherwise),
        (24 * 900, None, otherwise),
    ):
        since = None if first is None else after(first)
        got = lifetime(made, ("DemandkW",), after(hours), since)
        assert got == pytest.approx(seconds)


@pytest.mark.parametrize(("later", "final"), [(600, True), (615, False)])
def test_an_answer_of_an_open_window_is_the_first_of_two(store, later, final):
    """A meter that stopped that day: the same a year on is final, one more row is not."""
    now, request = [DAY.start + 12 * HOURS], ApiRequest("getData", "P1", DAY, ("DemandkW",))
    cache = HttpCache(store, "acc", lambda: now[0])
    for last, present in ((600, now[0]), (later, after(24 * 365))):
        now[0], raw = present, body(range(2, last, 15))
        cache.keep_answer(request, decode(raw, DAY), Reply(200, {}, raw), len(raw))
    (entry,) = store.entries("")
    assert (entry.expires == math.inf) is final


def test_a_fingerprint_is_of_the_readings_alone():
    """The order of rows and columns does not matter, each reading does."""
    one = fingerprint(page(columns=TWO))
    assert one == fingerprint(page(list(range(2, 1440, 15))[::-1], columns=TWO[::-1]))
    others = [page(columns=TWO[:1]), page(columns=TWO, value="2"), page([2, 17], columns=TWO)]
    others.append(page(columns=TWO, blank=lambda minute, column: minute == 602))
    assert len({one, *map(fingerprint, others)}) == 5


def test_the_key_is_readable_by_prefix_and_holds_no_secret():
    """Account, meter, window and sorted topics, each quoted."""
    ask = ApiRequest("getData", "P/1 'x", DAY, ("kWH+", "A"))
    assert ask.key("acc") == "acc/P%2F1%20%27x/2023-12-12/A,kWH%2B"
    assert ask.key("acc").startswith(prefix("acc", "P/1 'x", DAY))
    assert ApiRequest("getMeters").key("acc") == "acc//getMeters"


def test_a_blob_is_json_and_compressed_bytes_never_a_pickle():
    """It comes back bit for bit; whatever else is there is no body."""
    blob = pack(b"some body", ("", 0.0))
    assert unpack(blob) == (b"some body", ("", 0.0))
    packed = pack(gzip.compress(b"some body"), ("abc", 1.5), len(b"some body"))
    assert unpack(packed) == (b"some body", ("abc", 1.5))
    assert json.loads(blob.partition(b"\n")[0])["v"] == 1
    for bad in (b"", b"\n", blob[:-3], blob[:-1] + b"x", pickle.dumps("x"), b"{}\n", b"[1]\nx"):
        assert unpack(bad) is None


@pytest.mark.parametrize("bit_rot", [b"\xff", b"\x00", b'"', b"9", b"\n"])
def test_a_harmed_byte_of_a_blob_raises_nothing(bit_rot):
    """Wherever it is, the body is as it was kept, or there is none."""
    blob = pack(b"some body", ("abc", 1.5))
    for i in range(len(blob)):
        found = unpack(blob[:i] + bit_rot + blob[i + 1 :])
        assert found is None or found[0] == b"some body"


def test_what_is_held_is_the_union_of_fresh_answers(cache):
    """Two answers of a window together hold their topics; one expired holds none."""
    for topics, seconds in ((("A", "V"), math.inf), (("kWHNet",), 60), (("dPF",), -1)):
        put(cache, "P1", topics, seconds)
    assert cache.held("P1", ("A", "kWHNet")) == {DAY}
    assert cache.held("P1", ("A", "dPF")) == set()
    assert cache.held("P1", ("A", "dPF"), any_age=True) == {DAY}
    assert cache.held("P", ("A",)) == set()


def test_held_sets_are_chosen_with_least_waste():
    """One that holds all alone, else those that add most, each for its own part."""
    a, ab, abc, bc = map(frozenset, ("A", "AB", "ABC", "BC"))
    assert choose_sets([abc, ab, bc], "AB") == ([(ab, ab)], frozenset())
    assert choose_sets([a, bc], "ABC") == ([(bc, bc), (a, a)], frozenset())
    assert choose_sets([bc], "ABD") == ([(bc, frozenset("B"))], frozenset("AD"))
    assert choose_sets([], "A") == ([], a)


def test_a_full_cache_forgets_the_expired_and_the_least_recently_used(tmp_path):
    """Above the cap: expired answers go first, then those not read for longest."""
    store = CacheFile(tmp_path, Notices(), cap=5000)
    for i in range(5):
        store.put(f"k{i}", bytes(1000), float(i), 50.0 if i == 4 else math.inf)
    store.get("k0", 100_000.0)
    store.put("k5", bytes(1000), 100_000.0, math.inf)
    left = {entry.key for entry in store.entries("")}
    assert left == {"k0", "k2", "k3", "k5"}
    store.close()


def test_meter_names_do_not_leak_into_each_other(cache):
    """P1 is not a prefix of P10, and a quote in a name is only a name."""
    for meter in ("P1", "P10", "P1'; DROP TABLE answers; --"):
        put(cache, meter, ("A",), math.inf)
    cache.file.delete(prefix("acc", "P1"))
    assert cache.held("P1", ("A",)) == set()
    assert cache.held("P10", ("A",)) == {DAY}
    assert cache.held("P1'; DROP TABLE answers; --", ("A",)) == {DAY}


def test_pieces_are_topics_then_days_then_hours():
    """Together the pieces are the whole; an hour of one topic has none."""
    month = Window(2024, 2)
    assert pieces(month, ("A", "B", "C")) == [(month, ("A", "B")), (month, ("C",))]
    assert [w for w, _ in pieces(month, ("A",))] == list(month.children())
    assert len(pieces(DAY, ("A",))) == 24
    assert pieces(Window(2024, 2, 1, 3), ("A",)) == []


def test_sizes_are_learnt_and_refusals_remembered(cache):
    """Bytes per hour by topic; a refused request and all that hold it are cut next time."""
    sizes, month = Sizes(cache), Window(2023, 11)
    raw = body(columns=("DemandkW/Elm/A", "DemandkW/Elm/B", "A/Ch/A1"))
    assert sizes.per_hour("P1", ("A",)) is None
    sizes.learn("P1", decode(raw, DAY), len(raw))
    assert sizes.per_hour("P1", ("DemandkW", "A")) == pytest.approx(len(raw) / 24, rel=0.01)
    assert sizes.per_hour("P1", ("DemandkW",)) == pytest.approx(len(raw) / 36, rel=0.01)
    now = cache.present().timestamp()
    assert not sizes.too_large("P1", month, ("A", "V"), now)
    sizes.refuse("P1", month, ("A", "V"), now)
    for fresh in (sizes, Sizes(cache)):
        assert fresh.too_large("P1", month, ("A", "V", "DemandkW"), now)
        assert not fresh.too_large("P1", DAY, ("A", "V"), now)
        assert fresh.per_hour("P1", ("A",)) is not None
    assert not Sizes(cache).too_large("P2", month, ("A", "V"), now)
