"""What each party of a split used in a period is measured here, and how well that is known.

A figure is rounded as it is printed, so that the quantity printed is the quantity priced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.documents.number_and_date_formats import formats
from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import STATUSES
from dentframe.money.occupancy import COMMON, MAIN, OWN, Occupancy, completed, occupancies, span
from dentframe.money.rounding_and_tiers import EXACT, add, digits_of, exact, printed, rounded
from dentframe.site.site import EXPORT, Site
from dentframe.times.dates_and_ranges import micros
from dentframe.times.periods import midnights
from dentframe.verbs.demand import demand, unaffected
from dentframe.verbs.energy import figures
from dentframe.verbs.inputs_and_keywords import MEAN, Inputs, VerbKeywords, energy_source, inputs_of
from dentframe.verbs.peaks import coincident, peaks
from dentframe.verbs.result_frames_and_warnings import detail_of, detail_rows, warn_of_power
from dentframe.wire.columns import parse, split_element, wire_columns

if TYPE_CHECKING:
    from dentframe.metering.register_rules import RegisterRules
    from dentframe.money.utility_bill_and_rules import BillLine, Rule, SplitRules, UtilityBill

UNITS = {"energy": "kWh", "coincident": "kW", "own_peak": "kW"}
"""The bases that are measured, and their units."""
Row = Mapping[Any, Any]
Rows = dict[tuple[str, pd.Timestamp], Row]
"""A verb's rows by element and start."""
MISSING: Row = {"energy": np.nan, "peak": np.nan, "coverage": 0.0, "status": "missing", "flags": ()}
"""Of what the verb has no row of."""
UNMOVED = {"edge_in_gap", "edge_interpolated"}
"""Flags of an edge that was not moved to a reading."""


@dataclass(frozen=True)
class Figure(Occupancy):
    """One figure of one occupancy, whose element, kind, party, start and end it has.

    Attributes
    ----------
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
    certain : bool
        Whether nothing that is uncovered can have changed it.
    note : str
        What shows that, or what would.
    agreed : Decimal
        By how much an agreed figure differs from what was measured [unit]: it is the landlord's.
    """

    value: Decimal | None
    unit: str
    coverage: float
    status: str
    flags: tuple[str, ...]
    row: Row
    certain: bool = False
    note: str = ""
    agreed: Decimal = Decimal(0)

    @property
    def measured(self) -> Decimal | None:
        """The value without what an agreed figure adds to the meter [unit]."""
        return None if self.value is None else EXACT.subtract(self.value, self.agreed)

    def exception_kind(self, rules: SplitRules) -> str:
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
    occupancies : list of Occupancy
        Who held what.
    figures : dict
        The figures that the lines ask for, by basis.
    """

    frame: pd.DataFrame
    site: Site
    bill: UtilityBill
    rules: SplitRules
    dated: str
    occupancies: list[Occupancy]
    figures: dict[str, list[Figure]] = field(default_factory=dict)

    @cached_property
    def holders(self) -> list[dict[str, str]]:
        """For each local day who held each element at its start: tenants, or the landlord."""
        held, (start, end) = self.occupancies, span(self.site, self.bill)
        return [
            {x.element: x.party for x in held if x.kind == OWN and x.start <= day < x.end}
            for day in midnights(start, end, self.site.zone)
        ]

    @cached_property
    def registers(self) -> RegisterRules:
        """What the site knows about its registers, corrections in force among it."""
        return self.site.register_rules(self.frame)

    @property
    def keywords(self) -> dict[str, Any]:
        """The keywords that every verb takes."""
        return {
            "tz": self.site.tz,
            "registers": self.registers,
            "interval": self.rules.interval,
            "demand_lag": self.rules.demand_lag,
        }

    @cached_property
    def energy(self) -> Inputs:
        """The series that tell the energy of each element."""
        source, edges = energy_source(self.frame, None, "auto"), list(span(self.site, self.bill))
        return inputs_of(self.frame, edges, source, VerbKeywords(**self.keywords))

    @property
    def digits(self) -> int:
        """Decimals of amounts."""
        return digits_of(self.site.currency)

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
        found = [f.measured for f in self.figures["energy"] if f.kind != MAIN]
        return EXACT.subtract(self.kwh, add(x for x in found if x is not None))


def measure(
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
    start, found = span(site, bill)[0], occupancies(site, bill)
    use = Usage(completed(frame, found, start), site, bill, rules, dated, found)
    measured = {"energy": energies, "coincident": coincidents, "own_peak": own_peaks}
    for line in lines:
        for basis in needs(use, rules.of(line)) if line.amount else ():
            if basis not in use.figures:
                use.figures[basis] = [*measured[basis](use)]
            if refused(use, basis):
                break
    return use


def needs(use: Usage, rule: Rule) -> list[str]:
    """The measured bases that a line rests on, through the parts that it bears too."""
    if rule.by not in UNITS:
        return []
    common = COMMON if any(s.kind == COMMON for s in use.occupancies) else None
    borne = [p.by for x, p in use.rules.parts if rule.by == "energy" or x == common]
    return list(dict.fromkeys([rule.by, *(x for x in borne if x in UNITS)]))


def refused(use: Usage, basis: str) -> list[Figure]:
    """The figures of a measured basis that money may not use."""
    return [f for f in use.figures[basis] if f.kind != MAIN and not accepts(use, f)]


def accepts(use: Usage, f: Figure) -> bool:
    """Whether money may use a figure: by the rules, or as the bill accepts it by name."""
    if f.value is None:
        return False
    kind, names = f.exception_kind(use.rules), {f.element}
    if "site_peak" in f.row:
        names.add(use.site.name)
    if any(x.kind == kind and x.element in names for x in use.bill.accepted):
        return True
    # Its reason accepts an agreed figure: not what else was estimated, nor what is not covered.
    agreed = "agreed" in f.flags and not {"reset", "ambiguous_fall", "edge_in_gap"} & {*f.flags}
    if f.unit == "kWh":
        return f.status in use.rules.accept or (agreed and f.status == "estimated")
    enough = f.status != "partial" or f.coverage >= use.rules.demand_coverage
    by_rules = enough and f.status in use.rules.accept_demand
    if "agreed" in f.flags:
        return f.certain and (by_rules or (agreed and f.status != "partial"))
    return f.certain or by_rules


def worst_status(figures: Iterable[Figure]) -> str:
    """The worst status of some figures, ``""`` of none."""
    return max((f.status for f in figures), key=STATUSES.index, default="")


# --- energy ------------------------------------------------------------------------------


def energy_rows(use: Usage, edges: Mapping[str, Sequence[pd.Timestamp]], method: str = "") -> Rows:
    """The energy of elements between the edges of each, which rise, by element and start.

    `method` places edges between two readings in another way than the rules.
    """
    of, found = use.energy, []
    for c in (c for c in of.series if c.name in edges):
        at = np.array([micros(x) for x in edges[c.name]])
        warn_of_power([c], at[:-1], at[1:], of.tz)
        f = figures(c, at[:-1], at[1:], edges=method or use.rules.edges)
        found.append((f.of, detail_of(f, of.interval(f.of))))
    return _keyed(detail_rows(of, found), "start")


def energy_of(rules: SplitRules, row: Row) -> Decimal | None:
    """The energy of a row as it is printed; None where nothing is known."""
    if np.isnan(row["energy"]):
        return None
    energy = exact(float(row["energy"]), scale=scale_of(row))
    opening, closing = (row.get(x) for x in ("open_reading", "close_reading"))
    if "agreed" in row["flags"] or not moves(rules, row) or pd.isna(opening) or pd.isna(closing):
        return rounded(energy, rules.places)
    return printed(energy, exact(opening), exact(closing), rules.places)


def moves(rules: SplitRules, row: Row) -> bool:
    """Whether a row lies between two readings, to which its edges were moved."""
    between = row["coverage"] == 1 and not UNMOVED & {*row["flags"]}
    return rules.edges == "last_reading" and between


def scale_of(row: Row) -> float:
    """The greatest reading that a figure is made of: its noise is that of the reading."""
    readings = [row.get(k) for k in ("open_reading", "close_reading")]
    return max((abs(float(x)) for x in readings if not pd.isna(x)), default=0.0)


def energies(use: Usage) -> Iterator[Figure]:
    """The energy of every occupancy [kWh]."""
    rows = energy_rows(use, _edges(use.occupancies))
    for occupancy in use.occupancies:
        row = rows.get((occupancy.element, occupancy.start), MISSING)
        value, agreed = energy_of(use.rules, row), Decimal(0)
        if value is not None and "agreed" in row["flags"]:
            # The meter's own is rounded as it would be printed.
            flags = {*row["flags"]} - {"agreed"}
            own = {**row, "energy": row["energy"] - row["agreed"], "flags": flags}
            agreed = EXACT.subtract(value, energy_of(use.rules, own) or Decimal(0))
        yield _figure(occupancy, row, value, "kWh", agreed=agreed)


def _edges(found: Iterable[Occupancy]) -> dict[str, tuple[pd.Timestamp, ...]]:
    """When each element changes hands, from the period's start to its end.

    Edges of one element never cut another: an edge in a gap makes an estimate of its own.
    """
    edges: dict[str, tuple[pd.Timestamp, ...]] = {}
    for s in found:  # each begins where the one before it of its element ends
        edges[s.element] = (*edges.get(s.element, (s.start,)), s.end)
    return edges


def _keyed(table: pd.DataFrame, start: str) -> Rows:
    """A verb's rows by element and start."""
    rows = table.to_dict("records")
    return {(f"{row['meter']}_{row['element']}", row[start].tz_convert("UTC")): row for row in rows}


def _figure(of: Occupancy, row: Row, value: Decimal | None, unit: str, **more: Any) -> Figure:
    """The figure of an occupancy from a verb's row."""
    stated = {x: row[x] for x in ("coverage", "status", "flags")}
    return Figure(**vars(of), value=value, unit=unit, row=row, **stated, **more)


# --- demand ------------------------------------------------------------------------------

_NO_KW = "The agreed figure states no kw, so that nothing tells the demand. "
_NO_DEMAND = f"The agreed figure's kw goes with {MEAN}, which was not read. "


def _kw(use: Usage, kw: float) -> Decimal | None:
    return None if np.isnan(kw) else rounded(float(kw), use.rules.places)


def coincidents(use: Usage) -> Iterator[Figure]:
    """Each element's demand when all of them together drew the most [kW].

    It is that of whoever had the element at that instant.
    """
    branches = [s for s in use.occupancies if s.kind != MAIN]
    names = list(dict.fromkeys(s.element for s in branches))
    how = {"window": use.rules.window, "min_coverage": 0, **use.keywords}
    rows = coincident(use.frame, list(span(use.site, use.bill)), elements=names, **how)
    certain, note = _peak_elsewhere(use, names, rows)
    for row in rows.to_dict("records"):
        at, name = row["at"], str(row["element"])
        when = branches[0].start if pd.isna(at) else at.tz_convert("UTC")
        occupancy = next(s for s in branches if s.element == name and s.start <= when < s.end)
        agreed = "agreed" in row["flags"]  # an agreed peak does not say when it was
        known = {"certain": certain and not agreed, "note": _NO_KW if agreed else note}
        yield _figure(occupancy, row, _kw(use, row["coincident"]), "kW", **known)


def _peak_elsewhere(use: Usage, names: Sequence[str], rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether the site's peak holds whatever its missing elements drew, and what shows it."""
    if not len(rows) or rows["status"].iloc[0] != "partial":
        return False, ""
    peak = float(rows["site_peak"].iloc[0])
    start, end = span(use.site, use.bill)
    table = demand(use.frame, use.rules.window, start=start, end=end, **use.keywords)
    columns = [(f"Demand/Elm/{element}", meter) for meter, element in map(split_element, names)]
    blocks = table.unstack("meter")[columns].tz_convert("UTC")
    blocks = blocks.loc[start : end - pd.Timedelta(use.rules.window)]
    most = np.array([use.site.elements[k].rating for k in names], dtype=float)
    worst = unaffected(blocks.to_numpy().T, most, peak)
    if worst.below:
        return True, (
            "while some meters were not read, the site drew less than its peak of "
            f"{formats(use.site.locale).number(rounded(peak, 2))} kW, even if these drew the most "
            "that they can"
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


def own_peaks(use: Usage) -> Iterator[Figure]:
    """Each occupancy's own peak, times its share of the period [kW].

    The meter's reported demand where it reports any, else that of its register by blocks. An
    occupancy of half the period counts half: a unit that changes hands is not billed twice.
    """
    occupied = [s for s in use.occupancies if s.kind not in {MAIN, EXPORT}]
    how: dict[str, Any] = {**use.keywords, "min_coverage": 0}
    if not any(parse(x).topic == MEAN for x in wire_columns(use.frame.columns)):
        how |= {"kind": "block", "window": use.rules.window}

    def rows_by(registers: RegisterRules) -> Rows:
        rows, edges, own = Rows(), _edges(occupied), {**how, "registers": registers}
        for each in dict.fromkeys(edges.values()):
            found = _keyed(peaks(use.frame, list(each), **own), "period")
            rows |= {key: row for key, row in found.items() if edges.get(key[0]) == each}
        return rows

    rows = without = rows_by(use.registers)
    agreed = [x for x in use.registers.corrections if x.kind == "figure"]
    if any("agreed" in row["flags"] for row in rows.values()):
        others = tuple(x for x in use.registers.corrections if x.kind != "figure")
        without = rows_by(replace(use.registers, corrections=others))
    start, end = span(use.site, use.bill)
    for s in occupied:
        row, own = (x.get((s.element, s.start), MISSING) for x in (rows, without))
        part, more = Fraction((s.end - s.start).value, (end - start).value), {}
        value, measured = (
            None if kw is None else rounded(Fraction(kw) * part, use.rules.places)
            for kw in (_kw(use, row["peak"]), _kw(use, own["peak"]))
        )
        if "agreed" in row["flags"]:
            # It is certain where the agreed figure states the demand too; what that adds to the
            # measured one is the landlord's, as of energy.
            mine = [x for x in agreed if x.element == s.element]
            stated = all(x.kw is not None for x in mine if x.touches(s.start, s.end, None))
            note = "" if stated else _NO_KW
            if stated and "kind" in how:  # of a register it is not known where in its blocks
                stated, note = False, _NO_DEMAND
            more = {"certain": stated, "note": note}
            if stated and value is not None and measured is not None:
                more["agreed"] = EXACT.subtract(value, measured)
        yield _figure(s, row, value, "kW", **more)
