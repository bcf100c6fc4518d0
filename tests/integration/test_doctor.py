"""The doctor against a service that is as assumed, and against one with each quirk."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType

import pandas as pd
import pytest
import requests

from dentframe import cli, doctor, emulator
from dentframe.doctor import findings
from dentframe.errors import AuthError, ConfigError

NOW = datetime(2024, 5, 20, 12, 3, tzinfo=UTC)
RESTAURANT = emulator.METERS[1]
FOUND = {
    "local_time": ("Times are UTC", "4 times come twice"),
    "no_kVAHNet": ("The topics of", "not there: kVAHNet"),
    "no_V": ("The topics of", "not there: V"),
    "V_scope": ("V comes per channel", "V/Elm"),
    "block_demand": ("A row of DemandkW covers", "block, lag 5 min"),
    "absolute_demand": ("DemandkW is negative on export", "above 0 in 100%"),
    "dPF_sign": ("dPF is negative on export", "kWHNet's steps in "),
    "interval": ("Rows are 15 minutes apart", "5 min apart"),
    "coarse_register": ("kWHNet has a resolution", "multiples of 1"),
    "register_unit": ("kWHNet counts the kilowatt-hours", "1e+03"),
    "register_modulus": ("kWHNet never begins again", "near 1e+03"),
    "blanks": ("No reading is blank", "blank"),
    "late_backfill": ("Rows do not come later", "they come late"),
    "repeated_rows": ("An outage leaves rows out", "runs of four or more equal rows"),
    "small_answers": ("A month of all topics", "status 413"),
    "tight_limits": ("5 requests a second", "status 429"),
}


def examined(cloud, now=NOW, **more):
    return doctor.examine(cloud.api_key, cloud.key_id, base_url=cloud.url, now=now, **more)


def served(quirks=(), now=NOW, **more):
    plant = emulator.Plant(meters=[RESTAURANT])
    return emulator.serve(plant, quirks=quirks, now=now, **more)


@pytest.fixture
def quick(monkeypatch):
    """The doctor without the service's pace."""
    monkeypatch.setattr("dentframe.doctor._SendOnce", partial(doctor._SendOnce, rate=500.0))


def verdicts(report):
    return {f.assumption: f.verdict for f in report.findings}


def test_a_service_as_assumed_has_no_cross(quick):
    """Nothing is wrong; what one report cannot tell is open; at most 30 requests are sent."""
    with served(rate=None) as cloud:
        report = examined(cloud)
        assert len(cloud.requests) == report.requests <= 30
    assert report.wrong == []
    assert [f.assumption[:9] for f in report.findings if f.verdict == "unknown"] == [
        "An outage",
        "Rows do n",
    ]


@pytest.mark.parametrize("quirk", sorted(FOUND))
def test_each_quirk_is_found(quick, quirk):
    """A quirk makes a cross at its assumption, with the evidence beside it."""
    title, evidence = FOUND[quirk]
    with served([quirk], **({} if quirk == "tight_limits" else {"rate": None})) as cloud:
        report = examined(cloud)
        assert len(cloud.requests) == report.requests <= 30
    found = next(f for f in report.findings if f.assumption.startswith(title))
    assert found.verdict == "no"
    assert evidence in found.evidence


def test_every_quirk_but_the_usual_window_is_tried():
    """Who adds a quirk adds what the doctor makes of it."""
    assert set(FOUND) == set(emulator.QUIRKS) - {"sliding_demand"}


def test_a_clock_east_of_utc_writes_the_future(quick):
    """A zone without summer time shows by rows that lie ahead."""
    with served({"local_time": "Asia/Kolkata"}, rate=None) as cloud:
        found = next(f for f in examined(cloud).findings if f.assumption == "Times are UTC")
    assert (found.verdict, "in the future" in found.evidence) == ("no", True)


def test_a_later_report_tells_what_came_late(quick):
    """Compared with an earlier report, rows of days long over are counted."""
    plant = emulator.Plant(meters=[RESTAURANT])
    times = iter([NOW, NOW + timedelta(days=3)])
    reports = []
    for quirks in (["late_backfill"], ["late_backfill"]):
        now = next(times)
        with emulator.serve(plant, quirks=quirks, now=now, rate=None) as cloud:
            earlier = reports[-1].to_json() if reports else None
            reports.append(examined(cloud, now, earlier=earlier))
    last = reports[-1].findings[-1]
    assert last.verdict == "no"
    assert re.match(r"\d+ rows came for days that were over for 48 hours", last.evidence)


def test_a_later_report_without_late_rows_is_a_tick(quick):
    """Where nothing came late in three days, the assumption holds; an editor may mark bytes."""
    later = NOW + timedelta(days=3)
    with served(rate=None) as cloud:
        earlier = examined(cloud).to_json().encode("utf-8-sig")
    with served(now=later, rate=None) as cloud:
        assert examined(cloud, later, earlier=earlier).findings[-1].verdict == "yes"


def test_one_reading_of_a_register_tells_nothing_of_how_it_goes_on(recwarn):
    """Nothing is claimed of a register that was read once, and pandas warns of nothing."""
    times = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC")
    frame = pd.DataFrame({"kWHNet/Elm/A": [1.0, 2.0, 3.0]}, times)
    answers = doctor.Answers(datetime(2024, 1, 1, tzinfo=UTC), ["kWHNet"])
    for rows, verdict in ((0, "unknown"), (1, "unknown"), (3, "yes")):
        answers.frames = [frame[:rows]]
        assert [f.verdict for f in findings.registers(answers)][1:3] == [verdict] * 2
        assert {f.verdict for f in findings.demand(answers)} == {"unknown"}
    assert not recwarn.list


def test_the_report_names_no_meter_key_or_reading(quick):
    """JSON for the maintainers: counts, times of the day and sizes alone."""
    with served(rate=None) as cloud:
        text = examined(cloud).to_json()
        rows = emulator.Plant(meters=[RESTAURANT]).rows(
            RESTAURANT.name, NOW - timedelta(days=1), NOW, ["kWHNet"]
        )[1]
    for secret in (RESTAURANT.name, cloud.api_key, cloud.key_id, cloud.url, "Restaurant"):
        assert secret not in text
    assert not any(value in text for row in rows for c, value in row.items() if "/" in c)
    assert json.loads(text)["schema"] == 1


def test_what_is_no_report_cannot_be_compared_with():
    """The message names the command that writes reports."""
    report = {"schema": 1, "made": "2024-01-01T00:00+00:00", "rows": {"meter 1": {}}}
    odd = ({"made": "then"}, {"made": "2024-01-01"}, {"rows": [3]}, {"rows": {"m": {"x": 1}}})
    changed = [json.dumps(report | change) for change in odd]
    for text in ("[]", "{}", "no json", "\ud800", '{"schema": 1}', b"\xff\x00", *changed):
        with pytest.raises(ConfigError, match="dentframe doctor"):
            doctor.examine("key", "id", base_url="http://127.0.0.1:1/v1", earlier=text)


def test_a_refused_key_is_said(quick):
    """Without a list of meters there is nothing to examine."""
    with served() as cloud, pytest.raises(AuthError):
        doctor.examine("wrong", cloud.key_id, base_url=cloud.url, now=NOW)


def test_an_account_without_readings_leaves_most_open(quick):
    """Nothing is claimed of a meter that has no rows."""
    with emulator.serve(emulator.Fixed({"P1": []}), rate=None) as cloud:
        report = examined(cloud)
    assert report.wrong == []
    assert sum(f.verdict == "unknown" for f in report.findings) > 12


def test_requests_that_are_used_up_are_no_refusals(quick):
    """Where readings had to be looked for, too few requests are left to tell of the pace."""

    class Old(emulator.Plant):
        def rows(self, meter, start, end, topics):
            there = meter == self.meters()[-1] and start < NOW - timedelta(days=70)
            return super().rows(meter, start, end, topics) if there else ([], [])

    with emulator.serve(Old(), now=NOW, rate=None, concurrency=None) as cloud:
        report = examined(cloud)
        assert len(cloud.requests) == report.requests <= 30
    assert verdicts(report)["5 requests a second are served"] == "unknown"


def test_an_account_without_meters_leaves_most_open(quick):
    """A new account is examined too."""
    with emulator.serve(emulator.Fixed({}), rate=None) as cloud:
        report = examined(cloud)
    assert report.wrong == []
    assert {f.verdict for f in report.findings[1:]} == {"unknown"}


@pytest.mark.parametrize("quirks", [(), ("absolute_demand",)])
def test_the_command_prints_a_screen_and_writes_the_report(
    quick, monkeypatch, tmp_path, capsys, quirks
):
    """Marks and evidence fit 80 columns; a cross is what there is to see, and no failure."""
    out = tmp_path / "report.json"
    with served(quirks, now=None, rate=None) as cloud:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)
        assert cli.main(["doctor", "--out", str(out)]) == 0
        shown = capsys.readouterr().out
        assert cli.main(["doctor", "--compare", str(out), "--out", str(out)]) == 0
    assert max(map(len, shown.splitlines())) <= 80
    assert ("✗ DemandkW is negative on export" in shown) == bool(quirks)
    assert json.loads(out.read_text())["findings"]


def test_an_unknown_quirk_is_refused():
    """The message lists those that there are, and a plant's quirk needs a plant."""
    with pytest.raises(ValueError, match=r"no quirk|none of that name.*local_time"):
        emulator.serve(quirks=["loud"])
    with pytest.raises(ValueError, match="only the meters of a Plant"):
        emulator.serve(emulator.Fixed({"P1": []}), quirks=["interval"])


def test_a_quirk_keeps_its_value_in_any_mapping():
    """What cannot be changed has a value like what can."""
    asked = MappingProxyType({"small_answers": 10})
    with emulator.serve(emulator.Fixed({"P1": []}), quirks=asked, rate=None) as cloud:
        keys = {"x-api-key": cloud.api_key, "x-key-id": cloud.key_id}
        reply = requests.get(f"{cloud.url}?request=getMeters", headers=keys, timeout=10)
    assert reply.status_code == 413
