"""The report of a sync."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pandas as pd
import pytest

from dentframe import SyncReport
from dentframe.archive.sync import Missing, counted
from dentframe.cloud import Answer, Job, Window
from dentframe.errors import UnavailableError

REPORT = SyncReport(
    archive="portfolio",
    meters=2,
    start=pd.Timestamp("2023-01-01", tz="UTC"),
    end=pd.Timestamp("2024-01-01", tz="UTC"),
    topics=("kWHNet",),
    requests=14,
    kept=11,
    empty=1,
    held=11,
    failures=(Missing("P2", "2023-07", "Cannot read <P2> 2023-07: 503."),),
    bytes=12_345_678,
    seconds=3.25,
)


def test_its_text_says_what_and_why():
    """Counts in a few lines, and every missing window with its reason."""
    assert str(REPORT).splitlines() == [
        "Synced 2 meter(s), 2023-01-01 00:00 to 2024-01-01 00:00 UTC, into portfolio",
        "  14 request(s), 12.3 MB, 4 s",
        "  windows: 11 kept, 11 held already, 1 without a reading, 1 missing",
        "  missing P2 2023-07: Cannot read <P2> 2023-07: 503.",
    ]
    assert repr(REPORT) == str(REPORT)


def test_many_missing_windows_are_counted():
    """The text names ten, the table has all."""
    many = replace(REPORT, failures=REPORT.failures * 40, stopped="the quota is used up")
    assert str(many).splitlines()[-1] == "  and 30 more: see .missing"
    assert "stopped: the quota is used up" in str(many)
    assert many.missing.shape == (40, 3)


def test_missing_is_a_table_even_when_empty():
    """Three columns of text, with or without rows."""
    whole = replace(REPORT, failures=())
    assert whole.ok
    assert not REPORT.ok
    assert list(whole.missing.columns) == ["meter", "window", "reason"]
    assert REPORT.missing.iloc[0].tolist() == list(REPORT.failures[0])


def test_its_html_is_safe():
    """Texts of the service cannot smuggle in tags."""
    shown = replace(REPORT, stopped="<b>down</b>")._repr_html_()
    assert "<b>" not in shown
    assert "<P2>" not in shown
    assert "&lt;P2&gt;" in shown


def test_a_reason_of_two_lines_stands_in_the_table_alone():
    """A notebook does not show the rest of it as a note."""
    shown = replace(REPORT, failures=(Missing("P2", "2023-07", "503\nlater"),))._repr_html_()
    assert shown.count("later") == 1


def test_it_is_ready_for_json_and_frozen():
    """as_dict holds plain values only; the report cannot be changed."""
    said = json.loads(json.dumps(REPORT.as_dict()))
    assert said["missing"] == [REPORT.failures[0]._asdict()]
    assert (said["requests"], said["failed"], said["ok"]) == (14, 1, False)
    with pytest.raises(FrozenInstanceError):
        REPORT.kept = 3


def test_counts_of_answers():
    """A window is kept, empty or neither; the cache's bodies are no traffic."""
    job = Job("P1", Window(2023, 1), ("A",))
    report = replace(REPORT, requests=0, kept=0, empty=0, bytes=0)
    report = counted(report, Answer(job, error=UnavailableError("no"), sends=8))
    report = counted(report, Answer(job, cached=True, size=500))
    report = counted(report, Answer(job, sends=2, size=70))
    assert (report.requests, report.kept, report.empty, report.bytes) == (10, 0, 2, 70)
