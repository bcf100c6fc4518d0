"""Statements as plain data and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money.statement import Line, Past, Reading, Statement

LAYOUT, SCHEMA = "schema", 2
"""Layout 1 has no `schema`, no bounds of readings and no comparison note: they take defaults."""
_MONEY = {
    "quantity", "rate", "amount", "open_reading", "close_reading", "limit", "measured", "total",
    "energy", "lo", "hi",
}  # fmt: skip
_TIMES = {"start", "end", "open_at", "close_at", "read_at", "held_from", "held_to"}
_PARTS: dict[str, Any] = {"lines": Line, "readings": Reading, "comparison": Past}


def plain(value: Any) -> Any:
    """A value without Decimal, Timestamp, tuple or dataclass."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def dict_of(of: Statement) -> dict[str, Any]:
    """A statement as plain data, with the layout that it is written in."""
    return {LAYOUT: SCHEMA, **plain(of)}


def statement_of(data: Mapping[str, Any]) -> Statement:
    """The statement of plain data, of this layout or an older one."""
    told = dict(data)
    layout = told.pop(LAYOUT, 1)
    if layout not in range(1, SCHEMA + 1):
        raise ConfigError(
            f"Cannot read this statement: its {LAYOUT} is {layout!r}, and this dentframe reads 1 "
            f"to {SCHEMA}. A later version of dentframe may have written it: update dentframe."
        )
    return _made(Statement, told)  # type: ignore[no-any-return]


def _made(cls: Any, data: Mapping[str, Any]) -> Any:
    known = {f.name for f in fields(cls)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise ConfigError(
            f"Cannot read this {cls.__name__.lower()}: it has no field {unknown[0]!r}. "
            "A later version of dentframe may have written it."
        )
    try:
        return cls(**{k: _read(k, v) for k, v in data.items()})
    except TypeError as e:
        raise ConfigError(f"Cannot read this {cls.__name__.lower()}: {e}.") from None


def _read(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _PARTS:
        return tuple(_made(_PARTS[name], x) for x in value)
    if name in _MONEY:
        return Decimal(value)
    if name in _TIMES:
        return pd.Timestamp(value).as_unit("us")
    return tuple(value) if isinstance(value, list) else value
