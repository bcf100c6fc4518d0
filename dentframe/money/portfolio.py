"""The months of one site or many are measured here for `report`, from an archive and records."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from dentframe.archive.archive import Archive, opened
from dentframe.errors import ConfigError, DentWarning, RangeError
from dentframe.money.record_reader import records as _records
from dentframe.site.elements_and_tenants import EXPORT
from dentframe.site.site import Site
from dentframe.verbs.demand import demand
from dentframe.verbs.energy import energy
from dentframe.verbs.quality import quality
from dentframe.wire.columns import parse, split_element

TOPICS = ["kWHNet", "DemandkW"]
SILENT = pd.Timedelta(days=2)
"""A meter without a reading for so long is called silent."""
NIGHT = 5
"""The night is the hours from midnight to this one."""
COLUMNS = (
    "energy", "cost", "peak", "peak_at", "load_factor", "night", "coverage", "readings",
    "exceptions",
)  # fmt: skip
KNOWN = 0.95
"""Months are compared with last year's where so much of both is covered."""


@dataclass(frozen=True)
class SiteReport:
    """What the months of one site were.

    Attributes
    ----------
    site : Site
        The building.
    months : DataFrame
        Month (``2023-12``) to energy [kWh], cost [currency], peak [kW], when that was, load
        factor and night load [kW] of the covered time, coverage and the share of expected readings
        that are there (0 to 1), open exceptions.
    daily : DataFrame
        Local day to the energy of each element by its label [kWh].
    hours : DataFrame
        Local day by hour of the day: the site's mean power [kW].
    changes : DataFrame
        The five elements that changed most against last year [kWh].
    findings : DataFrame
        What `quality` finds, by energy at risk [kWh].
    silent : dict of str to Timestamp or None
        Meters whose readings ended, and when; None where the archive has none of the months.
    """

    site: Site
    months: pd.DataFrame
    daily: pd.DataFrame
    hours: pd.DataFrame
    changes: pd.DataFrame
    findings: pd.DataFrame
    silent: dict[str, pd.Timestamp | None]

    @property
    def at_risk(self) -> float:
        """Energy whose amount is in doubt [kWh]."""
        return float(self.findings["kwh_at_risk"].fillna(0).sum())

    @property
    def coverage(self) -> float:
        """The covered share of all months."""
        return float(self.months["coverage"].mean())

    @property
    def readings(self) -> float:
        """The share of expected readings that are there."""
        return float(self.months["readings"].mean())

    @property
    def exceptions(self) -> int:
        """How many exceptions are open."""
        return int(self.months["exceptions"].sum())

    @property
    def trouble(self) -> tuple[bool, int, float, float]:
        """By how much this site needs a look; the greater the sooner."""
        return bool(self.silent), self.exceptions, self.at_risk, 1 - self.readings


@dataclass(frozen=True)
class Report:
    """The months of a portfolio; a page and a workbook.

    Attributes
    ----------
    months : tuple of str
        ``2023-01``, …
    sites : tuple of SiteReport
        In the order that was asked for.

    Examples
    --------
    >>> found = report("sites", "2023-12", archive="portfolio", records="bills")
    >>> found.months
    ('2023-12',)
    """

    months: tuple[str, ...]
    sites: tuple[SiteReport, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a site and month, with the columns of `SiteReport.months`."""
        return pd.concat({x.site.name: x.months for x in self.sites}, names=["site", "month"])

    def to_html(self, path: str | Path | None = None) -> str:
        """One page without a link to anything: light or dark, for screen, phone and paper.

        Raises
        ------
        MissingExtraError
            Where jinja2 is not installed (extra ``report``).
        """
        from dentframe.documents.report import page

        return page(self, path)

    def to_excel(self, path: str | Path) -> Path:
        """A workbook: months, changes, findings and silent meters of all sites.

        Raises
        ------
        MissingExtraError
            Where XlsxWriter is not installed (extra ``excel``).
        """
        from dentframe.documents.report import workbook

        return workbook(self, Path(path))


def report(sites: Any, months: str | Iterable[str], *, archive: Any, records: Any = None) -> Report:
    """Measure the months of one site or many, and find where to look.

    Parameters
    ----------
    sites : Site, sequence of Site, or path
        Buildings; a site file, or a folder whose ``.toml`` files are sites.
    months : str or sequence of str
        ``"2023-12"``, ``"2023-01..2023-12"`` (both included), or a list of months in order.
    archive : Archive or path
        Where the readings are; nothing is asked of the cloud.
    records : path, optional
        The folder of saved splits, for costs and open exceptions.

    Returns
    -------
    Report
        With ``table``, ``sites``, ``to_html(path)`` and ``to_excel(path)``.

    Raises
    ------
    ConfigError
        For a folder without sites, or two sites of one name.
    RangeError
        For months that cannot be read.

    Examples
    --------
    >>> found = report("sites", "2023-01..2023-12", archive="portfolio", records="bills")
    >>> found.to_html("report.html")[:15]
    '<!doctype html>'
    """
    every = sites_of(sites)
    now = pd.Timestamp.now("UTC").floor("15min")
    walls = [now.tz_convert(s.tz).tz_localize(None) for s in every]
    periods = months_of(months, min(walls))
    if len({s.name for s in every}) < len(every):
        raise ConfigError("Cannot report: two sites have one name. Give each its own.")
    store = opened(archive)
    bills, open_ones = _billed(records)
    found = [_measured(s, periods, store, bills, open_ones) for s in every]
    return Report(tuple(map(str, periods)), tuple(found))


def sites_of(given: Any) -> list[Site]:
    """The sites that were meant.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    if isinstance(given, Site):
        return [given]
    if not isinstance(given, str | Path):
        return list(given)
    path = Path(given)
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"Cannot report on {str(path)!r}: no .toml file is in it.")
    return [Site.load(x) for x in files]


def months_of(given: str | Iterable[str], now: pd.Timestamp) -> pd.PeriodIndex:
    """Months in order, from text or a list, that have begun by a local time.

    Raises
    ------
    RangeError
        For what names no month that has begun.
    """
    texts = given.split("..") if isinstance(given, str) else [str(x) for x in given]
    try:
        ends = [pd.Period(x.strip(), "M") for x in texts]
        found = pd.period_range(ends[0], ends[-1], freq="M")
    except (ValueError, IndexError):
        found = pd.PeriodIndex([], freq="M")
    found = found[found.to_timestamp() < now]
    if not len(found):
        raise RangeError(
            f"Cannot read the months {given!r}: write 2023-12, or the first and the last: "
            "2023-01..2023-12, the first of them begun."
        )
    return found


def _billed(folder: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the utilities charged, and which exceptions are open, by site and month."""
    if folder is None:
        none = pd.DataFrame(columns=["site", "month"])
        return none, none
    control, exceptions = (_records(folder, x) for x in ("control", "exceptions"))
    for table in (control, exceptions):
        spans = table.reindex(columns=["period_start", "period_end"]).astype(object).to_numpy()
        table["month"] = [f"{a + (b - a) / 2:%Y-%m}" for a, b in spans]
        if table.empty:  # no split was saved there
            table["site"] = None
    if len(control):
        control = control[control["party"] == "utility"]
    if len(exceptions):
        exceptions = exceptions[~exceptions["accepted"].astype(bool)]
    return control, exceptions


def _measured(
    site: Site, periods: pd.PeriodIndex, archive: Archive, bills: pd.DataFrame,
    open_ones: pd.DataFrame,
) -> SiteReport:  # fmt: skip
    months = pd.DataFrame(index=pd.Index(map(str, periods), name="month"), columns=list(COLUMNS))
    cost, count = (
        [x[(x["site"] == site.name) & (x["month"] == m)] for m in months.index]
        for x in (bills, open_ones)
    )
    months[["coverage", "readings"]] = 0.0
    paid: Any = [None if x.empty else sum(x["amount"], Decimal(0)) for x in cost]
    months["cost"] = paid
    months["exceptions"] = [len(x) for x in count]
    edges, earlier = _edges(periods, site.tz)
    meters = list(dict.fromkeys(split_element(x)[0] for x in site.elements))
    known = [m for m in meters if m in archive.meters()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        frame = archive.read(
            known, earlier[0], edges[-1], TOPICS, tz=site.tz, bracket=True, errors="warn"
        ) if known else None  # fmt: skip
        last = {m: None if frame is None else _last(frame, m, edges) for m in meters}
        silent = {m: t for m, t in last.items() if t is None or edges[-1] - t >= SILENT}
        there = [m for m, t in last.items() if t is not None]
        if frame is None or not there:
            none = pd.DataFrame()
            return SiteReport(site, months, none, none, _CHANGES, _FINDINGS, silent)
        return _figured(site, edges, earlier, frame, there, months, silent)


def _edges(periods: pd.PeriodIndex, tz: str) -> tuple[list[pd.Timestamp], list[pd.Timestamp]]:
    """Where the months begin and the last ends, at the latest now; and those of last year."""
    walls = [*periods.to_timestamp(), (periods[-1] + 1).to_timestamp()]
    year = pd.DateOffset(years=1)
    now = pd.Timestamp.now(tz).floor("15min").tz_localize(None)
    walls[-1] = min(walls[-1], now)
    return [x.tz_localize(tz) for x in walls], [(x - year).tz_localize(tz) for x in walls]


def _figured(
    site: Site, edges: list[pd.Timestamp], earlier: list[pd.Timestamp], frame: pd.DataFrame,
    there: list[str], months: pd.DataFrame, silent: dict[str, pd.Timestamp | None],
) -> SiteReport:  # fmt: skip
    """A site's figures, from the meters that have readings in these months."""
    start, end = edges[0], edges[-1]
    ours = [x for x in site.elements if split_element(x)[0] in there]
    how: dict[str, Any] = {"site": site, "elements": ours, "tz": site.tz}
    now, before = (_detail(energy(frame, x, detail=True, **how)) for x in (edges, earlier))
    power = _by_id(demand(frame, start=start, end=end, **how))
    used = counted(site, ours)
    total = power[used].sum(axis=1, skipna=False)
    spans = list(pairwise(edges))
    months["energy"] = [_sum(x[x["id"].isin(used)]["energy"]) for x in now]
    months["coverage"] = [x["coverage"].sum() / len(site.elements) for x in now]
    share = [(x["readings"] / x["expected"]).clip(upper=1) for x in now]
    months["readings"] = [x.sum() / len(site.elements) for x in share]
    of_month = [total[(total.index >= a) & (total.index < b)] for a, b in spans]
    months["peak"] = [x.max() for x in of_month]
    peaks_at: Any = [None if x.isna().all() else x.idxmax() for x in of_month]
    months["peak_at"] = peaks_at
    months["load_factor"] = [x.mean() / x.max() for x in of_month]
    months["night"] = [x[pd.DatetimeIndex(x.index).hour < NIGHT].median() for x in of_month]
    daily = _by_id(energy(frame, "D", start=start, end=end, **how))
    return SiteReport(
        site, months, daily.rename(columns=site.labels), _hours(total),
        _changes(now, before, site),
        _ranked(quality(frame, start=start, end=end, site=site, elements=ours), site),
        silent,
    )  # fmt: skip


def counted(site: Site, ours: Sequence[str]) -> list[str]:
    """The elements whose sum is the building's use: its mains, or else its branches."""
    elements = site.elements
    mains = [x for x in ours if elements[x].role == "main" and elements[x].parent is None]
    return mains or [x for x in ours if elements[x].role != EXPORT]


def _detail(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The figures of each period, by element id."""
    table = table.assign(id=table["meter"].str.cat(table["element"].astype(str), "_"))
    return [rows.set_index("id", drop=False) for _, rows in table.groupby("start", sort=True)]


def _by_id(table: pd.DataFrame) -> pd.DataFrame:
    """Time to a column an element id, of a wide table over (meter, time)."""
    wide: Any = table.unstack("meter")
    names = [f"{meter}_{parse(str(column)).id}" for column, meter in wide.columns]
    found: pd.DataFrame = wide.set_axis(names, axis=1)
    return found


def _sum(values: pd.Series[Any]) -> float:
    return float(values.sum(min_count=1))


def _hours(total: pd.Series[Any]) -> pd.DataFrame:
    walls = pd.DatetimeIndex(total.index).tz_localize(None)
    days: Any = total.groupby([walls.normalize(), walls.hour]).mean().unstack()
    found: pd.DataFrame = days.reindex(columns=range(24))
    return found


def _changes(now: list[pd.DataFrame], before: list[pd.DataFrame], site: Site) -> pd.DataFrame:
    """The elements that changed most, over the months that both years know well."""
    new, old = (
        pd.DataFrame({i: m["energy"].where(m["coverage"] >= KNOWN) for i, m in enumerate(months)})
        for months in (now, before)
    )
    both = new.notna() & old.notna()
    found = pd.DataFrame(
        {
            "label": new.index.map(site.labels),
            "element": new.index,
            "months": both.sum(axis=1),
            "before": old.where(both).sum(axis=1),
            "now": new.where(both).sum(axis=1),
        }
    )
    found["change"] = found["now"] - found["before"]
    found["share"] = found["change"] / found["before"]
    order = found["change"].abs().sort_values(ascending=False).index
    return found.loc[order].query("months > 0").head(5).reset_index(drop=True)


def _ranked(found: pd.DataFrame, site: Site) -> pd.DataFrame:
    """What `quality` found, by energy at risk; what is a mere remark is left out."""
    found = found[found["severity"] != "info"]
    keys = found["meter"].astype(str).str.cat(found["element"].astype(str), "_")
    found = found.assign(label=keys.map(site.labels).fillna(keys))
    return found.sort_values("kwh_at_risk", ascending=False, na_position="last")[
        list(_FINDINGS.columns)
    ].reset_index(drop=True)


def _last(frame: pd.DataFrame, meter: str, edges: list[pd.Timestamp]) -> pd.Timestamp | None:
    """A meter's last reading in the months, None where it has none there."""
    own: Any = frame[frame.index.get_level_values("meter") == meter]
    rows = pd.DatetimeIndex(own.dropna(how="all").index.get_level_values("time"))
    rows = rows[(rows >= edges[0]) & (rows <= edges[-1])]
    return rows[-1].tz_convert(edges[0].tz) if len(rows) else None


_CHANGES = pd.DataFrame(columns=["label", "element", "months", "before", "now", "change", "share"])
_FINDINGS = pd.DataFrame(
    columns=["label", "finding", "start", "end", "count", "severity", "kwh_at_risk"]
)
