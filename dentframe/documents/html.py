"""A statement as a page (jinja2, a template that users can replace) and as a notebook's cell.

What a statement and a split show of themselves, in a terminal and in a notebook.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.cards import Card
from dentframe.documents import tables
from dentframe.documents.tables import explained, number
from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from dentframe.money.statement import Statement


_CARD_HEADS = {
    "name": "line", "quantity": "quantity>", "unit": "unit", "rate": "rate>",
    "amount": "amount>", "status": "status",
}  # fmt: skip
_EXCEPTION = ("exception", "subject", "detail")
_SHOWN = 10


def statement(of: Statement) -> Card:
    """A statement: its head, its lines and its total."""
    cells = [x for x in _CARD_HEADS if x != "rate" or tables.rated(of)]
    name = f"{'Draft of a s' if of.draft else 'S'}tatement{of.party and f' of {of.party}'}"
    return Card(
        title=f"{name}: {number(of.total)} {of.currency}",
        facts=tuple(tables.head(of)),
        heads=[_CARD_HEADS[x] for x in cells],
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


TEMPLATE = Path(__file__).parent / "templates" / "statement.html"


def page(
    of: Statement, path: str | Path | None = None, *, template: str | Path | None = None
) -> str:
    """The page as text, written where a path is given.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path, optional
        Where to write it.
    template : str or Path, optional
        A jinja2 template instead of ours.
    """
    try:
        import jinja2
    except ImportError:
        raise missing_extra("write a page", "report") from None
    env = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    file = TEMPLATE if template is None else Path(template)
    try:
        text = env.from_string(file.read_text(encoding="utf-8")).render(**context(of))
    except (OSError, jinja2.TemplateError) as e:
        raise ConfigError(f"Cannot fill the template {str(file)!r}: {e}.") from None
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def context(of: Statement) -> dict[str, Any]:
    """What a template gets."""
    return {
        "statement": of,
        "title": tables.title(of),
        "head": tables.head(of),
        "lines": tables.lines(of),
        "rated": tables.rated(of),
        "readings": tables.readings(of),
        "comparison": tables.comparison(of),
        "comparison_note": tables.comparison_note(of) if of.comparison else "",
        "explained": explained(of),
        "foot": tables.foot(of),
        "total": number(of.total),
    }


# --- a notebook's cell -------------------------------------------------------------------

_HEADS = ("Line", "Quantity", "Unit", "Rate", "Amount", "Status")
_RIGHT = {"Quantity", "Rate", "Amount"}
_SMALL = "font-size:85%;opacity:.75"
_RULE = "border:0;border-top:1px solid rgba(128,128,128,.45)"


def fragment(of: Statement) -> str:
    """A table for a notebook; needs no extra, and takes the notebook's own colours."""
    told = " · ".join(tables.beside(of))
    names = [x for x in _HEADS if x != "Rate" or tables.rated(of)]
    heads = "".join(_cell("th", escape(x), right=x in _RIGHT, strong=True) for x in names)
    rows = "".join(_row(x, names) for x in tables.lines(of))
    total = f"{number(of.total)} {of.currency}".strip()
    words = "".join(
        f'<li><b>{escape(k)}</b>: {escape(v)}</li>' for k, v in explained(of)
    )  # fmt: skip
    return (
        '<div class="dentframe-statement" style="max-width:60em">'
        f'<div style="font-weight:700;font-size:115%">{escape(tables.title(of))}</div>'
        f'<div style="{_SMALL}">{escape(told)}</div>'
        f'<table style="border-collapse:collapse;margin:.5em 0"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table><div><b>Total {escape(total)}</b></div>"
        + (f'<ul style="{_SMALL};margin:.4em 0;padding-left:1.2em">{words}</ul>' if words else "")
        + "</div>"
    )


def _row(x: Mapping[str, str], names: Sequence[str]) -> str:
    meter = f"meter {x['element']}" if x["element"] else ""
    more = [t for t in (meter, x["note"], x["edges"], x["flags"]) if t]
    name = escape(x["name"]) + "".join(
        f'<br><span style="{_SMALL}">{escape(t)}</span>' for t in more
    )
    state = escape(x["status"])
    if x["coverage"]:
        state += f'<br><span style="{_SMALL}">{escape(x["coverage"])} covered</span>'
    made = {"Line": name, "Unit": escape(x["unit"]), "Status": state}
    cells = (
        _cell("td", _number(x, n.lower()), right=True) if n in _RIGHT else _cell("td", made[n])
        for n in names
    )
    return f"<tr>{''.join(cells)}</tr>"


def _number(x: Mapping[str, str], name: str) -> str:
    """A number, with unseen digits where others in its column have decimals."""
    unseen = f'<span style="visibility:hidden">{x[f"{name}_tail"]}</span>'
    return escape(x[name]) + (unseen if x[f"{name}_tail"] else "")


def _cell(tag: str, inner: str, *, right: bool = False, strong: bool = False) -> str:
    side = "right;white-space:nowrap;font-variant-numeric:tabular-nums" if right else "left"
    weight = ";font-weight:600" if strong else ""
    style = f"text-align:{side};vertical-align:top;padding:.25em .6em{weight};{_RULE}"
    return f'<{tag} style="{style}">{inner}</{tag}>'
