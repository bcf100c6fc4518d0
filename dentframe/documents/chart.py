"""The chart of daily use is laid out here once, for pages and PDFs to draw."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING

from dentframe.documents.formats import formats

if TYPE_CHECKING:
    from dentframe.money.statement import Day, Statement


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
