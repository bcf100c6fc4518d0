"""Plain data as TOML text: what tariffs need of it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

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
