"""A bill settled: charges, control, exceptions and statements from readings. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money import judge
from dentframe.money.components import MEASURED, Use
from dentframe.money.rounding import add, digits_of, exact, rounded
from dentframe.money.sharing import Charge, share
from dentframe.money.statement import Line, Reading, Statement
from dentframe.money.stays import COMMON, OWN, span
from dentframe.money.usage import Figure, study
from dentframe.site_checks import UNALLOCATED
from dentframe.site_parts import EXPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site import Site

WORST = ("recorded", "estimated", "partial", "missing")
CHARGES = (
    "bill", "start", "end", "party", "role", "code", "line", "bill_line", "kind", "part", "basis",
    "quantity", "unit", "amount", "currency", "status",
)  # fmt: skip
"""The columns of `Run.charges`."""
FIGURES = (
    "element", "label", "party", "kind", "start", "end", "basis", "quantity", "unit", "coverage",
    "status", "flags", "open_at", "open_reading", "close_at", "close_reading", "lo", "hi",
)  # fmt: skip
"""The columns of `Run.figures`."""


@dataclass(frozen=True)
class Outcome:
    """What follows from readings, site, bill and rules, and from nothing else."""

    use: Use
    shares: list[Charge]

    @property
    def site(self) -> Site:
        """The site."""
        return self.use.of.site

    @property
    def bill(self) -> UtilityBill:
        """The bill."""
        return self.use.of.bill

    @property
    def rules(self) -> SplitRules:
        """The rules."""
        return self.use.of.rules

    def role(self, party: str) -> str:
        """``tenant``, ``landlord``, ``export`` or ``unallocated``."""
        fixed = {EXPORT: EXPORT, UNALLOCATED: UNALLOCATED, self.site.landlord: "landlord"}
        return fixed.get(party, "tenant")


def settle(frame: pd.DataFrame, site: Site, bill: UtilityBill, rules: SplitRules) -> Outcome:
    """Share a bill by readings.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over (meter, time), or over time for a site of one meter.
    site, bill, rules
        The description, the bill and the rules.

    Raises
    ------
    ConfigError
        For a line without a rule or a basis, or a bill in another currency.
    """
    if bill.currency is not None and bill.currency != site.currency:
        raise ConfigError(
            f"Cannot split {bill.name!r}: it is in {bill.currency}, {site.name!r} in "
            f"{site.currency}. Correct field 'currency' in one of them."
        )
    use = Use(study(frame, site, bill, rules))
    return Outcome(use, share(use))


def control(of: Outcome) -> pd.Series[Any]:
    """The utility's amount and where it went, as Decimal: the four add up to it."""
    total = {
        role: add([c.amount for c in of.shares if of.role(c.party) == role])
        for role in ("tenant", "landlord", EXPORT, UNALLOCATED)
    }
    values = {"utility": of.bill.amount, "tenants": total.pop("tenant"), **total}
    digits = digits_of(of.site.currency)
    money = {k: rounded(v, digits) for k, v in values.items()}
    return pd.Series(money, dtype=object, name="amount")


def exceptions(of: Outcome) -> pd.DataFrame:
    """What must be looked at, one row each."""
    return judge.table(judge.findings(of.use, of.shares))


def charges(of: Outcome) -> pd.DataFrame:
    """One row a party and line, ready for accounting."""
    start, end = (x.tz_convert(of.site.zone) for x in span(of.site, of.bill))
    codes = {t.name: t.code for t in of.site.tenants}
    codes[of.site.landlord] = of.site.landlord_code
    rows = [
        (of.bill.name, start, end, c.party, of.role(c.party), codes.get(c.party, ""), c.title,
         c.line, c.kind, c.part, c.basis, c.quantity, c.unit, c.amount, of.site.currency,
         _status(_behind(of, c)))
        for c in of.shares
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CHARGES))


def figures(of: Outcome) -> pd.DataFrame:
    """Every figure that a line rests on, with its status and the readings around its edges."""
    zone, labels = of.site.zone, of.site.labels
    rows = [
        (f.stay.element, labels[f.stay.element], f.stay.party, f.stay.kind,
         f.stay.start.tz_convert(zone), f.stay.end.tz_convert(zone), basis, f.value, f.unit,
         f.coverage, f.status, f.flags, *(f.row.get(x) for x in FIGURES[12:]))
        for basis, found in of.use.asked.items()
        for f in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(FIGURES))


def _behind(of: Outcome, c: Charge) -> list[Figure]:
    """The figures that a charge rests on."""
    found = of.use.asked.get(c.basis, []) if c.basis in MEASURED else []
    if c.part in {OWN, EXPORT}:
        return [f for f in found if f.stay.party == c.party]
    if c.part == COMMON:
        return [f for f in found if f.stay.kind == COMMON]
    return [f for f in found if f.stay.kind != "main"]


def _status(found: Sequence[Figure]) -> str:
    return max((f.status for f in found), key=WORST.index, default="")


# --- statements --------------------------------------------------------------------------


def statements(of: Outcome, read_at: pd.Timestamp | None) -> list[Statement]:
    """One statement a tenant who has charges, in the site's order."""
    return [
        statement(of, t.name, read_at)
        for t in of.site.tenants
        if any(c.party == t.name for c in of.shares)
    ]


def statement(of: Outcome, party: str, read_at: pd.Timestamp | None) -> Statement:
    """The statement of one party."""
    start, end = span(of.site, of.bill)
    mine = [f for f in of.use.asked.get("energy", []) if f.stay.party == party]
    return Statement(
        party=party,
        title=f"{of.site.name}: share of {of.bill.name}",
        start=start.tz_convert(of.site.zone),
        end=end.tz_convert(of.site.zone),
        tz=of.site.tz,
        currency=of.site.currency,
        lines=tuple(_line(of, c) for c in of.shares if c.party == party),
        readings=tuple(_reading(of, f) for f in mine),
        places=of.rules.places,
        notes=tuple(_notes(of, mine)),
        read_at=read_at,
    )


def _line(of: Outcome, c: Charge) -> Line:
    found = _behind(of, c)
    line = Line(
        name=c.title,
        kind=c.kind,
        quantity=c.quantity,
        unit=c.unit,
        rate=None,
        amount=c.amount,
        element=", ".join(dict.fromkeys(_name(of, f) for f in found if f.stay.party == c.party)),
        basis=c.basis.replace("_", " "),
        coverage=min((f.coverage for f in found), default=None),
        status=_status(found),
        flags=tuple(sorted({x for f in found for x in f.flags})),
        note=_note(of, c),
    )
    one = len(found) == 1 and found[0].unit == "kWh" and c.part == OWN
    return replace(line, **_edges(of, found[0])) if one else line


def _note(of: Outcome, c: Charge) -> str:
    """The arithmetic, so that a tenant can check it."""
    amount = next(x.amount for x in of.bill.lines if x.name == c.line)
    told = f"of the utility's {amount} {of.site.currency}"
    if c.quantity is None:
        return told
    return f"{c.quantity} of {c.whole} {c.unit} {told}"


def _name(of: Outcome, f: Figure) -> str:
    label = of.site.labels[f.stay.element]
    return label if label == f.stay.element else f"{label} ({f.stay.element})"


def _reading(of: Outcome, f: Figure) -> Reading:
    return Reading(
        element=_name(of, f),
        **_edges(of, f),
        energy=f.value,
        coverage=f.coverage,
        status=f.status,
        flags=f.flags,
    )


def _edges(of: Outcome, f: Figure) -> dict[str, Any]:
    """The readings around a stay's edges, and whether the edge lies between two of them."""
    found: dict[str, Any] = {}
    for name, edge in (("open", f.stay.start), ("close", f.stay.end)):
        at, value = f.row.get(f"{name}_at"), f.row.get(f"{name}_reading")
        known = at is not None and not pd.isna(at)
        found[f"{name}_at"] = at if known else None
        found[f"{name}_reading"] = None if value is None or pd.isna(value) else exact(float(value))
        moved = of.rules.edges != "interpolate" and "edge_in_gap" not in f.flags
        found[f"{name}_interpolated"] = bool(known and at != edge and not moved)
    return found


def _notes(of: Outcome, mine: Sequence[Figure]) -> list[str]:
    start, end = span(of.site, of.bill)
    zone = of.site.zone
    return [
        f"{_name(of, f)} is yours from {f.stay.start.tz_convert(zone):%Y-%m-%d %H:%M} to "
        f"{f.stay.end.tz_convert(zone):%Y-%m-%d %H:%M}."
        for f in mine
        if (f.stay.start, f.stay.end) != (start, end)
    ]
