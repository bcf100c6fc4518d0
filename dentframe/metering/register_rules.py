"""What is known about registers stands here, and each element finds the rules that it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from dentframe.errors import ConfigError, UnknownMeterError
from dentframe.times.dates_and_ranges import Zone, instant, micros, minutes, zone
from dentframe.wire.columns import full_name, split_element

MINUTE, HOUR = 60_000_000, 3_600_000_000
"""In the package's unit of time inside, the microsecond."""


@dataclass(frozen=True)
class RegisterRules:
    """What is known about registers, for all elements or by element.

    Each field is one value, or a mapping by element: ``"A"`` in a frame of one meter,
    ``"P482311252_A"`` in any. An element that a mapping does not name has the default.

    Parameters
    ----------
    max_kw : float or mapping, optional
        The greatest power the element can draw or feed [kW]. Without it no fall of the
        register can be explained.
    modulus : float or mapping, optional
        The value at which the register starts again at 0 [kWh]. Needs `max_kw`.
    swaps : sequence of (time, closing, opening), or mapping
        Meter swaps: when, the old meter's last and the new meter's first register value
        [kWh]. A naive time is wall time in the verb's `tz`.
    allow_export : bool or mapping
        Whether the element may feed energy back, so that its register may fall. Needs `max_kw`.
    max_gap : str or timedelta, or mapping
        The longest spacing of readings inside which an interpolated edge still counts
        as recorded.
    corrections : sequence of Correction
        CT factors, readings by hand, exchanges and agreed figures; a naive time is wall time in the
        verb's `tz`.

    Raises
    ------
    ConfigError
        For a value that cannot be meant, or `allow_export` or `modulus` without `max_kw`.

    Examples
    --------
    >>> RegisterRules(max_kw={"A": 50.0, "C": 20.0}, modulus={"A": 100_000.0})
    RegisterRules(max_kw={'A': 50.0, 'C': 20.0}, modulus={'A': 100000.0}, swaps=(), \
allow_export=False, max_gap='30min', corrections=())
    """

    max_kw: Any = None
    modulus: Any = None
    swaps: Any = ()
    allow_export: Any = False
    max_gap: Any = "30min"
    corrections: Any = ()

    def __post_init__(self) -> None:
        for name in ("max_kw", "modulus"):
            for value in _values(getattr(self, name)):
                if value is not None and (isinstance(value, bool) or not _positive(value)):
                    raise ConfigError(
                        f"Cannot use {name}={value!r}: it must be a number above 0 "
                        f"[{'kW' if name == 'max_kw' else 'kWh'}]. Leave it out where it is not "
                        "known."
                    )
        if self.max_kw is None:
            for name in ("allow_export", "modulus"):
                if any(_values(getattr(self, name))):
                    raise _needs_max_kw(name, getattr(self, name), "RegisterRules")


FIELDS = tuple(f.name for f in fields(RegisterRules))


@dataclass(frozen=True)
class SiteRules(RegisterRules):
    """Register rules of which some come from a site, which may have more than a frame shows.

    Parameters
    ----------
    from_site : frozenset of str
        The fields that do. What they name need not be in the frame, and their swaps are of
        kWHNet alone: they say nothing about another register of the element.
    named : frozenset of (meter, element)
        The site's elements: among several meters one without a reading is missing, not absent.
    """

    from_site: frozenset[str] = frozenset()
    named: frozenset[tuple[str, str | None]] = frozenset()


@dataclass(frozen=True)
class Fix:
    """One correction of one element, resolved: numbers, and times in microseconds UTC.

    Attributes
    ----------
    kind, name : str
        What it is, and how messages call it.
    start, end : int
        When; both the same for a reading and an exchange.
    values : tuple of float
        The factor; the reading; closing and opening; or the agreed energy [kWh].
    peak : float or None
        The agreed demand [kW].
    windows : tuple of (str, float)
        The agreed energy of windows of time [kWh].
    """

    kind: str
    name: str
    start: int
    end: int
    values: tuple[float, ...]
    peak: float | None = None
    windows: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Rules:
    """The rules of one element, resolved: numbers, and times in microseconds UTC."""

    max_kw: float | None = None
    modulus: float | None = None
    swaps: tuple[tuple[int, float, float], ...] = ()
    allow_export: bool = False
    max_gap: int = 30 * MINUTE
    fixes: tuple[Fix, ...] = ()

    def cap(self, t0: Any, t1: Any) -> Any:
        """The greatest energy of steps by `max_kw`, less where a factor multiplies it [kWh]."""
        hours = (t1 - t0) / HOUR
        for f in self.fixes:
            if f.kind == "factor":
                part = np.clip(np.minimum(t1, f.end) - np.maximum(t0, f.start), 0, None)
                hours = hours + part / HOUR * (1 / f.values[0] - 1)
        return self.max_kw * hours


def _values(field: Any) -> list[Any]:
    return list(field.values()) if isinstance(field, Mapping) else [field]


def _positive(value: Any) -> bool:
    try:
        return math.isfinite(value) and value > 0
    except TypeError:
        return False


def _needs_max_kw(name: str, value: Any, where: str) -> ConfigError:
    return ConfigError(
        f"Cannot use {name}={value!r} for {where} without max_kw: only a greatest power tells "
        "export or a rollover from a cleared register. Give max_kw= as well (the sum over the "
        "element's CTs of rating x line-to-neutral volts / 1000)."
    )


def rules_for(rules: RegisterRules, topics: Sequence[str], there: set[str]) -> RegisterRules:
    """Those of the rules that hold for the topics that may answer; some of these are `there`."""
    if topics[1:] == ("kWHNet",) and "kWHNet" not in there:
        # Means answer before the register: rules may name an element that has no means.
        usual: Any = {x: getattr(RegisterRules, x) for x in FIELDS if x != "corrections"}
        from_site = {"from_site": frozenset(FIELDS)} if isinstance(rules, SiteRules) else {}
        rules = replace(rules, **usual, **from_site)
    if "kWHNet" not in topics and isinstance(rules, SiteRules) and "swaps" in rules.from_site:
        rules = replace(rules, swaps=())
    return rules


def check_elements(rules: RegisterRules, names: Sequence[tuple[str | None, str]]) -> None:
    """Refuse a mapping's key that addresses no element of the frame.

    Full ids of meters that are not in the frame pass: one table may serve a whole site. So does
    all that comes from a site.

    Parameters
    ----------
    rules : RegisterRules
        The rules as given.
    names : sequence of (meter, element)
        The elements of the frame; the meter is None where nothing names it.

    Raises
    ------
    UnknownMeterError
        For a key that names no element.
    ConfigError
        For a bare ``"A"`` in a frame of several meters.
    """
    from_site = rules.from_site if isinstance(rules, SiteRules) else ()
    tables = {x: getattr(rules, x) for x in FIELDS if x not in from_site}
    tables["corrections"] = {x.element: x for x in tables.get("corrections", ())}
    keys = [(x, str(k)) for x, y in tables.items() if isinstance(y, Mapping) for k in y]
    meters = {m for m, _ in names}
    for field, key in keys:
        meter, element = split_element(key)
        if element is None and len(meters) > 1:
            raise ConfigError(
                f"Cannot tell which meter's element {key!r} in {field} is: the frame has "
                f"{len(meters)} meters. Use full ids, e.g. {full_name(*names[0])!r}."
            )
        foreign = element is not None and None not in meters and meter not in meters
        if names and not foreign and not any(_names(key, *x) for x in names):
            raise UnknownMeterError(
                f"Cannot use {field} for {key!r}: the frame has no such element. "
                f"It has {', '.join(dict.fromkeys(full_name(*x) for x in names))}."
            )


def resolve(rules: RegisterRules, meter: str | None, element: str, tz: Zone) -> Rules:
    """The rules of one element.

    Parameters
    ----------
    rules : RegisterRules
        The rules as given.
    meter : str or None
        The element's meter, None where nothing names it.
    element : str
        The element's letter.
    tz : str or tzinfo or None
        The zone of naive swap times.

    Raises
    ------
    ConfigError
        For `allow_export` or `modulus` without `max_kw`, or a swap that cannot be read.
    """
    max_kw, modulus, swaps, allow_export, max_gap = (
        _pick(rules, name, meter, element) for name in FIELDS[:-1]
    )
    export = bool(allow_export)
    for name, value in (("allow_export", export), ("modulus", modulus)):
        if value and max_kw is None:
            raise _needs_max_kw(name, value, f"element {full_name(meter, element)}")
    return Rules(
        max_kw=None if max_kw is None else float(max_kw),
        modulus=None if modulus is None else float(modulus),
        swaps=tuple(sorted(_swap(s, tz) for s in swaps or ())),
        allow_export=export,
        max_gap=minutes(max_gap, "max_gap") * MINUTE,
        fixes=tuple(_fix(x, tz) for x in rules.corrections if _names(x.element, meter, element)),
    )


def _names(name: Any, meter: str | None, element: str) -> bool:
    """Whether a name is an element's; without its meter's name a frame understands full ids."""
    full = meter is None and split_element(str(name))[1] == element
    return full or name in {element, full_name(meter, element)}


def _fix(x: Any, tz: Zone) -> Fix:
    start, end = x.span(None if tz is None else zone(tz))
    numbers = {
        "factor": (x.factor,),
        "reading": (x.value,),
        "exchange": (x.closing, x.opening),
        "figure": (x.kwh,),
    }[x.kind]
    values, peak = tuple(map(float, numbers)), None if x.kw is None else float(x.kw)
    own = tuple((k, float(v)) for k, v in x.windows.items())
    return Fix(x.kind, str(x), micros(start), micros(end), values, peak, own)


def _pick(rules: RegisterRules, name: str, meter: str | None, element: str) -> Any:
    """An element's value of a field, which is one for all or a mapping by element."""
    field = getattr(rules, name)
    if not isinstance(field, Mapping):
        return field
    found = [k for k in (full_name(meter, element), element) if k in field][:1]
    found = found or [k for k in field if _names(k, meter, element)]
    if len(found) > 1:
        raise ConfigError(
            f"Cannot tell which of {found} this frame's element {element!r} is: the frame does "
            f"not name its meter. Use {element!r} as the key."
        )
    return field[found[0]] if found else getattr(RegisterRules, name)


def _swap(swap: Any, tz: Zone) -> tuple[int, float, float]:
    try:
        when, closing, opening = swap
        closing, opening = float(closing), float(opening)
    except (TypeError, ValueError):
        when = closing = opening = math.nan
    if not (math.isfinite(closing) and math.isfinite(opening)):
        raise ConfigError(
            f"Cannot read the meter swap {swap!r}: it is no (time, closing, opening). "
            'Use e.g. ("2024-01-01 00:20", 7000.5, 12.0), the two register values in kWh.'
        )
    return micros(instant(when, None if tz is None else zone(tz), "swap time")), closing, opening
