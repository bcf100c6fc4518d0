"""The state of an archive is told here for a monitoring system: its age, and what went silent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.archive.archive import Archive, opened
from dentframe.errors import DentWarning
from dentframe.money.portfolio import SILENT, TOPICS, counted, sites_of
from dentframe.money.record_reader import records as _records
from dentframe.verbs.energy import energy
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.site.site import Site

USUAL = pd.Timedelta(days=28)
"""What a meter uses in a day is the mean of so many days before it went silent."""


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
        told = (
            f"{self.meter}{where} is silent for {self.days:.1f} days, since "
            f"{self.since:%Y-%m-%d %H:%M %Z}"
        )
        if self.kwh is None:
            return f"{told}."
        money = "" if self.cost is None else f", about {self.cost:,.0f} {self.currency}"
        return f"{told}: at the month's end {self.kwh:,.0f} kWh will be known by no reading{money}."


@dataclass(frozen=True)
class Status:
    """What a night watch wants to know.

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
    every = [] if sites is None else sites_of(sites)
    of_meter = {split_element(x)[0]: s for s in every for x in s.elements}
    last = {m: _last(store, m) for m in sorted({*store.meters(), *of_meter})}
    known = [x for x in last.values() if x is not None]
    newest = max(known, default=None)
    silent = [
        _silent(store, m, at, of_meter.get(m), records, moment)
        for m, at in last.items()
        if at is None or moment - at >= SILENT
    ]
    table = pd.DataFrame() if records is None else _records(records, "exceptions")
    open_ones = 0 if table.empty else int((~table["accepted"].astype(bool)).sum())
    age = None if newest is None else (moment - newest) / pd.Timedelta(hours=1)
    return Status(newest, age, tuple(silent), open_ones)


def _last(store: Archive, meter: str) -> pd.Timestamp | None:
    """The meter's last reading [UTC]."""
    own = store.meter(meter)
    for year in sorted(own.records, reverse=True):
        minutes = own.minutes(year)
        if len(minutes):
            return pd.Timestamp(int(minutes[-1]) * 60, unit="s", tz="UTC")
    return None


def _silent(
    store: Archive, meter: str, at: pd.Timestamp | None, site: Site | None, records: Any,
    now: pd.Timestamp,
) -> Silent:  # fmt: skip
    name, tz = (site.name, site.tz) if site else ("", "UTC")
    currency = site.currency if site else ""
    if at is None:
        return Silent(meter, name, None, None, None, None, currency)
    how: dict[str, Any] = {}
    if site is not None:
        own = [x for x in site.elements if split_element(x)[0] == meter]
        how = {
            "site": site,
            "elements": [x for x in counted(site, list(site.elements)) if x in own],
        }
        how["elements"] = how["elements"] or own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        until = at + pd.Timedelta(minutes=1)
        frame = store.read([meter], at - USUAL, until, TOPICS, errors="warn")
        energies = energy(frame, tz=tz, start=at - USUAL, end=at, detail=True, **how)["energy"]
    month = now.tz_convert(tz).tz_localize(None).to_period("M")
    first, end = (x.to_timestamp().tz_localize(tz) for x in (month, month + 1))
    kwh = float(energies.sum(min_count=1)) * ((end - max(at, first)) / USUAL)
    rate = None if records is None or site is None else _rate(records, name)
    days = (now - at) / pd.Timedelta(days=1)
    cost = None if rate is None else kwh * rate
    return Silent(meter, name, at.tz_convert(tz), days, kwh, cost, currency)


def _rate(folder: Any, site: str) -> float | None:
    """What the site's last bill came to [currency/kWh]."""
    control, figures = (_records(folder, x) for x in ("control", "figures"))
    control = control[(control["site"] == site) & (control["party"] == "utility")]
    if control.empty:
        return None
    last = control.sort_values("period_start").iloc[-1]
    measured = figures[(figures["record"] == last["record"]) & (figures["basis"] == "energy")]
    kwh = sum(measured["quantity"][measured["kind"] != "main"].dropna())
    return float(last["amount"]) / float(kwh) if kwh else None
