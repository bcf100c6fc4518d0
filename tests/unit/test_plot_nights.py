"""The picture of nights: bars beyond the usual, element by element."""

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from dentframe.errors import ConfigError, RangeError
from tests.plot_kit import LA, means, words
from tests.unit.test_unusual import during, month


@pytest.fixture(autouse=True)
def _closed():
    mpl.use("Agg")
    yield
    plt.close("all")


def test_the_night_that_stayed_on_is_marked():
    """Its excess, its element and its date stand above it."""
    frame = during(month(B=1.0), "2024-02-14 23:00", "2024-02-15 02:00", 9.0)
    ax = frame.dent.plot.nights(tz=LA)
    assert ax.get_ylabel() == "energy beyond the usual night [kWh]"
    assert [x.get_text() for x in ax.texts] == ["+21.0 kWh, A, Wed 14 Feb"]
    assert ax.get_ylim()[1] > 21
    assert words(ax) == ["B", "A"]


def test_weekends_of_several_meters_and_one_element():
    """The axis names the only element; the marks may be none."""
    both = pd.concat({"P1": month(), "P2": month()}, names=["meter", "time"])
    ax = both.dent.plot.nights("weekend", elements="P2_A", n=0, tz=LA)
    assert ax.get_ylabel() == "P2_A, energy beyond the usual weekend [kWh]"
    assert not words(ax)
    with pytest.raises(RangeError, match="holds no whole night"):
        means("2024-02-01 08:00", "2024-02-01 12:00", A=1.0).dent.plot.nights(tz=LA)
    with pytest.raises(ConfigError, match="n=-1"):
        both.dent.plot.nights(n=-1, tz=LA)
