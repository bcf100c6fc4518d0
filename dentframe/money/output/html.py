"""A statement as a page (jinja2, a template that users can replace) and as a notebook's cell."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError, missing_extra
from dentframe.money.output import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dentframe.money.statement import Statement

TEMPLATE = Path(__file__).parents[1] / "templates" / "statement.html"
_SHOWN = ("name", "element", "quantity", "unit", "rate", "amount", "status", "note")
_RIGHT = {"quantity", "rate", "amount"}


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
        "head": tables.head(of),
        "lines": tables.lines(of),
        "readings": tables.readings(of),
        "comparison": tables.comparison(of),
        "foot": tables.foot(of),
        "total": tables.number(of.total),
    }


def fragment(of: Statement) -> str:
    """A table for a notebook; needs no extra."""
    heads = "".join(f"<th>{x.title()}</th>" for x in _SHOWN)
    rows = "".join(_row(x, _SHOWN) for x in tables.lines(of))
    told = " · ".join(v for _, v in tables.head(of))
    total = f"{tables.number(of.total)} {of.currency}".strip()
    return (
        f"<div><h4>{escape(of.title)}</h4><p>{escape(told)}</p><table><thead><tr>{heads}</tr>"
        f"</thead><tbody>{rows}</tbody></table><p><b>Total {escape(total)}</b></p></div>"
    )


def _row(texts: Mapping[str, str], names: Sequence[str]) -> str:
    cells = (
        f'<td style="text-align:{"right" if n in _RIGHT else "left"}">{escape(texts[n])}</td>'
        for n in names
    )
    return f"<tr>{''.join(cells)}</tr>"
