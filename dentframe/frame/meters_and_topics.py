"""The request of a read is made here: its meters, elements and topics are checked by name."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from dentframe.errors import (
    ConfigError,
    OfflineError,
    RequestError,
    UnitError,
    UnknownMeterError,
    UnknownTopicError,
    by,
    did_you_mean,
)
from dentframe.wire.columns import split_element
from dentframe.wire.topics import SERVED, TOPICS

if TYPE_CHECKING:
    from dentframe.archive.archive import ArchiveSource
    from dentframe.cloud.client import DentCloud

    Source: TypeAlias = DentCloud | ArchiveSource
    """Where the windows of a read come from: a client, an archive, or one before the other."""


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
    listed = isinstance(meter, Sequence | pd.Index | pd.Series | set | frozenset)
    names = [meter] if isinstance(meter, str) else list(meter) if listed else []
    if not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise ConfigError(
            f"Cannot read meter {meter!r}: it is no meter's name. Use 'P482311252', one "
            "element of it 'P482311252_A', or a list of such; "
            f"{by('get_meters()', 'dentframe meters')} lists the account's meters."
        )
    found: dict[str, tuple[str, ...] | None] = {}
    for name in names:
        plain, element = split_element(name.strip())
        before = found.get(plain, ())
        if element is None or before is None:
            found[plain] = None
        elif element not in before:
            found[plain] = (*before, element)
    return found


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
                f"{_meant(name, known)} {by('get_meters()', 'dentframe meters')} lists its "
                f"{len(known)} meters."
            )


def _meant(name: str, known: Sequence[str]) -> str:
    meter, element = split_element(f"{name[:-1]}{name[-1:].upper()}")
    if element is not None and meter in known:
        return f": did you mean its element {meter + '_' + element!r}?"
    return did_you_mean(name, known) or "."


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
        there = resolve_topics(topics.topics, units)
        kept = tuple(k for k in there if k not in topics.dropped)
        if not kept:
            raise ConfigError(
                f"Cannot read without {', '.join(sorted(topics.dropped))}: nothing is left of "
                f"{', '.join(there)}. Drop less, or ask for more topics."
            )
        return kept
    names = [topics] if isinstance(topics, str) else list(topics)
    if not names:
        raise UnknownTopicError(
            "Cannot read an empty list of topics: nothing would be asked for. "
            f"Use topics=None for all, or some of {', '.join(units)}."
        )
    keys, known = list[str](), [*units]
    for name in names:
        matching = [name] if name in known else [key for key, unit in units.items() if unit == name]
        if not matching:
            raise UnknownTopicError(
                f"Cannot read topic {name!r}: unknown topic {name!r}"
                f"{did_you_mean(name, [*units, *units.values()]) or '.'} "
                f"The service has {', '.join(units)}."
            )
        keys += matching
    return tuple(dict.fromkeys(keys))


def resolve(source: Source, meter: Any, span: tuple[Any, Any], topics: Any) -> Request:
    """Resolve what is asked for, by what the service has; refuse what it does not have."""
    meters = parse_meters(meter)
    units = topic_units(source.get_topics())
    try:
        keys = resolve_topics(topics, units)
    except UnknownTopicError:
        units = topic_units(source.get_topics(refresh=True))
        keys = resolve_topics(topics, units)
    # A service that will not list its meters is asked all the same.
    with contextlib.suppress(OfflineError, RequestError):
        try:
            check_meters(list(meters), source.get_meters())
        except UnknownMeterError:
            check_meters(list(meters), source.get_meters(refresh=True))
    return Request(meters, isinstance(meter, str), *span, keys, is_everything(topics), units)
