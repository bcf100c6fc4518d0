"""Reading the fields of charges: rates, windows, dates; and writing them back. Pure.

Plain data as TOML text: what tariffs need of it. Pure.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from dentframe.errors import ConfigError, did_you_mean
from dentframe.money.rounding import exact
from dentframe.times.schedule import Window

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def dumps(data: Mapping[str, Any]) -> str:
    """TOML text; lists of tables become ``[[tables]]``, tables inside them stay inline.

    Parameters
    ----------
    data : mapping
        Text, numbers, booleans, lists and mappings.
    """
    plain = [f"{_key(k)} = {_value(v)}" for k, v in data.items() if not _is_tables(v)]
    tables = [(k, row) for k, v in data.items() if _is_tables(v) for row in v]
    parts = ["\n".join(plain)] if plain else []
    parts += [
        "\n".join([f"[[{_key(k)}]]", *(f"{_key(x)} = {_value(y)}" for x, y in row.items())])
        for k, row in tables
    ]
    return "\n\n".join(parts) + "\n"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, Mapping) for x in value)


def _key(name: str) -> str:
    return name if _BARE.match(name) else _text(name)


def _text(text: str) -> str:
    # A JSON string is a TOML string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(x) for x in value) + "]"
    return _text(value) if isinstance(value, str) else str(value)


_WINDOW = ("name", "start", "end", "days", "season")


def put(charge: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(charge, name, value)


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


def season_of(season: Any, charge: str) -> Any:
    """A season checked as a window's is."""
    return None if season is None else windows_of([], season, charge)[0].season


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
