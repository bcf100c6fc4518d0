"""`dentframe demo` shows on one screen what a user came for, without a key."""

from __future__ import annotations

import math
import tempfile
import warnings
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
    from dentframe.methods import DentFrame

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
        frame = _read(console, cloud, client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        _show(console, frame, out)
    _farewell(console, out)


def _read(console: Console, cloud: Any, client: DentCloud) -> DentFrame:
    console.print(f"[bold]dentframe[/] reads {METER}, {MONTH} in {LA}")
    console.print(f"from   {cloud.url}, an emulator within this program")
    plan = plan_dentcloud(METER, MONTH, topics=TOPICS, tz=LA, bracket=True, client=client)
    windows = ", ".join(str(window) for window in plan)
    console.print(f"plan   {plan.requests} requests ({windows}), at least {plan.seconds:.1f} s")
    frame = read_dentcloud(METER, MONTH, topics=TOPICS, tz=LA, bracket=True, client=client)
    console.print(f"read   {len(frame):,} readings × {frame.shape[1]} columns, index in UTC\n")
    return frame


def _show(console: Console, frame: DentFrame, out: Path) -> None:
    days = frame.dent.energy("D", tz=LA, detail=True)
    month = frame.dent.energy("MS", tz=LA, detail=True)
    for table in (_head(frame), _energy(days, month), _doubtful(days), _peaks(frame)):
        table.collapse_padding = console.width < _WIDE
        console.print(table)
    _picture(frame, out)


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
    for start, day in shown.groupby("start"):
        table.add_row(f"{start:%a %d %b}", *_cells(day), _percent(day["coverage"].min()))
    table.add_section()
    table.add_row("December", *_cells(month), _percent(month["coverage"].min()))
    table.caption = "e estimated · p partial · m missing — never zero, never hidden"
    return table


def _cells(rows: pd.DataFrame) -> list[str]:
    return [f"{r['energy']:,.1f}{MARKS[r['status']]}" for r in _dicts(rows)]


def _dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def _percent(share: float) -> str:
    """A share as text that says 100 % only where it is exactly that."""
    return "100 %" if share == 1 else f"{math.floor(share * 10_000) / 100:.2f} %"


def _doubtful(days: pd.DataFrame) -> Table:
    columns = ("day", "element", "kWh", "coverage", "status", "between", "why")
    table = _table("What was not simply recorded", *columns)
    table.columns[-1].no_wrap = False
    for row in _dicts(days[days["status"] != "recorded"]):
        between = "" if pd.isna(row["lo"]) else f"{row['lo']:,.1f} … {row['hi']:,.1f}"
        table.add_row(
            f"{row['start']:%a %d %b}",
            row["element"],
            f"{row['energy']:,.1f}",
            _percent(row["coverage"]),
            row["status"],
            between,
            ", ".join(f for f in row["flags"] if f in WHY),
        )
    return table


def _peaks(frame: DentFrame) -> Table:
    table = _table("Peak demand of the month", "element", "kW", f"when ({LA})", "status")
    found = frame.dent.peaks("MS", tz=LA)
    for row in _dicts(found.sort_values("peak", ascending=False).head(3)):
        start, end = row["start"].tz_convert(LA), row["end"].tz_convert(LA)
        when = f"{start:%a %d %b %H:%M} – {end:%H:%M}"
        table.add_row(row["element"], f"{row['peak']:,.2f}", when, row["status"])
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


def _farewell(console: Console, out: Path) -> None:
    console.print(f"\npicture  {out}", soft_wrap=True)
    console.print(
        "your own meters:  dentframe login, then in Python:\n"
        "  from dentframe import read_dentcloud\n"
        f'  LA = "{LA}"\n'
        f'  df = read_dentcloud("YOUR-METER", "{MONTH}", tz=LA, bracket=True)\n'
        '  df.dent.energy("D", tz=LA)'
    )
