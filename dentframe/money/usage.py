"""What each stay used: energy and demand figures with their status, rounded as printed. Pure.

Energy in whole nano-kWh, its state, and the readings around an edge. Pure, on one series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.cumulative import STATUSES, Cumulative, share, status
from dentframe.metering.figures import detail_of, figures
from dentframe.metering.series import names
from dentframe.money.occupancy import MAIN, Stay, billed, span, stays
from dentframe.money.rounding import EXACT, exact, rounded
from dentframe.money.statement import Reading
from dentframe.site.elements import EXPORT
from dentframe.times.ranges import local
from dentframe.verbs.coincident import coincident as _coincident
from dentframe.verbs.demand import demand
from dentframe.verbs.energy import energy as _energy
from dentframe.verbs.peaks import peaks as _peaks
from dentframe.wire.columns import ELEMENT, Column, parse, split_element, wire_columns

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.series import Floats, Ints
    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.site import Site


FLOWS = ("net", "import", "export")
NANO = 1_000_000_000


@dataclass(frozen=True)
class State:
    """How sure a figure is: the worst of its elements."""

    coverage: float
    status: str
    flags: tuple[str, ...]


def steady(c: Cumulative) -> Cumulative:
    """The series with increments of whole nano-kWh, so that a long sum does not drift."""
    return c if c.source == "register" else _with(c, np.diff(c.E))


def flowing(c: Cumulative, flow: str) -> Cumulative:
    """The rising or the falling increments alone."""
    if flow == "net":
        return c
    inc = np.diff(c.E)
    return _with(c, np.maximum(inc if flow == "import" else -inc, 0.0))


def _with(c: Cumulative, inc: Floats) -> Cumulative:
    units = NANO // sure(c)
    whole = np.cumsum(np.rint(inc * units).astype(np.int64))
    running = np.concatenate(([0], whole))[: len(c.t)] / units
    kept = {f.name: getattr(c, f.name) for f in fields(Cumulative)}
    return Cumulative(**{**kept, "E": running})


def nano(c: Cumulative, x: Ints) -> Ints:
    """E(x) in whole nano-kWh, to the last digit that its floats are sure of."""
    return np.rint(c.energy_at(x) * (NANO // sure(c))).astype(np.int64) * sure(c)


def sure(c: Cumulative) -> int:
    """The unit of the last digit that the readings of a series are sure of [nano-kWh].

    A float has 15 sure digits: from a million kWh on a nano-kWh is noise.
    """
    most = greatest(c)
    return 1 if most < 1e6 else 10 ** (int(np.floor(np.log10(most))) - 5)


def greatest(c: Cumulative) -> float:
    """The greatest number among the readings and the energy of a series."""
    return float(max(np.nanmax(np.abs(x), initial=0.0) for x in (c.readings, c.E)))


def energy_state(c: Cumulative, s: Ints, e: Ints) -> State:
    """How sure the energy of some stretches is, taken together."""
    coverage = share(np.array([c.covered(s, e).sum()]), np.array([(e - s).sum()]))
    bits = np.array([np.bitwise_or.reduce(c.flags_in(s, e))])
    return State(float(coverage[0]), STATUSES[int(status(coverage, bits)[0])], names(int(bits[0])))


def worst(states: Sequence[State]) -> State:
    """The least coverage, the worst status, all flags."""
    return State(
        min(x.coverage for x in states),
        max((x.status for x in states), key=STATUSES.index),
        tuple(sorted({f for x in states for f in x.flags})),
    )


def reading(c: Cumulative, s: int, e: int, tz: dt.tzinfo, rounds: Any) -> Reading:
    """What one element showed around the edges of a span.

    Parameters
    ----------
    c : Cumulative
        The element's series.
    s, e : int
        The span [us UTC].
    tz : tzinfo
        The zone of the times.
    rounds : callable
        Rounds a quantity.
    """
    a, b = np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)
    told = detail_of(figures(c, a, b), 1)
    inside = {k: bool(c.edge_inside(x)[0][0]) for k, x in (("open", a), ("close", b))}
    at = {k: local(np.asarray(told[f"{k}_at"], dtype=np.int64), tz)[0] for k in inside}
    value = {k: float(told[f"{k}_reading"][0]) for k in inside}
    state = energy_state(c, a, b)
    known = state.status != STATUSES[-1]
    energy = EXACT.divide(Decimal(int(nano(c, b)[0] - nano(c, a)[0])), Decimal(NANO))
    return Reading(
        element=c.name,
        open_at=_time(at["open"]),
        open_reading=None if np.isnan(value["open"]) else exact(value["open"]),
        open_interpolated=inside["open"],
        close_at=_time(at["close"]),
        close_reading=None if np.isnan(value["close"]) else exact(value["close"]),
        close_interpolated=inside["close"],
        energy=rounds(energy) if known else None,
        coverage=state.coverage,
        status=state.status,
        flags=state.flags,
        lo=_bound(told["lo"], rounds, greatest(c)),
        hi=_bound(told["hi"], rounds, greatest(c)),
    )


def _bound(values: Any, rounds: Any, scale: float) -> Decimal | None:
    return None if np.isnan(values[0]) else rounds(exact(float(values[0]), scale=scale))


def _time(at: pd.Timestamp) -> pd.Timestamp | None:
    return at if at == at else None  # noqa: PLR0124 - NaT is the only such instant


Row: TypeAlias = Mapping[Any, Any]
MISSING = "missing"
REGISTER, DEMAND = "kWHNet", "DemandkW"


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


@dataclass(frozen=True)
class Study:
    """What the figures are of.

    Attributes
    ----------
    frame : pandas.DataFrame
        Readings over (meter, time).
    site, bill, rules
        The description, the bill and the rules.
    stays : list of Stay
        Who held what.
    """

    frame: pd.DataFrame
    site: Site
    bill: UtilityBill
    rules: SplitRules
    stays: list[Stay]

    @property
    def keywords(self) -> dict[str, Any]:
        """What every verb is told; `min_coverage` 0 leaves the judgement to the gate."""
        return {
            "tz": self.site.tz,
            "registers": self.site.register_rules(self.frame),
            "min_coverage": 0,
            "interval": self.rules.interval,
            "demand_lag": self.rules.demand_lag,
        }


def study(frame: pd.DataFrame, site: Site, bill: UtilityBill, rules: SplitRules) -> Study:
    """The frame with every element of the bill in it, and who held what."""
    found = stays(site, bill)
    start, _ = span(site, bill)
    return Study(_complete(frame, found, start), site, bill, rules, found)


def _complete(frame: pd.DataFrame, found: Sequence[Stay], at: pd.Timestamp) -> pd.DataFrame:
    """The frame over (meter, time), elements that it lacks as blanks: missing, not absent."""
    names = list(dict.fromkeys(split_element(s.element) for s in found))
    if any(e is None for _, e in names):
        raise ConfigError(
            "Cannot find the site's elements among the readings: give them full ids in the site "
            'file, the meter first, e.g. "P482311252_B".'
        )
    whole = _several(frame, sorted({m for m, _ in names}))
    there = {str(m) for m in whole.index.get_level_values(0).unique()}
    absent = sorted({m for m, _ in names} - there)
    if absent:
        index = pd.MultiIndex.from_product(
            [absent, pd.DatetimeIndex([at]).as_unit("us")], names=whole.index.names
        )
        blank = pd.DataFrame(np.nan, index=index, columns=whole.columns)
        attrs, whole = whole.attrs, pd.concat([whole, blank])
        whole.attrs = attrs
    here = [parse(x) for x in wire_columns(whole.columns)]
    have, known = {c.topic for c in here} & {REGISTER, DEMAND}, {c.wire for c in here}
    wanted = [Column(t, ELEMENT, str(e)).wire for t in sorted(have or {REGISTER}) for _, e in names]
    return whole.assign(**{x: np.nan for x in wanted if x not in known})


def _several(frame: pd.DataFrame, meters: list[str]) -> pd.DataFrame:
    if isinstance(frame.index, pd.MultiIndex):
        return frame
    if len(meters) > 1:
        raise ConfigError(
            f"Cannot tell whose rows these are: the site has {len(meters)} meters and the frame "
            "no meter level. Read it with a list of meters."
        )
    whole = pd.concat({meters[0]: frame}, names=["meter", "time"])
    whole.attrs = frame.attrs
    return whole


# --- energy ------------------------------------------------------------------------------


def energies(of: Study) -> list[Figure]:
    """The energy of every stay [kWh]."""

    def verb(edges: list[pd.Timestamp]) -> pd.DataFrame:
        how = {**of.keywords, "edges": of.rules.edges, "detail": True}
        return _energy(of.frame, edges, **how)

    rows = _by_stay(of.stays, verb, "start")
    return [_figure(s, rows.get(s), "energy", "kWh", of.rules.places) for s in of.stays]


def _by_stay(
    found: Sequence[Stay], verb: Callable[[list[pd.Timestamp]], pd.DataFrame], start: str
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
        table = _keyed(verb(list(cut)), start)
        mine = [s for s in found if edges[s.element] == cut]
        rows |= {s: table[s.element, s.start] for s in mine if (s.element, s.start) in table}
    return rows


def _keyed(table: pd.DataFrame, start: str) -> dict[tuple[str, pd.Timestamp], Row]:
    return {
        (f"{row['meter']}_{row['element']}", row[start].tz_convert("UTC")): row
        for row in table.to_dict("records")
    }


def _figure(stay: Stay, row: Row | None, name: str, unit: str, places: int) -> Figure:
    if row is None:
        return Figure(stay, None, unit, 0.0, MISSING, (), {})
    known = not np.isnan(row[name])
    value = rounded(float(row[name]), places, scale=scale_of(row)) if known else None
    told = str(row["status"]), tuple(row["flags"])
    return Figure(stay, value, unit, float(row["coverage"]), *told, row)


def scale_of(row: Row) -> float:
    """The greatest reading that a figure is made of: its noise is that of the reading."""
    readings = [row.get(k) for k in ("open_reading", "close_reading")]
    return max((abs(float(x)) for x in readings if not pd.isna(x)), default=0.0)


# --- demand ------------------------------------------------------------------------------


def coincidents(of: Study) -> list[Figure]:
    """Each element's demand when all of them together drew the most [kW].

    It is that of whoever held the element at that instant.
    """
    names = billed(of.site, of.bill)
    rows = _coincident(
        of.frame,
        list(span(of.site, of.bill)),
        elements=names,
        window=of.rules.window,
        **of.keywords,
    )
    branches = [s for s in of.stays if s.kind != MAIN]
    sure, note = _peak_elsewhere(of, names, rows)
    found = []
    for row in rows.to_dict("records"):
        at, name = row["at"], str(row["element"])
        when = branches[0].start if pd.isna(at) else at.tz_convert("UTC")
        stay = next(s for s in branches if s.element == name and s.start <= when < s.end)
        own = _figure(stay, row, "coincident", "kW", of.rules.places)
        found.append(replace(own, sure=sure, note=note))
    return found


def _peak_elsewhere(of: Study, names: Sequence[str], rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether the site's peak holds whatever its missing elements drew, and what shows it."""
    if not len(rows) or rows["status"].iloc[0] != "partial":
        return False, ""
    peak = float(rows["site_peak"].iloc[0])
    blocks = _blocks(of, names)
    ratings = [of.site.elements[k].rating for k in names]
    most = np.array([np.nan if x is None else x for x in ratings])
    worst = unaffected(blocks.to_numpy().T, most, peak)
    if worst.sure:
        return True, (
            f"while elements were not covered, the site drew less than its peak of {peak:.2f} kW "
            "even at their max_kw"
        )
    at = f"{blocks.index[worst.block].tz_convert(of.site.zone):%Y-%m-%d %H:%M}"
    who = ", ".join(np.array(names)[worst.missing])
    if worst.room <= 0:
        others = f"{peak - worst.room:.2f} kW"
        return False, f"At {at} the others alone drew {others}: only the readings of {who} tell. "
    return False, (
        f"If {who} cannot have drawn {worst.room:.2f} kW at {at}, state that as max_kw (or cts and "
        "volts) in the site file: then the peak lies elsewhere, and the figure is accepted. "
    )


def _blocks(of: Study, names: Sequence[str]) -> pd.DataFrame:
    """The demand of each element in each block of the bill's period, NaN where not covered."""
    start, end = span(of.site, of.bill)
    how = {k: v for k, v in of.keywords.items() if k != "min_coverage"}
    table = demand(of.frame, of.rules.window, start=start, end=end, **how)
    columns = {}
    for name in names:
        meter, element = split_element(name)
        columns[name] = table.xs(meter, level=0)[f"Demand/Elm/{element}"]
    found = pd.DataFrame(columns).tz_convert("UTC")
    last = end - pd.Timedelta(of.rules.window)
    return found[(found.index >= start) & (found.index <= last)]


@dataclass(frozen=True)
class Uncovered:
    """What elements may have drawn together while some of them were not covered.

    Attributes
    ----------
    sure : bool
        Whether it stays below a peak at any rate.
    block : int
        Where it comes nearest to the peak, or exceeds it most.
    missing : ndarray of bool
        The elements that are not covered there.
    room : float
        What these would have to draw to reach the peak [kW].
    """

    sure: bool
    block: int
    missing: Any
    room: float


def unaffected(kw: Floats, most: Floats, peak: float) -> Uncovered:
    """Whether a peak holds whatever was drawn in the blocks that are not wholly covered.

    Parameters
    ----------
    kw : ndarray of float
        Demand, NaN where not covered [kW], shape (elements, blocks).
    most : ndarray of float
        The greatest power of each element, NaN where not known [kW].
    peak : float
        The highest demand of all elements together in the blocks that are covered [kW].
    """
    blank = np.isnan(kw)
    some = np.flatnonzero(blank.any(axis=0))
    room = peak - np.nansum(kw[:, some], axis=0)
    left = room - np.where(blank[:, some], most[:, None], 0.0).sum(axis=0)
    known = not np.isnan(left).any()
    worst = int(np.argmin(left if known else room)) if len(some) else 0
    block = int(some[worst]) if len(some) else 0
    return Uncovered(
        known and bool((left > 0).all()),
        block,
        blank[:, block],
        float(room[worst]) if len(some) else peak,
    )


def own_peaks(of: Study) -> list[Figure]:
    """Each stay's own peak, times its share of the period [kW].

    The meter's reported demand where it reports any, else that of its register by blocks. A
    stay of half the period counts half: a unit that changes hands is not billed twice.
    """
    mine = [s for s in of.stays if s.kind not in {MAIN, EXPORT}]
    reports = any(parse(x).topic == DEMAND for x in wire_columns(of.frame.columns))
    how: dict[str, Any] = {} if reports else {"kind": "block", "window": of.rules.window}

    def verb(edges: list[pd.Timestamp]) -> pd.DataFrame:
        return _peaks(of.frame, edges, **how, **of.keywords)

    rows = _by_stay(mine, verb, "period")
    return [_weighted(of, _figure(s, rows.get(s), "peak", "kW", of.rules.places)) for s in mine]


def _weighted(of: Study, f: Figure) -> Figure:
    start, end = span(of.site, of.bill)
    share = Fraction((f.stay.end - f.stay.start).value, (end - start).value)
    if f.value is None or share == 1:
        return f
    value = rounded(Fraction(f.value) * share, of.rules.places)
    return Figure(f.stay, value, f.unit, f.coverage, f.status, f.flags, f.row)


def by_party(figures: Sequence[Figure], kind: str) -> dict[str, Decimal]:
    """The sum of the figures of a kind by party, in their order; common areas are one party."""
    total: dict[str, Decimal] = {}
    for f in figures:
        if f.stay.kind == kind and f.value is not None:
            total[f.stay.party] = total.get(f.stay.party, Decimal(0)) + f.value
    return total
