"""What the tests of the wire share: answers made by hand, and both ways to decode them."""

import json
import struct

import pytest

from dentframe.wire.decode import decode, decode_slow

BOTH = pytest.mark.parametrize("read", [decode, decode_slow], ids=["fast", "slow"])


def row(cells=None, day="2023-12-12", time="02:02", **more):
    return {"date": day, "time": time, **(cells or {}), **more}


def answer(*rows, headers=("A", "B"), **more):
    return json.dumps(
        {"headers": ["date", "time", *headers], "topics": list(rows), **more}
    ).encode()


def bits(values):
    return [struct.pack("<d", value) for value in values]
