"""Energy and peaks of an archive on Dask: the figures of pandas, meter by meter."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from dentframe import Correction, RegisterRules, Schedule, Window
from dentframe.archive import Archive, dask_energy_and_peaks
from dentframe.errors import (
    ConfigError,
    KindError,
    RangeError,
    UnknownMeterError,
    UnknownTopicError,
)
from dentframe.verbs.energy import energy
from dentframe.verbs.peaks import peaks
from tests.dask_kit import (
    LA,
    METERS,
    MONTHS,
    READ_AT,
    SPAN,
    TOPICS,
    answer,
    flat,
    portfolio,
    readings,
    same,
)

pytest.importorskip("dask.dataframe")

EXTRA = {"errors", "batch", "meters", "archive"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return portfolio(tmp_path_factory.mktemp("lazy") / "portfolio")


@pytest.fixture(scope="module")
def frame(archive):
    """The same range by pandas."""
    return archive.read(METERS, **SPAN, topics=list(TOPICS), tz=LA, bracket=True)


def computed(lazy):
    """The result, whose form must be the one that was promised."""
    found = lazy.compute(scheduler="sync")
    assert found.dtypes.astype(str).to_dict() == lazy.dtypes.astype(str).to_dict()
    assert str(found.index.dtype) == str(lazy.index.dtype)
    return found


CORRECTED = {
    "corrections": [
        Correction("factor", "P1_A", "ct", "r", "2023-05-01", start="2023-02-10 09:07", factor=2),
        Correction("figure", "P2_A", "agreed", "r", "2023-05-01", start="2023-01-30",
                   end="2023-02-03", kwh=500, kw=40, by="the tenant"),
    ]
}  # fmt: skip
OPTIONS = [
    {},
    CORRECTED,
    {"source": "demand"},
    {"source": "register"},
    {"edges": "last_reading"},
    {"min_coverage": 0.999},
    {"topic": "DemandkW"},
    {"registers": RegisterRules(max_kw={"P1_A": 40, "P2_B": 50}, max_gap="1h")},
    {"interval": {"P1": "30min", "P3": "20min"}, "demand_lag": {"P1": "5min", "P2": "15min"}},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_energy_is_that_of_pandas(archive, frame, options):
    """Months, wide: brackets included, so that the edges match too."""
    found = computed(archive.energy("MS", tz=LA, **SPAN, **options))
    same(found, flat(frame.dent.energy("MS", tz=LA, **SPAN, **options)))


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_details_are_those_of_pandas(archive, frame, options):
    """Status, coverage, bounds, readings and flags of each day and element."""
    found = computed(archive.energy("D", tz=LA, **SPAN, detail=True, **options))
    same(found, frame.dent.energy("D", tz=LA, **SPAN, detail=True, **options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        CORRECTED,
        {"kind": "block", "window": "1h"},
        {"kind": "rolling", "n": 3, "per_day": True},
        {"kind": "block", "source": "register", "min_coverage": 0.9},
    ],
    ids=lambda o: "-".join(map(str, o.values())) or "plain",
)
@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_peaks_are_those_of_pandas(archive, frame, options):
    """Rows, ranks, instants and what is uncovered."""
    found = computed(archive.peaks("MS", tz=LA, **SPAN, **options))
    same(found, frame.dent.peaks("MS", tz=LA, **SPAN, **options))


@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_windows_of_time_of_use(archive, frame):
    """A schedule adds a column, and its windows are those of pandas."""
    schedule = Schedule([Window("peak", "16:00", "21:00", days="weekday")])
    found = computed(archive.energy("MS", tz=LA, **SPAN, schedule=schedule))
    assert list(found.columns[:2]) == ["meter", "window"]
    expected = frame.dent.energy("MS", tz=LA, **SPAN, schedule=schedule)
    same(found, expected.reset_index(["meter", "window"]))


@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_elements_that_were_named(archive):
    """Elements by their ids; one that its meter does not have is missing, not absent."""
    names = ["P1_B", "P2_D", "P3_Q"]
    frame = archive.read(names, **SPAN, topics=list(TOPICS), tz=LA, bracket=True)
    found = computed(archive.energy("MS", tz=LA, meters=names, **SPAN, detail=True))
    same(found, frame.dent.energy("MS", tz=LA, **SPAN, detail=True))
    assert set(found.loc[found["meter"] == "P3", "status"]) == {"missing"}


@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
def test_without_a_range_each_meter_has_its_own(archive):
    """Neither start nor end: all that is held, as of a frame without a range."""
    found = computed(archive.energy("D", tz=LA))
    for name in METERS:
        frame = archive.read(name, "2023-01-01", "2023-05-01", topics=list(TOPICS))
        frame.attrs = {}
        mine = found[found["meter"] == name].drop(columns="meter")
        expected = frame.dent.energy("D", tz=LA)
        assert mine.index.equals(expected.index)
        assert abs(mine[expected.columns] - expected).max().max() <= 1e-9
        assert mine.drop(columns=expected.columns).isna().all(axis=None)


def test_no_warning_is_lost_on_a_worker(archive):
    """Partitions do not warn of coverage: it would reach nobody; the rows tell it."""
    found = computed(archive.energy("MS", tz=LA, **SPAN, detail=True))
    assert {"recorded", "partial"} <= set(found["status"])


def test_demand_is_not_read_where_a_register_answers(archive, monkeypatch):
    """Of P1, whose registers have readings, no demand is read; of P3 it is."""
    seen = {}
    read = dask_energy_and_peaks.read_meter

    def counted(selection, meter, elements, names):
        found = read(selection, meter, elements, names)
        seen.setdefault(meter, set()).update(c.partition("/")[0] for c in found[0].columns)
        return found

    monkeypatch.setattr(dask_energy_and_peaks, "read_meter", counted)
    computed(archive.energy("MS", tz=LA, **SPAN))
    assert seen == {"P1": {"kWHNet"}, "P2": {"kWHNet", "DemandkW"}, "P3": {"DemandkW"}}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"freq": "ME"}, RangeError),
        ({"tz": None}, RangeError),
        ({"topic": "kVAHNet"}, UnknownTopicError),
        ({"topic": "A"}, KindError),
        ({"topic": ["kWHNet"]}, UnknownTopicError),
        ({"source": ["register"]}, ConfigError),
        ({"min_coverage": 7}, ConfigError),
        ({"registers": RegisterRules(max_kw={"P1_Z": 4})}, UnknownMeterError),
        ({"registers": RegisterRules(max_kw={"A": 4})}, ConfigError),
        ({"site": "site.toml"}, ConfigError),
        ({"start": "2023-02-01", "end": "2023-01-01"}, RangeError),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(archive, options, error):
    """The verb's own errors, before anything is computed."""
    with pytest.raises(error):
        archive.energy(**({"freq": "MS", "tz": LA} | options))
    with pytest.raises((error, ConfigError)):  # a register reports no peaks, which is told first
        archive.peaks(**({"freq": "MS", "tz": LA} | options))


def test_an_archive_without_registers_says_what_it_has(tmp_path):
    """The error names what the archive holds, not what an example frame has."""
    only = Archive(tmp_path)
    minutes, columns = readings(3)
    only.keep(answer("P3", MONTHS[0], minutes, columns), READ_AT)
    for verb in (only.energy, only.peaks):
        with pytest.raises(KindError, match=r"needs kWHNet .* holds of these meters is DemandkW"):
            verb(
                "MS", tz=LA, source="register", **({"kind": "block"} if verb != only.energy else {})
            )


def test_a_naive_bound_needs_a_zone(archive):
    """As the verbs': nothing guesses."""
    with pytest.raises(RangeError, match="2023-01-01"):
        archive.energy(start="2023-01-01", end="2023-02-01")


@pytest.mark.parametrize("verb", [energy, peaks])
def test_keywords_and_defaults_are_the_verbs(verb):
    """A method has every keyword of its verb, with the same default, and a few of its own."""
    theirs = dict(list(inspect.signature(verb).parameters.items())[1:])
    ours = dict(list(inspect.signature(getattr(Archive, verb.__name__)).parameters.items())[1:])
    theirs.pop("elements", None)  # an archive takes them among `meters`
    assert set(ours) - set(theirs) == EXTRA - {"archive"}
    assert {k: p.default for k, p in theirs.items()} == {k: ours[k].default for k in theirs}


@pytest.mark.parametrize("source", ["auto", "register"])
def test_a_step_that_the_means_confirm_is_use(tmp_path, source):
    """A quarter hour at 1,200 kW, in both topics: the register alone would withhold it."""
    archive = Archive(tmp_path / "own")
    archive.keep_topics(
        [{"requestKey": "DemandkW", "unit": "kW"}, {"requestKey": "kWHNet", "unit": "kWh"}]
    )
    minutes = np.arange(MONTHS[0].minutes.start, MONTHS[0].minutes.start + 15 * 12, 15)
    kw = np.where(np.arange(12) == 6, 1200.0, 2.0)
    kwh = 1000 + np.r_[0, np.cumsum(kw[1:] / 4)]
    kwh[3] = np.nan
    archive.keep(
        answer("P1", MONTHS[0], minutes, {"DemandkW/Elm/A": kw, "kWHNet/Elm/A": kwh}), READ_AT
    )
    found = archive.energy(tz="UTC", source=source, detail=True).compute(scheduler="sync")
    assert found["energy"].tolist() == [pytest.approx(11 / 4 * 2 - 0.5 + 300)]
    assert found["coverage"].tolist() == [1.0]
