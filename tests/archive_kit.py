"""What the tests of the archive share: answers made by hand, and a plain model of what is held."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dentframe.cloud import Answer, Job, Window
from dentframe.frame import assemble as _frame
from dentframe.wire.columns import ordered
from dentframe.wire.pages_and_bad_cells import Page, Report

METER = "P1"
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)


def answer(window, columns, topics=None, meter=METER, report=None):
    """An answer with these columns: {"kWHNet/Elm/A": {minute of the window: value}}."""
    window = Window.parse(window)
    topics = tuple(dict.fromkeys(c.split("/")[0] for c in columns)) if topics is None else topics
    minutes = sorted({m for cells in columns.values() for m in cells})
    values = np.full((len(minutes), len(columns)), np.nan, order="F")
    for i, cells in enumerate(columns.values()):
        values[:, i] = [cells.get(m, np.nan) for m in minutes]
    stamps = np.array(minutes, dtype=np.int64) + window.minutes.start
    report = Report(rows=len(minutes)) if report is None else report
    return Answer(
        Job(meter, window, tuple(topics)), (Page(window, tuple(columns), stamps, values, report),)
    )


def every(step, window, first=2, value=1.0):
    """One value at every so many minutes of a window."""
    length = len(Window.parse(window).minutes)
    return {m: value + i / 1000 for i, m in enumerate(range(first, length, step))}


def later(hours):
    """An instant after READ_AT."""
    return READ_AT + timedelta(hours=hours)


def cells(pages):
    """All cells of pages by (minute, column), and the minutes of their rows."""
    columns = ordered(dict.fromkeys(c for page in pages for c in page.columns))
    table = _frame.join(pages, columns)
    found = {
        (m, c): v
        for i, c in enumerate(columns)
        for m, v in zip(table.minutes.tolist(), table.values[:, i].tolist(), strict=True)
        if not np.isnan(v)
    }
    return found, table.minutes.tolist()


class Model:
    """What an archive should hold: a dict of topic to minute to cells, and nothing clever."""

    def __init__(self):
        self.kept = []

    def keep(self, one, read_at):
        """Take an answer; those read later replace those read earlier."""
        self.kept.append((read_at, one.window, one.job.topics, one))

    def cells(self, topics):
        """The cells and rows of some topics."""
        held = {}
        for _, window, asked, one in sorted(self.kept, key=lambda kept: kept[:3]):
            for topic in asked:
                rows = held.setdefault(topic, {})
                for minute in [m for m in rows if m in window.minutes]:
                    del rows[minute]
                for page in one.pages:
                    for row, minute in enumerate(page.minutes.tolist()):
                        rows[minute] = {
                            c: float(page.values[row, i])
                            for i, c in enumerate(page.columns)
                            if c.split("/")[0] == topic
                        }
        rows = sorted({m for t in topics for m in held.get(t, {})})
        found = {
            (m, c): v
            for t in topics
            for m, row in held.get(t, {}).items()
            for c, v in row.items()
            if not np.isnan(v)
        }
        return found, rows


class Killed(BaseException):
    """Stands for kill -9: nothing in dentframe catches it."""


@contextmanager
def killed_at(step):
    """Die right before the so manieth rename, sync or removal; without so many, live."""
    left = [step]

    def deadly(call):
        def one(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return call(*args, **kwargs)

        return one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", deadly(os.replace))
        patch.setattr(os, "fsync", deadly(os.fsync))
        patch.setattr(Path, "unlink", deadly(Path.unlink))
        try:
            yield
        except Killed:
            return
