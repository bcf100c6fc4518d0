"""Reads that find less than was asked, or are refused."""

from __future__ import annotations

import pandas as pd
import pytest

from dentframe import DentCloud, emulator, read_dentcloud
from dentframe.errors import (
    AuthError,
    ConfigError,
    CoverageWarning,
    IncompleteReadError,
    IncompleteReadWarning,
    RangeError,
    ReadingWarning,
    UnknownMeterError,
    UnknownTopicError,
)
from tests.integration import read_kit
from tests.integration.read_kit import METER, serving

cloud = read_kit.cloud
client = read_kit.client


def test_an_element_the_meter_lacks_is_missing_and_told(client):
    """In a list, an element that returned nothing is a column of NaN and a warning."""
    with pytest.warns(ReadingWarning, match="element Z returned no column"):
        df = read_dentcloud([f"{METER}_Z"], "2023-12-05", topics="kWHNet", client=client)
    assert df.columns.tolist() == ["kWHNet/Elm/Z"]
    assert df["kWHNet/Elm/Z"].isna().all()


def test_unreadable_text_warns_once_and_is_missing(tmp_path):
    """`N/A` is NaN, counted and shown; blanks are NaN without a word."""
    rows = [
        {"date": "2024-01-01", "time": "00:02", "kWHNet/Elm/A": "N/A", "kWHNet/Elm/B": ""},
        {"date": "2024-01-01", "time": "00:17", "kWHNet/Elm/A": "1_0", "kWHNet/Elm/B": "2"},
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client, pytest.warns(ReadingWarning, match="2 cell.*'N/A', '1_0'") as caught:
        df = read_dentcloud("P1", "2024-01-01", topics="kWHNet", client=client)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert df["kWHNet/Elm/A"].isna().all()
    assert df["kWHNet/Elm/B"].isna().tolist() == [True, False]


def test_unknown_topics_scopes_and_shapes_come_through(tmp_path):
    """`V/Ph/L1-L2`, `kVARHNet/Elm/A` and `Foo` are kept as they are."""
    rows = [
        {
            "date": "2024-01-01",
            "time": "00:02",
            "V/Ph/L1-L2": "480",
            "kVARHNet/Elm/A": "1",
            "Foo": "2",
        }
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client:
        df = read_dentcloud("P1", "2024-01-01", client=client)
    assert set(df.columns) >= {"V/Ph/L1-L2"}


def test_a_lost_window_is_an_error_that_can_be_taken_up_again(cloud, client):
    """One failed month leaves the others in .partial, and .resume() returns the whole."""
    cloud.faults.add("success_false", where=lambda seen: seen.month == 11)
    with pytest.raises(IncompleteReadError, match="2023-11") as caught:
        read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", client=client)
    error = caught.value
    assert [str(w) for w in error.missing] == ["2023-11"]
    assert set(error.partial.index.month) == {10, 12}
    with pytest.raises(IncompleteReadError):
        error.resume()
    cloud.faults.clear()
    before = len(cloud.data_requests)
    whole = error.resume()
    assert len(cloud.data_requests) == before + 1
    pd.testing.assert_frame_equal(
        whole, read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", client=client)
    )
    expected = whole.copy()
    whole.iloc[:] = 0.0
    pd.testing.assert_frame_equal(error.resume(), expected)


def test_a_single_lost_window_is_taken_up_again_as_often_as_one_likes(cloud, client):
    """What came with one answer is not shared with a frame that was changed meanwhile."""
    cloud.faults.add("success_false", where=lambda seen: seen.month == 11)
    with pytest.raises(IncompleteReadError) as caught:
        read_dentcloud(METER, "2023-11", None, "kWHNet", client=client)
    cloud.faults.clear()
    whole = caught.value.resume()
    expected = whole.copy()
    whole.iloc[:] = 0.0
    pd.testing.assert_frame_equal(caught.value.resume(), expected)


def test_errors_warn_gives_the_partial_frame_and_says_so(cloud, client):
    """With errors="warn" the missing windows are named in a warning."""
    cloud.faults.add("success_false", where=lambda seen: seen.month == 11)
    with pytest.warns(IncompleteReadWarning, match="2023-11"):
        df = read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", errors="warn", client=client)
    assert set(df.index.month) == {10, 12}


def test_a_refused_key_is_an_auth_error(cloud, tmp_path):
    """A wrong key raises AuthError and shows no key."""
    client = DentCloud("wrong-secret", cloud.key_id, base_url=cloud.url, cache=False)
    with client, pytest.raises(AuthError) as caught:
        read_dentcloud(METER, "2023-12", client=client)
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((METER, "2023-13"), RangeError, "2023-13"),
        ((METER, "2024", "2023"), RangeError, "before end"),
        ((METER, "2023-12-12 02:00"), RangeError, "end"),
        ((METER, "2023-12", None, ["kWhNet"]), UnknownTopicError, "did you mean 'kWHNet'"),
        (("P48231125", "2023-12"), UnknownMeterError, "did you mean 'P482311252'"),
        ((7, "2023-12"), ConfigError, "get_meters"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(client, arguments, error, match):
    """Each bad argument has its typed error that names it."""
    with pytest.raises(error, match=match):
        read_dentcloud(*arguments, client=client)


def test_bad_options_are_refused(client):
    """errors="ignore" is no choice."""
    with pytest.raises(ConfigError, match="ignore"):
        read_dentcloud(METER, "2023-12", errors="ignore", client=client)


@pytest.mark.filterwarnings("ignore:Reading P2.? no readings:dentframe.errors.ReadingWarning")
def test_a_meter_that_returned_nothing_is_missing_in_the_energy(tmp_path):
    """Among several meters a silent one is a row of NaN; named by element it is `missing`."""
    rows = [
        {"date": "2024-01-01", "time": f"{h:02d}:02", "kWHNet/Elm/A": str(h)} for h in range(24)
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows, "P2": []}), tmp_path)
    with cloud, client:
        both = read_dentcloud(["P1", "P2"], "2024-01-01", topics="kWHNet", client=client)
        named = read_dentcloud(["P1_A", "P2_A"], "2024-01-01", topics="kWHNet", client=client)
        alone = read_dentcloud("P2_A", "2024-01-01", topics="kWHNet", client=client)
    with pytest.warns(CoverageWarning):
        wide = both.dent.energy("D", tz="UTC")
    assert wide["Energy/Elm/A"].isna().tolist() == [False, True]
    detail = named.dent.energy("D", tz="UTC", detail=True)
    assert detail.set_index("meter").loc["P2", "status"] == "missing"
    assert alone.dent.energy("D", tz="UTC", detail=True)["status"].tolist() == ["missing"]
