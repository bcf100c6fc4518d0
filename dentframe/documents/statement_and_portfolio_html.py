"""Statements and the reports of portfolios are written as HTML pages here, statements as cards too.

Pages are filled by jinja2; users can replace the template of statements. The page of a portfolio
needs no network and no script: its pictures are SVG in the page, and their colours follow the
reader's light or dark setting.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.atomic_files import write_whole
from dentframe.display import Card
from dentframe.documents.number_and_date_formats import Formats
from dentframe.documents.statement_audit_sheet import AuditSheet, head
from dentframe.documents.statement_first_page import FirstPage
from dentframe.errors import ConfigError, import_extra
from dentframe.verbs.quality_limits_and_findings import runs

if TYPE_CHECKING:
    from dentframe.money.portfolio_report_and_status import Report, SiteReport
    from dentframe.money.statement import Statement

_TEMPLATES = Path(__file__).parent / "templates"
_CARD_HEADS = {
    "name": "line", "quantity": "quantity>", "unit": "unit", "rate": "rate>",
    "amount": "amount>", "status": "status",
}  # fmt: skip


# --- a statement's cards and page ---


def terminal_card(of: Statement) -> Card:
    """A statement: its head, its lines and its total, as no locale writes them."""
    sheet = AuditSheet(replace(of, locale=""))
    cells = [x for x in _CARD_HEADS if x != "rate" or sheet.rated]
    name = f"{'Draft of a s' if of.draft else 'S'}tatement{of.party and f' of {of.party}'}"
    return Card(
        title=f"{name}: {Formats().money(of.total, of.currency)}",
        facts=tuple(sheet.head),
        heads=[_CARD_HEADS[x] for x in cells],
        rows=[[line[name] for name in cells] for line in sheet.lines],
        notes=of.notes,
    )


def notebook_card(of: Statement) -> Card:
    """The same for a notebook, with what stands behind each line and what the words mean."""
    card, sheet = replace(terminal_card(of), facts=()), AuditSheet(replace(of, locale=""))
    behind = ("meter", "note", "edges", "flags")
    about = ["; ".join(line[x] for x in behind if line[x]) for line in sheet.lines]
    return replace(
        card,
        heads=[*card.heads, "about"],
        rows=[[*row, text] for row, text in zip(card.rows, about, strict=True)],
        notes=[
            " · ".join(f"{k.lower()} {v}" if k == "Bill's period" else v for k, v in head(of)),
            *(f"{k}: {v}" for k, v in sheet.explained),
            *card.notes,
        ],
    )


def statement_page(
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
        _TEMPLATES / "statement.html" if template is None else Path(template),
        statement=of,
        first=FirstPage(of),
        letter=letter,
        logo=logo,
        **vars(AuditSheet(of)),
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


# --- the page of a portfolio ---

WIDTH, HEIGHT = 720, 120
"""The coordinates of a picture; it is drawn as wide as its place."""
COLOURS = 8
"""So many colours the page's style has; further elements take them again."""
HEAT = ((13, 42, 84), (31, 104, 138), (79, 168, 131), (223, 205, 86), (232, 92, 60))
"""Low to high: dark blue to red, told apart in print and by the colour-blind."""
SHADES = 64
FINDINGS = 8
"""So many findings of a site are on the page; the workbook has all."""
GOOD = 0.99
"""So much of the time or of the readings needs no look."""
MEASURES = (
    ("energy", "Energy", "kWh", 0), ("cost", "Cost", "", 0), ("peak", "Peak", "kW", 1),
    ("load_factor", "Load factor", "%", None), ("night", "Night load", "kW", 1),
    ("coverage", "Coverage", "%", None), ("readings", "Readings there", "%", None),
    ("exceptions", "Open exceptions", "", 0),
)  # fmt: skip
"""Of each measure its column, what it is called, its unit and its decimals; None of per cent."""


def report_page(of: Report, path: str | Path | None = None) -> str:
    """The page of a portfolio as text, written where a path is given."""
    sites = [
        {
            "of": x,
            "anchor": "s" + "".join(c if c.isalnum() else "-" for c in x.site.name.lower()),
            "why": list(_why(x)),
            "trouble": (bool(x.silent), x.exceptions, x.at_risk, 1 - x.readings),
            "billed": [cost for cost in x.months["cost"] if cost is not None],
        }
        for x in of.sites
    ]
    text = filled(
        _TEMPLATES / "report.html",
        months=of.months,
        measures=MEASURES,
        sites=sites,
        look=sorted((x for x in sites if x["why"]), key=lambda x: x["trouble"], reverse=True),
        totals=_totals(of),
        number=number,
        grade=_grade,
        bars=bars,
        stack=stack,
        heatmap=heatmap,
        colours=COLOURS,
        shown=FINDINGS,
    )
    if path is not None:
        write_whole(Path(path), text.encode(), 0o644)
    return text


# --- words --------------------------------------------------------------------------------


def _why(of: SiteReport) -> Iterator[tuple[str, str]]:
    """Why somebody must look at a site: a kind for the colour, and a sentence."""
    for meter, at in of.silent.items():
        since = "has no reading in these months" if at is None else f"silent since {at:%d %b %Y}"
        yield "bad", f"meter {meter} {since}"
    if of.exceptions:
        yield "bad", f"{of.exceptions} open exception{'s' * (of.exceptions > 1)}"
    worst: Any = of.findings[of.findings["kwh_at_risk"] > 0]
    if len(worst) and not of.silent:
        kind, where = worst.iloc[0][["finding", "label"]]
        most = f"most by {kind.replace('_', ' ')} of {where}"
        yield "warn", f"{number(of.at_risk)} kWh in doubt, {most}"
    if of.coverage < GOOD:
        yield "warn", f"{of.coverage:.0%} of the time covered"
    elif of.readings < GOOD:
        yield "warn", f"{1 - of.readings:.0%} of the readings are missing"


def number(value: Any, digits: int | None = 0, sign: str = "") -> str:
    """A number for people: ``12 345``, per cent without digits, a dash for what is not known."""
    if value is None or pd.isna(value):
        return "–"
    if digits is None:
        return f"{value:.0%}"
    return f"{float(value):{sign},.{digits}f}".replace(",", "\u202f")


def _grade(share: float) -> str:
    return "good" if share >= GOOD else "warn" if share >= 0.9 else "bad"


def _totals(of: Report) -> list[tuple[str, str]]:
    """The sums of what is known; how many months are not stands beside them."""
    energy = of.table["energy"]
    unknown, billed = int(energy.isna().sum()), int(of.table["cost"].notna().sum())
    costs: dict[str, Any] = defaultdict(int)
    for x in of.sites:
        costs[x.site.currency] += sum(c for c in x.months["cost"] if c is not None)
    paid_in = ", ".join(f"{number(v)} {k}" for k, v in costs.items() if v)
    some = f" for {billed} of {len(energy)} months" if billed < len(energy) else ""
    without = f" without {unknown} of {len(energy)} months" if unknown else ""
    return [
        ("Sites", str(len(of.sites))),
        ("Energy", f"{number(energy.sum(min_count=1))} kWh{without}"),
        ("Cost", f"{paid_in}{some}" if billed else "no bills"),
        ("Coverage", f"{of.table['coverage'].mean():.1%}"),
        ("Silent meters", str(sum(len(x.silent) for x in of.sites))),
        ("Open exceptions", str(sum(x.exceptions for x in of.sites))),
    ]


# --- pictures -----------------------------------------------------------------------------


def bars(values: pd.Series[float], height: int) -> str:
    """A bar a month; a month that is not known has a dashed foot."""
    most = max([x for x in values if not pd.isna(x)], default=0) or 1
    step, shapes = WIDTH / len(values), []
    for i, x in enumerate(values):
        left, wide = f"{i * step + step * 0.12:.0f}", f"{step * 0.76:.0f}"
        if pd.isna(x):
            shapes.append(f'<path class="none" d="M{left} {height - 1}h{wide}"/>')
        else:
            tall = max(x / most * height, 0)
            place = f'x="{left}" y="{height - tall:.1f}" width="{wide}" height="{tall:.1f}"'
            shapes.append(f"<rect {place}/>")
    return _svg("".join(shapes), height, "bars")


def stack(daily: pd.DataFrame) -> str:
    """The energy of each day, element on element; days that lack one are hatched."""
    if daily.empty:
        return ""
    values = daily.clip(lower=0).to_numpy(dtype=float)
    tops = np.cumsum(np.nan_to_num(values), axis=1)
    most, step = max(tops[:, -1].max(), 1e-9), WIDTH / len(values)
    x = np.round(np.arange(len(values) + 1) * step, 1)
    y = np.round(HEIGHT - tops / most * HEIGHT, 1)
    shapes = []
    for i in reversed(range(y.shape[1])):
        steps = "".join(f"V{b:g}H{a:g}" for a, b in zip(x[1:], y[:, i], strict=True))
        shapes.append(f'<path class="c{i % COLOURS}" d="M0 {HEIGHT}{steps}V{HEIGHT}z"/>')
    lost: Any = np.isnan(values).any(axis=1)
    for i, j in runs(lost):
        place = f'x="{x[i]:g}" y="0" width="{x[j] - x[i]:.1f}" height="{HEIGHT}"'
        shapes.append(f'<rect class="lost" {place}/>')
    return _svg("".join(shapes), HEIGHT, "stack")


def heatmap(hours: pd.DataFrame) -> str:
    """The mean power of each hour: days from left to right, midnight on top."""
    power = hours.to_numpy(dtype=float).T
    if not np.isfinite(power).any():
        return ""
    low, high = np.nanmin(power), np.nanmax(power)
    share = (power - low) / ((high - low) or 1)
    shade = np.where(np.isnan(share), 0, 1 + np.nan_to_num(share) * (SHADES - 2))
    size, picture = f'width="{WIDTH}" height="{HEIGHT}"', b64encode(_png(shade)).decode()
    image = f'<image {size} preserveAspectRatio="none" href="data:image/png;base64,{picture}"/>'
    return _svg(f'<rect class="lost" {size}/>{image}', HEIGHT, "heat")


def _png(shades: Any) -> bytes:
    """A picture of shades, of which 0 is transparent."""
    images = import_extra("PIL.Image", "write a page", "report")
    at = np.linspace(0, len(HEAT) - 1, SHADES - 1)
    colours = np.transpose([np.interp(at, range(len(HEAT)), c) for c in zip(*HEAT, strict=True)])
    picture, file = images.fromarray(shades.astype(np.uint8)), BytesIO()
    picture.putpalette([0, 0, 0, *colours.astype(np.uint8).ravel().tolist()])
    picture.save(file, "PNG", transparency=0)
    return file.getvalue()


def _svg(inside: str, height: int, kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" '
        f'aria-hidden="true">{inside}</svg>'
    )
