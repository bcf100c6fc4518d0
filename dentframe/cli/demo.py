"""`dentframe demo` shows on one screen what a user came for, without a key."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dentframe import emulator
from dentframe.cloud.client import DentCloud
from dentframe.errors import CoverageWarning, missing_extra
from dentframe.reader import plan_dentcloud, read_dentcloud
from dentframe.site.site import Site

if TYPE_CHECKING:
    from dentframe.accessor_methods import DentFrame

METER, MONTH, LA = "P482311252", "2023-12", "America/Los_Angeles"
TOPICS = ["DemandkW", "kWHNet"]
WHY = ("edge_in_gap", "reset", "decrease_unclassified", "missing_value")
_WIDE = 92
"""Narrower terminals get one space between columns."""
MARKS = {"recorded": "", "estimated": " e", "partial": " p", "missing": " m"}


def run(out: Path) -> None:
    """Read the emulated December, print energy and peaks, write a picture."""
    console = Console(highlight=False, width=min(Console().width, 110))
    with (
        tempfile.TemporaryDirectory() as cache,
        emulator.serve() as cloud,
        DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, cache=cache) as client,
    ):
        console.print(f"[bold]dentframe[/] reads {METER}, {MONTH} in {LA}")
        console.print(f"from   {cloud.url}, an emulator within this program")
        what: Any = {"topics": TOPICS, "tz": LA, "bracket": True, "client": client}
        plan = plan_dentcloud(METER, MONTH, **what)
        windows = ", ".join(str(window) for window in plan)
        console.print(f"plan   {plan.requests} requests ({windows}), at least {plan.seconds:.1f} s")
        frame = read_dentcloud(METER, MONTH, **what)
        console.print(f"read   {len(frame):,} readings × {frame.shape[1]} columns, index in UTC\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        days = frame.dent.energy("D", tz=LA, detail=True)
        month = frame.dent.energy("MS", tz=LA, detail=True)
        for table in (_head(frame), _energy(days, month), _doubtful(days), _peaks(frame)):
            table.collapse_padding = console.width < _WIDE
            console.print(table)
        _picture(frame, out)
    console.print(f"\npicture  {out}", soft_wrap=True)
    console.print(
        "your own meters:  dentframe login, then in Python:\n"
        "  from dentframe import read_dentcloud\n"
        f'  LA = "{LA}"\n'
        f'  df = read_dentcloud("YOUR-METER", "{MONTH}", tz=LA, bracket=True)\n'
        '  df.dent.energy("D", tz=LA)'
    )


def _head(frame: DentFrame) -> Table:
    labels = [*frame.columns[:2], *frame.columns[-2:]]
    found = frame.dent.units
    table = _table("First readings", "time (UTC)", *(f"{c}\n{found[c]:~}" for c in labels))
    for time, row in frame[labels].head(2).iterrows():
        table.add_row(f"{time:%Y-%m-%d %H:%M}", *(f"{v:,.3f}" for v in row))
    return table


def _energy(days: pd.DataFrame, month: pd.DataFrame) -> Table:
    elements = list(dict.fromkeys(days["element"]))
    table = _table("Energy per element and local day [kWh]", "day", *elements, "coverage")
    shown = days[days["start"].dt.day.between(11, 18)]
    parts = [(f"{start:%a %d %b}", day) for start, day in shown.groupby("start")]
    for name, part in [*parts, ("December", month)]:
        if part is month:
            table.add_section()
        cells = [f"{x.energy:,.1f}{MARKS[x.status]}" for x in _rows(part)]
        table.add_row(name, *cells, _percent(part["coverage"].min()))
    table.caption = "e estimated · p partial · m missing — never zero, never hidden"
    return table


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, their cells by name."""
    return table.itertuples(index=False)


def _percent(share: float) -> str:
    """A share as text that says 100 % only where it is exactly that."""
    return "100 %" if share == 1 else f"{math.floor(share * 10_000) / 100:.2f} %"


def _doubtful(days: pd.DataFrame) -> Table:
    columns = ("day", "element", "kWh", "coverage", "status", "between", "why")
    table = _table("What was not simply recorded", *columns)
    table.columns[-1].no_wrap = False
    for x in _rows(days[days["status"] != "recorded"]):
        between = "" if pd.isna(x.lo) else f"{x.lo:,.1f} … {x.hi:,.1f}"
        why = ", ".join(f for f in x.flags if f in WHY)
        day, energy, coverage = f"{x.start:%a %d %b}", f"{x.energy:,.1f}", _percent(x.coverage)
        table.add_row(day, x.element, energy, coverage, x.status, between, why)
    return table


def _peaks(frame: DentFrame) -> Table:
    table = _table("Peak demand of the month", "element", "kW", f"when ({LA})", "status")
    found = frame.dent.peaks("MS", tz=LA)
    for x in _rows(found.sort_values("peak", ascending=False).head(3)):
        when = f"{x.start.tz_convert(LA):%a %d %b %H:%M} – {x.end.tz_convert(LA):%H:%M}"
        table.add_row(x.element, f"{x.peak:,.2f}", when, x.status)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=escape(title), title_justify="left", box=None, pad_edge=False, caption_justify="left"
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=True)
    return table


def _picture(frame: DentFrame, out: Path) -> None:
    """Daily energy per element, stacked: the branches, not the main that holds them."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("draw the demo's picture", "plot") from None
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    title = f"{METER}, December 2023: hatched where not simply recorded"
    elements = {f"{METER}_{letter}": {"label": label} for letter, label in BRANCHES.items()}
    site = Site.from_dict({"name": METER, "tz": LA, "currency": "USD", "elements": elements})
    frame.dent.plot.stack(freq="D", site=site, title=title, ax=figure.subplots())
    figure.savefig(out, dpi=150)


BRANCHES = {"B": "Bakery", "C": "Office", "D": "Dental practice", "E": "HVAC", "F": "Common areas"}
