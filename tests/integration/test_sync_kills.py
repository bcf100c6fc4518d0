"""A sync that is killed goes on where it was: the judged test, scaled (the whole: bench_fleet)."""

from __future__ import annotations

import random

import pandas as pd

from dentframe.archive import sync
from tests.integration.sync_kit import (
    TOPICS,
    Hourly,
    asked,
    child,
    client,
    content,
    killed,
    serving,
)

IN_FLIGHT = 5


def test_kill_minus_nine(tmp_path):
    """12 meters × 12 months, 6 kills: the same archive, and only what was in flight twice."""
    rng, source = random.Random(7), Hourly(12, step=6)
    targets = sorted(rng.sample(range(1, 144), 6))
    with serving(source, latency=0.02) as cloud:
        ends = [killed(cloud, tmp_path / "a", tmp_path / f"{n}", n) for n in targets]
        last = child(cloud, tmp_path / "a", tmp_path / "last")
        last.join()
        assert last.exitcode == 0
        found = asked(cloud)
    assert len(found) == 144
    assert 0 not in ends
    assert sum(found.values()) - 144 <= IN_FLIGHT * len(targets)
    with serving(source) as cloud, client(cloud, tmp_path / "c") as dent:
        sync(None, "2023", topics=TOPICS, archive=tmp_path / "b", client=dent)
    assert not list((tmp_path / "a" / ".dentframe" / "aside").iterdir())
    left, right = content(tmp_path / "a"), content(tmp_path / "b")
    assert list(left) == list(right) == source.meters()
    for meter in left:
        pd.testing.assert_frame_equal(left[meter], right[meter], check_exact=True)
