"""An energy charge prices kWh: flat, by time of use, in tiers; import, export or net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.pricing import (
    Case,
    check_choice,
    measured,
    put,
    rates_of,
    read_fields,
    span_text,
)
from dentframe.money.rounding import EXACT, add, parts_of, rounded, tidy
from dentframe.money.usage import FLOWS, OUT, Used
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from dentframe.money.statement import Line


ORDERS = ("chronological", "prorata", "per_period")


def scaled(edges: Sequence[Decimal], factor: Fraction) -> tuple[Decimal, ...]:
    """Edges for a part of a month."""
    top, bottom = Decimal(factor.numerator), Decimal(factor.denominator)
    return tuple(tidy(EXACT.divide(EXACT.multiply(x, top), bottom)) for x in edges)


def fill(total: Decimal, edges: Sequence[Decimal]) -> list[Decimal]:
    """How much of a total lies in each tier; a negative total is all in the first.

    Examples
    --------
    >>> fill(Decimal(1250), [Decimal(500), Decimal(1000)])
    [Decimal('500'), Decimal('500'), Decimal('250')]
    """
    lows = (Decimal(0), *edges)
    highs = (*edges, None)
    return [_within(total, a, b) for a, b in zip(lows, highs, strict=True)]


def _within(total: Decimal, low: Decimal, high: Decimal | None) -> Decimal:
    if low == 0 and total < 0:
        return total
    top = total if high is None else min(total, high)
    return max(EXACT.subtract(top, low), Decimal(0))


def chronological(
    pieces: Iterable[tuple[str, Decimal]], edges: Sequence[Decimal]
) -> dict[str, list[Decimal]]:
    """Each window's tiers as energy fills them in order of time."""
    found: dict[str, list[Decimal]] = {}
    before, so_far = fill(Decimal(0), edges), Decimal(0)
    for window, energy in pieces:
        so_far = EXACT.add(so_far, energy)
        after = fill(so_far, edges)
        step = [EXACT.subtract(b, a) for a, b in zip(before, after, strict=True)]
        own = found.setdefault(window, [Decimal(0)] * len(step))
        found[window] = [EXACT.add(a, b) for a, b in zip(own, step, strict=True)]
        before = after
    return found


def prorata(totals: Mapping[str, Decimal], edges: Sequence[Decimal]) -> dict[str, list[Decimal]]:
    """Each window's tiers in the proportions of the whole."""
    whole = add(list(totals.values()))
    tiers = fill(whole, edges)
    if whole <= 0:
        return {w: [x, *[Decimal(0)] * len(edges)] for w, x in totals.items()}
    return {
        w: [EXACT.divide(EXACT.multiply(x, t), whole) for t in tiers] for w, x in totals.items()
    }


def split_by_tier(
    order: str, pieces: Sequence[tuple[str, Decimal]], edges: Sequence[Decimal]
) -> dict[str, list[Decimal]]:
    """Exact quantity of each window and tier.

    Parameters
    ----------
    order : str
        ``"chronological"``, ``"prorata"`` or ``"per_period"``.
    pieces : sequence of (window, Decimal)
        In order of time.
    edges : sequence of Decimal
        Upper edges of all tiers but the last.
    """
    if order == "chronological":
        return chronological(pieces, edges)
    totals: dict[str, Decimal] = {}
    for window, energy in pieces:
        totals[window] = EXACT.add(totals.get(window, Decimal(0)), energy)
    if order == "prorata":
        return prorata(totals, edges)
    return {w: fill(x, edges) for w, x in totals.items()}


def each(rate: Any) -> tuple[Decimal, ...]:
    """The rates of all tiers; one rate is that of the only tier."""
    return rate if isinstance(rate, tuple) else (rate,)


def check_count(rate: Any, edges: Sequence[Decimal], name: str) -> None:
    """Refuse rates that are not one a tier."""
    if len(each(rate)) != len(edges) + 1:
        raise ConfigError(
            f"Cannot price charge {name!r}: {len(edges)} tier edges need {len(edges) + 1} rates, "
            f"given are {len(each(rate))}."
        )


def label(edges: Sequence[Decimal], tier: int, unit: str) -> str:
    """How a tier is called, e.g. ``"0–500 kWh"``; an edge that is no decimal is shown to two."""
    low = Decimal(0) if tier == 0 else edges[tier - 1]
    if tier == len(edges):
        return f"above {_short(low)} {unit}"
    return f"{_short(low)}–{_short(edges[tier])} {unit}"


def _short(edge: Decimal) -> str:
    exponent = edge.as_tuple().exponent
    fine = isinstance(exponent, int) and exponent < -9
    return f"{tidy(rounded(edge, 2) if fine else edge):f}"


@dataclass(frozen=True)
class Energy:
    """A price per kWh.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number, or a list of one per tier
        [currency/kWh]. With `windows`, only energy inside them is charged.
    rates : mapping of window to rate (or list), optional
        Instead of `rate`: a price for each window by name, and for ``other`` time.
    windows : sequence of Window or dict
        Local times; where two overlap, the earlier in the list has the time.
    season : tuple of two str, optional
        ``("06-01", "09-30")``, for windows without their own.
    tiers : sequence of number
        Upper edges of all tiers but the last [kWh]; an edge belongs to the lower tier.
    tier_order : str
        How tiers fill under `rates`: ``"chronological"``, ``"prorata"`` or ``"per_period"``.
    tier_proration : str or int
        The edges in a short period: ``"none"``, ``"days"``, ``"month"`` or days of a month.
    flow : str
        ``"net"``, ``"import"`` or ``"export"``: the sign of each increment decides. A credit
        has a negative rate.
    topic : str, optional
        Another register, e.g. ``"kVAHNet"``.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.

    Raises
    ------
    ConfigError
        For a field that cannot be meant, or one that must be stated: `tier_order`,
        `tier_proration`.
    """

    kind: ClassVar[str] = "energy"
    name: str
    rate: Any = None
    rates: Any = None
    windows: Any = ()
    season: Any = None
    tiers: Any = ()
    tier_order: str | None = None
    tier_proration: Any = None
    flow: str = "net"
    topic: str | None = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        read_fields(self)
        put(self, rates=_by_window(self))
        check_choice(self.flow, FLOWS, "flow", self.name)
        _check_rates(self)
        _check_tiers(self)

    def lines(self, case: Case) -> list[Line]:
        """One line a window and tier."""
        span = case.valid(self)
        if span is None:
            return []
        used = case.meters.energy(*span, case.schedule(self.windows, self._other), self.flow,
                                  self.topic)  # fmt: skip
        prices = self._prices(used)
        pieces = [(w, x) for w, x in used.pieces if w in prices]
        edges = scaled(self.tiers, case.factor(self.tier_proration or "none", *span))
        split = split_by_tier(self.tier_order or "per_period", pieces, edges)
        more = {**case.edges(*span, self.flow, self.topic), "note": span_text(case, *span)}
        unpriced = add([x for w, x in used.pieces if w not in prices])
        quantities = _quantities(case, used.whole, split, unpriced)
        unit = TOPICS[self.topic or "kWHNet"].unit
        return [
            case.priced(self, quantity, unit, rate, name=self._label(window, edges, tier, unit),
                        **more, **measured(used.states[window]))
            for window in prices
            if window in split
            for tier, (quantity, rate) in enumerate(
                zip(quantities[window], prices[window], strict=True)
            )
            if tier == 0 or quantity
        ]  # fmt: skip

    @property
    def _other(self) -> str:
        return OUT if self.rates is None else "other"

    def _prices(self, used: Used) -> dict[str, tuple[Decimal, ...]]:
        """Rates of the windows that are charged, one per tier."""
        if self.rates is None:
            return {w: each(self.rate) for w in used.states if w != OUT}
        unpriced = [w for w in used.states if w not in self.rates]
        if unpriced:
            raise ConfigError(
                f"Cannot price window {unpriced[0]!r} of charge {self.name!r}: rates has no rate "
                f"for it. It has {', '.join(self.rates)}; time outside all windows is 'other'."
            )
        return {w: each(r) for w, r in self.rates.items()}

    def _label(self, window: str, edges: Sequence[Decimal], tier: int, unit: str) -> str:
        shown = window if self.rates is not None else ""
        tail = label(edges, tier, unit) if edges else ""
        return " ".join(x for x in (self.name, shown, tail) if x)


def _quantities(
    case: Case, whole: Decimal | None, split: Mapping[str, Sequence[Decimal]], unpriced: Decimal
) -> dict[str, list[Decimal]]:
    """The tiers of each window as printed: together they are the whole, where it is printed."""
    if whole is None:
        return {w: parts_of(x, case.quantity(add(x)), case.places) for w, x in split.items()}
    flat = [x for tiers in split.values() for x in tiers]
    shared = iter(parts_of([*flat, unpriced], whole, case.places))
    return {w: [next(shared) for _ in tiers] for w, tiers in split.items()}


def _by_window(charge: Energy) -> Any:
    if charge.rates is None:
        return None
    if not isinstance(charge.rates, Mapping) or not charge.rates:
        raise ConfigError(
            f"Cannot use rates={charge.rates!r} in charge {charge.name!r}: it maps each window's "
            "name to its rate, e.g. {'peak': '0.30', 'other': '0.12'}."
        )
    return {str(w): rates_of(r, f"rate of {w!r}") for w, r in charge.rates.items()}


def _check_rates(charge: Energy) -> None:
    if (charge.rate is None) == (charge.rates is None):
        raise ConfigError(
            f"Cannot price charge {charge.name!r}: give either rate (one price) or rates (a price "
            "for each window)."
        )
    names = {w.name for w in charge.windows} | {"other"}
    for w in charge.rates or ():
        if w not in names:
            raise ConfigError(
                f"Cannot use rate {w!r} of charge {charge.name!r}: no window has that name; there "
                f"are {', '.join(sorted(names))}."
            )
    for rate in [charge.rate] if charge.rates is None else charge.rates.values():
        check_count(rate, charge.tiers, charge.name)


def _check_tiers(charge: Energy) -> None:
    if charge.tier_order is not None:
        check_choice(charge.tier_order, ORDERS, "tier_order", charge.name)
    if not charge.tiers:
        return
    if charge.tier_proration is None:
        raise ConfigError(
            f"Cannot price charge {charge.name!r}: tier_proration must be stated, because tariffs "
            "differ. Use 'none' (the edges hold for any period), 'days', 'month', or the number "
            "of days the edges are for, e.g. 30."
        )
    if charge.rates is not None and charge.tier_order is None:
        raise ConfigError(
            f"Cannot price charge {charge.name!r}: tier_order must be stated, because tiers under "
            "time-of-use give 36, 31.5 or 24 for the same use. Use 'chronological', 'prorata' or "
            "'per_period'."
        )
