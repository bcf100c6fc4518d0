"""The engine over an archive of made-up answers: several meters, topics whose rows differ."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr
from engine_kit import answer_of, eager, lazy, reads

from dentframe.archive import Archive

pytest.importorskip("pyarrow")

__all__ = ["reads"]  # a fixture


def test_meters_with_the_same_times_lie_along_one_dimension(tmp_path, reads):
    """Two meters of different columns; one that is selected is the only one read."""
    archive = Archive(tmp_path / "a")
    own = {"P1": ["DemandkW/Elm/A", "A/Ch/A1"], "P2": ["DemandkW/Elm/A", "DemandkW/Elm/B"]}
    for meter, columns in own.items():
        for month in ("2023-07", "2023-08"):
            archive.keep(answer_of(meter, month, columns, slice(None)), datetime.now(UTC))
    archive.settle()
    options = {"end": "2023-09-01", "topics": "DemandkW", "bracket": False}
    expected = eager(archive, ["P1", "P2"], **options)
    ds = lazy(archive, ["P1", "P2"], **options, chunks={})
    assert ds.sizes == {"meter": 2, "time": 5952, "element": 2, "nv": 2}
    reads.clear()
    xr.testing.assert_identical(ds.sel(meter="P2").load(), expected.sel(meter="P2"))
    assert {columns for _, _, columns in reads} == {("DemandkW/Elm/A", "DemandkW/Elm/B")}
    assert ds.load().identical(expected)
    assert np.isnan(ds.DemandkW.sel(meter="P1", element="B")).all()


def test_topics_whose_rows_differ_share_the_times(tmp_path):
    """Where one topic's answer lacks rows that the other's has, its cells are NaN, as in a read."""
    archive = Archive(tmp_path / "a")
    archive.keep(answer_of("P1", "2023-07", ["DemandkW/Elm/A"], slice(0, 2000)), datetime.now(UTC))
    archive.keep(answer_of("P1", "2023-07", ["A/Ch/A1"], slice(1000, None)), datetime.now(UTC))
    archive.settle()
    options = {"end": "2023-08-01", "topics": ["DemandkW", "A"]}
    ds, expected = lazy(archive, "P1", **options), eager(archive, "P1", **options)
    assert ds.sizes["time"] == 2976
    assert int(ds.DemandkW.count()) == 2000
    assert ds.load().identical(expected)
