"""`unusual`: nights, weekends and holidays beside the element's own profile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import Window
from dentframe.errors import ConfigError, CoverageWarning, RangeError
from tests.plot_kit import LA, means

COLUMNS = ["element", "start", "end", "energy", "expected", "excess"]


def month(**more):
    """February: 2 kW by night, 10 kW by day on working days, and what is planted."""
    frame = means("2024-02-01", "2024-03-01", A=2.0, **more)
    middle = (frame.index - pd.Timedelta("8min")).tz_convert(LA)
    day = (middle.hour >= 7) & (middle.hour < 19) & (middle.day_of_week < 5)
    frame.loc[day, "DemandkW/Elm/A"] = 10.0
    return frame


def during(frame, start, end, kw):
    """The frame with another power in a stretch of local time."""
    low, high = (pd.Timestamp(x, tz=LA) for x in (start, end))
    made = frame.copy()
    made.loc[(made.index > low) & (made.index <= high), "DemandkW/Elm/A"] = kw
    return made


@pytest.mark.parametrize("ask", [lambda dent: dent.unusual(), lambda dent: dent.plot.heatmap()])
def test_without_a_zone_no_freq_is_named_that_was_not_given(ask):
    """Days are local, and the message says so."""
    with pytest.raises(RangeError, match="each local day begins without a time zone") as told:
        ask(month().dent)
    assert "'D'" not in str(told.value)


def test_a_night_that_stayed_on_is_first():
    """Three hours at 7 kW more; all other nights are as usual."""
    found = during(month(), "2024-02-14 23:00", "2024-02-15 02:00", 9.0).dent.unusual(tz=LA)
    assert found.columns.tolist() == COLUMNS
    first = found.iloc[0]
    assert first["start"] == pd.Timestamp("2024-02-14 22:00", tz=LA)
    assert first[["energy", "expected", "excess"]].tolist() == pytest.approx([37.0, 16.0, 21.0])
    assert len(found) == 28
    assert found["excess"][1:].to_numpy() == pytest.approx(0.0)


def test_an_idle_and_busy_load_is_as_often_above_as_below():
    """The usual night is a median of energies, not a sum of medians: compressors run by turns."""
    frame = means("2024-01-01", "2024-03-01", A=0.0)
    frame["DemandkW/Elm/A"] = np.random.default_rng(1).choice([0.5, 20.0], len(frame), p=[0.7, 0.3])
    found = frame.dent.unusual(tz=LA)
    assert (found["excess"] > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_weekends_and_holidays():
    """A Saturday left on; a Monday that was a holiday and worked on all the same."""
    frame = during(month(), "2024-02-10 08:00", "2024-02-10 12:00", 10.0)
    first = frame.dent.unusual("weekend", tz=LA).iloc[0]
    assert first["start"] == pd.Timestamp("2024-02-10", tz=LA)
    assert (first["expected"], first["excess"]) == (pytest.approx(96.0), pytest.approx(32.0))
    (day,) = frame.dent.unusual("holiday", holidays=["2024-02-19"], tz=LA).itertuples()
    assert day.energy == pytest.approx(144.0)
    assert day.expected == pytest.approx(48.0, abs=5)
    own = frame.dent.unusual(Window("lunch", "12:00", "13:00", days="weekday"), tz=LA)
    assert len(own) == 21


def test_a_partly_covered_night_is_compared_with_its_covered_part():
    """A warning counts it; `min_coverage` leaves it out."""
    frame = during(month(), "2024-02-14 22:00", "2024-02-15 02:00", np.nan)
    with pytest.warns(CoverageWarning, match="1 of 28 figures by night"):
        found = frame.dent.unusual(tz=LA)
    row = found[found["start"] == pd.Timestamp("2024-02-14 22:00", tz=LA)].iloc[0]
    assert (row["energy"], row["excess"]) == (pytest.approx(8.0), pytest.approx(0.0))
    assert len(frame.dent.unusual(tz=LA, min_coverage=0.9)) == 27


def test_elements_and_meters_are_ranked_together():
    """Each by its own profile; the greatest excess of all comes first."""
    frame = during(month(B=1.0), "2024-02-14 23:00", "2024-02-15 02:00", 9.0)
    both = pd.concat({"P1": month(B=1.0), "P2": frame}, names=["meter", "time"])
    found = both.dent.unusual(tz=LA)
    assert found.columns[0] == "meter"
    assert found.loc[0, ["meter", "element"]].tolist() == ["P2", "A"]
    assert set(both.dent.unusual(tz=LA, elements="P1_B")["element"]) == {"B"}
    dataset = frame.dent.to_xarray().dent.unusual(tz=LA)
    assert dataset["excess"].attrs["units"] == dataset["energy"].attrs["units"]
    assert float(dataset["excess"].max()) == pytest.approx(21.0)


def test_nothing_and_what_cannot_be_meant():
    """A span without a whole night has no row; a zone and a known window are needed."""
    frame = month()
    assert frame.iloc[:4].dent.unusual(tz=LA).columns.tolist() == COLUMNS
    with pytest.raises(RangeError, match="time zone"):
        frame.dent.unusual()
    with pytest.raises(ConfigError, match="freq='D'"):
        frame.dent.unusual("D", tz=LA)
    with pytest.raises(ConfigError, match="Give them"):
        frame.dent.unusual("holiday", tz=LA)
