"""A site says which elements there are, what they are rated for, and who holds them when.

It is written as TOML (`dentframe.site.toml_tables`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError, RangeError, did_you_mean
from dentframe.metering.register_rules import FIELDS, RegisterRules, SiteRules
from dentframe.site.corrections import Correction, corrections_of, in_force
from dentframe.site.tenants import EXPORT, Tenant, check_tenants, tenant_of, wrong
from dentframe.site.toml_tables import (
    Moment,
    Table,
    check_currency,
    dump,
    exact,
    is_list,
    load,
    plain,
    stated,
)
from dentframe.times.dates_and_ranges import Zone, instant, zone
from dentframe.wire.columns import ELEMENT, parse, split_element, wire_columns

if TYPE_CHECKING:
    import pandas as pd

_SITE = (
    "name", "tz", "currency", "locale", "landlord", "landlord_code", "elements", "tenants",
    "split", "statement", "corrections", "rebill", "accounts",
)  # fmt: skip
_AS_THEY_ARE = ("split", "rebill", "accounts")
"""The tables that others read."""
_DEFAULT_RULES = RegisterRules()
_SWAP = ("at", "closing", "opening")
ROLES = ("main", "branch", "export")


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
    role: str = "branch"
    parent: str | None = None
    cts: tuple[float, ...] = ()
    volts: float | None = None
    max_kw: float | None = None
    common: bool = False
    area: Decimal | None = field(default=None, metadata={"least": 0})
    modulus: float | None = None
    swaps: tuple[tuple[Moment, float, float], ...] = ()

    @property
    def rating(self) -> float | None:
        """The greatest power it can draw or feed [kW], None where nothing tells."""
        if self.max_kw is not None or not self.cts or self.volts is None:
            return self.max_kw
        return float(sum(Decimal(str(x)) for x in self.cts) * Decimal(str(self.volts)) / 1000)


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
        For what cannot be meant: an unknown parent or element, an element held twice at once.

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
    tenants: tuple[Tenant, ...] = ()
    landlord: str = "Landlord"
    landlord_code: str = ""
    split: Mapping[str, Any] | None = None
    letterhead: Letterhead = Letterhead()
    corrections: tuple[Correction, ...] = ()
    rebill: Mapping[str, Any] | None = None
    locale: str = ""
    accounts: Mapping[str, Any] | None = None
    file: str = field(default="site", compare=False, repr=False)

    def __post_init__(self) -> None:
        check_currency(self.currency, self.file)
        _check_elements(self)
        check_tenants(self)
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
        top.only(*_SITE)
        try:
            tz = zone(top.text("tz"))
        except RangeError as error:
            raise top.error("tz", str(error)) from None
        elements = top.table("elements")
        if elements is None or not elements.data:
            raise top.error("elements", 'it is missing; give a table [elements."P482311252_A"].')
        own: dict[str, Any] = dict.fromkeys(_AS_THEY_ARE)
        own |= {x: dict(data[x]) for x in _AS_THEY_ARE if top.table(x) is not None}
        return top.part([f.name for f in fields(cls)]).record(
            cls,
            elements={k: _element(elements, k, tz) for k in elements.data},
            tenants=tuple(tenant_of(t, tz) for t in top.tables("tenants")),
            letterhead=_letterhead(top.table("statement")),
            corrections=corrections_of([t.data for t in top.tables("corrections")], file=file),
            file=file,
            **own,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of its file; `from_dict` gives an equal site."""
        own = stated(
            replace(self, elements={}, tenants=(), letterhead=Letterhead(), corrections=())
        )
        tables = {
            "elements": {
                k: {
                    "role": e.role,
                    **stated(replace(e, swaps=())),
                    "swaps": [dict(zip(_SWAP, x, strict=True)) for x in e.swaps] or None,
                }
                for k, e in self.elements.items()
            },
            "tenants": [{**stated(t), "holds": [stated(h) for h in t.holds]} for t in self.tenants],
            "statement": stated(self.letterhead) or None,
            "corrections": [x.to_dict() for x in self.corrections] or None,
        }
        return {**own, **plain(tables)}

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

    def below(self, main: str) -> list[str]:
        """The elements that are not mains, downstream of `main`."""
        inside = [k for k, e in self.elements.items() if e.parent == main]
        return [
            x for k in inside for x in (self.below(k) if self.elements[k].role == "main" else [k])
        ]

    def register_rules(self, frame: pd.DataFrame | None = None) -> RegisterRules:
        """What the site knows about registers, for verbs.

        Parameters
        ----------
        frame : pandas.DataFrame, optional
            Leave out the elements that it has no column for.
        """
        kept = dict(self.elements)
        if frame is not None:
            columns = map(parse, wire_columns(frame.columns))
            have = {c.id for c in columns if c.scope == ELEMENT}
            kept = {k: e for k, e in kept.items() if (split_element(k)[1] or k) in have}
        ratings = {k: e.rating for k, e in kept.items() if e.rating is not None}
        return RegisterRules(
            max_kw=ratings or None,
            modulus={k: e.modulus for k, e in kept.items() if e.modulus is not None} or None,
            swaps={
                k: tuple((self.instant(at), *readings) for at, *readings in e.swaps)
                for k, e in kept.items()
                if e.swaps
            }
            or (),
            allow_export={k: True for k, e in kept.items() if e.role == EXPORT} or False,
            corrections=tuple(in_force(self.corrections, self.zone)) if self.corrections else (),
        )


# --- their tables ------------------------------------------------------------------------


def _element(parent: Table, name: str, tz: dt.tzinfo) -> Element:
    """An element from its table ``[elements.P482311252_A]``."""
    parent.check_text(name, name)
    table: Table = parent.table(name)
    if table.text("role", "branch") not in ROLES:
        raise table.error("role", f"it must be one of {', '.join(ROLES)}.")
    given = table.data.get("cts", ())
    ratings = [exact(x) for x in given] if is_list(given) else [None]
    if any(x is None or x <= 0 for x in ratings):
        raise table.error("cts", "it must be a list of ratings above 0 [A], e.g. [200, 200, 200].")
    swaps = tuple(
        (row.moment("at", tz), float(row.decimal("closing")), float(row.decimal("opening")))
        for row in table.tables("swaps", *_SWAP)
    )
    cts = tuple(float(x) for x in ratings if x is not None)
    return table.record(Element, label=table.text("label", name), cts=cts, swaps=swaps)


# --- what no single table can tell --------------------------------------------------------


def _check_elements(site: Site) -> None:
    for key, e in site.elements.items():
        where = f"elements.{key}"
        if e.parent is not None:
            _check_parent(site, where, key, e.parent)
        if e.role == EXPORT and e.rating is None:
            why = "only a greatest power tells export from a cleared register"
            raise wrong(site, where, "cts, volts", f"{why}. Give both, or max_kw.")
        if e.modulus is not None and e.rating is None:
            raise wrong(site, where, "modulus", "it needs cts and volts, or max_kw.")
        if e.common and e.role != "branch":
            raise wrong(site, where, "common", f"a {e.role} is no common area.")


def _check_parent(site: Site, where: str, key: str, parent: str) -> None:
    if parent not in site.elements:
        near = did_you_mean(parent, site.elements) or "."
        raise wrong(site, where, "parent", f"no element {parent!r} in this site{near}")
    if site.elements[parent].role != "main":
        why = f'{parent!r} is no main; give it role = "main", or its energy would be billed twice.'
        raise wrong(site, where, "parent", why)
    seen, above = {key, parent}, site.elements[parent].parent
    while above in site.elements and above is not None:
        if above in seen:
            raise wrong(site, where, "parent", f"{key!r} is upstream of itself.")
        seen.add(above)
        above = site.elements[above].parent


def apply_site(
    site: Any,
    tz: Zone,
    registers: RegisterRules,
    elements: Any = None,
    *,
    frame: pd.DataFrame | None = None,
) -> tuple[Zone, RegisterRules, Any]:
    """What `site=` gives a verb: its tz, register rules and elements where none are given.

    Parameters
    ----------
    site : Site or None
        None changes nothing.
    tz, registers, elements : optional
        The verb's own keywords; what they say wins. Of `registers` each field that has not
        its default value.
    frame : pandas.DataFrame, optional
        What the verb reads: the site may have more elements.

    Returns
    -------
    tuple of (tz, registers, elements)
        Elements are the branches and exports, or the mains where there is nothing else.

    Raises
    ------
    ConfigError
        For a `site` that is no Site.
    """
    if site is None:
        return tz, registers, elements
    if not isinstance(site, Site):
        raise ConfigError(
            f"Cannot use site={site!r}: it is no Site. Read one with Site.load('site.toml')."
        )
    own = site.register_rules(frame)
    given = {
        name: getattr(registers, name)
        for name in FIELDS
        if getattr(registers, name) != getattr(_DEFAULT_RULES, name)
    }
    merged = SiteRules(
        **{**own.__dict__, **given},
        from_site=frozenset(FIELDS) - given.keys(),
        named=frozenset(map(split_element, site.elements)),
    )
    return site.tz if tz is None else tz, merged, summed(site) if elements is None else elements


def summed(site: Site) -> list[str]:
    """The elements that make up the site: no main beside its branches, which would count twice."""
    parts = [k for k, e in site.elements.items() if e.role != "main"]
    return parts or list(site.elements)


def _letterhead(table: Table | None) -> Letterhead:
    if table is None:
        return Letterhead()
    found = table.record(Letterhead)
    if found.accent and not re.fullmatch("#[0-9a-fA-F]{6}", found.accent):
        raise table.error("accent", "it must be a colour like '#1f6feb'.")
    if found.logo and not found.logo.lower().endswith((".png", ".jpg", ".jpeg")):
        raise table.error("logo", "it must be a file that ends in .png, .jpg or .jpeg.")
    return found
