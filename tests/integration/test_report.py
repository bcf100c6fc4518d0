"""The report of a portfolio, its state, and the night job: an emulated plant with broken sites."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from dentframe import (
    DentCloud,
    Record,
    Site,
    SplitRules,
    cli,
    emulator,
    report,
    split,
    sync,
    to_portfolio_manager,
)
from dentframe.emulator import Event, Plant, panel
from dentframe.errors import ConfigError, RangeError
from dentframe.money.portfolio_report_and_status import TOPICS, Report, status
from tests.split_kit import bill, line, readings, site, tenant

LA = "America/Los_Angeles"
NAMES = {"P1": "Elm Court", "P2": "Pier 4", "P3": "Old Foundry"}
MONTHS = "2023-10..2023-11"
NOW = datetime(2023, 12, 3, tzinfo=UTC)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def site_text(meter):
    """A site of two elements, one tenant each."""
    return f"""
name = "{NAMES[meter]}"
tz = "{LA}"
currency = "USD"
[elements.{meter}_A]
label = "Bakery"
max_kw = 120
[elements.{meter}_B]
label = "Office"
max_kw = 120
[[tenants]]
name = "Bakery"
elements = ["{meter}_A"]
[[tenants]]
name = "Office"
elements = ["{meter}_B"]
[split]
agree = 100
[split.lines]
energy = "energy"
[split.loss]
by = "landlord"
rest = true
"""


BILL = """
name = "{month}"
start = {month}-01
end = {end}-01
kwh = {kwh}
[[lines]]
name = "Energy"
kind = "energy"
amount = 1000.00
"""


def at(text):
    """An instant in UTC."""
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.fixture(scope="module")
def plant():
    """Three meters: one is well, one goes silent, one loses readings and its register's count."""
    gaps = [
        Event("P3", None, "gap", at(f"2023-11-{d:02}T16:00"), at(f"2023-11-{d + 2:02}T04:00"))
        for d in range(2, 26, 4)
    ]
    resets = [Event("P3", "B", "reset", *[at("2023-10-17T09:40")] * 2)]
    silent = Event("P2", None, "gap", at("2023-11-20T10:00"), at("2024-03-01T00:00"))
    meters = [panel(m, elements=2, channels=1) for m in NAMES]
    return Plant(2, meters=meters, events=[silent, *gaps, *resets], tz=LA)


@pytest.fixture(scope="module")
def folder(plant, tmp_path_factory):
    """Sites, bills and an archive of October and November."""
    top = tmp_path_factory.mktemp("portfolio")
    (top / "sites").mkdir()
    for meter, name in NAMES.items():
        (top / "sites" / f"{name.lower().replace(' ', '-')}.toml").write_text(site_text(meter))
    bills = top / "bills" / "2023-10"
    bills.mkdir(parents=True)
    kwh = sum(plant.energy("P1", e, "2023-10-01T07:00", "2023-11-01T07:00") for e in "AB")
    text = BILL.format(month="2023-10", end="2023-11", kwh=round(kwh))
    (bills / "elm-court.toml").write_text(text)
    with emulator.serve(plant, rate=None, concurrency=None, now=NOW) as cloud:
        client = DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, rate=500, cache=False)
        topics = ["kWHNet", "DemandkW"]
        sync(None, "2023-09-30", "2023-12-02", topics, archive=top / "archive", client=client)
    call = ["split", str(bills / "elm-court.toml"), "--site", str(top / "sites/elm-court.toml"),
            "--archive", str(top / "archive"), "--out", str(top / "runs/2023-10/elm")]  # fmt: skip
    assert cli.main(call) == 0
    return top


@pytest.fixture(scope="module")
def found(folder):
    """The report of both months."""
    return report(folder / "sites", MONTHS, archive=folder / "archive", records=folder / "runs")


def test_energy_is_what_the_plant_used(found, plant):
    """A month's energy, coverage and readings of the site that is well."""
    row = found.table.loc["Elm Court", "2023-10"]
    used = sum(plant.energy("P1", e, "2023-10-01T07:00", "2023-11-01T07:00") for e in "AB")
    assert row["energy"] == pytest.approx(used, rel=1e-4)
    assert (row["coverage"], row["readings"]) == (1.0, 1.0)
    hours = 744
    assert row["load_factor"] == pytest.approx(row["energy"] / row["peak"] / hours, rel=1e-3)
    assert 0 < row["night"] < row["peak"]


def test_cost_and_exceptions_are_those_of_the_records(found):
    """A bill stands in its month; a month without one has no cost."""
    assert found.table.loc["Elm Court", "2023-10"]["cost"] == Decimal("1000.00")
    assert found.table.loc["Elm Court", "2023-11"]["cost"] is None
    assert found.table["exceptions"].sum() == 0


def test_a_folder_without_saved_splits_has_no_costs(folder, tmp_path):
    """Before the first bill is split there is a report all the same."""
    site = folder / "sites" / "elm-court.toml"
    found = report(site, MONTHS, archive=folder / "archive", records=tmp_path)
    assert found.table["cost"].isna().all()
    assert found.table["exceptions"].sum() == 0


def test_broken_sites_are_named_first_and_why(found):
    """The silent meter before the one that lost readings; the well one is not among them."""
    page = found.to_html()
    box = page[page.index("Look here first") : page.index("<h2>Sites</h2>")]
    assert re.findall(r"<b>([^<]+)</b>", box) == ["Pier 4", "Old Foundry"]
    assert "meter P2 silent since 20 Nov 2023" in box
    assert "of the readings are missing" in box
    silent = {x.site.name: x.silent for x in found.sites}
    assert set(silent["Pier 4"]) == {"P2"}
    assert silent["Elm Court"] == {}


def test_the_page_needs_nothing_but_itself(found, tmp_path):
    """No script, and no address but data in the page; the file is what the text is."""
    page = found.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    assert "<script" not in page
    assert not re.findall(r'(?:href|src)="(?!#|data:)', page)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert page.count("<svg") >= 3 * 4
    assert len(page) < 5_000_000 / 10


def test_the_workbook_has_every_table(found, tmp_path):
    """Months, changes, findings and silent meters."""
    sheets = pd.read_excel(found.to_excel(tmp_path / "report.xlsx"), sheet_name=None)
    assert list(sheets) == ["months", "changes", "findings", "silent"]
    assert len(sheets["months"]) == 6
    assert sheets["silent"]["meter"].tolist() == ["P2"]
    assert "gap" in set(sheets["findings"]["finding"])


def test_a_site_that_the_archive_lacks_is_told(folder, tmp_path):
    """Its months are empty, its meter is silent, its section says so."""
    text = site_text("P1").replace("P1", "P9").replace("Elm Court", "Nowhere")
    (tmp_path / "nowhere.toml").write_text(text)
    found = report(tmp_path / "nowhere.toml", "2023-10", archive=folder / "archive")
    assert found.sites[0].silent == {"P9": None}
    assert found.table["energy"].isna().all()
    page = found.to_html()
    assert "meter P9 has no reading in these months" in page
    assert "The archive has no readings of this site." in page
    assert "– kWh without 1 of 1 months" in page
    assert ">0 kWh" not in page


def test_what_cannot_be_reported_is_said(folder, tmp_path):
    """Months that are none, a folder without sites, two sites of one name."""
    with pytest.raises(RangeError, match=r"2023-01\.\.2023-12"):
        report(folder / "sites", "2023-13", archive=folder / "archive")
    with pytest.raises(RangeError):
        report(folder / "sites", "2023-11..2023-10", archive=folder / "archive")
    with pytest.raises(ConfigError, match=r"no \.toml file"):
        report(tmp_path, "2023-10", archive=folder / "archive")
    twice = [Site.load(folder / "sites" / "pier-4.toml")] * 2
    with pytest.raises(ConfigError, match="one name"):
        report(twice, "2023-10", archive=folder / "archive")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 760, 390])
def test_a_browser_shows_it_without_an_error(found, tmp_path, width):
    """A picture at each width, nothing on the console, and no page wider than the screen."""
    page = tmp_path / "report.html"
    text = found.to_html()
    probe = "<script>document.title = document.documentElement.scrollWidth</script>"
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    call = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--enable-logging=stderr", f"--window-size={width},1600"]  # fmt: skip
    shot = tmp_path / "shot.png"
    for more in (["--dump-dom"], [f"--screenshot={shot}"]):
        done = subprocess.run(
            [*call, *more, page.as_uri()], capture_output=True, text=True, timeout=120, check=False
        )
        assert "CONSOLE" not in done.stderr
        if more == ["--dump-dom"]:
            shown = int(re.search(r"<title>(\d+)</title>", done.stdout)[1])
            assert shown <= max(width, 500)
    assert shot.stat().st_size > 10_000


@pytest.mark.skipif(
    CHROMIUM is None or shutil.which("pdftotext") is None, reason="no Chromium or pdftotext here"
)
def test_the_printed_report_has_every_table(found, tmp_path):
    """Tables that are folded on the screen are printed; a site is a page."""
    page, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    found.to_html(page)
    call = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
            f"--print-to-pdf={printed}", page.as_uri()]  # fmt: skip
    subprocess.run(call, capture_output=True, timeout=120, check=True)
    told = subprocess.run(
        ["pdftotext", "-layout", str(printed), "-"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    overview = told[: told.index("Energy of each day")]
    assert overview.count("2023-10") >= 8, "one table a measure, and the head"
    assert len(told.split("\f")) <= 3 + len(NAMES) + 2


def test_the_state_tells_a_silent_meter_in_one_line(folder, plant):
    """Since when, what it would use until the month's end, and what that costs."""
    now = pd.Timestamp("2023-11-23", tz=LA)
    found = status(folder / "archive", folder / "sites", folder / "runs", now=now)
    p2 = next(x for x in found.silent if x.meter == "P2")
    days = (pd.Timestamp("2023-12-01", tz=LA) - p2.since) / pd.Timedelta(days=1)
    used = [plant.energy("P2", e, p2.since - pd.Timedelta(days=28), p2.since) for e in "AB"]
    assert p2.kwh == pytest.approx(sum(used) / 28 * days, rel=0.01)
    assert p2.cost is None
    assert not found.ok
    line = str(p2)
    assert line.startswith("P2 of Pier 4 is silent for 2.9 days, since 2023-11-20 01:")
    assert "\n" not in line
    later = status(folder / "archive", folder / "sites", folder / "runs", now="2023-12-10T00:00Z")
    p1 = next(x for x in later.silent if x.meter == "P1")
    assert p1.cost == pytest.approx(p1.kwh * 1000 / _october(plant), rel=0.02)


def _october(plant):
    return sum(plant.energy("P1", e, "2023-10-01T07:00", "2023-11-01T07:00") for e in "AB")


def test_a_silent_meter_has_no_cost_where_no_split_is_saved_yet(folder, tmp_path):
    """The folder of records is there before the first of them."""
    now = pd.Timestamp("2023-11-23", tz=LA)
    found = status(folder / "archive", folder / "sites", tmp_path, now=now)
    p2 = next(x for x in found.silent if x.meter == "P2")
    assert p2.kwh is not None
    assert (p2.cost, found.exceptions) == (None, 0)


def test_a_silent_meter_has_no_cost_where_the_last_bill_rests_on_no_energy(folder, tmp_path):
    """A bill of fixed lines says nothing of what a kWh costs."""
    what = Site.load(folder / "sites" / "pier-4.toml")
    fixed = bill(line("Fixed", "fixed", "10.00"), start="2023-10-01", end="2023-11-01")
    frame = readings({"A": 1, "B": 1}, start="2023-10-01", end="2023-11-01")
    rules = SplitRules.from_dict({"lines": {"fixed": "days"}})
    frame = frame.rename({"P1": "P2"}, level="meter")
    split(fixed, what, rules, frame=frame).save(tmp_path / "Oct")
    now = pd.Timestamp("2023-11-23", tz=LA)
    found = status(folder / "archive", folder / "sites", tmp_path, now=now)
    p2 = next(x for x in found.silent if x.meter == "P2")
    assert p2.kwh is not None
    assert p2.cost is None


def test_a_silent_meter_whose_energy_is_not_known_has_no_figure(tmp_path):
    """Element B was read to the end, but A, which the site has, was blank for the last weeks."""
    blank = Event("P1", "A", "gap", at("2023-10-01T00:00"), at("2024-03-01T00:00"))
    plant = Plant(2, meters=[panel("P1", elements=2, channels=1)], events=[blank], tz=LA)
    with emulator.serve(plant, rate=None, concurrency=None, now=NOW) as cloud:
        client = DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, rate=500, cache=False)
        sync(["P1"], "2023-10-15", "2023-11-20", TOPICS, archive=tmp_path, client=client)
    one = site([tenant("A", "A")], elements={"P1_A": {"label": "A", "max_kw": 120}})
    (silent,) = status(tmp_path, one, now="2023-12-10T00:00Z").silent
    assert (silent.kwh, silent.cost) == (None, None)
    assert "nan" not in str(silent)


def test_an_archive_of_registers_alone_is_measured_by_them(tmp_path):
    """Without DemandkW the months have their energy and peak, and a silent meter its use."""
    plant = Plant(2, meters=[panel("P1", elements=1, channels=1)], events=[], tz=LA)
    with emulator.serve(plant, rate=None, concurrency=None, now=NOW) as cloud:
        client = DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, rate=500, cache=False)
        sync(["P1"], "2023-10-15", "2023-11-20", ["kWHNet"], archive=tmp_path, client=client)
    one = site([tenant("A", "A")], elements={"P1_A": {"label": "A", "max_kw": 120}})
    row = report(one, "2023-11", archive=tmp_path).table.loc["S", "2023-11"]
    used = plant.energy("P1", "A", "2023-11-01T07:00", "2023-12-01T00:00")
    assert row["energy"] == pytest.approx(used, rel=0.01)
    assert row["peak"] > 0
    (silent,) = status(tmp_path, one, now="2023-12-10T00:00Z").silent
    assert silent.kwh > 0


@pytest.mark.parametrize("second", ["kWHNet", "DemandkW"])
def test_meters_of_which_other_topics_are_archived_are_all_measured(tmp_path, second):
    """P1 has one topic or both, P2 another one, P3 none of energy: none hides the others."""
    meters = [panel(f"P{i}", elements=1, channels=1) for i in (1, 2, 3)]
    topics = {"P1": ["kWHNet"] if second == "DemandkW" else TOPICS, "P2": [second], "P3": ["A"]}
    plant = Plant(2, meters=meters, events=[], tz=LA)
    with emulator.serve(plant, rate=None, concurrency=None, now=NOW) as cloud:
        client = DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, rate=500, cache=False)
        for m, own in topics.items():
            sync([m], "2023-10-30", "2023-11-20", own, archive=tmp_path, client=client)
    three = site(
        [tenant("A", "A")],
        elements={f"P{i}_A": {"label": f"{i}", "max_kw": 120} for i in (1, 2, 3)},
    )
    (found,) = report(three, "2023-11", archive=tmp_path).sites
    used = [plant.energy(m, "A", "2023-11-01T07:00", "2023-12-01T00:00") for m in ("P1", "P2")]
    assert found.daily.sum().to_dict() == pytest.approx({"1": used[0], "2": used[1]}, rel=0.02)
    assert found.months.loc["2023-11", "energy"] == pytest.approx(sum(used), rel=0.02)
    assert found.months.loc["2023-11", "peak"] > 0
    known = {
        x.meter: x.kwh is not None for x in status(tmp_path, three, now="2023-12-10T00:00Z").silent
    }
    assert known == {"P1": True, "P2": True, "P3": False}


def test_what_is_shown_as_nothing_in_doubt_is_not_marked(found):
    """Less than half a kWh is a nought on the page, and a nought is in no colour."""
    well = next(x for x in found.sites if x.site.name == "Elm Court")
    row = pd.DataFrame([["A", "gap", NOW, NOW, 1, "warning", 0.3]], columns=[*well.findings])
    some = Report(found.months, (replace(well, findings=row),))
    assert '<td class="warn">0</td>' not in some.to_html()


def test_the_command_writes_both_files_and_status_is_json(folder, tmp_path, capsys):
    """`report` writes page and workbook; `status --json` is 1 where something needs a person."""
    both = ["--archive", str(folder / "archive"), "--sites", str(folder / "sites"),
            "--records", str(folder / "runs")]  # fmt: skip
    out = tmp_path / "report.html"
    assert cli.main(["report", *both, "--months", MONTHS, "--out", str(out)]) == 0
    assert out.exists()
    assert out.with_suffix(".xlsx").exists()
    capsys.readouterr()
    assert cli.main(["status", *both, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exceptions"] == 0
    assert {x["meter"] for x in told["silent"]} == set(NAMES)
    assert told["ok"] is False


def test_portfolio_manager_gets_the_bill(folder, tmp_path):
    """First and last day, the bill's use and cost, and the meter's id."""
    record = Record.load(folder / "runs" / "2023-10" / "elm")
    found = to_portfolio_manager([record], tmp_path / "upload.xlsx", meters={"Elm Court": "77"})
    row = found.iloc[0]
    assert (row["Start Date"], row["End Date"]) == ("10/01/2023", "10/31/2023")
    assert row["Usage/Quantity"] == record.bill.kwh
    assert row["Cost ($)"] == Decimal("1000.00")
    assert (row["Portfolio Manager Meter ID"], row["Estimated Value"]) == ("77", "No")
    sheet = pd.read_excel(tmp_path / "upload.xlsx")
    assert list(sheet.columns) == list(found.columns)
    with pytest.raises(ConfigError, match="no id"):
        to_portfolio_manager(record, meters={"Pier 4": "1"})
    with pytest.raises(ConfigError, match=r"\.xlsx or \.csv"):
        to_portfolio_manager(record, tmp_path / "upload.txt")


def test_portfolio_manager_gets_no_bill_without_its_energy():
    utility = bill(line("Service", "fixed", "300.00"), kwh=None)
    where = site([tenant("A", "A")], elements={"P1_A": {"label": "A"}})
    run = split(utility, where, frame=readings({"A": 2000}))
    with pytest.raises(ConfigError, match="it has no kwh"):
        to_portfolio_manager(run)


@pytest.mark.parametrize(
    ("now", "last"), [("2023-12-01T04:00", "2023-11"), ("2023-12-02T04:00", "2023-12")]
)
def test_a_month_that_has_not_begun_at_the_sites_is_left_out(folder, monkeypatch, now, last):
    """In UTC it is December, in Los Angeles November still."""
    monkeypatch.setattr(
        pd.Timestamp, "now", lambda tz=None: pd.Timestamp(now, tz="UTC").tz_convert(tz)
    )
    sites, archive = folder / "sites", folder / "archive"
    assert report(sites, "2023-11..2023-12", archive=archive).months[-1] == last
    with pytest.raises(RangeError, match="begun"):
        report(sites, "2024-01", archive=archive)


@pytest.mark.timeout(480)
@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on this machine")
def test_the_night_job_of_the_guide(tmp_path):
    """Under an empty environment: something done, then nothing to do, then an outage."""
    root = Path(__file__).parents[2]
    guide = (root / "docs" / "guide" / "portfolio.md").read_text(encoding="utf-8")
    script = re.search(r"```sh\n(#!/bin/sh\n# nightly.*?)```", guide, re.DOTALL)[1]
    (tmp_path / "nightly.sh").write_text(script)
    month = pd.Timestamp.now(LA).tz_localize(None).to_period("M") - 1
    start, end = (x.to_timestamp().tz_localize(LA) for x in (month, month + 1))
    top, home, tools = tmp_path / "top", tmp_path / "home", tmp_path / "bin"
    for x in (top / "sites", top / "bills" / str(month), home, tools):
        x.mkdir(parents=True)
    meters = [panel("P1", elements=2, channels=1)]
    plant = Plant(2, meters=meters, events=(), tz=LA, installed=start - pd.Timedelta(days=5))
    kwh = sum(plant.energy("P1", e, start, end) for e in "AB")
    text = BILL.format(month=month, end=month + 1, kwh=round(kwh))
    (top / "sites" / "elm-court.toml").write_text(site_text("P1"))
    (top / "bills" / str(month) / "elm-court.toml").write_text(text)
    (tools / "dentframe").write_text(f'#!/bin/sh\nexec {sys.executable} -m dentframe "$@"\n')
    (tools / "dentframe").chmod(0o755)

    def night(url, days=1):
        env = {"HOME": str(home), "PATH": f"{tools}:{os.environ['PATH']}",
               "FROM": f"{start - pd.Timedelta(days=days):%Y-%m-%d}", "PYTHONPATH": str(root),
               "DENTCLOUD_BASE_URL": url, "DENTCLOUD_API_KEY": "demo-key",
               "DENTCLOUD_KEY_ID": "demo-id"}  # fmt: skip
        call = ["env", "-i", *[f"{k}={v}" for k, v in env.items()], "sh",
                str(tmp_path / "nightly.sh"), str(top)]  # fmt: skip
        done = subprocess.run(call, capture_output=True, text=True, timeout=240, check=False)
        return done.returncode, done.stdout + done.stderr

    with emulator.serve(plant, rate=None, concurrency=None) as cloud:
        code, told = night(cloud.url)
        assert code == 0, told
        assert Record.load(top / "runs" / str(month) / "elm-court").ok
        assert (top / "report.html").exists()
        code, told = night(cloud.url)
        assert code in {0, 4}, told  # 0 where a quarter of an hour has passed between them
        assert "Nothing to save" in told
    code, told = night(cloud.url, days=4)  # nobody answers there any more
    assert code == 3, told
    assert "Nothing to save" in told, "a finished month is 4 whatever the network does"
    with emulator.serve(plant, rate=None, concurrency=None) as again:
        code, told = night(again.url, days=4)
        assert code == 0, told
    log = (top / "nightly.log").read_text()
    assert "exit status 4" in log
    assert "exit status 3" in log
