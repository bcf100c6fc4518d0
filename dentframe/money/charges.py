"""Charges are the parts of a tariff; here are their fields, and all kinds but demand.

An energy charge prices kWh: flat, by time of use, in tiers; import, export or net. The others are
fixed charges, taxes, minimum bills, and reactive energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.rounding_and_tiers import EXACT, Tiers, add, parts_of, times
from dentframe.money.tariff_usage import ALWAYS, OUT, of_flow, worst
from dentframe.site.toml_tables import Table, is_list
from dentframe.times.schedule import Schedule, Window
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.money.statement import Line
    from dentframe.money.tariff_bill import Case

KVARH, KVAH = "kVARHNet", "kVAHNet"


def as_list(value: Any, what: str, example: str) -> list[Any]:
    """The items of a list; a text or one value alone, which is no list of them, is refused."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ConfigError(f"Cannot use {value!r} as {what}: give a list, e.g. {example}.")
    return list(value)


def put(charge: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(charge, name, value)


def made(cls: type[Any], data: Mapping[str, Any], file: str, where: str = "") -> Any:
    """Settings from their table; a misspelt field, which nothing would read, is refused."""
    known = Table(data, file, where).fields_of(cls)
    needed = (name for name, f in known.items() if f.default is MISSING)
    return cls(**{**dict.fromkeys(needed), **{k: x for k, x in data.items() if x is not None}})


class ChargeTable(Table):
    """The fields of a charge, as a file or a caller gives them."""

    def rate(self, name: str) -> Any:
        """One rate, or one per tier."""
        value = self.given(name)
        return self._decimals(name, value) if is_list(value) else self.decimal(name)

    def rates(self, name: str) -> dict[str, Any]:
        """A rate, or one per tier, for each window by its name."""
        value = self.given(name)
        if not isinstance(value, Mapping) or not value:
            raise self.error(
                name, "it maps each window's name to its rate, e.g. {'peak': 0.30, 'other': 0.12}."
            )
        inside = ChargeTable(value, self.file, name)
        return {str(window): inside.rate(window) for window in value}

    def tiers(self, name: str) -> Sequence[Decimal]:
        """The upper edges of all tiers but the last."""
        edges = self._decimals(name, self._list(name, "[500]"))
        if any(b <= a for a, b in pairwise((Decimal(0), *edges))):
            raise self.error(
                name, "they are the upper edges of all tiers but the last, above 0 and rising, "
                "e.g. [500, 1000].",
            )  # fmt: skip
        return edges

    def charges(self, name: str) -> tuple[Any, ...]:
        """The names of the charges that another is taken of."""
        return tuple(self._list(name, "['Energy']"))

    def proration(self, name: str) -> Any:
        """What a part of a month is."""
        rule = self.given(name)
        days = isinstance(rule, int) and not isinstance(rule, bool) and rule > 0
        if not days and rule not in ("none", "days", "month"):
            raise self.error(
                name,
                "use 'none' (whole for any period), 'days' (share of the billed days), 'month' "
                "(share of calendar months), or a number of days, e.g. 30.",
            )
        return rule

    def windows(self, name: str) -> tuple[Window, ...]:
        """Windows from tables or `Window`s; the charge's season is that of those without one."""
        given, charge = self.given(name), self.data["name"]
        alone, season = isinstance(given, Mapping | Window), self.data.get("season")
        every = [given] if alone else self._list(name, "[Window('peak', '16:00', '21:00')]")
        if season is not None:
            season = tuple(self._list("season", "['06-01', '09-30']"))
            every = every or [Window(charge)]
        found = []
        for x in every:
            one = {"name": charge, **x} if isinstance(x, Mapping) else x
            window = replace(self, data={name: one}).setting(name, of=Window)
            days = window.days if isinstance(window.days, str) else tuple(window.days)
            dates = season if window.season is None else tuple(window.season)
            found.append(replace(window, days=days, season=dates))
        return tuple(found)

    def setting(self, name: str, *, of: type[Any]) -> Any:
        """A `Window` or a `Ratchet`, or one that is made of its table."""
        given = self.given(name)
        found = made(of, given, self.file, name) if isinstance(given, Mapping) else given
        if not isinstance(found, of):
            raise self.error(name, f"it must be a {of.__name__}, or a table of its fields.")
        return found

    def season(self, _: str) -> None:
        """No season, for the windows have taken it."""

    def _decimals(self, name: str, values: Iterable[Any]) -> tuple[Decimal, ...]:
        return tuple(replace(self, data={name: x}).decimal(name) for x in values)

    def _list(self, name: str, example: str) -> list[Any]:
        return as_list(self.data[name], f"{name} of {self.data['name']!r}", example)


@dataclass(frozen=True)
class Charge:
    """What a tariff is a list of: each kind has a class, and a row in `KINDS` of the tariff.

    Its fields are read as it is made, as `Table.values` tells.

    Parameters
    ----------
    name : str
        The line's name.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    name: str = field(metadata={"read": "given"})
    _: KW_ONLY
    valid_from: Any = field(default=None, metadata={"read": "date"})
    valid_to: Any = field(default=None, metadata={"read": "date"})

    def __post_init__(self) -> None:
        # A class has what its fields have by default.
        given = {k: getattr(type(self), k, None) if x is None else x for k, x in vars(self).items()}
        put(self, **ChargeTable(given, f"charge {self.name!r}").values(type(self)))
        for why in self.faults():
            raise ConfigError(f"Cannot price charge {self.name!r}: {why}")

    def faults(self) -> Iterator[str]:
        """What its fields together cannot mean."""
        yield from ()


@dataclass(frozen=True)
class Energy(Charge):
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
    rate: Any = field(default=None, metadata={"read": "rate"})
    rates: Any = field(default=None, metadata={"read": "rates"})
    windows: Any = field(default=(), metadata={"read": "windows"})
    season: Any = field(default=None, metadata={"read": "season"})
    tiers: Any = field(default=(), metadata={"read": "tiers"})
    tier_order: str | None = field(default=None, metadata={"one_of": Tiers.ORDERS})
    tier_proration: Any = field(default=None, metadata={"read": "proration"})
    flow: str = field(default="net", metadata={"one_of": ("net", "import", "export")})
    topic: str | None = None

    def faults(self) -> Iterator[str]:
        """What its fields together cannot mean, and what must be stated."""
        if (self.rate is None) == (self.rates is None):
            yield "give either rate (one price) or rates (a price for each window)."
        names = {w.name for w in self.windows} | {"other"}
        for w in (w for w in self.rates or () if w not in names):
            there = ", ".join(sorted(names))
            yield f"rates has a price for {w!r}, and no window has that name; there are {there}."
        for rate in [self.rate] if self.rates is None else self.rates.values():
            Tiers(self.tiers).rates(rate, self.name)
        if self.tiers and self.tier_proration is None:
            yield (
                "tier_proration must be stated, because tariffs differ. Use 'none' (the edges hold "
                "for any period), 'days', 'month', or the number of days they are for, e.g. 30."
            )
        if self.tiers and self.rates is not None and self.tier_order is None:
            yield (
                "tier_order must be stated, because tiers under time-of-use give 36, 31.5 or 24 "
                "for the same use. Use 'chronological', 'prorata' or 'per_period'."
            )

    def lines(self, case: Case) -> list[Line]:
        """One line a window and tier."""
        span, meters = case.span, case.meters
        other = OUT if self.rates is None else "other"
        schedule = Schedule(self.windows, case.tariff.holidays, other) if self.windows else ALWAYS
        every, states, whole = meters.energy(span.start, span.end, schedule, self.flow, self.topic)
        priced = [w for w in states if w != OUT]
        prices = dict.fromkeys(priced, self.rate) if self.rates is None else self.rates
        unknown = [w for w in priced if w not in prices]
        if unknown:
            raise ConfigError(
                f"Cannot price window {unknown[0]!r} of charge {self.name!r}: rates has no rate "
                f"for it. It has {', '.join(prices)}; time outside all windows is 'other'."
            )
        pieces = [(w, x) for w, x in every if w in prices]
        tiers = Tiers(self.tiers).scaled(span.factor(self.tier_proration or "none"))
        split = tiers.split(self.tier_order or "per_period", pieces)
        if whole is None:
            quantities = {w: parts_of(x, case.quantity(add(x)), meters.places)
                          for w, x in split.items()}  # fmt: skip
        else:  # the parts of all windows add up to the whole as it is printed
            flat = [x for parts in split.values() for x in parts]
            unpriced = add([x for w, x in every if w not in prices])
            shared = iter(parts_of([*flat, unpriced], whole, meters.places))
            quantities = {w: [next(shared) for _ in parts] for w, parts in split.items()}
        series = meters.registers(self.topic)
        unit = TOPICS[self.topic or "kWHNet"].unit.removesuffix("h") + "h"
        around = {"element": ", ".join(c.name for c in series), "note": span.text}
        if len(series) == 1:
            reading = meters.reading(of_flow(series[0], self.flow), span.start, span.end)
            around |= {k: x for k, x in vars(reading).items() if k[:5] in {"open_", "close"}}
        found = []
        for window in (w for w in prices if w in split):
            name = self.name if self.rates is None else f"{self.name} {window}"
            more = around | vars(states[window])
            found += case.lines(name, tiers, quantities[window], prices[window], unit, **more)
        return found


@dataclass(frozen=True)
class Fixed(Charge):
    """A price per month or day, whatever is used.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        [currency/month] or [currency/day].
    per : str
        ``"month"``, or ``"day"``: each local day that begins in the period.
    proration : str or int
        What a part of a month costs: ``"none"``, ``"days"``, ``"month"`` or days of a month.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "fixed"
    rate: Any = field(metadata={"read": "decimal"})
    per: str = field(default="month", metadata={"one_of": ("month", "day")})
    proration: Any = field(default=None, metadata={"read": "proration"})

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        due, note = case.span.due(self), case.span.text
        if self.per == "month" and due != 1:
            note = f"{len(case.span.days)} days: {due} of a month"
        return [case.line(case.quantity(due), self.per, self.rate, note=note)]


@dataclass(frozen=True)
class Tax(Charge):
    """A share of other lines.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        As a fraction: ``"0.05"`` is 5 % [1].
    on : sequence of str, optional
        The charges it is taken of; by default all before it that are no tax.
    proration : str, optional
        Where its validity begins or ends inside the period: ``"days"`` takes its share of the
        billed days, ``"none"`` all.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "tax"
    rate: Any = field(metadata={"read": "decimal"})
    on: Any = field(default=None, metadata={"read": "charges"})
    proration: str | None = field(default=None, metadata={"one_of": ("none", "days")})

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        (of, base), note = case.bases(), case.span.text
        if not case.span.is_whole:
            if self.proration is None:
                raise ConfigError(
                    f"Cannot price tax {self.name!r}: its validity begins or ends inside the "
                    "period. State proration='days' (its share of the billed days) or 'none', or "
                    "bill each part by itself."
                )
            part = case.span.factor(self.proration)
            note = f"{note}: {part} of {base}"
            base, of = case.money(times(base, part)), ()
        return [case.line(base, case.tariff.currency, self.rate, note=note, of=of)]


@dataclass(frozen=True)
class Minimum(Charge):
    """At least so much is due.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        The minimum [currency/month] or [currency/day].
    per : str
        ``"month"`` or ``"day"``.
    on : sequence of str, optional
        The charges that count towards it; by default all before it that are no tax.
    proration : str or int
        What the minimum of a part of a month is: ``"none"``, ``"days"``, ``"month"``, or days.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "minimum"
    rate: Any = field(metadata={"read": "decimal"})
    per: str = field(default="month", metadata={"one_of": ("month", "day")})
    on: Any = field(default=None, metadata={"read": "charges"})
    proration: Any = field(default=None, metadata={"read": "proration"})

    def lines(self, case: Case) -> list[Line]:
        """One line with what lacks; none where nothing does."""
        limit = case.money(times(self.rate, case.span.due(self)))
        of, base = case.bases()
        lacks = EXACT.subtract(limit, base)
        if lacks <= 0:
            return []
        note = f"minimum {limit}, charges {base}"
        return [case.line(lacks, case.tariff.currency, Decimal(1), note=note, of=of, limit=limit)]


@dataclass(frozen=True)
class Reactive(Charge):
    """A price for reactive energy, or for a low power factor.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        [currency/kvarh]; with `target_power_factor`, the share of the base per 0.01 below it.
    allowance : Decimal, str or number
        Free reactive energy [kvarh per kWh], e.g. ``"0.5"``.
    target_power_factor : Decimal, str or number, optional
        Instead of reactive energy: a surcharge on `on` per point (0.01) below it.
    on : sequence of str, optional
        The charges that are raised; by default all before it that are no tax.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.

    Notes
    -----
    kvarh are those of the register kVARHNet where it is there, else
    ``sqrt(kVAh^2 - kWh^2)`` of the period. Power factor is kWh / kVAh of the period.
    """

    kind: ClassVar[str] = "reactive"
    rate: Any = field(metadata={"read": "decimal"})
    allowance: Any = field(default=Decimal(0), metadata={"read": "decimal"})
    target_power_factor: Any = field(default=None, metadata={"read": "decimal"})
    on: Any = field(default=None, metadata={"read": "charges"})

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        if self.target_power_factor is not None:
            return self._surcharge(case)
        kwh, first = case.energy("kWHNet")
        if case.meters.has(KVARH):
            kvarh, second = case.energy(KVARH)
        else:
            kvah, second = case.energy(KVAH)
            squares = EXACT.subtract(EXACT.multiply(kvah, kvah), EXACT.multiply(kwh, kwh))
            kvarh = EXACT.sqrt(max(squares, Decimal(0)))
        free = EXACT.multiply(self.allowance, max(kwh, Decimal(0)))
        over = case.quantity(max(EXACT.subtract(abs(kvarh), free), Decimal(0)))
        amounts = f"{case.quantity(abs(kvarh))} kvarh, {case.quantity(free)} free"
        note = "; ".join(filter(None, [case.span.text, amounts]))
        return [case.line(over, "kvarh", self.rate, note=note, **vars(worst([first, second])))]

    def _surcharge(self, case: Case) -> list[Line]:
        """The base, raised for each point (0.01) that the power factor lies below the target."""
        if not case.span.is_whole:
            raise ConfigError(
                f"Cannot price charge {self.name!r}: a surcharge on other lines cannot begin or "
                "end inside the period. Bill each part by itself."
            )
        (kvah, second), (kwh, first) = case.energy(KVAH), case.energy("kWHNet")
        pf = EXACT.divide(kwh, kvah) if kvah > 0 else Decimal(1)
        points = max(EXACT.multiply(EXACT.subtract(self.target_power_factor, pf), 100), Decimal(0))
        _, base = case.bases()
        note = f"power factor {pf:.4f}, target {self.target_power_factor}; {self.rate} of {base}"
        state, rate = vars(worst([first, second])), EXACT.multiply(self.rate, base)
        return [case.line(case.quantity(points), "point", rate, note=note, **state)]
