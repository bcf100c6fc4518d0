"""A rate of OpenEI's Utility Rate Database (URDB) becomes the tables of a tariff here.

Each field of a record is used, or listed in the tariff's notes as one that changes no price, or it
is refused by name: a tariff that leaves money out would price wrongly in silence. The fields are
those of version 8 of the database's API (openei.org, "utility_rates"), and three of version 3.
"""

from __future__ import annotations

import calendar
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from dentframe.errors import ConfigError, by
from dentframe.money.rounding_and_tiers import add, as_written

MONTHS, HOURS = 12, 24
NO_LIMIT = Decimal("1e30")
"""A tier's limit from here on is none: some writers put 1e38 for it."""

PLAIN = """label uri utility name approved is_default isdefault supercedes sector servicetype
description source sourceparent basicinformationcomments peakkwcapacitymin peakkwcapacitymax
peakkwcapacityhistory peakkwhusagemin peakkwhusagemax peakkwhusagehistory voltageminimum
voltagemaximum voltagecategory phasewiring demandunits demandcomments energycomments dgrules
usenetmetering eia eiaid country latest_update revisions zipcode coincidentrateunit
coincidentrateschedule startdate enddate"""
"""Fields that change no price; a rate that they describe is in another field."""
READ = """energyratestructure energyweekdayschedule energyweekendschedule flatdemandstructure
flatdemandmonths flatdemandunit demandratestructure demandweekdayschedule demandweekendschedule
demandrateunit demandwindow demandratchetpercentage lookbackpercent lookbackrange lookbackmonths
fixedchargefirstmeter fixedchargeunits fixedmonthlycharge mincharge minchargeunits
minmonthlycharge"""
COMMENTS = ("description", "basicinformationcomments", "energycomments", "demandcomments")
_KVA, _DAILY = {"topic": "kVAHNet"}, {"per": "day"}
UNITS = {"kw": {}, "kva": _KVA, "kw daily": _DAILY, "kva daily": {**_KVA, **_DAILY}}
PERS = {"$/month": "month", "$/day": "day"}
_ENERGY = ("energyratestructure", "energyweekdayschedule", "energyweekendschedule")
_TOU = ("demandratestructure", "demandweekdayschedule", "demandweekendschedule")
_FLAT = ("flatdemandstructure", "flatdemandmonths")
_FIXED = (
    ("fixed", "Fixed charge", "fixedchargefirstmeter", "fixedchargeunits", "fixedmonthlycharge"),
    ("minimum", "Minimum", "mincharge", "minchargeunits", "minmonthlycharge"),
)
Grid = list[tuple[Any, Any]]
"""For each month the period of each hour, on weekdays and on weekends."""
Prices = tuple[list[Decimal], tuple[Any, ...]]
"""The prices of the tiers of a period, and the limits of all but the last."""
LIMITS = (
    "The database knows whole hours and whole months only: windows and seasons are cut so.",
    "It knows no holidays; those that are added to the tariff have the prices of a weekend.",
    "Windows are named by the database's periods, of which the first is period 1.",
)


def tables(source: Any, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a tariff, as `Tariff.from_dict` reads them; `stated` as in `from_urdb`."""
    rate = _Rate(_record(source), stated)
    try:
        charges = [*rate.energy(), *rate.demand(), *rate.fixed()]
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"Cannot read this rate: it is no such record ({error}).") from None
    rate.check_rest()
    if rate.refused:
        raise ConfigError(
            f"Cannot price by the rate {rate.data.get('name', '')!r}: {'; '.join(rate.refused)}. "
            "Prices would be wrong without it. Write the tariff by hand, or, where a field is no "
            f"matter for these meters, name it in {_stated('ignore')}."
        )
    name = ": ".join(str(rate.data[k]) for k in ("utility", "name") if rate.data.get(k))
    return {"name": name, "currency": "USD", "charges": charges, "notes": list(rate.notes())}


def _record(source: Any) -> Mapping[str, Any]:
    """The one rate of a mapping, of JSON text, or of a file; of an answer with ``items`` too."""
    found = source
    if not isinstance(source, Mapping):
        text = str(source)
        try:
            if not text.lstrip().startswith("{"):
                text = Path(text).read_text(encoding="utf-8")
            found = json.loads(text, parse_float=Decimal)
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"Cannot read a rate from {str(source)[:80]!r}: {error}.") from None
    if isinstance(found, Mapping):
        found = found.get("items", [found])
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], Mapping):
        raise ConfigError(
            f"Cannot read a rate from {str(source)[:80]!r}: it is not one record of OpenEI's rate "
            "database. Give one of its records, or an answer with one item."
        )
    return found[0]


class _Rate:
    """One record; what is not understood is gathered in `refused`. The record is not changed."""

    def __init__(self, record: Mapping[str, Any], stated: Mapping[str, Any]) -> None:
        self.names = {str(k).lower(): str(k) for k in record}
        self.data = {str(k).lower(): v for k, v in record.items()}
        self.stated = stated
        self.ignore = {x.lower() for x in stated["ignore"]}
        self.refused: list[str] = []

    def refuse(self, field: str, why: str) -> None:
        reason = f"{self.names.get(field, field)} {why}"
        if field.lower() not in self.ignore and reason not in self.refused:
            self.refused.append(reason)

    def value(self, field: str) -> Any:
        return None if field in self.ignore else self.data.get(field)

    def number(self, field: str) -> Decimal:
        return as_written(self.value(field) or 0, self.names.get(field, field))

    # --- what is priced ---

    def energy(self) -> Iterator[dict[str, Any]]:
        """One charge where all periods have the same tiers, else one for each set of a month."""
        grid, prices = self.prices(*_ENERGY)
        if not prices:
            self.refuse(_ENERGY[0], "is missing: energy would cost nothing")
        groups = [sorted(prices)] if prices else []
        if len({edges for _, edges in prices.values()}) > 1:
            groups = [[p] for p in groups[0]]
            if self.stated["tier_order"] != "per_period":  # those of each month together
                groups = [list(x) for x in dict.fromkeys(tuple(_used([pair])) for pair in grid)]
            apart = sum(map(len, groups)) == len(prices)
            if not apart or any(len({prices[p][1] for p in group}) > 1 for group in groups):
                only = _stated("tier_order", "per_period")
                self.refuse(f"{_ENERGY[0]}.max", "differs between periods of one month: only "
                            f"{only} can fill such tiers")  # fmt: skip
        for group in groups:
            more = "" if len(groups) == 1 else f" {' and '.join(map(_name, group))}"
            rates, edges = [prices[p][0] for p in group], prices[group[0]][1]
            found: dict[str, Any] = {"kind": "energy", "name": f"Energy{more}"}
            if edges:
                needed = ["tier_proration", "tier_order"][: 1 + (len(group) > 1)]
                found |= {"tiers": list(edges), **{k: self.stated[k] for k in needed}}
                for k in [k for k in needed if self.stated[k] is None]:
                    self.refuse(f"{_ENERGY[0]}.max", "limits tiers, and the database does not say "
                                f"how they fill: state {_stated(k)}")  # fmt: skip
            found["windows"] = [w for p in group for w in _windows(grid, p, range(MONTHS))]
            by_period = {"rates": dict(zip(map(_name, group), rates, strict=True))}
            yield found | (by_period if len(group) > 1 else {"rate": rates[0]})

    def demand(self) -> Iterator[dict[str, Any]]:
        """A charge for each period of flat demand and of demand by time of use, with ratchets."""
        found = []
        kinds = ("flatdemandunit", "Demand", _FLAT), ("demandrateunit", "Time-of-use demand", _TOU)
        for unit, name, fields in kinds:
            grid, prices = self.prices(*fields)
            prices = {p: x for p, x in prices.items() if any(x[0])}
            found += [(unit, name, grid, prices)] if prices else []
        shares = self.ratchets([name for _, name, _, _ in found])
        for unit, name, grid, prices in found:
            of, minutes = str(self.value(unit) or "kW").lower(), self.number("demandwindow")
            if of not in UNITS:
                self.refuse(unit, f"is {self.data[unit]!r}: use a rate in kW or kVA")
            if minutes not in range(1, 1441):
                self.refuse("demandwindow", "is missing: it says over how many minutes demand is "
                            "measured")  # fmt: skip
            own = shares.get(name, {})
            for p, (rate, edges) in prices.items():
                title = f"{name} {_name(p)}" if len(_used(grid)) > 1 else name
                charge = {"kind": "demand", "rate": rate, "tiers": list(edges),
                          "window": f"{int(minutes)}min", **UNITS.get(of, {})}  # fmt: skip
                of_percent: dict[Any, list[int]] = {}  # months with the same ratchet
                for m in (m for m, pair in enumerate(grid) if any(p in row for row in pair)):
                    of_percent.setdefault(own.get(m, {}).get("percent"), []).append(m)
                for months in of_percent.values():
                    more = f", months {', '.join(str(m + 1) for m in months)}"
                    yield {**charge, "name": title + more * (len(of_percent) > 1),
                           "ratchet": own.get(months[0]),
                           "windows": _windows(grid, p, months)}  # fmt: skip

    def ratchets(self, names: list[str]) -> dict[str, dict[int, dict[str, Any]]]:
        """Percentage and look-back by month, for each kind of demand that has a ratchet."""
        field = "lookbackpercent" if self.number("lookbackpercent") else "demandratchetpercentage"
        if field == "lookbackpercent":
            every = [self.number(field)] * MONTHS
            if any(self.value("demandratchetpercentage") or ()):
                self.refuse(field, "and demandratchetpercentage state two ratchets")
            if len(set(map(bool, self.value("lookbackmonths") or ()))) > 1:
                self.refuse("lookbackmonths", "names some months only: whether bills or peaks of "
                            "these months are meant, the database does not say")  # fmt: skip
        else:
            every = [as_written(x or 0, field) for x in self.value(field) or [0] * MONTHS]
        if not any(every) or not names:
            return {}
        if len(every) != MONTHS or any(not 0 <= x <= 1 for x in every):
            self.refuse(field, "is no share for each month: 0.8 is 80 %")
        back = self.stated["ratchet_lookback"] or int(self.number("lookbackrange"))
        if not back:
            self.refuse("lookbackrange", "does not say how many months a ratchet looks back on: "
                        f"state {_stated('ratchet_lookback')}")  # fmt: skip
        on = self.stated["ratchet_on"]
        if len(names) > 1 and on not in {"flat", "tou", "both"}:
            self.refuse(field, "does not say of which demand: state "
                        f"{_stated('ratchet_on', 'flat')}, 'tou' or 'both'")  # fmt: skip
        names = {"flat": ["Demand"], "tou": ["Time-of-use demand"]}.get(on, names)
        shares = {m: {"percent": x * 100, "lookback": back} for m, x in enumerate(every) if x}
        return {} if self.refused else dict.fromkeys(names, shares)

    def fixed(self) -> Iterator[dict[str, Any]]:
        """Fixed charges, and the least that is due; it counts all before it."""
        for kind, name, field, unit, monthly in _FIXED:
            rate, old = self.number(field), self.number(monthly)
            per = PERS.get(str(self.value(unit)), "")
            if rate and not per:
                self.refuse(unit, f"is {self.data.get(unit)!r}: only {' and '.join(PERS)} can be "
                            "billed by month")  # fmt: skip
            if rate and old:
                self.refuse(monthly, f"and {field} are both there")
            elif rate or old:
                yield {"kind": kind, "name": name, "rate": rate or old, "per": per or "month"}

    # --- the parts of a record ---

    def prices(self, structure: str, *schedules: str) -> tuple[Grid, dict[int, Prices]]:
        """The periods of a structure by month and hour, and the prices of each."""
        periods = self.value(structure) or ()
        rows = [self.value(x) or () for x in schedules]
        if not periods:
            return [], {}
        if not any(rows) and len(periods) == 1:
            rows = [[[0] * HOURS] * MONTHS]
        elif schedules == _FLAT[1:]:
            rows = [[[m] * HOURS for m in rows[0]]]
        for field, months in zip(schedules, rows, strict=False):
            is_table = {len(months)} == {MONTHS} and {len(r) for r in months} == {HOURS}
            if not is_table or not all(x in range(len(periods)) for row in months for x in row):
                self.refuse(field, f"does not give each of {MONTHS} months one of the "
                            f"{len(periods)} periods of {structure}")  # fmt: skip
                return [], {}
        grid = [(pair[0], pair[-1]) for pair in zip(*rows, strict=True)]
        return grid, {p: self.tiers(structure, periods[p], p) for p in _used(grid)}

    def tiers(self, field: str, tiers: Any, p: int) -> Prices:
        rates, limits = [], []
        of = {_FLAT[0]: "flatdemandunit", _TOU[0]: "demandrateunit"}.get(field)
        units = {"", "kwh"} if of is None else {"", "kw", str(self.value(of)).lower()}
        if of is None and str(self.stated["tier_proration"]) == "1":
            units.add("kwh daily")  # a day's limit times the days of a bill
        for i, tier in enumerate(tiers):
            where = f"{field}[{p}][{i}]"
            for key in set(map(str, tier)) - {"rate", "adj", "max", "unit", "sell"}:
                self.refuse(f"{field}.{key}", f"is unknown ({where})")
            parts = [tier[k] for k in ("rate", "adj") if tier.get(k) is not None]
            if not parts:
                self.refuse(f"{field}.rate", f"is missing ({where})")
            if tier.get("sell"):
                self.refuse(f"{field}.sell", f"is a price for what is fed in ({where})")
            if str(tier.get("unit") or "").lower() not in units:
                self.refuse(f"{field}.unit", f"is {tier['unit']!r} ({where}): use kWh or kW; "
                            f"kWh daily needs {_stated('tier_proration', 1)}")  # fmt: skip
            rates.append(add([as_written(x, where) for x in parts]))
            limits.append(as_written(tier.get("max") or NO_LIMIT, where))
        if [x >= NO_LIMIT for x in limits] != [False] * (len(limits) - 1) + [True]:
            self.refuse(f"{field}.max", f"must be in all tiers but the last ({field}[{p}])")
        return rates, tuple(limits[:-1])

    # --- what is not priced ---

    def check_rest(self) -> None:
        """Refuse money that is not read: fields by name, and whatever is not known at all."""
        for field, value in self.data.items():
            known = field in f"{PLAIN} {READ}".split() or not _says(value)
            if not known and (field[-5:] != "attrs" or any(map(str.isdigit, str(value)))):
                text = json.dumps(value, default=str)
                shown = text if len(text) < 60 else f"{text[:57]}..."
                self.refuse(field, f"is {shown}, which is not priced")

    def notes(self) -> Iterator[str]:
        """What a reader of the tariff must know."""
        yield from LIMITS
        dates: list[Any] = [self.data.get("startdate"), self.data.get("enddate")]
        days = [str(dt.datetime.fromtimestamp(int(x), dt.UTC).date()) if str(x).isdigit() else x
                for x in dates]  # fmt: skip
        if any(days):
            yield f"In force from {days[0] or 'unknown'} to {days[1] or 'now'}, by the database."
        for field in COMMENTS:
            if self.data.get(field):
                yield f"The record's {field}: {' '.join(str(self.data[field]).split())}"
        if self.ignore:
            yield f"Ignored as asked: {', '.join(sorted(self.ignore))}."
        rest = [self.names[x] for x in self.data if x not in READ.split() and x not in self.ignore]
        yield f"Fields that change no price: {', '.join(rest) or 'none'}."


def _stated(keyword: str, value: Any = "") -> str:
    """A keyword of `from_urdb` with a value, as Python or the command line has it."""
    option = f"--{keyword.replace('_', '-')} {value}".rstrip()
    return by(f"{keyword}={value and repr(value)}", option)


def _says(value: Any) -> bool:
    """Whether a field says anything: a zero, an empty list, or a list of such does not."""
    if isinstance(value, Mapping | list | tuple):
        return any(map(_says, value.values() if isinstance(value, Mapping) else value))
    return bool(value)


def _name(period: int) -> str:
    return f"period {period + 1}"


def _used(grid: Grid) -> list[int]:
    """The periods that some hour has."""
    return sorted({int(p) for pair in grid for row in pair for p in row})


def _windows(grid: Grid, period: int, months: Sequence[int]) -> list[dict[str, Any]]:
    """When a period is, by runs of months with the same hours; empty where it is always."""

    def hours(row: Sequence[Any]) -> tuple[tuple[int, int], ...]:
        runs = groupby(range(HOURS), key=lambda h: row[h] == period)
        each = [list(run) for is_on, run in runs if is_on]
        return tuple((run[0], run[-1] + 1) for run in each)

    shape = [tuple(map(hours, pair)) if m in months else ((), ()) for m, pair in enumerate(grid)]
    if set(shape) == {(((0, HOURS),),) * 2}:
        return []
    found = []
    for (week, weekend), run in groupby(range(MONTHS), key=lambda m: shape[m]):
        every = list(run)
        first, last = every[0] + 1, every[-1] + 1
        ends = [f"{first:02}-01", f"{last:02}-{calendar.monthrange(2023, last)[1]}"]
        days = [("weekday", week), (["sat", "sun", "holiday"], weekend)]
        found += [
            {"name": _name(period), "start": f"{a:02}:00", "end": f"{b:02}:00", "days": on,
             "season": ends if len(every) < MONTHS else None}
            for on, spans in ([("all", week)] if week == weekend else days)
            for a, b in spans
        ]  # fmt: skip
    return found
