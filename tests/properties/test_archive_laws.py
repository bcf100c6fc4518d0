"""Laws of the archive: neither order, nor repetition, nor a crash changes what is read."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe.archive import Archive
from dentframe.cloud import Job, Window
from tests.archive_kit import METER, READ_AT, Model, answer, cells, every, killed_at, later

WINDOWS = ("2024-01", "2024-01-01", "2024-01-02", "2024-01-01T00", "2024-01-01T05", "2024-02")
COLUMNS = ("kWHNet/Elm/A", "kWHNet/Elm/B", "DemandkW/Elm/A")
TOPICS = (("kWHNet",), ("DemandkW",), ("kWHNet", "DemandkW"))


@st.composite
def answers(draw):
    """An answer for some window and topics, with rows now and then and elements at times."""
    window, topics = draw(st.sampled_from(WINDOWS)), draw(st.sampled_from(TOPICS))
    minutes = draw(st.lists(st.integers(0, 59), max_size=5, unique=True))
    days = range(0, len(Window.parse(window).minutes), 1440)
    rows = [d + m for d in days for m in minutes][:80]
    asked = [c for c in COLUMNS if c.split("/")[0] in topics and draw(st.booleans())]
    value = draw(st.integers(0, 9))
    columns = {c: {m: value + i / 8 for i, m in enumerate(rows)} for c in asked}
    return answer(window, columns, topics)


@st.composite
def histories(draw):
    """Answers with distinct times of reading, kept in any order; settled, killed and repeated."""
    made = draw(st.lists(answers(), min_size=1, max_size=5))
    hours = draw(st.permutations(range(len(made))))
    steps = []
    for one, hour in zip(made, hours, strict=True):
        if draw(st.booleans()):
            steps.append(("killed keep", one, hour, draw(st.integers(0, 8))))
        steps.append(("keep", one, hour, 0))
        after = draw(st.sampled_from(("", "settle", "killed settle", "keep")))
        if after:
            steps.append((after, one, hour, draw(st.integers(0, 14))))
    return steps


def live(archive, step):
    """One step of a history."""
    what, one, hour, when = step
    with killed_at(when if what.startswith("killed") else 10**6):
        archive.keep(one, later(hour)) if "keep" in what else archive.settle()


@settings(max_examples=60)
@given(histories())
def test_what_is_read_is_what_was_read_last(steps):
    """After any history, crashes included, every topic reads as a plain model says."""
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        for step in steps:
            live(archive, step)
            if step[0] == "killed keep":
                continue  # kept or not: the keep that follows tells
            if step[0] == "keep":
                model.keep(step[1], later(step[2]))
            check(archive, model)
        archive.settle()
        check(archive, model)


def check(archive, model):
    """Compare all topics of two months with the model."""
    for topics in TOPICS:
        jobs = [Job(METER, Window(2024, month), topics) for month in (1, 2)]
        assert cells([p for job in jobs for p in archive.pages(job)]) == model.cells(topics)


@settings(max_examples=15)
@given(st.integers(0, 60), st.lists(answers(), min_size=2, max_size=3))
def test_a_settling_may_be_killed_at_every_step(step, made):
    """Killed at any rename, sync or removal, a settled archive still holds each row once."""
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        for hour, one in enumerate(made):
            archive.keep(one, later(hour))
            model.keep(one, later(hour))
        with killed_at(step):
            archive.settle()
        check(archive, model)
        archive.settle()
        check(archive, model)


@settings(max_examples=15)
@given(st.integers(0, 31 * 1440), st.booleans())
def test_splitting_at_any_instant_changes_nothing(minute, settled):
    """Reading up to an instant and from it on is reading at once."""
    start, end = pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-02-01", tz="UTC")
    cut = start + pd.Timedelta(minutes=min(max(minute, 1), 31 * 1440 - 1))
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        archive.keep(answer("2024-01", {"kWHNet/Elm/A": every(15, "2024-01")}), READ_AT)
        if settled:
            archive.settle()
        whole = archive.read(METER, start, end)
        parts = [archive.read(METER, start, cut), archive.read(METER, cut, end)]
    together = pd.concat(parts)
    pd.testing.assert_index_equal(together.index, whole.index)
    np.testing.assert_array_equal(together.to_numpy(), whole.to_numpy())
