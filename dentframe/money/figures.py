"""The figures of a split say what each party used in a period, and how sure that is.

A figure is rounded as it is printed, so that the quantity printed is the quantity priced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money.occupancy import (
    COMMON,
    MAIN,
    Span,
    Stay,
    dates,
    span,
)
from dentframe.money.rounding import EXACT, add, exact, rounded
from dentframe.money.statement import Part
from dentframe.money.usage import printed
from dentframe.site.corrections import in_force
from dentframe.verbs.energy import energy

if TYPE_CHECKING:
    from dentframe.money.split_rules import Rule, SplitRules
    from dentframe.money.utility_bill import Accepted, BillLine, UtilityBill
    from dentframe.site.site import Site

UNITS = {"energy": "kWh", "coincident": "kW", "own_peak": "kW"}
"""The bases that are measured, and their units."""
Row = Mapping[Any, Any]
_ESTIMATES = {"reset", "ambiguous_fall", "edge_in_gap"}


@dataclass(frozen=True)
class Figure:
    """One figure of one stay.

    Attributes
    ----------
    stay : Stay
        Whose it is.
    value : Decimal or None
        [unit], rounded as printed; None where nothing is known.
    unit : str
        ``kWh`` or ``kW``.
    coverage : float
        0 to 1.
    status : str
        ``recorded``, ``estimated``, ``partial`` or ``missing``.
    flags : tuple of str
        What happened to the readings.
    row : mapping
        The verb's own row.
    sure : bool
        Whether nothing that is uncovered can have changed it.
    note : str
        What shows that, or what would.
    accepted : Accepted or None
        What the bill says where it accepts the figure by name.
    agreed : Decimal
        By how much an agreed figure differs from what was measured [unit]: it is the landlord's.
    """

    stay: Stay
    value: Decimal | None
    unit: str
    coverage: float
    status: str
    flags: tuple[str, ...]
    row: Row
    sure: bool = False
    note: str = ""
    accepted: Accepted | None = None
    agreed: Decimal = Decimal(0)

    @property
    def measured(self) -> Decimal | None:
        """The value without what an agreed figure adds to the meter [unit]."""
        return None if self.value is None else EXACT.subtract(self.value, self.agreed)

    def kind(self, rules: SplitRules) -> str:
        """Its status; ``not_closed`` where a later reading may still move its closing."""
        moves = self.unit == "kWh" and rules.edges == "last_reading"
        is_open = moves and self.status == "partial" and pd.isna(self.row.get("close_at"))
        return "not_closed" if is_open else self.status


@dataclass(frozen=True, eq=False)
class Usage:
    """What the lines of one period rest on.

    Attributes
    ----------
    frame : pandas.DataFrame
        Readings over (meter, time), with a column of every element.
    site, bill, rules
        The description, the bill (or the part of it that has these dates) and the rules.
    dated : str
        The dates as text, where they are those of a line and not the bill's; else ``""``.
    stays : list of Stay
        Who held what.
    holders : list of dict
        For each local day who held each element at its start.
    figures : dict
        The figures that the lines ask for, by basis.
    """

    frame: pd.DataFrame
    site: Site
    bill: UtilityBill
    rules: SplitRules
    dated: str
    stays: list[Stay]
    holders: list[dict[str, str]]
    figures: dict[str, list[Figure]] = field(default_factory=dict)

    @property
    def keywords(self) -> dict[str, Any]:
        """What every verb is told."""
        return {
            "tz": self.site.tz,
            "registers": self.site.register_rules(self.frame),
            "interval": self.rules.interval,
            "demand_lag": self.rules.demand_lag,
        }

    @property
    def kwh(self) -> Decimal:
        """The utility's energy [kWh]."""
        if self.bill.kwh is None:
            raise ConfigError(
                f"Cannot share by energy: {self.bill.file} has no field 'kwh'. Type in the "
                "energy that the utility billed."
            )
        return rounded(self.bill.kwh, self.rules.places)

    @property
    def residual(self) -> Decimal:
        """The utility's energy less what the elements of the bill measured [kWh]."""
        found = [f.measured for f in self.figures["energy"] if f.stay.kind != MAIN]
        parts = [x for x in found if x is not None]
        return EXACT.subtract(self.kwh, add(parts))


def dated_parts(site: Site, bill: UtilityBill, rules: SplitRules) -> list[UtilityBill]:
    """The lines that have dates of their own, as bills of those dates.

    Raises
    ------
    ConfigError
        For a line without a rule, dates that are reversed, or an energy line whose dates have
        no kWh of the utility.
    """
    found: dict[Span, list[BillLine]] = {}
    for line in bill.lines:
        rules.of(line)
        at = dates(site, bill, line)
        if at != span(site, bill):
            found.setdefault(at, []).append(line)
    return [
        replace(
            bill,
            start=bill.start if lines[0].start is None else lines[0].start,
            end=bill.end if lines[0].end is None else lines[0].end,
            lines=tuple(lines),
            kwh=_kwh(bill, rules, lines),
            days=None,
            total=None,
        )
        for lines in found.values()
    ]


def _kwh(bill: UtilityBill, rules: SplitRules, lines: Sequence[BillLine]) -> Decimal | None:
    """The utility's energy over some lines' dates, as the lines state it [kWh]."""
    told = [x.metered_kwh for x in lines if x.metered_kwh is not None]
    found = dict.fromkeys(told or [x.kwh for x in lines if x.kwh is not None])
    if len(found) == 1 or all(rules.of(x).by != "energy" for x in lines):
        return next(iter(found), None)
    stated = f"they state {' and '.join(map(str, found))} kWh" if found else "they state no kWh"
    raise ConfigError(
        f"Cannot share line {lines[0].name!r} of {bill.file} by the energy of its own "
        f"dates, {lines[0].start or bill.start} to {lines[0].end or bill.end}: of the "
        f"lines with these dates, {stated}. Give the line the field 'kwh', or 'metered_kwh' where "
        "it prices only a part: the energy that the utility metered over those dates."
    )


def needs(use: Usage, rule: Rule) -> list[str]:
    """The measured bases that a line rests on, through the parts that it bears too."""
    if rule.by not in UNITS:
        return []
    common = COMMON if any(s.kind == COMMON for s in use.stays) else None
    borne = [p.rule.by for x, p in use.rules.parts if rule.by == "energy" or x == common]
    return list(dict.fromkeys([rule.by, *(x for x in borne if x in UNITS)]))


def refused(use: Usage, basis: str) -> list[Figure]:
    """The figures of a measured basis that money may not use."""
    return [f for f in use.figures[basis] if f.stay.kind != MAIN and not accepts(use.rules, f)]


def accepts(rules: SplitRules, f: Figure) -> bool:
    """Whether money may use a figure."""
    if f.value is None or f.accepted is not None:
        return f.value is not None
    # Its reason accepts an agreed figure: not what else was estimated, nor what is not covered.
    agreed = "agreed" in f.flags and not _ESTIMATES & {*f.flags}
    if f.unit == "kWh":
        return f.status in rules.accept or (agreed and f.status == "estimated")
    enough = f.status != "partial" or f.coverage >= rules.demand_coverage
    by_rules = enough and f.status in rules.accept_demand
    if agreed:
        return f.sure and (f.status != "partial" or by_rules)
    return f.sure or by_rules


def by_party(figures: Sequence[Figure], kind: str, *, measured: bool = False) -> dict[str, Decimal]:
    """The sum of the figures of a kind by party, in their order; common areas are one party.

    With `measured` what the meters say, where a figure was agreed.
    """
    total: dict[str, Decimal] = {}
    for f in figures:
        value = f.measured if measured else f.value
        if f.stay.kind == kind and value is not None:
            total[f.stay.party] = EXACT.add(total.get(f.stay.party, Decimal(0)), value)
    return total


# --- energy ------------------------------------------------------------------------------


def energy_rows(
    use: Usage, edges: Sequence[pd.Timestamp], method: str = ""
) -> dict[tuple[str, pd.Timestamp], Row]:
    """The energy of every element between some edges, by element and start.

    `method` places edges between two readings in another way than the rules.
    """
    # min_coverage=0 leaves the judgement to `accepts`.
    table = energy(
        use.frame,
        list(edges),
        edges=method or use.rules.edges,
        detail=True,
        min_coverage=0,
        **use.keywords,
    )
    return keyed(table, "start")


def energy_of(rules: SplitRules, row: Row | None) -> Decimal | None:
    """The energy of a row as it is printed; None where nothing is known."""
    if row is None or np.isnan(row["energy"]):
        return None
    energy = exact(float(row["energy"]), scale=scale_of(row))
    opening, closing = (row.get(x) for x in ("open_reading", "close_reading"))
    if "agreed" in row["flags"] or not moves(rules, row) or pd.isna(opening) or pd.isna(closing):
        return rounded(energy, rules.places)
    return printed(energy, exact(opening), exact(closing), rules.places)


def moves(rules: SplitRules, row: Row) -> bool:
    """Whether a row lies between two readings, to which its edges were moved."""
    between = row["coverage"] == 1 and "edge_in_gap" not in row["flags"]
    return rules.edges == "last_reading" and between


def scale_of(row: Row) -> float:
    """The greatest reading that a figure is made of: its noise is that of the reading."""
    readings = [row.get(k) for k in ("open_reading", "close_reading")]
    return max((abs(float(x)) for x in readings if not pd.isna(x)), default=0.0)


def energies(use: Usage) -> list[Figure]:
    """The energy of every stay [kWh]."""
    rows = by_stay(use.stays, lambda edges: energy_rows(use, edges))
    return [
        replace(
            figure_of(s, row, value := energy_of(use.rules, row), "kWh"),
            agreed=_agreed(use, row, value),
        )
        for s in use.stays
        for row in [rows.get(s)]
    ]


def _agreed(use: Usage, row: Row | None, value: Decimal | None) -> Decimal:
    """By how much an agreed figure differs from the meter, whose own is rounded as printed."""
    if row is None or value is None or "agreed" not in row["flags"]:
        return Decimal(0)
    own = {**row, "energy": row["energy"] - row["agreed"], "flags": ()}
    return EXACT.subtract(value, energy_of(use.rules, own) or Decimal(0))


def parts(use: Usage, f: Figure) -> tuple[Part, ...]:
    """What a register that a factor corrects showed and counts for, part by part.

    A reading where the factor changes is calculated: no meter showed it. At an exchange the old
    meter's closing ends a part, and the new one's opening begins the next.
    """
    zone, low, high = use.site.zone, f.row.get("open_at"), f.row.get("close_at")
    key, opening = f.stay.element, f.row.get("open_reading")
    own = [x for x in in_force(use.site.corrections, zone) if x.element == key]
    fixes = [(*x.span(zone), x.factor) for x in own if x.factor is not None]
    if not fixes or low is None or pd.isna(low) or pd.isna(high) or pd.isna(opening):
        return ()
    swaps = {use.site.instant(at): (a, b) for at, a, b in use.site.elements[key].swaps}
    swaps |= {
        x.span(zone)[0]: (float(x.closing), float(x.opening))
        for x in own
        if x.closing is not None and x.opening is not None
    }
    inner = {x for *span, _ in fixes for x in span} | {*swaps}
    edges, found = sorted({low, high} | {x for x in inner if low < x < high}), []
    table = energy(use.frame, edges, detail=True, min_coverage=0, **use.keywords)
    rows, places = keyed(table, "start"), use.rules.places
    mine = [rows[key, x.tz_convert("UTC")] for x in edges[:-1]]
    # What the register closes and opens with at each edge, and whether somebody read it.
    shown = [(opening, opening, True), *map(_register, edges[1:], mine, [*mine[1:], {}])]
    shown = [
        (*swaps[x], True) if x in swaps else told for x, told in zip(edges, shown, strict=True)
    ]
    for (start, end), row, opens, closes in zip(
        pairwise(edges), mine, shown, shown[1:], strict=False
    ):
        times = next((x for a, b, x in fixes if a <= start < b), None) or Decimal(1)
        first, last = rounded(float(opens[1]), places), rounded(float(closes[0]), places)
        by_hand = rounded(EXACT.multiply(EXACT.subtract(last, first), times), places)
        used = rounded(float(row["energy"]), places)
        # What the printed readings give, unless more than their rounding lies between.
        near = abs(by_hand - used) <= (times + 1) * Decimal(1).scaleb(-(places or 9))
        told = by_hand if near or {start, end} & {*swaps} else used
        unseen = ("opening",) * (not opens[2]) + ("closing",) * (not closes[2])
        found.append(Part(start, end, first, last, times, told, unseen))
    return tuple(found) if any(x.factor != 1 for x in found) else ()


def _register(at: pd.Timestamp, before: Row, after: Row) -> tuple[float, float, bool]:
    """What a register closes and opens with at an instant, and whether it was read then."""
    high, closing = before["close_at"], float(before["close_reading"])
    if high == at:
        return closing, closing, True
    low, opening = after["open_at"], float(after["open_reading"])
    between = opening + (closing - opening) * ((at - low) / (high - low))
    return between, between, False


def by_stay(
    found: Sequence[Stay],
    rows_of: Callable[[Sequence[pd.Timestamp]], dict[tuple[str, pd.Timestamp], Row]],
) -> dict[Stay, Row]:
    """The verb's row of each stay; elements with the same edges are asked for together.

    Edges of one element never cut another: an edge in a gap makes an estimate of its own.
    """
    edges = {
        k: tuple(sorted({x for s in found if s.element == k for x in (s.start, s.end)}))
        for k in dict.fromkeys(s.element for s in found)
    }
    rows: dict[Stay, Row] = {}
    for cut in dict.fromkeys(edges.values()):
        table = rows_of(cut)
        mine = [s for s in found if edges[s.element] == cut]
        rows |= {s: table[s.element, s.start] for s in mine if (s.element, s.start) in table}
    return rows


def keyed(table: pd.DataFrame, start: str) -> dict[tuple[str, pd.Timestamp], Row]:
    """A verb's rows by element and start."""
    return {
        (f"{row['meter']}_{row['element']}", row[start].tz_convert("UTC")): row
        for row in table.to_dict("records")
    }


def figure_of(stay: Stay, row: Row | None, value: Decimal | None, unit: str) -> Figure:
    """The figure of a stay from a verb's row; missing where there is none."""
    if row is None:
        return Figure(stay, None, unit, 0.0, "missing", (), {})
    told = float(row["coverage"]), str(row["status"]), tuple(row["flags"])
    return Figure(stay, value, unit, *told, row)
