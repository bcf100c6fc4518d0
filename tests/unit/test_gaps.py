"""`gaps` and `coverage`: what is missing, and what a register still knows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError, KindError
from tests.attrs_kit import told
from tests.unit.test_demand import KW, KWH, quarters

COLUMNS = ("element", "start", "end", "missing_intervals", "energy_known")


def test_a_register_that_goes_on_knows_the_energy():
    """One row a gap: its span, how many readings, whether the energy is known."""
    frame = quarters({KW: [1, np.nan, np.nan, 1], KWH: [1, np.nan, np.nan, 4]})
    rows = frame.dent.gaps()
    assert tuple(rows.columns) == COLUMNS
    assert rows[["missing_intervals", "energy_known"]].to_numpy().tolist() == [[2, True]]
    assert rows["end"][0] - rows["start"][0] == pd.Timedelta("30min")


def test_what_bracketing_rows_would_give_is_no_gap():
    """Less than an interval at an end of the range that was read is not lost."""
    frame = quarters({KW: [1, 1]}, "2024-01-01 00:02")
    told(frame, {"P1": ["2024-01-01T00:00Z", "2024-01-01T00:30Z"]})
    assert frame.dent.gaps().empty
    assert len(frame.dent.gaps(end="2024-01-01 00:30", tz="UTC")) == 1


def test_gaps_of_a_register_alone():
    """Its readings tell: the same rule as for means."""
    rows = quarters({KWH: [1, np.nan, 3, 4]}).dent.gaps()
    assert rows[["missing_intervals", "energy_known"]].to_numpy().tolist() == [[1, True]]


def test_an_empty_result_has_its_columns():
    """No gap, no row; the times that are not there have a zone as others have."""
    rows = quarters({KW: [1, 1]}).dent.gaps(tz="Asia/Seoul")
    assert tuple(rows.columns) == COLUMNS
    assert rows["start"].dt.tz.key == rows["end"].dt.tz.key == "Asia/Seoul"


def test_gaps_of_several_meters():
    """A first column `meter`, times in the zone asked."""
    parts = {m: quarters({KW: [1, np.nan, 1]}) for m in ("P1", "P2")}
    rows = pd.concat(parts, names=["meter", "time"]).dent.gaps(tz="Asia/Seoul")
    assert rows["meter"].tolist() == ["P1", "P2"]
    assert str(rows["start"].dt.tz) == "Asia/Seoul"


def test_coverage_of_energy_and_of_readings():
    """A register bridges a gap: its energy is covered, its readings are not there."""
    frame = quarters({KWH: [1, np.nan, np.nan, 4, 5]})
    assert frame.dent.coverage()["A"].tolist() == [1.0]
    assert frame.dent.coverage(of="readings")["A"].tolist() == pytest.approx([0.5])
    for word in ("kWh", ["energy"], np.array(["energy", "kWh"])):
        with pytest.raises(ConfigError, match=f"of={re.escape(repr(word))}"):
            frame.dent.coverage(of=word)


def test_a_register_that_is_none_is_reported_and_not_refused():
    """What was differenced by hand, or feeds back undeclared: no energy, though readings came."""
    rng = np.random.default_rng(3)
    time = pd.date_range("2024-01-01", periods=97, freq="15min", tz="UTC").delete([40, 41])
    frame = pd.DataFrame({"kWHNet/Elm/A": rng.uniform(0, 5, 95)}, index=time)
    with pytest.raises(KindError, match="differenced by hand"):
        frame.dent.energy(elements="A")
    assert frame.dent.coverage("D", tz="UTC").iloc[0, 0] < 0.1
    assert frame.dent.coverage("D", of="readings", tz="UTC").iloc[0, 0] == pytest.approx(94 / 96)
    rows = frame.dent.gaps()[["missing_intervals", "energy_known"]]
    assert rows.to_numpy().tolist() == [[2, False], [0, False]]


def test_an_undeclared_exporter_beside_others_has_a_row_of_the_span():
    """Its readings came, and its energy is not known; what feeds no energy back has no row."""
    rises = np.sin(np.arange(97) / 10)
    frame = quarters({KWH: 1000 + np.cumsum(rises), KW: 4 * np.abs(rises)})
    frame["kWHNet/Elm/B"] = np.arange(97.0)
    (row,) = frame.dent.gaps().itertuples()
    assert (row.element, row.missing_intervals, row.energy_known) == ("A", 0, False)
    assert row.end == frame.index[-1]
    assert frame.dent.gaps(source="demand").empty
    (found,) = frame.dent.quality().itertuples()
    assert (found.element, found.finding) == ("A", "falling_register")
    assert frame.dent.coverage().iloc[0].tolist() == [0.0, 1.0]
