"""`report` measures the months of a portfolio, and `status` what needs a person now.

Both read an archive and saved splits. `status` is for a monitoring system: how old the readings
are, and which meters went silent.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from dentframe.archive.archive import Archive, opened
from dentframe.atomic_files import whole_file
from dentframe.documents.statement_and_portfolio_html import report_page
from dentframe.documents.statement_csv_and_excel import save_workbook
from dentframe.errors import ConfigError, DentWarning, RangeError
from dentframe.frame.concat import concat
from dentframe.money.record_reader import Record, records_in
from dentframe.site.site import EXPORT, Site
from dentframe.verbs.demand import demand
from dentframe.verbs.energy import energy
from dentframe.verbs.quality import quality
from dentframe.wire.columns import parse, split_element

TOPICS = ["kWHNet", "DemandkW"]
SILENT = pd.Timedelta(days=2)
"""A meter without a reading for so long is called silent."""
NIGHT = 5
"""The night is the hours from midnight to this one."""
COLUMNS = [
    "energy", "cost", "peak", "peak_at", "load_factor", "night", "coverage", "readings",
    "exceptions",
]  # fmt: skip
USUAL = pd.Timedelta(days=28)
"""What a meter uses in a day is the mean of so many days before it went silent."""
KNOWN = 0.95
"""Months are compared with last year's where so much of both is covered."""
_CHANGES = ["label", "element", "months", "before", "now", "change", "share"]
_FINDINGS = ["label", "finding", "start", "end", "count", "severity", "kwh_at_risk"]


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
        return report_page(self, path)

    def to_excel(self, path: str | Path) -> Path:
        """A workbook: months, changes, findings and silent meters of all sites.

        Raises
        ------
        MissingExtraError
            Where XlsxWriter is not installed (extra ``excel``).
        """
        silent = [(x.site.name, m, at) for x in self.sites for m, at in x.silent.items()]
        tables = {"months": self.table.reset_index()}
        tables |= {x: self._of_sites(x) for x in ("changes", "findings")}
        tables["silent"] = pd.DataFrame(silent, columns=["site", "meter", "last reading"])
        with whole_file(Path(path)) as part:
            save_workbook(tables, part)
        return Path(path)

    def _of_sites(self, name: str) -> pd.DataFrame:
        """A table of all sites that have rows in it, with the site's name."""
        every: dict[str, pd.DataFrame] = {x.site.name: getattr(x, name) for x in self.sites}
        tables = {site: x for site, x in every.items() if len(x)} or every
        return pd.concat(tables, names=["site"]).reset_index("site")


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
    every = _sites(sites)
    now = pd.Timestamp.now("UTC").floor("15min")
    periods = _months(months, min(now.tz_convert(s.tz).tz_localize(None) for s in every))
    if len({s.name for s in every}) < len(every):
        raise ConfigError("Cannot report: two sites have one name. Give each its own.")
    store, saved = opened(archive), [] if records is None else records_in(records)
    found = tuple(_measured(s, periods, store, saved) for s in every)
    return Report(tuple(map(str, periods)), found)


def _open_exceptions(record: Record) -> int:
    return sum(not x["accepted"] for x in record.contents.result["exceptions"])


def _sites(given: Any) -> list[Site]:
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


def _months(given: str | Iterable[str], now: pd.Timestamp) -> pd.PeriodIndex:
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


def _measured(
    site: Site, periods: pd.PeriodIndex, archive: Archive, saved: Iterable[Record]
) -> SiteReport:
    index = pd.Index(map(str, periods), name="month")
    months: Any = pd.DataFrame(float("nan"), index=index, columns=COLUMNS)
    months[["coverage", "readings"]] = 0.0
    cost, exceptions = defaultdict[str, Decimal](Decimal), defaultdict[str, int](int)
    for x in (x for x in saved if x.contents.site == site.name):
        start, end = (x.site.instant(at).tz_convert(x.site.tz) for at in (x.bill.start, x.bill.end))
        month = f"{start + (end - start) / 2:%Y-%m}"
        cost[month] += x.control["utility"]
        exceptions[month] += _open_exceptions(x)
    months["cost"] = [cost.get(m) for m in months.index]
    months["exceptions"] = [exceptions[m] for m in months.index]
    # The months end at the latest now; with them are compared the same of last year.
    walls = [*periods.to_timestamp(), (periods[-1] + 1).to_timestamp()]
    walls[-1] = min(walls[-1], pd.Timestamp.now(site.tz).floor("15min").tz_localize(None))
    edges = [x.tz_localize(site.tz) for x in walls]
    earlier = [(x - pd.DateOffset(years=1)).tz_localize(site.tz) for x in walls]
    meters = list(dict.fromkeys(split_element(x)[0] for x in site.elements))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        frame = _read(archive, meters, earlier[0], edges[-1], tz=site.tz, bracket=True)
        last = {} if frame is None else _last_readings(frame, edges)
        silent = {m: last.get(m) for m in meters if m not in last or edges[-1] - last[m] >= SILENT}
        if frame is None or not last:
            none = pd.DataFrame()
            changes, findings = (pd.DataFrame(columns=x) for x in (_CHANGES, _FINDINGS))
            return SiteReport(site, months, none, none, changes, findings, silent)
        return _figured(site, edges, earlier, frame, last, months, silent)


def _read(archive: Archive, meters: Iterable[str], start: Any, end: Any, **how: Any) -> Any:
    """The readings of the topics that all meters have, else of those that each has; or None."""
    topics = {m: archive.meter(m).topics for m in meters}
    held = {m: own for m, x in topics.items() if (own := [k for k in TOPICS if k in x])}
    shared = [x for x in TOPICS if all(x in own for own in held.values())]
    groups = defaultdict[tuple[str, ...], list[str]](list)
    for m, own in held.items():
        groups[tuple(shared or own)].append(m)
    every = (archive.read(g, start, end, x, errors="warn", **how) for x, g in groups.items())
    return concat(every) if groups else None


def _figured(
    site: Site, edges: list[pd.Timestamp], earlier: list[pd.Timestamp], frame: pd.DataFrame,
    there: Collection[str], months: Any, silent: dict[str, pd.Timestamp | None],
) -> SiteReport:  # fmt: skip
    """A site's figures, from the meters that have readings in these months."""
    start, end = edges[0], edges[-1]
    ours = [x for x in site.elements if split_element(x)[0] in there]
    how: dict[str, Any] = {"site": site, "elements": ours, "tz": site.tz}
    now, before = (_detail(energy(frame, x, detail=True, **how)) for x in (edges, earlier))
    used = _counted(site, ours)
    total: Any = _by_id(demand(frame, start=start, end=end, **how))[used].sum(axis=1, skipna=False)
    months["energy"] = [float(x["energy"][x.index.isin(used)].sum(min_count=1)) for x in now]
    months["coverage"] = [x["coverage"].sum() / len(site.elements) for x in now]
    shares = ((x["readings"] / x["expected"]).clip(upper=1) for x in now)
    months["readings"] = [x.sum() / len(site.elements) for x in shares]
    of_month = [total[(total.index >= a) & (total.index < b)] for a, b in pairwise(edges)]
    months["peak"] = [x.max() for x in of_month]
    months["peak_at"] = [None if x.isna().all() else x.idxmax() for x in of_month]
    months["load_factor"] = [x.mean() / x.max() for x in of_month]
    months["night"] = [x[x.index.hour < NIGHT].dropna().median() for x in of_month]
    daily = _by_id(energy(frame, "D", start=start, end=end, **how)).rename(columns=site.labels)
    walls = pd.DatetimeIndex(total.index).tz_localize(None)
    hours = total.groupby([walls.normalize(), walls.hour]).mean().unstack()
    hours = hours.reindex(columns=range(24))
    found = quality(frame, start=start, end=end, site=site, elements=ours)
    found = found[found["severity"] != "info"]  # the rest are mere remarks
    keys = found["meter"].astype(str).str.cat(found["element"].astype(str), "_")
    found = found.assign(label=keys.map(site.labels).fillna(keys))
    found = found.sort_values("kwh_at_risk", ascending=False, na_position="last")
    findings = found[_FINDINGS].reset_index(drop=True)
    return SiteReport(site, months, daily, hours, _changes(now, before, site), findings, silent)


def _counted(site: Site, ours: Iterable[str]) -> list[str]:
    """The elements whose sum is the building's use: its mains, or else its branches."""
    elements = site.elements
    mains = [x for x in ours if elements[x].role == "main" and elements[x].parent is None]
    return mains or [x for x in ours if elements[x].role != EXPORT]


def _detail(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The figures of each period, by element id."""
    ids = table["meter"].str.cat(table["element"].astype(str), "_")
    return [rows for _, rows in table.set_index(ids).groupby("start", sort=True)]


def _by_id(table: pd.DataFrame) -> pd.DataFrame:
    """Time to a column an element id, of a wide table over (meter, time)."""
    wide: Any = table.unstack("meter")
    names = [f"{meter}_{parse(str(column)).id}" for column, meter in wide.columns]
    found: pd.DataFrame = wide.set_axis(names, axis=1)
    return found


def _changes(now: list[pd.DataFrame], before: list[pd.DataFrame], site: Site) -> pd.DataFrame:
    """The elements that changed most, over the months that both years know well."""
    new, old = (
        pd.DataFrame({i: m["energy"].where(m["coverage"] >= KNOWN) for i, m in enumerate(months)})
        for months in (now, before)
    )
    both = new.notna() & old.notna()
    found = pd.DataFrame({"label": new.index.map(site.labels), "element": new.index}, new.index)
    found["months"] = both.sum(axis=1)
    found["before"] = old.where(both).sum(axis=1)
    found["now"] = new.where(both).sum(axis=1)
    found["change"] = found["now"] - found["before"]
    found["share"] = found["change"] / found["before"]
    found = found.sort_values("change", key=abs, ascending=False)
    return found.query("months > 0").head(5).reset_index(drop=True)


def _last_readings(frame: pd.DataFrame, edges: list[pd.Timestamp]) -> dict[Any, pd.Timestamp]:
    """The last reading of each meter that has any in the months."""
    rows: Any = frame.dropna(how="all").index.to_frame(index=False)
    rows = rows[rows["time"].between(edges[0], edges[-1])]
    last: dict[Any, pd.Timestamp] = rows.groupby("meter")["time"].max().to_dict()
    return {meter: at.tz_convert(edges[0].tz) for meter, at in last.items()}


# --- what needs a person now --------------------------------------------------------------


@dataclass(frozen=True)
class Silent:
    """A meter without readings, and what that means at the end of the month.

    Attributes
    ----------
    meter, site : str
        Which; the site is ``""`` where no site file has it.
    since : Timestamp or None
        Its last reading; None where there was none.
    days : float or None
        How long ago that was.
    kwh : float or None
        What it would use in this month without a reading, as it did before [kWh].
    cost : float or None
        What the utility charges for so much, by the site's last bill [currency].
    currency : str
        Of the cost.
    """

    meter: str
    site: str
    since: pd.Timestamp | None
    days: float | None
    kwh: float | None
    cost: float | None
    currency: str

    def __str__(self) -> str:
        where = f" of {self.site}" if self.site else ""
        if self.since is None:
            return f"{self.meter}{where} has no reading in the archive."
        since = f"for {self.days:.1f} days, since {self.since:%Y-%m-%d %H:%M %Z}"
        if self.kwh is None:
            return f"{self.meter}{where} is silent {since}."
        money = "" if self.cost is None else f", about {self.cost:,.0f} {self.currency}"
        unknown = f"{self.kwh:,.0f} kWh will be known by no reading{money}"
        return f"{self.meter}{where} is silent {since}: at the month's end {unknown}."


@dataclass(frozen=True)
class Status:
    """How fresh the readings are, and what needs a person.

    Attributes
    ----------
    newest : Timestamp or None
        The newest reading of the archive.
    age : float or None
        How old that is [h].
    silent : tuple of Silent
        Meters that lag two days or more behind.
    exceptions : int
        How many exceptions of saved splits are open.
    """

    newest: pd.Timestamp | None
    age: float | None
    silent: tuple[Silent, ...]
    exceptions: int

    @property
    def ok(self) -> bool:
        """Whether nothing needs a person: readings are fresh, nothing is open."""
        fresh = self.age is not None and self.age < SILENT / pd.Timedelta(hours=1)
        return fresh and not self.silent and not self.exceptions


def status(archive: Any, sites: Any = None, records: Any = None, now: Any = None) -> Status:
    """The archive's age, its silent meters and the open exceptions of saved splits.

    Parameters
    ----------
    archive : Archive or path
        Where the readings are.
    sites : Site, sequence of Site, or path, optional
        As in `report`: names, zones, and meters that must be there.
    records : path, optional
        The folder of saved splits.
    now : Timestamp, optional
        The present, for tests.
    """
    store = opened(archive)
    moment = pd.Timestamp.now("UTC") if now is None else pd.Timestamp(now)
    every = [] if sites is None else _sites(sites)
    of_meter = {split_element(x)[0]: s for s in every for x in s.elements}
    last = {m: _newest(store, m) for m in sorted({*store.meters(), *of_meter})}
    newest = max((x for x in last.values() if x is not None), default=None)
    saved = [] if records is None else records_in(records)
    late = {m: at for m, at in last.items() if at is None or moment - at >= SILENT}
    silent = [_silent(store, m, at, of_meter.get(m), saved, moment) for m, at in late.items()]
    age = None if newest is None else (moment - newest) / pd.Timedelta(hours=1)
    return Status(newest, age, tuple(silent), sum(map(_open_exceptions, saved)))


def _newest(store: Archive, meter: str) -> pd.Timestamp | None:
    """The meter's last reading [UTC]."""
    own = store.meter(meter)
    every = (own.minutes(year) for year in sorted(own.records, reverse=True))
    last = (pd.Timestamp(int(x[-1]) * 60, unit="s", tz="UTC") for x in every if len(x))
    return next(last, None)


def _silent(
    store: Archive, meter: str, at: pd.Timestamp | None, site: Site | None,
    saved: Iterable[Record], now: pd.Timestamp,
) -> Silent:  # fmt: skip
    name, tz, currency = (site.name, site.tz, site.currency) if site else ("", "UTC", "")
    if at is None:
        return Silent(meter, name, None, None, None, None, currency)
    how: dict[str, Any] = {"tz": tz, "start": at - USUAL, "end": at, "detail": True}
    if site is not None:
        own = [x for x in site.elements if split_element(x)[0] == meter]
        counted = [x for x in _counted(site, site.elements) if x in own]
        how |= {"site": site, "elements": counted or own}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        frame = _read(store, [meter], at - USUAL, at + pd.Timedelta(minutes=1))
        used = None if frame is None else energy(frame, **how)["energy"].sum(min_count=1)
    month = now.tz_convert(tz).tz_localize(None).to_period("M")
    first, end = (x.to_timestamp().tz_localize(tz) for x in (month, month + 1))
    kwh = None if pd.isna(used) else float(used) * ((end - max(at, first)) / USUAL)
    days, cost = (now - at) / pd.Timedelta(days=1), None
    bills = [x for x in saved if x.contents.site == name] if site is not None else []
    if bills and kwh is not None:  # at what the last one came to
        measured = bills[-1].figures.query("basis == 'energy' and kind != 'main'")["quantity"]
        billed = float(sum(measured.dropna()))
        cost = kwh * (float(bills[-1].control["utility"]) / billed) if billed else None
    return Silent(meter, name, at.tz_convert(tz), days, kwh, cost, currency)
