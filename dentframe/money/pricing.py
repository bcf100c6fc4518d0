"""A charge is given a case to price: the period, what was used in it, the lines so far."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, UnknownTopicError, by, did_you_mean
from dentframe.metering.cumulative import STATUSES
from dentframe.money.occupancy import factor, midnights
from dentframe.money.rounding import EXACT, add, exact, rounded
from dentframe.money.statement import Line, Reading, priced
from dentframe.money.usage import OUT, Meters, State, flowing
from dentframe.times.ranges import ints, midnight, stamp
from dentframe.times.schedule import Schedule, Window
from dentframe.verbs.results import warn_of_power, warn_of_withheld


class Charge(Protocol):
    """What a tariff is a list of. A new kind is one class with these, and a row in `KINDS`."""

    kind: ClassVar[str]
    """Its name in files."""

    @property
    def name(self) -> str:
        """The name of its lines."""
        raise NotImplementedError

    @property
    def valid_from(self) -> dt.date | None:
        """The first local day on which it holds."""

    @property
    def valid_to(self) -> dt.date | None:
        """The first local day on which it no longer holds."""

    def lines(self, case: Case) -> list[Line]:
        """What it adds to a bill."""
        raise NotImplementedError


@dataclass(frozen=True)
class Case:
    """One period of one party under a tariff.

    Attributes
    ----------
    meters : Meters
        The readings.
    start, end : int
        The billing period [us UTC].
    holidays : tuple of date
        Local dates.
    places, digits : int or None
        Decimals of quantities, of amounts.
    rounding : str
        Of amounts.
    history : mapping, sequence or None
        Measured demand before the period, by charge or for the only ratchet [kW].
    done : tuple of Line
        The lines of the charges before.
    currency : str
        For lines whose quantity is money.
    """

    meters: Meters
    start: int
    end: int
    holidays: tuple[dt.date, ...]
    places: int | None
    digits: int | None
    rounding: str
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None
    currency: str
    done: tuple[Line, ...] = ()

    def valid(self, charge: Charge) -> tuple[int, int] | None:
        """The part of the period in which a charge is valid [us UTC], None for no part."""
        s = max(self.start, self._edge(charge.valid_from, self.start))
        e = min(self.end, self._edge(charge.valid_to, self.end))
        return (s, e) if s < e else None

    def _edge(self, day: dt.date | None, default: int) -> int:
        if day is None:
            return default
        return int(ints(pd.DatetimeIndex([midnight(day, self.meters.tz)]))[0])

    def cut(self, charge: Charge) -> bool:
        """Whether its validity begins or ends inside the period."""
        return self.valid(charge) != (self.start, self.end)

    def days(self, s: int, e: int) -> list[dt.date]:
        """The local days that begin in a span."""
        tz = self.meters.tz
        return [x.tz_convert(tz).date() for x in midnights(stamp(s), stamp(e), tz)]

    def factor(self, rule: Any, s: int, e: int) -> Fraction:
        """The part of a month that a span is, by a charge's stated rule."""
        if rule == "none":
            return Fraction(1)
        return factor(rule, self.days(s, e), self.days(self.start, self.end))

    def months(self, charge: Charge, rule: Any, s: int, e: int) -> Fraction:
        """How many months a monthly charge is due for; unstated only for one ordinary month.

        Raises
        ------
        ConfigError
            Where the span is no ordinary month and the charge does not say how to prorate.
        """
        n = len(self.days(s, e))
        if rule is None and (self.cut(charge) or not 25 <= n <= 36):
            raise ConfigError(
                f"Cannot price charge {charge.name!r} for {n} days: it is per month, and nothing "
                "says what a part of one (or several) costs. State proration='none' (whole), "
                "'days' (share of the billed days), 'month' (share of calendar months), or a "
                "number of days; or bill each month by itself."
            )
        return Fraction(1) if rule is None else self.factor(rule, s, e)

    def schedule(self, windows: Sequence[Window], other: str = OUT) -> Schedule | None:
        """The tariff's clock for some windows; None where there are none."""
        return Schedule(windows, self.holidays, other) if windows else None

    def quantity(self, value: Any) -> Decimal:
        """As it is printed and priced."""
        return rounded(value, self.places)

    def money(self, value: Any) -> Decimal:
        """As an amount."""
        return rounded(value, self.digits, self.rounding)

    def priced(
        self, charge: Charge, quantity: Decimal, unit: str, rate: Decimal, **more: Any
    ) -> Line:
        """A line of a charge."""
        return priced(
            more.pop("name", charge.name),
            charge.kind,
            quantity,
            unit,
            rate,
            digits=self.digits,
            rounding=self.rounding,
            charge=charge.name,
            **more,
        )

    def total(self, charges: Sequence[str]) -> Decimal:
        """What the lines of some charges before add up to [currency]."""
        return add([x.amount for x in self.done if x.charge in charges])

    def edges(self, s: int, e: int, flow: str, topic: str | None) -> dict[str, Any]:
        """The readings around a span, for a line of one element."""
        series = self.meters.registers(topic)
        names = ", ".join(c.name for c in series)
        if len(series) != 1:
            return {"element": names}
        found = self.meters.reading(flowing(series[0], flow), s, e)
        return {"element": names} | {k: getattr(found, k) for k in _EDGES}

    def readings(self) -> tuple[Reading, ...]:
        """The readings around the whole period; steps that were not taken for use are told."""
        series = self.meters.registers()
        warn_of_power(series, np.array([self.start]), np.array([self.end]), self.meters.tz)
        warn_of_withheld(series, self.start, self.end)
        return tuple(self.meters.reading(c, self.start, self.end) for c in series)

    def past(self, charge: Charge) -> list[Decimal]:
        """Measured demand before the period, for a ratchet.

        Raises
        ------
        ConfigError
            Where none was given: no history is said with an empty list.
        """
        told = self.history
        if isinstance(told, Mapping):
            told = told.get(charge.name)
        if told is None:
            raise ConfigError(
                f"Cannot price charge {charge.name!r}: its ratchet looks back on earlier months, "
                + by(
                    "and history= does not have them. Pass "
                    f"history={{{charge.name!r}: [...]}} with the measured demand of earlier "
                    "months, the oldest first ([] if there is none).",
                    "and their peaks are not given. Give --history PEAKS.csv with the columns "
                    f"period (2023-11) and peak or {charge.name!r}; with no row if there is none.",
                )
            )
        return [EXACT.plus(Decimal(str(x))) for x in told]


def check_accept(accept: Any) -> tuple[str, ...]:
    """The accepted statuses; missing is never one."""
    asked = (accept,) if isinstance(accept, str) else tuple(accept)
    for x in asked:
        if x not in STATUSES[:-1]:
            raise ConfigError(
                f"Cannot accept={x!r}: use some of {', '.join(STATUSES[:-1])}. What is missing "
                "has no figure to bill."
            )
    return asked


def require(meters: Meters, topic: str, why: str) -> None:
    """Refuse a charge that the readings cannot answer for."""
    if not meters.has(topic):
        raise UnknownTopicError(
            f"Cannot {why}: the readings have no {topic}/Elm/... column. "
            f'Read topics=[..., "{topic}"] as well.'
        )


_EDGES = (
    "open_at", "open_reading", "open_interpolated",
    "close_at", "close_reading", "close_interpolated",
)  # fmt: skip


def measured(state: State) -> dict[str, Any]:
    """A state as fields of a line."""
    return {"coverage": state.coverage, "status": state.status, "flags": state.flags}


def span_text(case: Case, s: int, e: int) -> str:
    """A part of the period as text, ``""`` for the whole."""
    if (s, e) == (case.start, case.end):
        return ""
    a, b = (stamp(x).tz_convert(case.meters.tz) for x in (s, e))
    return f"{a:%Y-%m-%d} to {b:%Y-%m-%d}"


# --- the fields of charges: read from a file, and written back ---

_WINDOW = ("name", "start", "end", "days", "season")
PRORATIONS = ("none", "days", "month")


def put(charge: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(charge, name, value)


def read_fields(charge: Any) -> None:
    """Read the fields of a charge as they were given: rates exactly, text as dates."""
    name = charge.name
    one_rate = rates_of if hasattr(charge, "tiers") else rate_of
    if hasattr(charge, "windows"):
        put(charge, windows=windows_of(charge.windows, charge.season, name), season=None)
    readers: dict[str, Callable[[Any, str], Any]] = {
        **dict.fromkeys(("valid_from", "valid_to"), date_of),
        **dict.fromkeys(("proration", "tier_proration"), lambda x, f: check_proration(x, f, name)),
        **dict.fromkeys(("allowance", "target_power_factor"), rate_of),
        "rate": one_rate,
        "tiers": lambda x, _: edges_of(x, name),
        "on": lambda x, _: tuple(x),
    }
    for field_name, read in readers.items():
        value = getattr(charge, field_name, None)
        if value is not None:
            put(charge, **{field_name: read(value, field_name)})


def rate_of(value: Any, what: str) -> Decimal:
    """A rate exactly as it was written: a float is what its text says."""
    return exact(repr(value) if isinstance(value, float) else value, what)


def rates_of(value: Any, what: str) -> Any:
    """One rate, or one per tier."""
    if isinstance(value, list | tuple):
        return tuple(rate_of(x, what) for x in value)
    return rate_of(value, what)


def windows_of(windows: Any, season: Any, charge: str) -> tuple[Window, ...]:
    """Windows from dicts or `Window`s; a charge's season is that of windows without one."""
    found = [_window(w, charge) for w in ([windows] if isinstance(windows, Mapping) else windows)]
    if season is None:
        return tuple(found)
    found = found or [Window(charge)]
    return tuple(w if w.season else replace(w, season=tuple(season)) for w in found)


def _window(given: Any, charge: str) -> Window:
    if isinstance(given, Mapping):
        check_known(given, _WINDOW, f"window of charge {charge!r}")
        given = Window(**{"name": charge, **given})
    if not isinstance(given, Window):
        raise ConfigError(f"Cannot use {given!r} as a window of charge {charge!r}: use a Window.")
    days = given.days if isinstance(given.days, str) else tuple(given.days)
    season = None if given.season is None else tuple(given.season)
    return replace(given, days=days, season=season)


def date_of(value: Any, field: str) -> dt.date | None:
    """A local date, from a date or text."""
    if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(
            f"Cannot read {field}={value!r}: use a local date, e.g. '2024-06-15'."
        ) from None


def check_proration(rule: Any, field: str, name: str) -> Any:
    """A proration as given: None, ``"none"``, ``"days"``, ``"month"``, or days of a month."""
    if rule is None or rule in PRORATIONS:
        return rule
    if isinstance(rule, int) and not isinstance(rule, bool) and rule > 0:
        return rule
    raise ConfigError(
        f"Cannot use {field}={rule!r} in charge {name!r}: use 'none' (whole for any period), "
        "'days' (share of the billed days), 'month' (share of calendar months), or a number of "
        "days, e.g. 30."
    )


def edges_of(tiers: Any, charge: str) -> tuple[Decimal, ...]:
    """Upper edges of all tiers but the last, rising; an edge belongs to the lower tier."""
    found = tuple(exact(repr(x) if isinstance(x, float) else x, "tiers") for x in tiers)
    if any(b <= a for a, b in zip((Decimal(0), *found), found, strict=False)):
        raise ConfigError(
            f"Cannot use tiers={[str(x) for x in found]} in charge {charge!r}: they are the upper "
            "edges of all tiers but the last, above 0 and rising, e.g. [500, 1000]."
        )
    return found


def check_known(given: Mapping[str, Any], known: Any, what: str) -> None:
    """Refuse a field that nothing would read: a misspelt one would price wrongly."""
    for name in given:
        if name not in known:
            near = did_you_mean(name, known) or f": it has {', '.join(known)}"
            raise ConfigError(f"Cannot read field {name!r} of this {what}{near}")


def check_choice(value: Any, choices: tuple[str, ...], field: str, charge: str) -> None:
    """Refuse a value that is none of the choices."""
    if value not in choices:
        raise ConfigError(
            f"Cannot use {field}={value!r} in charge {charge!r}: use one of {', '.join(choices)}."
        )


def made(cls: Any, data: Mapping[str, Any], what: str) -> Any:
    """A dataclass from plain data, its unknown and missing fields named."""
    known = [f.name for f in fields(cls) if f.init]
    check_known(data, known, what)
    needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    lacking = [x for x in needed if x not in data]
    if lacking:
        raise ConfigError(f"Cannot read this {what}: it needs {', '.join(lacking)}.")
    return cls(**data)


def plain(value: Any) -> Any:
    """Plain data, without the fields that have their defaults."""
    if is_dataclass(value):
        return {f.name: plain(x) for f, x in _told(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, dt.date) else value


def _told(of: Any) -> list[tuple[Any, Any]]:
    pairs = [(f, getattr(of, f.name)) for f in fields(of) if f.init]
    return [(f, x) for f, x in pairs if f.default is MISSING or x != f.default]
