"""What getTopics said, kept in the archive, so that reading it needs no service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dentframe.archive import files, layout
from dentframe.errors import ConfigError
from dentframe.reading.request import builtin_units, topic_units


def keep(root: Path, topics: Sequence[Mapping[str, str]]) -> None:
    """Write the catalogue down, where it is another."""
    found = [dict(topic) for topic in topics]
    if found == load(root):
        return
    path = layout.topics_file(root)
    data = json.dumps({"schema": 1, "topics": found}, indent=1).encode()
    files.write(path, data, layout.aside(root, path))


def load(root: Path) -> list[dict[str, str]] | None:
    """The catalogue, or None where none was kept."""
    path = layout.topics_file(root)
    try:
        found: Any = json.loads(path.read_bytes())
        return [dict(topic) for topic in found["topics"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"Cannot read the archive's topics in {path}: the file is damaged. "
            "Remove it, and sync again."
        ) from None


def units(root: Path) -> dict[str, str]:
    """Topic to unit: as kept, else from the built-in catalogue."""
    kept = load(root)
    return builtin_units() if kept is None else topic_units(kept)
