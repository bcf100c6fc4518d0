"""What a read asks for: meters, elements and topics, resolved and checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from dentframe.columns import split_element
from dentframe.errors import ConfigError, UnitError, UnknownMeterError, UnknownTopicError
from dentframe.suggest import did_you_mean
from dentframe.topics import SERVED, TOPICS

METER_EXAMPLE = "P482311252"


@dataclass(frozen=True)
class Request:
    """One read, resolved.

    Attributes
    ----------
    meters : dict
        Meter to the elements asked for, or to None for all of them.
    single : bool
        Whether one plain meter was asked for (the frame has no meter level).
    start, end : pandas.Timestamp
        The half-open range, UTC.
    topics : tuple of str
        Request keys, in the order asked.
    all_topics : bool
        Whether every topic was asked for.
    units : dict
        Topic to unit, as getTopics says.
    """

    meters: Mapping[str, tuple[str, ...] | None]
    single: bool
    start: pd.Timestamp
    end: pd.Timestamp
    topics: tuple[str, ...]
    all_topics: bool = False
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Without:
    """Topics less some of them: those are not asked for.

    Attributes
    ----------
    topics : str, sequence of str or None
        As `resolve_topics` takes them.
    dropped : frozenset of str
        Request keys.
    """

    topics: Any
    dropped: frozenset[str]


def is_everything(topics: Any) -> bool:
    """Whether every topic is meant, but those that are dropped."""
    return (topics.topics if isinstance(topics, Without) else topics) is None


def parse_meters(meter: Any) -> dict[str, tuple[str, ...] | None]:
    """Meters and their elements from ``"P1"``, ``"P1_A"`` or a list of such.

    Raises
    ------
    ConfigError
        Where the argument is no name or list of names.
    """
    names = [meter] if isinstance(meter, str) else list(meter) if _is_list(meter) else []
    if not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise ConfigError(
            f"Cannot read meter {meter!r}: it is no meter's name. Use {METER_EXAMPLE!r}, one "
            f"element of it {METER_EXAMPLE + '_A'!r}, or a list of such; "
            "get_meters() lists the account's meters."
        )
    found: dict[str, tuple[str, ...] | None] = {}
    for name in names:
        _add(found, *split_element(name.strip()))
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | pd.Index | pd.Series | set | frozenset) and not isinstance(
        value, bytes
    )


def _add(found: dict[str, tuple[str, ...] | None], meter: str, element: str | None) -> None:
    held = found.get(meter, ())
    if element is None or held is None:
        found[meter] = None
    elif element not in held:
        found[meter] = (*held, element)


def check_meters(meters: Sequence[str], known: Sequence[str]) -> None:
    """Refuse meters that the account does not have, with a suggestion.

    Raises
    ------
    UnknownMeterError
        Naming the first unknown meter.
    """
    for name in meters:
        if name not in known:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the account has no such meter"
                f"{did_you_mean(name, known) or '.'} get_meters() lists its {len(known)} meters."
            )


def topic_units(catalogue: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Request key to unit, refusing a known topic in another unit than the built-in one.

    Raises
    ------
    UnitError
        Where the service says kWHNet is in anything but kWh, and the like.
    """
    units = {t["requestKey"]: t.get("unit", "") for t in catalogue}
    for key, unit in units.items():
        known = TOPICS.get(key)
        if known is not None and unit != known.unit:
            raise UnitError(
                f"Cannot read topic {key!r}: the service gives its unit as {unit!r}, but "
                f"{key} is in {known.unit!r}. Reading it under the wrong unit would bill wrong; "
                "ask DENT, or upgrade dentframe if the service has changed."
            )
    return units


def builtin_units() -> dict[str, str]:
    """Request key to unit from the built-in catalogue: what the API's document lists."""
    return {key: TOPICS[key].unit for key in SERVED}


def resolve_topics(topics: Any, units: Mapping[str, str]) -> tuple[str, ...]:
    """Request keys of what was asked for: keys, or units where no key matches.

    Parameters
    ----------
    topics : str, sequence of str, Without or None
        None: every topic.
    units : mapping
        Request key to unit, as getTopics says.

    Raises
    ------
    UnknownTopicError
        Where a name is neither a key nor a unit, with a suggestion.
    """
    if topics is None:
        return tuple(units)
    if isinstance(topics, Without):
        return _kept(topics, resolve_topics(topics.topics, units))
    names = [topics] if isinstance(topics, str) else list(topics)
    if not names:
        raise UnknownTopicError(
            "Cannot read an empty list of topics: nothing would be asked for. "
            f"Use topics=None for all, or some of {', '.join(units)}."
        )
    return tuple(dict.fromkeys(key for name in names for key in _keys(name, units)))


def _kept(topics: Without, keys: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(k for k in keys if k not in topics.dropped)
    if kept:
        return kept
    raise ConfigError(
        f"Cannot read without {', '.join(sorted(topics.dropped))}: nothing is left of "
        f"{', '.join(keys)}. Drop less, or ask for more topics."
    )


def _keys(name: Any, units: Mapping[str, str]) -> list[str]:
    if name in units:
        return [name]
    by_unit = [key for key, unit in units.items() if unit == name]
    if by_unit:
        return by_unit
    raise UnknownTopicError(
        f"Cannot read topic {name!r}: unknown topic {name!r}"
        f"{did_you_mean(name, [*units, *units.values()]) or '.'} "
        f"The service has {', '.join(units)}."
    )
