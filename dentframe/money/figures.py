"""The figures of a split say what each party used in a period, and how sure that is.

A figure is rounded as it is printed, so that the quantity printed is the quantity priced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money.occupancy import (
    COMMON,
    MAIN,
    OWN,
    Span,
    Stay,
    billed,
    completed,
    dates,
    holder,
    midnights,
    span,
    stays,
)
from dentframe.money.rounding import EXACT, add, exact, rounded
from dentframe.money.usage import printed, unaffected
from dentframe.site.corrections import in_force
from dentframe.site.elements import EXPORT
from dentframe.verbs.coincident import coincident
from dentframe.verbs.demand import demand
from dentframe.verbs.energy import energy
from dentframe.verbs.inputs import MEAN
from dentframe.verbs.peaks import peaks
from dentframe.wire.columns import parse, split_element, wire_columns

if TYPE_CHECKING:
    from dentframe.money.split_rules import Rule, SplitRules
    from dentframe.money.utility_bill import Accepted, BillLine, UtilityBill
    from dentframe.site.site import Site

UNITS = {"energy": "kWh", "coincident": "kW", "own_peak": "kW"}
"""The bases that are measured, and their units."""
Row = Mapping[Any, Any]
_ESTIMATES = {"reset", "ambiguous_fall", "edge_in_gap"}
_NO_KW = "The agreed figure states no kw, so that nothing tells the demand. "


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


def usage(
    frame: pd.DataFrame,
    site: Site,
    bill: UtilityBill,
    rules: SplitRules,
    lines: Iterable[BillLine],
    dated: str = "",
) -> Usage:
    """Measure what some lines of a bill rest on, in the bill's period.

    A line whose first basis is refused asks for no other: it is nobody's as a whole.
    """
    found = stays(site, bill)
    own = [s for s in found if s.kind == OWN]
    elements = list(dict.fromkeys(s.element for s in own))
    holders = [{k: holder(own, k, day) for k in elements} for day in midnights(site, bill)]
    whole = completed(frame, found, span(site, bill)[0])
    use = Usage(whole, site, bill, rules, dated, found, holders)
    for line in lines:
        for basis in needs(use, rules.of(line)) if line.amount else ():
            if basis not in use.figures:
                use.figures[basis] = [_by_name(use, f) for f in _MEASURES[basis](use)]
            if refused(use, basis):
                break
    return use


def _by_name(use: Usage, f: Figure) -> Figure:
    """A figure with what the bill says of it, where it accepts it by name."""
    kind = f.kind(use.rules)
    names = {f.stay.element, *([use.site.name] if "site_peak" in f.row else [])}
    found = [x for x in use.bill.accepted if x.kind == kind and x.element in names]
    return replace(f, accepted=found[0]) if found else f


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
    if "agreed" in f.flags and not _ESTIMATES & {*f.flags}:
        return f.unit == "kWh" or f.sure  # its reason accepts an agreed figure, not more of it
    if f.unit == "kWh":
        return f.status in rules.accept
    enough = f.status != "partial" or f.coverage >= rules.demand_coverage
    return f.sure or (enough and f.status in rules.accept_demand)


def by_party(figures: Sequence[Figure], kind: str, *, measured: bool = False) -> dict[str, Decimal]:
    """The sum of the figures of a kind by party, in their order; common areas are one party.

    With `measured` what the meters say, where a figure was agreed.
    """
    total: dict[str, Decimal] = {}
    for f in figures:
        value = f.measured if measured else f.value
        if f.stay.kind == kind and value is not None:
            total[f.stay.party] = total.get(f.stay.party, Decimal(0)) + value
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
    return _keyed(table, "start")


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


def _energies(use: Usage) -> list[Figure]:
    """The energy of every stay [kWh]."""
    rows = _by_stay(use.stays, lambda edges: energy_rows(use, edges))
    return [
        replace(
            _figure(s, row, value := energy_of(use.rules, row), "kWh"),
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


def _by_stay(
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


def _keyed(table: pd.DataFrame, start: str) -> dict[tuple[str, pd.Timestamp], Row]:
    return {
        (f"{row['meter']}_{row['element']}", row[start].tz_convert("UTC")): row
        for row in table.to_dict("records")
    }


def _figure(stay: Stay, row: Row | None, value: Decimal | None, unit: str) -> Figure:
    if row is None:
        return Figure(stay, None, unit, 0.0, "missing", (), {})
    told = float(row["coverage"]), str(row["status"]), tuple(row["flags"])
    return Figure(stay, value, unit, *told, row)


# --- demand ------------------------------------------------------------------------------


def _kw(use: Usage, row: Row | None, name: str) -> Decimal | None:
    if row is None or np.isnan(row[name]):
        return None
    return rounded(float(row[name]), use.rules.places)


def _coincidents(use: Usage) -> list[Figure]:
    """Each element's demand when all of them together drew the most [kW].

    It is that of whoever held the element at that instant.
    """
    names = billed(use.site, use.bill)
    edges = list(span(use.site, use.bill))
    rows = coincident(
        use.frame, edges, elements=names, window=use.rules.window, min_coverage=0, **use.keywords
    )
    branches = [s for s in use.stays if s.kind != MAIN]
    sure, note = _peak_elsewhere(use, names, rows)
    found = []
    for row in rows.to_dict("records"):
        at, name = row["at"], str(row["element"])
        when = branches[0].start if pd.isna(at) else at.tz_convert("UTC")
        stay = next(s for s in branches if s.element == name and s.start <= when < s.end)
        own = _figure(stay, row, _kw(use, row, "coincident"), "kW")
        agreed = "agreed" in own.flags  # an agreed peak does not say when it was
        found.append(replace(own, sure=sure and not agreed, note=_NO_KW if agreed else note))
    return found


def _peak_elsewhere(use: Usage, names: Sequence[str], rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether the site's peak holds whatever its missing elements drew, and what shows it."""
    if not len(rows) or rows["status"].iloc[0] != "partial":
        return False, ""
    peak = float(rows["site_peak"].iloc[0])
    blocks = _blocks(use, names)
    ratings = [use.site.elements[k].rating for k in names]
    most = np.array([np.nan if x is None else x for x in ratings])
    worst = unaffected(blocks.to_numpy().T, most, peak)
    if worst.sure:
        return True, (
            f"while elements were not covered, the site drew less than its peak of {peak:.2f} kW "
            "even at their max_kw"
        )
    at = f"{blocks.index[worst.block].tz_convert(use.site.zone):%Y-%m-%d %H:%M}"
    who = ", ".join(np.array(names)[worst.missing])
    if worst.room <= 0:
        others = f"{peak - worst.room:.2f} kW"
        return False, f"At {at} the others alone drew {others}: only the readings of {who} tell. "
    return False, (
        f"If {who} cannot have drawn {worst.room:.2f} kW at {at}, state that as max_kw (or cts and "
        "volts) in the site file: then the peak lies elsewhere, and the figure is accepted. "
    )


def _blocks(use: Usage, names: Sequence[str]) -> pd.DataFrame:
    """The demand of each element in each block of the bill's period, NaN where not covered."""
    start, end = span(use.site, use.bill)
    table = demand(use.frame, use.rules.window, start=start, end=end, **use.keywords)
    columns = {}
    for name in names:
        meter, element = split_element(name)
        columns[name] = table.xs(meter, level=0)[f"Demand/Elm/{element}"]
    found = pd.DataFrame(columns).tz_convert("UTC")
    return found[(found.index >= start) & (found.index <= end - pd.Timedelta(use.rules.window))]


def _own_peaks(use: Usage) -> list[Figure]:
    """Each stay's own peak, times its share of the period [kW].

    The meter's reported demand where it reports any, else that of its register by blocks. A
    stay of half the period counts half: a unit that changes hands is not billed twice.
    """
    mine = [s for s in use.stays if s.kind not in {MAIN, EXPORT}]
    reports = any(parse(x).topic == MEAN for x in wire_columns(use.frame.columns))
    how: dict[str, Any] = {} if reports else {"kind": "block", "window": use.rules.window}

    def rows_of(edges: Sequence[pd.Timestamp]) -> dict[tuple[str, pd.Timestamp], Row]:
        table = peaks(use.frame, list(edges), min_coverage=0, **how, **use.keywords)
        return _keyed(table, "period")

    rows = _by_stay(mine, rows_of)
    start, end = span(use.site, use.bill)
    return [
        _with_agreed_kw(
            use, _figure(s, row, value and rounded(Fraction(value) * share, use.rules.places), "kW")
        )
        for s in mine
        for row in [rows.get(s)]
        for value in [_kw(use, row, "peak")]
        for share in [Fraction((s.end - s.start).value, (end - start).value)]
    ]


def _with_agreed_kw(use: Usage, f: Figure) -> Figure:
    """A peak that an agreed figure bears on is sure where that states the demand too."""
    if "agreed" not in f.flags:
        return f
    zone = use.site.zone
    told = all(
        x.kw is not None
        for x in in_force(use.site.corrections, zone)
        if (x.kind, x.element) == ("figure", f.stay.element)
        and x.touches(f.stay.start, f.stay.end, zone)
    )
    return replace(f, sure=told, note="" if told else _NO_KW)


_MEASURES: dict[str, Callable[[Usage], list[Figure]]] = {
    "energy": _energies,
    "coincident": _coincidents,
    "own_peak": _own_peaks,
}
