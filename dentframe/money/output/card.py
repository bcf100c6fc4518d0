"""What a statement and a split show of themselves, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe.money.output import tables
from dentframe.money.output.cells import number
from dentframe.shown import Card

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from dentframe.money.statement import Statement

_HEADS = {
    "name": "line", "quantity": "quantity>", "unit": "unit", "rate": "rate>",
    "amount": "amount>", "status": "status",
}  # fmt: skip
_EXCEPTION = ("exception", "subject", "detail")
_SHOWN = 10


def statement(of: Statement) -> Card:
    """A statement: its head, its lines and its total."""
    cells = [x for x in _HEADS if x != "rate" or tables.rated(of)]
    return Card(
        title=f"Statement{of.party and f' of {of.party}'}: {number(of.total)} {of.currency}",
        facts=tuple(tables.head(of)),
        heads=[_HEADS[x] for x in cells],
        rows=[[line[name] for name in cells] for line in tables.lines(of)],
        notes=of.notes,
    )


def split(
    name: str,
    currency: str,
    control: pd.Series[Any],
    exceptions: pd.DataFrame,
    statements: Iterable[Statement],
) -> Card:
    """A split: where the utility's amount went, and what the rules do not accept."""
    refused = exceptions[~exceptions["accepted"].astype(bool)]
    owed = [f"{s.party} {number(s.total)}" for s in statements]
    return Card(
        title=f"Run of {name}: {_verdict(len(exceptions), len(refused))}",
        facts=(
            *((str(part), f"{number(value)} {currency}") for part, value in control.items()),
            ("statements", _some(owed)),
        ),
        heads=_EXCEPTION,
        rows=refused.head(_SHOWN)[["kind", "subject", "detail"]].astype(str).to_numpy().tolist(),
        notes=[*_remedies(refused.head(_SHOWN)), *_notes(len(exceptions), len(refused))],
    )


def _verdict(found: int, refused: int) -> str:
    if refused:
        return f"{refused} exception{'s' * (refused > 1)} that the rules do not accept"
    return "every exception is one that the rules accept" if found else "no exceptions"


def _some(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _remedies(refused: pd.DataFrame) -> list[str]:
    told = zip(refused["kind"], refused["remedy"], strict=True)
    return [f"{kind}: {remedy}" for kind, remedy in dict.fromkeys(told) if remedy]


def _notes(found: int, refused: int) -> list[str]:
    if refused > _SHOWN:
        return [f"And {refused - _SHOWN} more: .exceptions lists all {found}."]
    return [f".exceptions lists all {found}."] if found > refused else []
