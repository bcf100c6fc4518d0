"""A card shows an object in a terminal and in a notebook: one text, two renderings.

The HTML sets no colour of its own: text and background are the notebook's, light or dark, and
rules are a translucent grey that shows on both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Pairs = Sequence[tuple[str, str]]

_RULE = "1px solid var(--jp-border-color2, rgba(128,128,128,.4))"
_SMALL = "font-size:90%;opacity:.8"
_NUMBERS = "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"


@dataclass(frozen=True)
class Card:
    """What is shown of an object. All of it is plain text; renderings escape it.

    Parameters
    ----------
    title : str
        What it is, in one line.
    facts : sequence of (name, value)
        In their order; one without a value is left out.
    heads : sequence of str
        The columns of a table; those that end in ``>`` hold numbers and are set to the right.
    rows : sequence of sequences of str
        The table.
    notes : sequence of str
        What a reader should know, one sentence each.
    """

    title: str
    facts: Pairs = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()


def text_of(card: Card) -> str:
    """A card for a terminal."""
    facts = [(_line(name), _line(value)) for name, value in card.facts if value]
    heads = [h.removesuffix(">") for h in card.heads]
    table = [heads, *([_line(c) for c in row] for row in card.rows)] if card.rows else []
    lines = [*_aligned(facts, ("", "")), *_aligned(table, card.heads)]
    lines += [_line(note) for note in card.notes]
    return "\n  ".join([f"<{_line(card.title)}>", *lines])


def html_of(card: Card) -> str:
    """A card for a notebook."""
    facts = [[_cell(name, tag="th"), _cell(value)] for name, value in card.facts if value]
    heads = [_cell(h.removesuffix(">"), h, tag="th") for h in card.heads]
    parts = [
        f'<div style="font-weight:600">{_html(card.title)}</div>',
        _table([], facts),
        _table(heads, [list(map(_cell, row, card.heads)) for row in card.rows]),
        *(f'<div style="{_SMALL}">{_html(note)}</div>' for note in card.notes),
    ]
    return f'<div class="dentframe-card" style="max-width:60em">{"".join(parts)}</div>'


class WithCard:
    """An object that shows its card; one that cannot be made says so, and raises nothing."""

    def _card(self) -> Card:
        """What a terminal shows."""
        raise NotImplementedError

    def _notebook_card(self) -> Card:
        """What a notebook shows."""
        return self._card()

    def __repr__(self) -> str:
        return text_of(_made(self, self._card))

    def _repr_html_(self) -> str:
        return html_of(_made(self, self._notebook_card))


def percent(share: float, places: int = 1) -> str:
    """A share as text, rounded down: it says 100 % only where it is exactly that."""
    if 0 < share < 10 ** -(places + 2):
        return f"under {0.1**places:.{places}f} %"
    shown = math.floor(share * 10 ** (places + 2)) / 10**places
    return "100 %" if share == 1 else f"{shown:.{places}f} %"


def _made(thing: object, make: Callable[[], Card]) -> Card:
    try:
        return make()
    except Exception as e:  # noqa: BLE001 - a debugger and a notebook show every object
        return Card(f"{type(thing).__name__} that cannot be shown: {type(e).__name__}: {e}")


def _aligned(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> list[str]:
    """Rows of cells below each other, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.rjust if head.endswith(">") else str.ljust for head in heads]
    return [
        "  ".join(side(c, w) for side, c, w in zip(sides, row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = f"<thead><tr>{''.join(heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    style = "border-collapse:collapse;margin:.4em 0"
    return f'<table style="{style}">{top}<tbody>{body}</tbody></table>'


def _cell(text: str, head: str = "", *, tag: str = "td") -> str:
    side = _NUMBERS if head.endswith(">") else "text-align:left"
    look = f"border:0;border-top:{_RULE};padding:.2em .7em;vertical-align:top;{side}"
    return f'<{tag} style="{look}">{_html(text)}</{tag}>'


def _html(text: object) -> str:
    return escape(_line(text))


def _line(text: object) -> str:
    """One line of printable text: a name from a file cannot move a terminal's cursor."""
    joined = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "?" for c in joined)
