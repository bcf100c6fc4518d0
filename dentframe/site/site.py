"""A site says which elements there are, what they are rated for, and who holds them when.

It is written as TOML (`dentframe.site.toml_tables`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pandas as pd

from dentframe.errors import ConfigError, RangeError, did_you_mean
from dentframe.metering.register_rules import FIELDS, RegisterRules, SiteRules
from dentframe.site.corrections import OPEN_END, Correction, in_force
from dentframe.site.currencies import check_currency
from dentframe.site.toml_tables import Moment, Table, dump, load, plain, read_itself
from dentframe.times.dates_and_ranges import Zone, instant, zone
from dentframe.wire.columns import element_ids, split_element

_SWAP = ("at", "closing", "opening")
_RATINGS = "ratings above 0 [A], e.g. [200, 200, 200]"
ROLES = ("main", "branch", "export")
EXPORT, UNALLOCATED = "export", "unallocated"
"""Parties of a split that are no tenant or landlord; nobody else may have these names."""
_OPEN_START = pd.Timestamp("1700-01-01", tz="UTC")


@dataclass(frozen=True)
class Element:
    """One element of a meter, as the site file describes it.

    Parameters
    ----------
    label : str
        What it feeds.
    role : {"branch", "main", "export"}
        A main measures what its branches measure too and is never billed; an export feeds in.
    parent : str, optional
        The main upstream of it.
    cts : tuple of float
        CT ratings [A], one per CT.
    volts : float, optional
        Between line and neutral [V].
    max_kw : float, optional
        Greatest power [kW]; by default the sum over the CTs of rating x volts / 1000.
    common : bool
        Whether it feeds common areas: nobody holds it, a rule shares it.
    area : Decimal, optional
        Of the unit it feeds, for the days when nobody holds it; in the tenants' unit.
    modulus : float, optional
        Where its register starts again at 0 [kWh].
    swaps : tuple of (time, closing, opening)
        Meter swaps, the register values in kWh.
    """

    label: str
    role: str = field(default="branch", metadata={"one_of": ROLES, "written": True})
    parent: str | None = None
    cts: tuple[float, ...] = field(default=(), metadata={"what": _RATINGS})
    volts: float | None = None
    max_kw: float | None = None
    common: bool = False
    area: Decimal | None = field(default=None, metadata={"least": 0})
    modulus: float | None = None
    swaps: tuple[tuple[Moment, float, float], ...] = ()

    def __post_init__(self) -> None:
        what = f"element {self.label!r}"
        read_itself(self, what, swaps=_swaps(Table({"swaps": self.swaps}, what)))

    @property
    def rating(self) -> float | None:
        """The greatest power it can draw or feed [kW], None where nothing tells."""
        if self.max_kw is not None or not self.cts or self.volts is None:
            return self.max_kw
        return float(sum(Decimal(str(x)) for x in self.cts) * Decimal(str(self.volts)) / 1000)


@dataclass(frozen=True)
class Hold:
    """Elements that a tenant holds over ``[start, end)``.

    Parameters
    ----------
    elements : tuple of str
        Their ids, ``"P482311252_B"``.
    start, end : date or datetime, optional
        A date is its local midnight; None is open.
    """

    elements: tuple[str, ...]
    start: Moment | None = None
    end: Moment | None = None

    def __post_init__(self) -> None:
        read_itself(self, "a hold")


@dataclass(frozen=True)
class Tenant:
    """Who pays.

    Parameters
    ----------
    name : str
        The party's name, unique in the site.
    holds : tuple of Hold
        Which elements, when.
    area : Decimal, optional
        What is rented, in any one unit.
    code : str
        The charge code for accounting.
    account : str
        The tenant's account at the landlord; files are called after it.
    unit : str
        Which unit is rented, as the tenant knows it.
    address : tuple of str
        Lines of the tenant's address.
    """

    name: str
    holds: tuple[Hold, ...] = field(
        default=(), metadata={"read": "every", "of": Hold, "written": True}
    )
    area: Decimal | None = field(default=None, metadata={"least": 0})
    code: str = ""
    account: str = ""
    unit: str = ""
    address: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        read_itself(self, f"tenant {self.name!r}")


@dataclass(frozen=True)
class Letterhead:
    """What the landlord's papers say of the landlord: the table ``[statement]``.

    Parameters
    ----------
    address, remit_to : tuple of str
        Lines: of the landlord, and where to pay.
    contact, payment_terms : str
        Whom to ask, and how to pay.
    logo : str
        A PNG or JPEG file, beside the site's file.
    accent : str
        A colour, ``"#1f6feb"``.
    not_from_utility : bool
        Say that the bill does not come from the utility.
    area_unit : str
        Of the tenants' areas, e.g. ``"m²"``.
    landlord : bool
        Write a statement of the landlord too: of vacant elements, and of what the rules lay on
        the landlord.
    """

    address: tuple[str, ...] = ()
    remit_to: tuple[str, ...] = ()
    contact: str = ""
    payment_terms: str = ""
    logo: str = ""
    accent: str = ""
    not_from_utility: bool = True
    area_unit: str = ""
    landlord: bool = False

    def __post_init__(self) -> None:
        table = read_itself(self, "this letterhead")
        if self.accent and not re.fullmatch("#[0-9a-fA-F]{6}", self.accent):
            raise table.error("accent", "it must be a colour like '#1f6feb'.")
        if self.logo and not self.logo.lower().endswith((".png", ".jpg", ".jpeg")):
            raise table.error("logo", "it must be a file that ends in .png, .jpg or .jpeg.")


@dataclass(frozen=True)
class Site:
    """A building or group of buildings with one utility bill.

    Parameters
    ----------
    name : str
        Its name.
    tz : str
        IANA name of its zone.
    currency : str
        ISO code of its money.
    elements : mapping of str to Element
        By id, in the declared order.
    tenants : tuple of Tenant
        In the declared order: ties of a cent go to the first.
    landlord : str
        The party that bears vacancy.
    landlord_code : str
        Its charge code.
    split : mapping, optional
        The file's ``[split]`` table, read by `SplitRules`.
    letterhead : Letterhead
        The file's ``[statement]`` table.
    corrections : tuple of Correction
        The file's ``[[corrections]]``: what the meters say otherwise than they should.
    rebill : mapping, optional
        The file's ``[rebill]`` table, read by `dentframe.rebill`.
    locale : str
        How statements write numbers, dates and money, e.g. ``"de-DE"`` (by Babel).
    accounts : mapping, optional
        The file's ``[accounts]`` table, for `journal.csv` and `invoices.csv`.
    file : str
        Where it was read from, for errors.

    Raises
    ------
    ConfigError
        For a field of another kind and what cannot be meant: an unknown parent or element, an
        element held twice at once.

    Examples
    --------
    >>> site.labels["P482311252_B"]
    'Bakery'
    >>> site == Site.from_dict(site.to_dict())
    True
    """

    name: str
    tz: str
    currency: str
    elements: Mapping[str, Element]
    tenants: tuple[Tenant, ...] = field(
        default=(), metadata={"read": "every", "of": Tenant, "written": True}
    )
    landlord: str = "Landlord"
    landlord_code: str = ""
    split: Mapping[str, Any] | None = None
    letterhead: Letterhead = field(
        default=Letterhead(), metadata={"read": "one", "of": Letterhead, "key": "statement"}
    )
    corrections: tuple[Correction, ...] = field(
        default=(), metadata={"read": "every", "of": Correction}
    )
    rebill: Mapping[str, Any] | None = None
    locale: str = ""
    accounts: Mapping[str, Any] | None = None
    file: str = field(default="site", compare=False, repr=False)

    def __post_init__(self) -> None:
        top = Table({"elements": self.elements}, self.file)
        read_itself(self, self.file, elements=_elements(top))
        check_currency(self.currency, self.file)
        _check_elements(self)
        _check_tenants(self)
        in_force(self.corrections, self.zone, list(self.elements))

    @classmethod
    def load(cls, path: Any) -> Site:
        """Read a site's TOML file; errors name file, table and field."""
        return cls.from_dict(load(path), file=str(path))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, file: str = "site") -> Site:
        """A site from tables as in the file.

        Raises
        ------
        ConfigError
            Naming `file`, table and field.
        """
        top = Table(data, file)
        if "lines" in data:
            raise top.other("a site", "a utility's bill", "lines")
        top.fields_of(cls)  # refuses a misspelt field before the one that is missing for it
        try:
            top = replace(top, tz=zone(top.text("tz")))
        except RangeError as error:
            raise top.error("tz", str(error)) from None
        return top.record(
            cls,
            elements=_elements(top),
            tenants=tuple(_tenant(t) for t in top.tables("tenants")),
            file=file,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of its file; `from_dict` gives an equal site."""
        found: dict[str, Any] = plain(self)
        for element in found["elements"].values():
            if "swaps" in element:
                element["swaps"] = [dict(zip(_SWAP, x, strict=True)) for x in element["swaps"]]
        return found

    def to_toml(self) -> str:
        """Its file; reading it gives an equal site."""
        return dump(self.to_dict())

    @property
    def zone(self) -> dt.tzinfo:
        """Its zone."""
        return zone(self.tz)

    @property
    def labels(self) -> dict[str, str]:
        """Element id to label."""
        return {k: e.label for k, e in self.elements.items()}

    @property
    def owner(self) -> Tenant:
        """The landlord as a party with statements of its own."""
        code = self.landlord_code
        return Tenant(self.landlord, code=code, account=code or "landlord")

    def instant(self, when: Moment) -> pd.Timestamp:
        """A moment of the site's files as a UTC instant; a date is its local midnight."""
        return instant(when, self.zone)

    def holds_of(self, key: str) -> list[tuple[pd.Timestamp, pd.Timestamp, str]]:
        """Who holds an element over which ``[start, end)``, as UTC instants, in the tenants' order.

        An open start is the year 1700, an open end the year 2200.
        """
        return [
            (self.instant(h.start or _OPEN_START), self.instant(h.end or OPEN_END), tenant.name)
            for tenant in self.tenants
            for h in tenant.holds
            if key in h.elements
        ]

    def inside(self, main: str) -> list[str]:
        """All that a main measures by the stated parents, mains too."""
        own = [k for k, e in self.elements.items() if e.parent == main]
        return [x for k in own for x in (k, *self.inside(k))]

    def below(self, main: str) -> list[str]:
        """The elements that are not mains, downstream of `main`."""
        return [k for k in self.inside(main) if self.elements[k].role != "main"]

    def register_rules(self, frame: pd.DataFrame | None = None) -> RegisterRules:
        """What the site knows about registers, for verbs.

        Parameters
        ----------
        frame : pandas.DataFrame, optional
            Leave out the elements that it has no column for.
        """
        kept = dict(self.elements)
        if frame is not None:
            have = element_ids(frame.columns)
            kept = {k: e for k, e in kept.items() if (split_element(k)[1] or k) in have}
        swaps = {k: tuple((self.instant(x[0]), *x[1:]) for x in e.swaps) for k, e in kept.items()}
        return RegisterRules(
            max_kw={k: e.rating for k, e in kept.items() if e.rating is not None} or None,
            modulus={k: e.modulus for k, e in kept.items() if e.modulus is not None} or None,
            swaps={k: x for k, x in swaps.items() if x} or (),
            allow_export={k: True for k, e in kept.items() if e.role == EXPORT} or False,
            corrections=tuple(in_force(self.corrections, self.zone)) if self.corrections else (),
        )


# --- their tables ------------------------------------------------------------------------


def _elements(top: Table) -> dict[str, Element]:
    """The elements from their tables ``[elements.P482311252_A]``, or as they are."""
    every, found = top.table("elements"), dict[str, Element]()
    if every is None or not every.data:
        raise top.error("elements", 'it is missing; give a table [elements."P482311252_A"].')
    for name, value in every.data.items():
        replace(every, data={str(name): name}).text(str(name))
        if isinstance(value, Element):
            found[name] = value
        else:
            every.given(name, "a table")
            table: Table = every.table(name)
            label = table.text("label") if "label" in table.data else name
            found[name] = table.record(Element, label=label, swaps=_swaps(table))
    return found


def _swaps(table: Table) -> tuple[tuple[Any, ...], ...]:
    """The meter swaps of an element: tables, or (time, closing, opening)."""

    def as_table(x: Any) -> Any:  # of another length it is none, and refused as such
        is_one = isinstance(x, list | tuple) and len(x) == len(_SWAP)
        return dict(zip(_SWAP, x, strict=True)) if is_one else x

    given, found = table.data.get("swaps", ()), []
    if isinstance(given, list | tuple):
        table = replace(table, data={"swaps": [as_table(x) for x in given]})
    for row in table.tables("swaps"):
        row.only(*_SWAP)
        found.append((row.moment("at"), *(float(row.decimal(x)) for x in _SWAP[1:])))
    return tuple(found)


def _tenant(table: Table) -> Tenant:
    """A tenant from its table ``[[tenants]]``: one hold in it, or several in ``holds``."""
    table.only(*(f.name for cls in (Tenant, Hold) for f in fields(cls)))
    data, rows = dict(table.data), table.tables("holds")
    own = {f.name: data.pop(f.name) for f in fields(Hold) if f.name in data}
    for name in own if rows else ():
        raise table.error(name, f"give {name} here or in [[tenants.holds]], not both.")
    holds = []
    for row in rows or [replace(table, data=own)]:
        if len(set(names := row.names("elements"))) < len(names):
            raise row.error("elements", "it names an element twice.")
        holds.append(row.record(Hold))
    return replace(table, data=data).record(Tenant, holds=tuple(holds))


# --- what no single table can tell --------------------------------------------------------


def _check_elements(site: Site) -> None:
    for key, e in site.elements.items():
        table = Table({}, site.file, f"elements.{key}")
        if e.parent is not None:
            _check_parent(site, table, key, e.parent)
        if e.role == EXPORT and e.rating is None:
            why = "only a greatest power tells export from a cleared register"
            raise table.error("cts, volts", f"{why}. Give both, or max_kw.")
        if e.modulus is not None and e.rating is None:
            raise table.error("modulus", "it needs cts and volts, or max_kw.")
        if e.common and e.role != "branch":
            raise table.error("common", f"a {e.role} is no common area.")


def _check_parent(site: Site, table: Table, key: str, parent: str) -> None:
    if parent not in site.elements:
        near = did_you_mean(parent, site.elements) or "."
        raise table.error("parent", f"no element {parent!r} in this site{near}")
    if site.elements[parent].role != "main":
        why = f'{parent!r} is no main; give it role = "main", or its energy would be billed twice.'
        raise table.error("parent", why)
    above = [key, parent]
    while (mine := site.elements[above[-1]].parent) in site.elements:
        if mine in above:
            raise table.error("parent", f"{key!r} is upstream of itself.")
        above.append(str(mine))


def _check_tenants(site: Site) -> None:
    """Refuse names that two parties have, and holds that cannot be meant."""
    if site.landlord in {EXPORT, UNALLOCATED}:
        top = Table({"landlord": site.landlord}, site.file)
        raise top.error("landlord", "that name has a meaning of its own in a split.")
    taken = {EXPORT, UNALLOCATED, site.landlord}
    for tenant in site.tenants:
        if tenant.name in taken:
            why = f"{tenant.name!r} names another party already; one tenant may have several holds."
            raise Table({}, site.file, f"tenants.{tenant.name}").error("name", why)
        taken.add(tenant.name)
    for tenant in site.tenants:
        for hold in tenant.holds:
            _check_hold(site, Table({}, site.file, f"tenants.{tenant.name}"), hold)
    for key in site.elements:  # an element may be in one hold at a time
        spans = sorted(site.holds_of(key), key=lambda x: x[:2])
        for (begin, until, first), (again, end, second) in pairwise(spans):
            if again < until:
                raise Table({}, site.file, f"tenants.{second}").error(
                    "elements",
                    f"{key!r} would be held twice: by {first!r} {_dates(site, begin, until)} and "
                    f"by {second!r} {_dates(site, again, end)}. An element has one holder at a "
                    "time: end is exclusive, and where it is open, give the one who leaves an end.",
                )


def _check_hold(site: Site, table: Table, hold: Hold) -> None:
    for key in hold.elements:
        if key not in site.elements:
            near = did_you_mean(key, site.elements) or "."
            raise table.error("elements", f"no element {key!r} in this site{near}")
        e = site.elements[key]
        if e.role != "branch" or e.common:
            what = "a common area" if e.common else "a main" if e.role == "main" else "an export"
            why = f"{key!r} is {what}: only a branch that is not common can be held."
            raise table.error("elements", why)
    start, end = hold.start, hold.end
    if start is not None and end is not None and site.instant(start) >= site.instant(end):
        raise table.error("end", f"{end} is not after start = {start}; end is exclusive.")


def _dates(site: Site, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """The dates of a hold as its file has them: an open end is none."""
    low, high = (
        f"{x.tz_convert(site.zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00") for x in (start, end)
    )
    since = "" if start == _OPEN_START else f"from {low} "
    return f"{since}without an end" if end == OPEN_END else f"{since}until {high}"


# --- what it gives to verbs ---------------------------------------------------------------


def apply_site(
    site: Any, tz: Zone, registers: RegisterRules, *, frame: pd.DataFrame | None = None
) -> tuple[Zone, RegisterRules]:
    """What `site=` gives a verb: its tz and register rules where none are given.

    Parameters
    ----------
    site : Site or None
        None changes nothing.
    tz, registers : optional
        The verb's own keywords; what they say wins. Of `registers` each field that has not
        its default value.
    frame : pandas.DataFrame, optional
        What the verb reads: the site may have more elements.

    Raises
    ------
    ConfigError
        For a `site` that is no Site.
    """
    if site is None:
        return tz, registers
    if not isinstance(site, Site):
        raise ConfigError(
            f"Cannot use site={site!r}: it is no Site. Read one with Site.load('site.toml')."
        )
    rules = {k: getattr(registers, k) for k in FIELDS}
    given = {k: v for k, v in rules.items() if v != getattr(RegisterRules(), k)}
    merged = SiteRules(
        **{**vars(site.register_rules(frame)), **given},
        from_site=frozenset(FIELDS) - given.keys(),
        named=frozenset(map(split_element, site.elements)),
    )
    return site.tz if tz is None else tz, merged


def summed(site: Site) -> list[str]:
    """The elements that make up the site: no main beside its branches, which would count twice."""
    parts = [k for k, e in site.elements.items() if e.role != "main"]
    return parts or list(site.elements)
