"""Elements and tenants of a site: what they are, and their tables in its file. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dentframe.site_file import Moment, Table, exact, is_list

ROLES = ("main", "branch", "export")
EXPORT = "export"
_ELEMENT = (
    "label",
    "role",
    "parent",
    "cts",
    "volts",
    "max_kw",
    "common",
    "area",
    "modulus",
    "swaps",
)
_TENANT = ("name", "code", "area", "elements", "start", "end", "holds")


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
    area: Decimal | None = None
    modulus: float | None = None
    swaps: tuple[tuple[Moment, float, float], ...] = ()

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
    """

    name: str
    holds: tuple[Hold, ...] = ()
    area: Decimal | None = None
    code: str = ""


# --- their tables ------------------------------------------------------------------------


def element_of(parent: Table, name: str, tz: dt.tzinfo) -> Element:
    """An element from its table ``[elements.P482311252_A]``."""
    table = parent.table(name)
    assert table is not None  # noqa: S101 - the caller iterates over the keys
    table.only(*_ELEMENT)
    role = table.text("role", "branch")
    if role not in ROLES:
        raise table.error("role", f"it must be one of {', '.join(ROLES)}.")
    return Element(
        label=table.text("label", name),
        role=role,
        parent=table.text("parent", None),
        cts=_ratings(table),
        volts=_float(table.positive("volts", None)),
        max_kw=_float(table.positive("max_kw", None)),
        common=table.flag("common", default=False),
        area=table.decimal("area", None, least=0),
        modulus=_float(table.positive("modulus", None)),
        swaps=_swaps(table, tz),
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _ratings(table: Table) -> tuple[float, ...]:
    given = table.data.get("cts", ())
    found = [exact(x) for x in given] if is_list(given) else [None]
    if any(x is None or x <= 0 for x in found):
        raise table.error("cts", "it must be a list of ratings above 0 [A], e.g. [200, 200, 200].")
    return tuple(float(x) for x in found if x is not None)


def _swaps(table: Table, tz: dt.tzinfo) -> tuple[tuple[Moment, float, float], ...]:
    rows = table.tables("swaps")
    for row in rows:
        row.only("at", "closing", "opening")
    return tuple(
        (row.moment("at", tz), float(row.decimal("closing")), float(row.decimal("opening")))
        for row in rows
    )


def element_dict(e: Element) -> dict[str, Any]:
    """The table of an element."""
    return {
        "label": e.label,
        "role": e.role,
        "parent": e.parent,
        "cts": list(e.cts) or None,
        "volts": e.volts,
        "max_kw": e.max_kw,
        "common": e.common or None,
        "area": e.area,
        "modulus": e.modulus,
        "swaps": [{"at": a, "closing": c, "opening": o} for a, c, o in e.swaps] or None,
    }


def tenant_of(table: Table, tz: dt.tzinfo) -> Tenant:
    """A tenant from its table ``[[tenants]]``: one hold in it, or several in ``holds``."""
    table.only(*_TENANT)
    rows = table.tables("holds")
    if rows and "elements" in table.data:
        raise table.error("elements", "give elements here or in [[tenants.holds]], not both.")
    return Tenant(
        name=table.text("name"),
        holds=tuple(_hold(row, tz) for row in rows or [_only_hold(table)]),
        area=table.decimal("area", None, least=0),
        code=table.text("code", ""),
    )


def _only_hold(table: Table) -> Table:
    kept = {k: v for k, v in table.data.items() if k in {"elements", "start", "end"}}
    return Table(kept, table.file, table.where)


def _hold(table: Table, tz: dt.tzinfo) -> Hold:
    table.only("elements", "start", "end")
    names = table.names("elements")
    if len(set(names)) < len(names):
        raise table.error("elements", "it names an element twice.")
    return Hold(names, table.moment("start", tz, None), table.moment("end", tz, None))


def tenant_dict(tenant: Tenant) -> dict[str, Any]:
    """The table of a tenant."""
    holds = [{"elements": list(h.elements), "start": h.start, "end": h.end} for h in tenant.holds]
    return {
        "name": tenant.name,
        "code": tenant.code or None,
        "area": tenant.area,
        "holds": holds,
    }
