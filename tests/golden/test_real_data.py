"""Real meters: AMPds2's PowerScout, the Forrestal panels and a steel works' year."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import CoverageWarning
from dentframe.verbs.energy import energy
from tests.attrs_kit import told

DATA = Path(__file__).parents[3] / "shared" / "data"
SEOUL, NEW_YORK = "Asia/Seoul", "America/New_York"

pytestmark = pytest.mark.skipif(
    not (DATA / "to_wire.py").is_file(), reason=f"no real data in {DATA}"
)


@functools.cache
def wire(name):
    """The meters of one data set, as rows of wire columns."""
    spec = importlib.util.spec_from_file_location("to_wire", DATA / "to_wire.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)(2)


def frame_of(name, meter):
    """One meter's readings as floats over UTC."""
    rows = wire(name).rows[meter]
    frame = pd.DataFrame.from_dict(rows, orient="index").sort_index()
    frame.index = pd.DatetimeIndex(frame.index).tz_convert("UTC").as_unit("us")
    return frame.apply(pd.to_numeric, errors="coerce").astype("float64")


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return call(*args, **kwargs)


@functools.cache
def steel():
    return frame_of("steel", "P900000006")


def test_ampds_register():
    """The register of a real PowerScout tells 0.945 kWh over its span."""
    row = frame_of("ampds", "P900000005").dent.energy(detail=True).iloc[0]
    assert row["energy"] == pytest.approx(0.945, abs=1e-9)
    assert (row["coverage"], row["source"]) == (1, "register")


def test_ampds_sampled_power():
    """Its sampled power, taken for means, gives 1.090 kWh."""
    total = quiet(energy, frame_of("ampds", "P900000005"), source="demand").iloc[0, 0]
    assert total == pytest.approx(1.090, abs=5e-4)


def forrestal_day():
    """Register and demand energy of each panel between its own first and last readings."""
    found = []
    for n in range(1, 5):
        frame = frame_of("forrestal", f"P90000000{n}")
        day = frame.loc["2013-10-01 04:00+00:00":"2013-10-02 04:10+00:00"]
        for element in sorted({c[-1] for c in day if c.startswith("kWHNet")}):
            pair = [f"kWHNet/Elm/{element}", f"DemandkW/Elm/{element}"]
            known = day[pair].dropna()
            span = {"start": known.index[0], "end": known.index[-1]}
            register = quiet(energy, known, **span, source="register").iloc[0, 0]
            demand = quiet(energy, known, **span, source="demand").iloc[0, 0]
            found.append(abs(demand - register) / register)
    return np.array(found)


def test_forrestal_register_against_demand():
    """24 of 25 panels agree within 1.2 %, all within 2.1 %."""
    off = forrestal_day()
    assert len(off) == 25
    assert (off <= 0.012).sum() >= 24
    assert off.max() <= 0.021


def test_steel_days_add_up_to_last_minus_first():
    """Cut at the first and the last reading, local days lose nothing."""
    frame = steel()
    register = frame["kWHNet/Elm/A"]
    days = frame.dent.energy("D", tz=SEOUL, start=frame.index[0], end=frame.index[-1])
    total = register.iloc[-1] - register.iloc[0]
    assert round(total, 2) == 959_636.71
    assert days.iloc[:, 0].sum() == pytest.approx(total, abs=1e-6)


def test_steel_bracketed_year():
    """The local year is bracketed at its end only: 959,636.22 kWh, and January is partial."""
    frame = steel()
    told(frame, {"P900000006": ["2018-01-01T00:00:00+09:00", "2019-01-01T00:00:00+09:00"]})
    with pytest.warns(CoverageWarning, match="bracket=True"):
        frame.dent.energy("MS", tz=SEOUL)
    months = frame.dent.energy("MS", tz=SEOUL, detail=True)
    assert len(months) == 12
    assert months["energy"].sum() == pytest.approx(959_636.22, abs=5e-3)
    assert months["status"].tolist() == ["partial"] + ["recorded"] * 11


def test_steel_intervals_are_the_increments():
    """Each interval between readings is the register's own step."""
    frame = steel()
    parts = frame.dent.intervals(tz=SEOUL)
    steps = frame["kWHNet/Elm/A"].diff().dropna()
    np.testing.assert_allclose(parts.iloc[:, 0], steps, atol=1e-9)
    assert (parts.index == frame.index[:-1]).all()


def test_steel_fast_and_long_way_agree():
    """A blank elsewhere sends the register the long way; the figures stay the same."""
    frame = steel()
    long_way = pd.concat([frame, frame.iloc[[0]]])
    one = frame.dent.energy("D", tz=SEOUL, min_coverage=0, registers=RegisterRules(max_kw=2000.0))
    two = long_way.dent.energy("D", tz=SEOUL, min_coverage=0)
    np.testing.assert_allclose(one, two, rtol=0, atol=0)


def test_data_sets_are_what_they_were():
    """The rows that the figures above rest on."""
    assert len(steel()) == 35_041
    assert sorted(wire("forrestal").rows) == [f"P90000000{n}" for n in range(1, 5)]
