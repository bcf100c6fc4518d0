"""Statements are written as HTML pages, and shown as cards in terminals and notebooks.

A page is filled by jinja2, from a template that users can replace.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.display import Card
from dentframe.documents import statement_audit_sheet as audit_sheet
from dentframe.documents.number_and_date_formats import Formats, formats
from dentframe.documents.statement_audit_sheet import explained
from dentframe.documents.statement_first_page import first_page
from dentframe.errors import ConfigError, import_extra

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


_CARD_HEADS = {
    "name": "line", "quantity": "quantity>", "unit": "unit", "rate": "rate>",
    "amount": "amount>", "status": "status",
}  # fmt: skip


def terminal_card(of: Statement) -> Card:
    """A statement: its head, its lines and its total, as no locale writes them."""
    of = replace(of, locale="")
    cells = [x for x in _CARD_HEADS if x != "rate" or audit_sheet.rated(of)]
    name = f"{'Draft of a s' if of.draft else 'S'}tatement{of.party and f' of {of.party}'}"
    return Card(
        title=f"{name}: {Formats().money(of.total, of.currency)}",
        facts=tuple(audit_sheet.head(of)),
        heads=[_CARD_HEADS[x] for x in cells],
        rows=[[line[name] for name in cells] for line in audit_sheet.lines(of)],
        notes=of.notes,
    )


def notebook_card(of: Statement) -> Card:
    """The same for a notebook, with what stands behind each line and what the words mean."""
    card, found = replace(terminal_card(of), facts=()), audit_sheet.lines(replace(of, locale=""))
    about = [
        "; ".join(x for x in (line["meter"], line["note"], line["edges"], line["flags"]) if x)
        for line in found
    ]
    return replace(
        card,
        heads=[*card.heads, "about"],
        rows=[[*row, text] for row, text in zip(card.rows, about, strict=True)],
        notes=[
            " · ".join(
                f"{k.lower()} {v}" if k == "Bill's period" else v for k, v in audit_sheet.head(of)
            ),
            *(f"{k}: {v}" for k, v in explained(of)),
            *card.notes,
        ],
    )


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
    letter, logo = of.letter, ""
    if letter and letter.logo:
        kind = "png" if letter.logo.lower().endswith("png") else "jpeg"
        picture = b64encode(Path(letter.logo).read_bytes()).decode()
        logo = f"data:image/{kind};base64,{picture}"
    text = filled(
        TEMPLATE if template is None else Path(template),
        statement=of,
        first=first_page(of),
        letter=letter,
        logo=logo,
        title=audit_sheet.title(of),
        head=audit_sheet.head(of),
        lines=audit_sheet.lines(of),
        rated=audit_sheet.rated(of),
        readings=audit_sheet.readings(of),
        comparison=audit_sheet.comparison(of),
        comparison_note=audit_sheet.comparison_note(of),
        explained=explained(of),
        foot=audit_sheet.foot(of),
        total=formats(of.locale).number(of.total),
    )
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def filled(template: Path, **values: Any) -> str:
    """A jinja2 template with its values in it.

    Raises
    ------
    MissingExtraError
        Where jinja2 is not installed.
    ConfigError
        For a template that cannot be read or filled.
    """
    jinja2 = import_extra("jinja2", "write a page", "report")
    env = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    try:
        return str(env.from_string(template.read_text(encoding="utf-8")).render(**values))
    except (OSError, jinja2.TemplateError) as e:
        raise ConfigError(f"Cannot fill the template {str(template)!r}: {e}.") from None
