"""A read of many windows is what its windows are one by one, whatever came, or came twice."""

from __future__ import annotations

import tempfile
import warnings

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe import DentCloud, emulator, read_dentcloud

METER, TOPICS = "P482311252", ["kWHNet", "DemandkW"]
TIMES = pd.date_range("2023-01-01 00:02", "2023-05-01", freq="6h", tz="UTC")
COLUMNS = ["DemandkW/Elm/B", "kWHNet/Elm/A", "DemandkW/Elm/A"]
MONTHS = ["2023-01", "2023-02", "2023-03", "2023-04"]
MISHAPS = st.sampled_from(
    ["", "", "no rows", "few rows", "a late start", "more often", "one more column", "one less"]
)


def rows_of(month, mishap, seed):
    """The rows of one month, as the mishap left them."""
    rng = np.random.default_rng(seed)
    times = TIMES[TIMES.strftime("%Y-%m") == month]
    if mishap == "no rows":
        times = times[:0]
    if mishap == "few rows":
        times = times[rng.random(len(times)) < 0.8]
    if mishap == "a late start":
        times = times[int(rng.integers(1, len(times))) :]
    if mishap == "more often":
        times = pd.date_range(times[0], times[-1], freq="3h")
    more = {"one more column": ["kWHNet/Elm/B"]}.get(mishap, [])
    columns = COLUMNS[:2] if mishap == "one less" else [*COLUMNS, *more]
    cells = rng.integers(0, 10**6, (len(times), len(columns))) / 1000
    texts = (dict(zip(columns, map(str, x), strict=True)) for x in cells.tolist())
    stamps = ({"date": f"{t:%Y-%m-%d}", "time": f"{t:%H:%M}"} for t in times)
    return [a | b for a, b in zip(stamps, texts, strict=True)]


@st.composite
def meters(draw):
    """Rows of a meter, in which some may come twice, with the same values or others."""
    rows = []
    for month in MONTHS:
        rows += rows_of(month, draw(MISHAPS), draw(st.integers(0, 99)))
    again = draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=3))
    twice = [rows[i] | ({"kWHNet/Elm/A": "7.5"} if i % 2 else {}) for i in again if rows]
    return sorted([*rows, *twice], key=lambda row: (row["date"], row["time"]))


def frames(rows, spans, **settings):
    """The frame of each of these spans, from one emulator; warnings are not looked at."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        with emulator.serve(emulator.Fixed({METER: rows}), rate=None, concurrency=None) as cloud:
            keys = cloud.api_key, cloud.key_id
            with DentCloud(*keys, base_url=cloud.url, cache=folder, rate=1000) as client:
                how = {"client": client, "tz": "UTC", "progress": False, **settings}
                return [read_dentcloud(METER, *span, topics=TOPICS, **how) for span in spans]


@given(meters(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_read_of_months_is_its_months(rows, bracket):
    """The values, the times and where readings came twice are those of the months one by one."""
    spans = [(month,) for month in MONTHS]
    whole, *parts = frames(rows, [("2023-01-01", "2023-05-01"), *spans])
    joined = pd.concat(parts)
    pd.testing.assert_frame_equal(whole, joined.reindex(columns=whole.columns), check_freq=False)
    assert set(whole) == set(joined)
    for what in ("conflicts", "duplicates"):
        noted = whole.attrs["dentcloud"][what].get(METER, {})
        each = [part.attrs["dentcloud"][what].get(METER, {}) for part in parts]
        for column in set(whole):
            assert sum(run[2] for run in noted.get(column, [])) == sum(
                run[2] for found in each for run in found.get(column, [])
            )
    if bracket:
        [around] = frames(rows, [("2023-01-15 03:00", "2023-04-15 03:00")], bracket=True)
        inside = whole["2023-01-15 03:00":"2023-04-15 02:59"]
        pd.testing.assert_frame_equal(around.loc[inside.index, whole.columns], inside)
