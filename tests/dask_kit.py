"""What the tests of the archive on Dask share: a small portfolio with all that goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from dentframe.archive import Archive
from dentframe.cloud import Answer, Job, Window
from dentframe.wire.pages_and_bad_cells import Page, Report

LA = "America/Los_Angeles"
TOPICS = ("DemandkW", "kWHNet")
METERS = ["P1", "P2", "P3"]
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)
SPAN = {"start": "2023-01-10", "end": "2023-04-05"}
MONTHS = [Window(2023, month) for month in range(1, 5)]


def portfolio(folder):
    """Three meters over four months, the last of which waits to be settled.

    P2 has a gap, a register that was reset, an element with demand alone (C) and one that is
    blank (D); P3 has no register at all.
    """
    archive = Archive(folder)
    units = {"DemandkW": "kW", "kWHNet": "kWh", "kVAHNet": "kVAh", "A": "A"}
    archive.keep_topics([{"requestKey": k, "unit": u} for k, u in units.items()])
    for number, name in enumerate(METERS, 1):
        minutes, columns = readings(number)
        for month in MONTHS:
            archive.keep(answer(name, month, minutes, columns), READ_AT)
            if month.month == 3:
                archive.settle(name)
    return archive


def readings(number):
    """The minutes and columns of one meter."""
    minutes = np.arange(MONTHS[0].minutes.start + number, MONTHS[-1].minutes.stop, 15)
    rng = np.random.default_rng(number)
    kw = {e: rng.gamma(2.0, 2.0, len(minutes)).round(3) for e in "ABCD"}
    kwh = {e: (100 * number + np.cumsum(v) / 4).round(3) for e, v in kw.items()}
    blank = np.full(len(minutes), np.nan)
    if number == 1:
        return minutes, _named({e: kw[e] for e in "AB"}, {e: kwh[e] for e in "AB"})
    if number == 3:
        return minutes, _named({"A": kw["A"]}, {})
    kwh["B"][4000:] -= kwh["B"][4000] - 3.0
    kwh["C"] = kwh["D"] = kw["D"] = blank
    keep = np.ones(len(minutes), bool)
    keep[2000:2013] = False
    return minutes[keep], {c: v[keep] for c, v in _named(kw, kwh).items()}


def _named(kw, kwh):
    return {f"DemandkW/Elm/{e}": v for e, v in kw.items()} | {
        f"kWHNet/Elm/{e}": v for e, v in kwh.items()
    }


def answer(name, month, minutes, columns):
    """The answer about one month, as the service would have given it."""
    first, last = np.searchsorted(minutes, [month.minutes.start, month.minutes.stop])
    values = np.asfortranarray(np.stack(list(columns.values()), axis=1)[first:last])
    page = Page(month, tuple(columns), minutes[first:last], values, Report())
    return Answer(Job(name, month, TOPICS), (page,))


def flat(result):
    """A verb's wide result over (meter, time) in the form it has on Dask."""
    return result.reset_index("meter").rename_axis(columns=None)


def same(found, expected):
    """That two frames hold the same, in any order of the meters, to 1e-9."""
    assert list(found.columns) == list(expected.columns)
    found, expected = (
        f.reset_index("time") if f.index.name == "time" else f for f in (found, expected)
    )
    keys = ["meter", *(k for k in ("time", "period", "start", "element", "rank") if k in found)]
    found, expected = (f.sort_values(keys, ignore_index=True) for f in (found, expected))
    pd.testing.assert_frame_equal(
        found, expected, check_dtype=False, check_categorical=False, rtol=0, atol=1e-9
    )


def _rows(frame):
    return frame.reset_index("time") if frame.index.name == "time" else frame
