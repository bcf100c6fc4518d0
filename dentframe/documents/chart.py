"""The chart of daily use is laid out here once, for the page to draw, and drawn in PDFs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from dentframe.documents.formats import formats

if TYPE_CHECKING:
    from dentframe.money.statement import Day, Statement


BLUE, _GREY = (91, 141, 184), 90


@dataclass(frozen=True)
class Bar:
    """One day: its place from the left, and its ends from the top, as shares of the plot.

    Attributes
    ----------
    left, width, top, height : float
        0 to 1; the width is that of the bar without its gap.
    doubtful : bool
        Whether it is hatched: estimated, or measured only in part.
    known : bool
        Whether anything is known of it.
    text : str
        The day and its use.
    """

    left: float
    width: float
    top: float
    height: float
    doubtful: bool
    known: bool
    text: str


@dataclass(frozen=True)
class Chart:
    """Daily use as bars.

    Attributes
    ----------
    bars : list of Bar
        One a day.
    ticks, labels : list of (float, str)
        Where lines and numbers stand, from the top, and dates, from the left.
    note : str
        What must be known of hatched and missing days.
    """

    bars: list[Bar]
    ticks: list[tuple[float, str]]
    labels: list[tuple[float, str]]
    note: str


def chart(of: Statement) -> Chart | None:
    """The chart of a statement's days, None where there is nothing to compare."""
    used = [d.energy for d in of.daily if d.energy is not None]
    if len(used) < 2 or not any(used):
        return None
    f = formats(of.locale)
    step = _step(max(*used, Decimal(0)) - min(*used, Decimal(0)))
    low = min(0, *(floor(x / step) for x in used))
    high = max(0, *(ceil(x / step) for x in used))
    scale, n = step * (high - low), len(of.daily)

    def down(value: Decimal) -> float:
        return float((high * step - value) / scale)

    bars = []
    for i, d in enumerate(of.daily):
        ends = sorted((down(d.energy or Decimal(0)), down(Decimal(0))))
        told = "not known" if d.energy is None else f"{f.number(d.energy)} kWh{_mark(d)}"
        text = f"{f.short(d.day)}: {told}"
        doubtful, known = d.status != "recorded", d.energy is not None
        bars.append(
            Bar((i + 0.12) / n, 0.76 / n, ends[0], ends[1] - ends[0], doubtful, known, text)
        )
    ticks = [(down(step * i), f.number(step * i)) for i in range(low, high + 1)]
    labels = [((i + 0.5) / n, f.short(d.day)) for i, d in enumerate(of.daily) if i % 7 == 0]
    return Chart(bars, ticks, labels, _note(of))


def _mark(d: Day) -> str:
    return "" if d.status == "recorded" else f" ({d.status})"


def _step(most: Decimal) -> Decimal:
    """The greatest round step that cuts a height into at least three."""
    unit = Decimal(10) ** (most.adjusted() - 1)
    step = max(k * unit for k in (1, 2, 5, 10, 20, 50) if k * unit * 3 <= most)
    return step.normalize() if step < 1 else Decimal(int(step))


def _note(of: Statement) -> str:
    known = [d for d in of.daily if d.energy is not None]
    sure = of.readings and all(r.status == "recorded" for r in of.readings)
    told = []
    if any(d.status != "recorded" for d in known):
        so = "; the readings above are actual all the same" if sure else ""
        told.append(f"Hatched days are estimated, or measured only in part{so}.")
    if len(known) < len(of.daily):
        told.append("Of a day with a question mark nothing is known.")
    return " ".join(told)


def draw(pdf: Any, found: Chart) -> None:
    """Draw a chart into a PDF, as vectors, over its whole width.

    Parameters
    ----------
    pdf : FPDF
        The paper, at the place where the chart begins.
    found : Chart
        What is drawn.
    """
    x, y, width, height = pdf.l_margin + 14, pdf.get_y() + 1, pdf.epw - 14, 18
    pdf.set_font(style="", size=7)
    with pdf.local_context(text_color=_GREY, fill_color=BLUE):
        for down, text in found.ticks:
            pdf.line(x, y + height * down, x + width, y + height * down)
            pdf.set_xy(pdf.l_margin, y + height * down - 1.5)
            pdf.cell(12.5, 3, text, align="R")
        for bar in found.bars:
            _bar(pdf, bar, x + width * bar.left, y, width * bar.width, height)
        for across, text in found.labels:
            pdf.set_xy(x + width * across - 10, y + height + 1.5)
            pdf.cell(20, 3, text, align="C")
    pdf.set_y(y + height + 5.5)


def _bar(pdf: Any, bar: Bar, x: float, y: float, width: float, scale: float) -> None:
    top, height = y + scale * bar.top, scale * bar.height
    if not bar.known:
        pdf.text(x + width / 2 - 0.6, y + scale - 0.5, "?")
    elif not bar.doubtful:
        pdf.rect(x, top, width, height, style="F")
    elif height:
        with pdf.local_context(draw_color=BLUE), pdf.rect_clip(x, top, width, height):
            pdf.rect(x, top, width, height)
            for i in range(int((width + height) / 1.2) + 1):
                pdf.line(x, top + i * 1.2, x + i * 1.2, top)
