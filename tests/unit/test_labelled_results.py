"""Results of energy and peaks as Datasets: periods, bounds, ranks and units."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dentframe.datasets import to_xarray
from tests.attrs_kit import told

LA = "America/Los_Angeles"


def readings(periods=4, start="2023-12-31 23:30"):
    """Quarter hours of two elements' demand, and a register of one that counts 1 kW."""
    index = pd.date_range(start, periods=periods, freq="15min", tz="UTC", name="time")
    n = np.arange(float(periods))
    data = {"DemandkW/Elm/A": 1 + n, "DemandkW/Elm/C": 10 * (1 + n), "kWHNet/Elm/A": 100 + n / 4}
    frame = pd.DataFrame(data, index=index.as_unit("us"))
    return told(frame, {"P1": [index[0], index[-1]]}, units={"DemandkW": "kW"})


def test_energy_has_the_bounds_of_its_periods():
    """Each period ends where the next begins, the last where the verb said."""
    frame = readings(periods=193, start="2024-01-01")
    ds = frame.dent.energy("D", tz="UTC", min_coverage=0).dent.to_xarray()
    assert ds["Energy"].attrs["cell_methods"] == "time: sum"
    days = pd.date_range("2024-01-01", periods=3, freq="D")
    ends = [pd.Timestamp(x) for x in ds["time_bnds"].values[:, 1]]
    assert ends[:2] == list(days[1:])
    assert ds["Energy"].values[:2, 0].tolist() == [24.0, 24.0]


def test_periods_taken_out_have_no_bounds():
    """Where a row is missing, the next start is not the end: no bounds rather than wrong ones."""
    found = readings(periods=385, start="2024-01-01").dent.energy("D", tz="UTC", min_coverage=0)
    assert "time_bnds" in to_xarray(found).coords
    assert "time_bnds" not in to_xarray(found.iloc[[0, 2]]).coords


def test_energy_rows_are_variables_over_period_and_element():
    """Every column of `detail` but the keys is a variable; periods have bounds."""
    frame = readings(periods=193, start="2024-01-01")
    rows = frame.dent.energy("D", tz=LA, min_coverage=0, detail=True)
    ds = rows.dent.to_xarray()
    assert ds["energy"].dims == ("period", "element")
    assert ds["energy"].attrs["units"] == "kW h"
    assert set(rows.columns) - {"start", "end", "element"} == set(ds.data_vars)
    first = rows.iloc[0]
    cell = ds.isel(period=0).sel(element=first["element"])
    assert float(cell["energy"]) == first["energy"]
    assert str(cell["status"].values) == first["status"]
    assert ds["period"].attrs["timezone"] == LA
    assert pd.Timestamp(ds["period_bnds"].values[0, 1], tz="UTC") == first["end"]


def test_peaks_lie_along_rank():
    """Ranks are a dimension; a rank that a period lacks is NaN and NaT."""
    frame = readings(periods=6)
    frame.iloc[3:, 0] = np.nan
    rows = frame.dent.peaks(tz="UTC", n=4, min_coverage=0)
    ds = rows.dent.to_xarray()
    assert ds["peak"].dims == ("period", "element", "rank")
    assert ds["peak"].sel(element="A").values.tolist()[0][:2] == [3.0, 2.0]
    assert np.isnan(float(ds["peak"].sel(element="A", rank=4)[0]))
    assert np.isnat(ds["start"].sel(element="A", rank=4).values[0])
    assert ds["peak"].attrs["units"] == "kW"


def test_apparent_energy_keeps_its_unit():
    """kVAh stays kVAh, in rows as in columns."""
    frame = readings().rename(columns={"kWHNet/Elm/A": "kVAHNet/Elm/A"})
    frame.attrs = {}
    rows = frame.dent.energy(topic="kVAHNet", tz="UTC", detail=True, min_coverage=0)
    assert to_xarray(rows)["energy"].attrs["wire_unit"] == "kVAh"
    wide = frame.dent.energy(topic="kVAHNet", tz="UTC", min_coverage=0)
    assert to_xarray(wide)["ApparentEnergy"].attrs["units"] == "kV A h"
