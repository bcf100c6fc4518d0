"""The statements of a split are made here from its charges and figures, one a party.

A line's note is its arithmetic in words, so that who pays can check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.documents.formats import formats
from dentframe.money.comparison import Billed, compared, measured
from dentframe.money.figures import Figure, Usage, accepts, moves, parts_told, scale_of
from dentframe.money.letters import lettered
from dentframe.money.occupancy import COMMON, OWN, span
from dentframe.money.outcome import Outcome, worst
from dentframe.money.rebilling import INTEREST, replacing
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.shares import FEE, TITLES, WEIGHT_UNITS, Charge, part_of, weights
from dentframe.money.split_rules import PARTS
from dentframe.money.statement import Line, Reading, Statement
from dentframe.site.corrections import in_force
from dentframe.site.elements import EXPORT

if TYPE_CHECKING:
    from dentframe.site.elements import Tenant


def statements(
    of: Outcome, read_at: pd.Timestamp | None, *, landlord: bool = False
) -> list[Statement]:
    """One statement a tenant who has charges, in the site's order; the landlord's on request."""
    before, why = measured(of.whole)
    earlier = [*before, *of.earlier]
    found = [
        _statement(of, t, read_at, earlier, why)
        for t in (*of.site.tenants, *[of.site.owner] * (landlord or of.site.letterhead.landlord))
        if any(c.party == t.name for c in of.charges)
    ]
    return replacing(of, lettered(found, of.whole))


def _statement(
    of: Outcome,
    tenant: Tenant,
    read_at: pd.Timestamp | None,
    earlier: Sequence[Billed],
    why: str,
) -> Statement:
    """The statement of one party."""
    party, zone = tenant.name, of.site.zone
    start, end = span(of.site, of.bill)
    energies = [f for use in of.uses for f in use.figures.get("energy", [])]
    mine, own = [f for f in energies if f.stay.party == party], _held(of, party)
    lines = tuple(_line(of, c) for c in of.charges if c.party == party)
    now = Billed(
        party,
        tenant.account,
        *(own or (start, end)),
        _used(of, party),
        add([x.amount for x in lines]),
    )
    before, why = compared(now, earlier, zone, why)
    return Statement(
        party=party,
        title=f"{of.site.name}: your share of the electricity bill {of.bill.name}",
        start=start.tz_convert(zone),
        end=end.tz_convert(zone),
        tz=of.site.tz,
        currency=of.site.currency,
        lines=lines,
        readings=tuple(_reading(of, f) for f in mine),
        comparison=before,
        comparison_note=why,
        places=of.rules.places,
        notes=(*_notes(of, mine), *_corrected(of, mine), *_accepted(of, party)),
        read_at=read_at,
        held_from=own[0].tz_convert(zone) if own else None,
        held_to=own[1].tz_convert(zone) if own else None,
    )


def _used(of: Outcome, party: str) -> Decimal | None:
    """A party's own energy of the bill's period [kWh], None where the rules do not accept it."""
    found = [f for f in of.whole.figures.get("energy", []) if f.stay.party == party]
    mine = [f for f in found if f.stay.kind == OWN]
    if not mine or not all(accepts(of.rules, f) for f in mine):
        return None
    return add([f.value for f in mine if f.value is not None])


def _held(of: Outcome, party: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """The party's own dates, from its first to its last, where they are not the bill's."""
    mine = [s for s in of.whole.stays if s.party == party]
    if not mine or party == of.site.landlord:
        return None
    own = min(s.start for s in mine), max(s.end for s in mine)
    return None if own == span(of.site, of.bill) else own


def _line(of: Outcome, c: Charge) -> Line:
    found = of.figures_of(c)
    one = len(found) == 1 and found[0].unit == "kWh" and c.part == OWN
    return Line(
        name=c.title,
        kind=c.kind,
        quantity=c.quantity,
        unit=c.unit,
        rate=_rate(of, c),
        amount=c.amount,
        element=", ".join(dict.fromkeys(_name(of, f) for f in found if f.stay.party == c.party)),
        basis=c.basis.replace("_", " "),
        coverage=min((f.coverage for f in found), default=None),
        status=worst(found),
        flags=tuple(sorted({x for f in found if _bears(c, f) for x in f.flags})),
        note="; ".join(x for x in (_note(of, c), *_rests(of, c, found)) if x),
        share=part_of(of.use(c.line), c),
        charge=c.line,
        **(_edges(of, found[0]) if one else {}),
    )


def _bears(c: Charge, f: Figure) -> bool:
    """Whether a figure's flags bear on a charge: nobody is told of another's meter."""
    return c.part in {OWN, EXPORT, COMMON} and f.stay.party in {c.party, EXPORT, ""}


def _rate(of: Outcome, c: Charge) -> Decimal | None:
    """The rate of a fee by the day; a share has none."""
    if c.part != FEE or c.quantity is None:
        return None
    return next(f.amount for f in of.rules.fees if f.name == c.line)


def _note(of: Outcome, c: Charge) -> str:
    """The arithmetic, so that a tenant can check it."""
    if c.part == INTEREST:
        return "simple, actual/365, on what was billed too much"
    if c.part == FEE:
        return "a fee of the landlord, no part of the utility's bill"
    amount = next(x.amount for x in of.bill.lines if x.name == c.line)
    f = formats(of.site.locale)
    told = f"of the utility's {f.money(amount, of.site.currency)}{of.use(c.line).dated}"
    if c.quantity is None:
        return told
    credit = "a credit: " if c.quantity < 0 else ""
    return f"{credit}{f.number(c.quantity)} of {f.number(c.whole)} {c.unit} {told}"


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
        lo=_bound(of, f, "lo"),
        hi=_bound(of, f, "hi"),
    )


def _bound(of: Outcome, f: Figure, name: str) -> Decimal | None:
    value = f.row.get(name)
    if value is None or pd.isna(value):
        return None
    bound = rounded(float(value), of.rules.places, scale=scale_of(f.row))
    if f.value is None or not moves(of.rules, f.row):
        return bound
    return min(bound, f.value) if name == "lo" else max(bound, f.value)


def _edges(of: Outcome, f: Figure) -> dict[str, Any]:
    """The readings around a stay's edges, and whether the edge lies between two of them."""
    found: dict[str, Any] = {}
    moved = of.rules.edges == "last_reading" and "edge_in_gap" not in f.flags
    for name, edge in (("open", f.stay.start), ("close", f.stay.end)):
        at, value = f.row.get(f"{name}_at"), f.row.get(f"{name}_reading")
        known = at is not None and not pd.isna(at)
        places = of.rules.places if f.row and moves(of.rules, f.row) else None
        found[f"{name}_at"] = at if known else None
        found[f"{name}_reading"] = None if pd.isna(value) else rounded(float(value), places)
        found[f"{name}_interpolated"] = bool(known and at != edge and not moved)
    return found


def _notes(of: Outcome, mine: Sequence[Figure]) -> list[str]:
    """Which element was whose, where that was not the whole time."""
    spans = {span(of.site, use.bill) for use in of.uses}
    return [
        f"{_name(of, f)} is yours from {_moment(of, f.stay.start)} to {_moment(of, f.stay.end)}."
        for f in mine
        if (f.stay.start, f.stay.end) not in spans
    ]


def _corrected(of: Outcome, mine: Sequence[Figure]) -> Iterator[str]:
    """What was corrected on a party's own meters, and what their registers showed and count for."""
    zone = of.site.zone
    for f in mine if of.site.corrections else ():
        for x in in_force(of.site.corrections, zone):
            if x.element == f.stay.element and x.touches(f.stay.start, f.stay.end, zone):
                by = f" ({x.by})" if x.by else ""
                yield f"{_name(of, f)} is corrected, {x.id}: {x.reason}{by}, {x.on}."
        yield from (f"{_name(of, f)}: {told}" for told in parts_told(of.whole, f))


def _accepted(of: Outcome, party: str) -> list[str]:
    """Who accepted which figures of a party's own or of common areas by name, and why."""
    mine = [c for c in of.charges if c.party == party and c.part in {OWN, COMMON}]
    found = [f for c in mine for f in of.figures_of(c)]
    said = {
        _name(of, f): f"{f.status}: {f.accepted.reason} (accepted by {f.accepted.by})."
        for f in found
        if f.accepted is not None
    }
    return [f"{name} is {told}" for name, told in said.items()]


# --- what a line rests on, in words ---


def _rests(of: Outcome, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """What a line rests on, for its note."""
    yield from _peak(of, c, found)
    if c.part in PARTS and c.quantity is not None:
        use = of.use(c.line)
        yield from _left(of, use, c)
        yield from _shared(of, use, c)


def _peak(of: Outcome, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """When the demand was that a line was shared by."""
    if c.basis == "coincident":
        at = next((f.row.get("at") for f in found), None)
        if at is not None and not pd.isna(at):
            yield f"the whole site's demand was highest at {_moment(of, at)}"
            yield from (f.note for f in found[:1] if f.sure)
    elif c.basis == "own_peak" and c.part != COMMON:
        for f in found:
            at = f.row.get("start")
            if at is not None and not pd.isna(at):
                yield f"your peak on {of.site.labels[f.stay.element]} was at {_moment(of, at)}"


def _moment(of: Outcome, at: pd.Timestamp) -> str:
    return formats(of.site.locale).moment(at, of.site.zone)


def _left(of: Outcome, use: Usage, c: Charge) -> Iterator[str]:
    """What the meters leave of the utility's energy, where the part has no meter of its own."""
    own = c.part == COMMON and any(s.kind == COMMON for s in use.stays)
    if c.unit == "kWh" and not own:
        number = formats(of.site.locale).number
        measured = number(EXACT.subtract(use.kwh, use.residual))
        yield f"the meters measured {measured} of the utility's {number(use.kwh)} kWh"


def _shared(of: Outcome, use: Usage, c: Charge) -> Iterator[str]:
    """The party's share of the part: its weight, of all weights."""
    part = getattr(use.rules, c.part)
    if part is None:
        return
    by, own = part.rule.by, weights(use, part.rule)
    same = [x for x in of.shares if (x.line, x.part) == (c.line, c.part)]
    whole = add([x.quantity for x in same if x.quantity is not None])
    number = formats(of.site.locale).number
    head = f"your share of {number(whole)} {c.unit} of {TITLES[c.part]}, by {by}"
    if c.party in own:
        mine, all_of = number(own[c.party]), number(add(list(own.values())))
        yield f"{head}: {mine} of {all_of} {WEIGHT_UNITS.get(by, '')}".rstrip()
