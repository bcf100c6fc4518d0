"""What a line of a split rests on, in words: when the peak was, and how a part was shared. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dentframe.money.components import MEASURED
from dentframe.money.rounding import EXACT, add
from dentframe.money.rule import PARTS
from dentframe.money.sharing import TITLES
from dentframe.money.stays import COMMON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from dentframe.money.components import Use
    from dentframe.money.outcome import Outcome
    from dentframe.money.sharing import Charge
    from dentframe.money.usage import Figure


def rests(of: Outcome, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """What stands behind a line, for its note.

    Parameters
    ----------
    of : Outcome
        The split.
    c : Charge
        The line.
    found : sequence of Figure
        The figures that it rests on.
    """
    yield from _peak(of, c, found)
    if c.part in PARTS and c.quantity is not None:
        use = of.uses.of(c.line)
        yield from _left(use, c)
        yield from _shared(of, use, c)


def _peak(of: Outcome, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """When the demand was that a line was shared by."""
    if c.basis == "coincident":
        at = next((f.row.get("at") for f in found), None)
        if at is not None and not pd.isna(at):
            yield f"the whole site's demand was highest at {_moment(of, at)}"
    elif c.basis == "own_peak" and c.part != COMMON:
        for f in found:
            at = f.row.get("start")
            if at is not None and not pd.isna(at):
                yield f"your peak on {of.site.labels[f.stay.element]} was at {_moment(of, at)}"


def _moment(of: Outcome, at: pd.Timestamp) -> str:
    return f"{at.tz_convert(of.site.zone):%Y-%m-%d %H:%M %Z}"


def _left(use: Use, c: Charge) -> Iterator[str]:
    """What the meters leave of the utility's energy, where the part has no meter of its own."""
    own = c.part == COMMON and any(s.kind == COMMON for s in use.of.stays)
    if c.unit == "kWh" and not own:
        measured = EXACT.subtract(use.kwh, use.residual)
        yield f"the meters measured {measured} of the utility's {use.kwh} kWh"


def _shared(of: Outcome, use: Use, c: Charge) -> Iterator[str]:
    """The party's share of the part: its weight, of all weights."""
    part = getattr(use.of.rules, c.part)
    if part is None:
        return
    by = part.rule.by
    weights = use.own(by) if by in MEASURED else use.bases.weights(part.rule)
    whole = add([x.quantity for x in of.shares if _same(x, c) and x.quantity is not None])
    head = f"your share of {whole} {c.unit} of {TITLES[c.part]}, by {by}"
    if c.party in weights:
        yield f"{head}: {_of(c, weights)} {MEASURED.get(by) or use.bases.unit(part.rule)}".rstrip()


def _same(x: Charge, c: Charge) -> bool:
    return (x.line, x.part) == (c.line, c.part)


def _of(c: Charge, weights: dict[str, Decimal]) -> str:
    return f"{weights[c.party]} of {add(list(weights.values()))}"
