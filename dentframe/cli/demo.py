"""`dentframe demo` shows on one screen what a user came for, without a key."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe import emulator
from dentframe.cli import options_and_output as cli
from dentframe.cloud.client import DentCloud
from dentframe.display import percent
from dentframe.errors import CoverageWarning, import_extra
from dentframe.read_plan_and_inventory import plan_dentcloud, read_dentcloud
from dentframe.site.site import Site

if TYPE_CHECKING:
    from dentframe.accessor_methods import DentFrame

METER, MONTH, LA = "P482311252", "2023-12", "America/Los_Angeles"
TOPICS = ["DemandkW", "kWHNet"]
WHY = ("edge_in_gap", "reset", "decrease_unclassified", "missing_value")
MARKS = {"recorded": "", "estimated": " e", "partial": " p", "missing": " m"}
BRANCHES = {"B": "Bakery", "C": "Office", "D": "Dental practice", "E": "HVAC", "F": "Common areas"}


@click.command()
@cli.out_option("dentframe-demo.png", "Where the picture goes.")
def demo(out: Path) -> None:
    """Read a month from an embedded DentCloud and show what dentframe is for.

    \b
    Example:
      dentframe demo --out december.png
    """
    with (
        tempfile.TemporaryDirectory() as cache,
        emulator.serve() as cloud,
        DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, cache=cache) as client,
    ):
        click.echo(f"dentframe reads {METER}, {MONTH} in {LA}")
        click.echo(f"from   {cloud.url}, an emulator within this program")
        what: Any = {"topics": TOPICS, "tz": LA, "bracket": True, "client": client}
        plan = plan_dentcloud(METER, MONTH, **what)
        windows = ", ".join(str(window) for window in plan)
        click.echo(f"plan   {plan.requests} requests ({windows}), at least {plan.seconds:.1f} s")
        frame = read_dentcloud(METER, MONTH, **what)
        click.echo(f"read   {len(frame):,} readings × {frame.shape[1]} columns, index in UTC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        days = frame.dent.energy("D", tz=LA, detail=True)
        month = frame.dent.energy("MS", tz=LA, detail=True)
        _show("First readings", _head(frame))
        _show("Energy per element and local day [kWh]", _energy(days, month))
        click.echo("e estimated · p partial · m missing — never zero, never hidden")
        _show("What was not simply recorded", _doubtful(days))
        _show(f"Peak demand of the month [kW], in {LA}", _peaks(frame))
        _picture(frame, out)
    click.echo(
        f"\npicture  {out}\n"
        "your own meters:  dentframe login, then in Python:\n"
        "  from dentframe import read_dentcloud\n"
        f'  LA = "{LA}"\n'
        f'  df = read_dentcloud("YOUR-METER", "{MONTH}", tz=LA, bracket=True)\n'
        '  df.dent.energy("D", tz=LA)'
    )


def _show(title: str, table: pd.DataFrame) -> None:
    click.echo(f"\n{click.style(title, italic=True)}\n{table.to_string(index=False)}")


def _head(frame: DentFrame) -> pd.DataFrame:
    units, labels = frame.dent.units, [*frame.columns[:2], *frame.columns[-2:]]
    table = {("time (UTC)", ""): [f"{time:%Y-%m-%d %H:%M}" for time in frame.index[:2]]}
    for label in labels:
        table[label, f"{units[label]:~}"] = [f"{x:,.3f}" for x in frame[label].head(2)]
    return pd.DataFrame(table)


def _energy(days: pd.DataFrame, month: pd.DataFrame) -> pd.DataFrame:
    """A column for each element: some days, then the month."""
    shown = days[days["start"].dt.day.between(11, 18)]
    names, rows = shown["start"].dt.strftime("%a %d %b"), []
    for day, part in [*shown.groupby(names, sort=False), ("December", month)]:
        cells = zip(part["element"], part["energy"], part["status"], strict=True)
        row = {element: f"{energy:,.1f}{MARKS[status]}" for element, energy, status in cells}
        rows.append({"day": day, **row, "coverage": percent(part["coverage"].min(), 2)})
    return pd.DataFrame(rows)


def _doubtful(days: pd.DataFrame) -> pd.DataFrame:
    found = days[days["status"] != "recorded"]
    shown = "{:,.1f}".format
    return pd.DataFrame(
        {
            "day": found["start"].dt.strftime("%d %b"),
            "element": found["element"],
            "kWh": found["energy"].map(shown),
            "coverage": [percent(x, 2) for x in found["coverage"]],
            "status": found["status"],
            "between": found["lo"].map(shown) + " … " + found["hi"].map(shown),
            "why": [",".join(x for x in flags if x in WHY) for flags in found["flags"]],
        }
    )


def _peaks(frame: DentFrame) -> pd.DataFrame:
    found = frame.dent.peaks("MS", tz=LA).nlargest(3, "peak")
    start, end = (found[side].dt.tz_convert(LA) for side in ("start", "end"))
    when = start.dt.strftime("%a %d %b %H:%M – ") + end.dt.strftime("%H:%M")
    kw = found["peak"].map("{:,.2f}".format)
    return pd.DataFrame(
        {"element": found["element"], "kW": kw, "when": when, "status": found["status"]}
    )


def _picture(frame: DentFrame, out: Path) -> None:
    """Daily energy per element, stacked: the branches, not the main that holds them."""
    drawing = import_extra("matplotlib.figure", "draw the demo's picture", "plot")
    figure = drawing.Figure(figsize=(9, 4.2), layout="constrained")
    title = f"{METER}, December 2023: hatched where not simply recorded"
    elements = {f"{METER}_{letter}": {"label": label} for letter, label in BRANCHES.items()}
    site = Site.from_dict({"name": METER, "tz": LA, "currency": "USD", "elements": elements})
    frame.dent.plot.stack(freq="D", site=site, title=title, ax=figure.subplots())
    figure.savefig(out, dpi=150)
