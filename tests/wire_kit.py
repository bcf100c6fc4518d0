"""What the tests of the wire share: answers made by hand, and both ways to decode them."""

import json
import struct
from datetime import UTC, datetime, timedelta

import pytest

from dentframe.wire.decode import decode, decode_slow
from dentframe.wire.pages_and_bad_cells import Report

BOTH = pytest.mark.parametrize("read", [decode, decode_slow], ids=["fast", "slow"])


def row(cells=None, day="2023-12-12", time="02:02", **more):
    return {"date": day, "time": time, **(cells or {}), **more}


def answer(*rows, headers=("A", "B"), **more):
    return json.dumps(
        {"headers": ["date", "time", *headers], "topics": list(rows), **more}
    ).encode()


def bits(values):
    return [struct.pack("<d", value) for value in values]


def hours_between(start, end):
    """The UTC hours that a half-open range touches, counted from 1970-01-01T00:00Z."""
    epoch, hour = datetime(1970, 1, 1, tzinfo=UTC), timedelta(hours=1)
    hours = range((start - epoch) // hour, -((epoch - end) // hour))
    return hours if start < end else range(0)


def is_clean(report):
    """Whether an answer was wholly as the API describes: nothing is counted but its rows."""
    return report == Report(rows=report.rows)
