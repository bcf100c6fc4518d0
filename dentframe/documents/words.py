"""The words of a statement say to those who pay what each status, term and flag means."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.money.statement import Line, Reading, Statement

_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """Without control characters, which no page, sheet or PDF can hold."""
    return _INVISIBLE.sub("", text)


class Word(NamedTuple):
    """What a flag is called on a statement, and what that means."""

    name: str
    meaning: str


_FILE = Path(__file__).parent / "templates" / "words.toml"
_TOLD = tomllib.loads(_FILE.read_text(encoding="utf-8"))
STATUSES: dict[str, str] = _TOLD["statuses"]
TERMS: dict[str, str] = _TOLD["terms"]
"""By the unit of a line, or the part of the energy that its name ends with."""
FLAGS = {flag: Word(*told) for flag, told in _TOLD["flags"].items()}
REASONS = frozenset(FLAGS) - {
    "agreed", "corrected", "duplicate_dropped", "edge_interpolated", "export", "gap_bridged",
    "glitch", "meter_swap", "negative_residual", "reblocked", "rollover",
}  # fmt: skip
"""The flags that can make a figure unsure; the others only tell what happened."""
_UNKNOWN = "The readings carry this mark. Ask whoever sent the statement what it means."


def label(flag: str) -> str:
    """What a flag is called on a statement.

    Examples
    --------
    >>> label("gap_bridged")
    'readings in between missing'
    """
    return FLAGS[flag].name if flag in FLAGS else flag.replace("_", " ")


def labels(flags: Iterable[str]) -> str:
    """What some flags are called, each once."""
    return "; ".join(dict.fromkeys(label(f) for f in flags))


def explained(of: Statement) -> list[tuple[str, str]]:
    """Each status, term and flag of a statement, with what it means; ``recorded`` needs no words.

    Parameters
    ----------
    of : Statement
        The statement.

    Returns
    -------
    list of (str, str)
        What it is called, what it means.
    """
    parts: list[Line | Reading] = [*of.lines, *of.readings]
    statuses, flags = {p.status for p in parts}, {f for p in parts for f in p.flags}
    found = [(k, v) for k, v in STATUSES.items() if k in statuses]
    said = {x for line in of.lines for x in (line.unit, line.name.rpartition(": ")[2])}
    said |= {x for x in TERMS if any(line.basis and x in line.note for line in of.lines)}
    found += [(k, v) for k, v in TERMS.items() if k in said]
    return [*found, *(FLAGS.get(f, Word(label(f), _UNKNOWN)) for f in sorted(flags))]
