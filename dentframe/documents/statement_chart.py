"""The chart of daily use is laid out here, and drawn in PDFs and workbooks; pages draw it too."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING, Any, NamedTuple

from dentframe.documents.number_and_date_formats import formats

if TYPE_CHECKING:
    from dentframe.money.statement import Statement

GREY, BLUE = 90, (91, 141, 184)


class Bar(NamedTuple):
    """One day of the chart.

    Attributes
    ----------
    left, width, top, height : float
        Its place from the left and from the top, as shares of the plot, 0 to 1; the width is
        that of the bar without its gap.
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


class Chart(NamedTuple):
    """Daily use as bars, which pages and PDFs draw alike.

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
    # The greatest round step that cuts the height into at least three.
    span = max(*used, Decimal(0)) - min(*used, Decimal(0))
    unit = Decimal(10) ** (span.adjusted() - 1)
    step = max(k * unit for k in (1, 2, 5, 10, 20, 50) if k * unit * 3 <= span)
    step = step.normalize() if step < 1 else Decimal(int(step))
    low = min(0, *(floor(x / step) for x in used))
    high = max(0, *(ceil(x / step) for x in used))

    def down(value: Decimal) -> float:
        return float((high * step - value) / (step * (high - low)))

    n, bars = len(of.daily), []
    for i, d in enumerate(of.daily):
        top, bottom = sorted((down(d.energy or Decimal(0)), down(Decimal(0))))
        doubtful, known = d.status != "recorded", d.energy is not None
        mark = f" ({d.status})" if doubtful else ""
        text = f"{f.number(d.energy)} kWh{mark}" if known else "not known"
        bars.append(Bar((i + 0.12) / n, 0.76 / n, top, bottom - top, doubtful, known,
                        f"{f.short(d.day)}: {text}"))  # fmt: skip
    ticks = [(down(step * i), f.number(step * i)) for i in range(low, high + 1)]
    labels = [((i + 0.5) / n, f.short(d.day)) for i, d in enumerate(of.daily) if i % 7 == 0]
    notes = []
    if any(bar.doubtful for bar in bars if bar.known):
        actual = of.readings and all(r.status == "recorded" for r in of.readings)
        still = "; the readings above are actual all the same" if actual else ""
        notes.append(f"Hatched days are estimated, or measured only in part{still}.")
    if not all(bar.known for bar in bars):
        notes.append("Of a day with a question mark nothing is known.")
    return Chart(bars, ticks, labels, " ".join(notes))


def draw_in_pdf(pdf: Any, chart: Chart) -> None:
    """Draw a chart as vectors over the whole width of a page."""
    x, y, width, height = pdf.l_margin + 14, pdf.get_y() + 1, pdf.epw - 14, 18
    pdf.set_font(style="", size=7)
    with pdf.local_context(text_color=GREY, fill_color=BLUE):
        for down, text in chart.ticks:
            pdf.line(x, y + height * down, x + width, y + height * down)
            pdf.set_xy(pdf.l_margin, y + height * down - 1.5)
            pdf.cell(12.5, 3, text, align="R")
        for bar in chart.bars:
            _bar(pdf, bar, x + width * bar.left, y, width * bar.width, height)
        for across, text in chart.labels:
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


def draw_in_workbook(book: Any, days: str, of: Statement) -> Any:
    """The chart of the sheet of days, for a sheet to insert; doubtful days are hatched."""
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    last = len(of.daily)
    hatched = {"pattern": {"pattern": "wide_upward_diagonal", "fg_color": "#5B8DB8"}}
    for column, fill in enumerate(({"fill": {"color": "#5B8DB8"}}, hatched), 1):
        chart.add_series({
            "name": [days, 0, column], "categories": [days, 1, 0, last, 0],
            "values": [days, 1, column, last, column], "gap": 30, **fill,
        })  # fmt: skip
    chart.set_title({"name": "Your use day by day [kWh]", "name_font": {"size": 11}})
    chart.set_x_axis({"interval_unit": 7})
    chart.set_y_axis({"min": min(0, *(float(d.energy or 0) for d in of.daily))})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 260})
    return chart
