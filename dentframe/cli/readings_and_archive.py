"""The commands for readings and the archive stand here: the `demo`, and `meters` to `status`."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe import emulator, errors
from dentframe import read_plan_and_inventory as reader
from dentframe.archive import sync as run_sync
from dentframe.cli import options_and_output as cli
from dentframe.cloud.client import DentCloud
from dentframe.display import percent
from dentframe.money import portfolio_report_and_status
from dentframe.site.site import Site
from dentframe.verbs import energy as _energy
from dentframe.verbs import peaks as _peaks

if TYPE_CHECKING:
    from dentframe.accessor_methods import DentFrame

_printed = cli.format_option(cli.write)
_bracket = click.option("--bracket", is_flag=True, help="Also the readings around the range.")


@click.command()
@cli.json_option
def meters(as_json: bool) -> None:
    """List the account's meters.

    \b
    Example:
      dentframe meters
      dentframe meters --json
    """
    found = reader.get_meters()
    cli.print_json_or_text(as_json, found, "\n".join(found))


@click.command()
@_printed
def topics() -> pd.DataFrame:
    """List the topics with unit, kind and description.

    \b
    Example:
      dentframe topics
      dentframe topics --json
      dentframe topics --format csv --out topics.csv
    """
    return reader.get_topics().astype({"pint unit": str})


@click.command()
@click.argument("meters", required=False)
@_printed
def inventory(meters: str | None) -> pd.DataFrame:
    """Show what each meter has and since when.

    \b
    Example:
      dentframe inventory P482311252
      dentframe inventory P482311252,P482102272 --json
      dentframe inventory --format csv --out meters.csv
    """
    return reader.inventory(cli.listed(meters))


@click.command()
@cli.range_options()
@_bracket
@cli.json_option
def plan(what: cli.ReadArguments, bracket: bool, as_json: bool) -> None:
    """Show what a read would ask for; asks nothing.

    \b
    Example:
      dentframe plan P482311252 2023-12 --tz America/Los_Angeles
      dentframe plan P482311252 --month 2023-12 --tz America/Los_Angeles --bracket --json
      dentframe plan P482311252 --period 2023-11-18..2023-12-18 --tz UTC --topics kWHNet
    """
    tz = what.zone()
    topics = cli.listed(what.topics)
    found = reader.plan_dentcloud(what.names, *what.when(tz), topics, tz=tz, bracket=bracket)
    as_dict = {x: getattr(found, x) for x in ("requests", "cached", "seconds", "topics")}
    as_dict["windows"] = {m: [*map(str, windows)] for m, windows in found.windows.items()}
    cli.print_json_or_text(as_json, as_dict, repr(found))


@click.command()
@cli.range_options()
@cli.archive_option
@_bracket
@_printed
def read(what: cli.ReadArguments, bracket: bool) -> pd.DataFrame:
    """Read meters (comma-separated) from START to END, or the period START names.

    \b
    Example:
      dentframe read P482311252 2023-12 --tz America/Los_Angeles --topics kWHNet --out dec.csv
      dentframe read P482311252 2023-12-05T08:00 2023-12-05T10:00 --tz UTC --format csv
      dentframe read P482311252 --month 2023-12 --tz UTC --topics DemandkW --bracket --json
      dentframe read P482311252 --period 2023-12-05..2023-12-07 --tz UTC --archive archive
    """
    return what.read(what.zone(), None, bracket=bracket)


@click.command()
@cli.range_options()
@cli.archive_option
@cli.site_options
@click.option("--freq", help="D, MS, W-MON, h, …; default: the whole range.")
@click.option("--detail", is_flag=True, help="With coverage, status, bounds and readings.")
@_printed
def energy(what: cli.ReadArguments, freq: str | None, detail: bool) -> pd.DataFrame:
    """Energy [kWh] per period and element, read with its brackets.

    \b
    Example:
      dentframe energy P482311252 2023-12 --tz America/Los_Angeles --freq D
      dentframe energy P482311252 --month 2023-12 --tz America/Los_Angeles --max-kw E=40 --detail
      dentframe energy P482311252 --month 2023-12 --site site.toml --format csv --out energy.csv
      dentframe energy P482311252 --period 2023-12-05..2023-12-07 --tz UTC --topics DemandkW --json
      dentframe energy P482311252 2023-12-05 --tz UTC --archive archive
    """
    frame, how = what.figures()
    return _energy.energy(frame, freq, detail=detail, **how)


@click.command()
@cli.range_options()
@cli.archive_option
@cli.site_options
@click.option("--freq", help="MS, D, …; default: the whole range.")
@click.option("--window", help="Blocks of this length on the local clock, e.g. 30min.")
@click.option("--coincident", is_flag=True, help="Each element's own peak, and at the site's.")
@_printed
def peaks(
    what: cli.ReadArguments, freq: str | None, window: str | None, coincident: bool
) -> pd.DataFrame:
    """Peak demand [kW] per period and element, and when it was.

    --coincident shows beside each element's own peak what it drew when all of them together drew
    the most: those of --site, else all that were read.

    \b
    Example:
      dentframe peaks P482311252 --month 2023-12 --tz America/Los_Angeles
      dentframe peaks P482311252 --month 2023-12 --site site.toml --window 30min --freq D --json
      dentframe peaks P482311252 2023-12 --tz UTC --topics kWHNet --window 15min --max-kw E=40
      dentframe peaks P482311252 --period 2023-12-05..2023-12-07 --tz UTC --format csv --out p.csv
      dentframe peaks P482311252 2023-12-05 --tz UTC --archive archive
      dentframe peaks P482311252_B,P482311252_C --month 2023-12 --tz UTC --coincident
    """
    frame, how = what.figures()
    if coincident:
        elements = None if what.site else "all"
        how |= {"window": window or "15min", "site": what.site, "elements": elements}
        return _peaks.coincident(frame, freq, **how)
    kind = "block" if window else "reported"
    return _peaks.peaks(frame, freq, window=window, kind=kind, **how)


@click.command()
@cli.range_options(default="all")
@click.option("--archive", required=True, type=cli.FOLDER, help="Its folder.")
@click.option("--progress/--no-progress", default=None, help="By default in a terminal.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    help="The report as text (default), what is missing as csv, or all of it as json.",
)
@cli.json_option
def sync(what: cli.ReadArguments, progress: bool | None, form: str | None, as_json: bool) -> None:
    """Bring an archive up to date: METERS (comma-separated, or 'all') from START to END.

    It may be stopped at any moment; the same command goes on where it was. The exit status is 3
    where something is missing, and 4 where the archive held it all.

    \b
    Example:
      dentframe sync P482311252 2023-12-01 2023-12-08 --topics kWHNet --archive portfolio
      dentframe sync P482311252 --month 2023-12 --tz UTC --topics kWHNet --archive portfolio --json
      dentframe sync P482311252 --period 2023-12-01..2023-12-03 --tz UTC --topics kWHNet
        --archive portfolio --format csv --no-progress --log sync.log
    """
    form = cli.one_form(form, as_json)
    names = None if what.meters == "all" else cli.listed(what.meters)
    report = run_sync(
        names, *what.bounds(what.zone()), cli.listed(what.topics), archive=what.archive,
        progress=progress,
    )  # fmt: skip
    if form == "csv":
        cli.write(report.missing.set_index("meter"), "csv", None)
    else:
        cli.print_json_or_text(form == "json", report.as_dict(), str(report))
    if not report.ok:
        raise errors.IncompleteReadError(
            f"{report.failed} window(s) are missing. The same command asks for them again."
        )
    if not (report.requests or report.kept or report.empty or report.damaged):
        raise click.exceptions.Exit(4)


_records_option = click.option(
    "--records", type=cli.FOLDER, help="The folder of saved splits, at any depth."
)


@click.command()
@cli.existing_option("--sites", required=True, help="A site file, or a folder of them.")
@click.option("--months", required=True, help="2023-12, or the first and last: 2023-01..2023-12.")
@click.option("--archive", required=True, type=cli.FOLDER, help="The archive of the readings.")
@_records_option
@click.option("--out", required=True, type=cli.NEW, help="report.html")
def report(sites: Path, months: str, archive: Path, records: Path | None, out: Path) -> None:
    """One page, and a workbook beside it, on the months of a portfolio.

    Nothing is asked of the cloud: run dentframe sync before. Costs and open exceptions are those
    of --records, the folder below which dentframe split saved.

    \b
    Example:
      dentframe report --sites site.toml --months 2023-12..2023-12 --archive archive
        --records . --out report.html
    """
    found = portfolio_report_and_status.report(sites, months, archive=archive, records=records)
    found.to_html(out)
    cli.say(f"Wrote {out}")
    try:
        cli.say(f"Wrote {found.to_excel(out.with_suffix('.xlsx'))}")
    except errors.MissingExtraError as error:
        cli.say(str(error))


@click.command()
@click.option("--archive", required=True, type=cli.FOLDER, help="The archive of the readings.")
@cli.existing_option("--sites", help="A site file, or a folder of them: names and zones.")
@_records_option
@cli.json_option
def status(archive: Path, sites: Path | None, records: Path | None, as_json: bool) -> None:
    """Age of an archive, silent meters, open exceptions; exit status 1 where one needs you.

    A meter without a reading for two days is told in one line, with what it would use until the
    end of the month, and what that costs by the site's last bill.

    \b
    Example:
      dentframe status --archive archive --sites site.toml --records . --json
    """
    found = portfolio_report_and_status.status(archive, sites, records)
    newest = "none" if found.newest is None else f"{found.newest:%Y-%m-%d %H:%M} UTC"
    age = "" if found.age is None else f", {found.age:.1f} h old"
    lines = [
        f"newest reading: {newest}{age}",
        f"silent meters: {len(found.silent)}",
        f"open exceptions: {found.exceptions}",
        *map(str, found.silent),
    ]
    cli.print_json_or_text(as_json, {**asdict(found), "ok": found.ok}, "\n".join(lines))
    if not found.ok:
        raise click.exceptions.Exit(1)


# --- the demo ---

METER, MONTH, LA = "P482311252", "2023-12", "America/Los_Angeles"
WHY = ("edge_in_gap", "reset", "decrease_unclassified", "missing_value")
MARKS = {"recorded": "", "estimated": " e", "partial": " p", "missing": " m"}


@click.command()
@cli.out_option("dentframe-demo.png", "Where the picture goes.")
def demo(out: Path) -> None:
    """Read a month from an embedded DentCloud and show what dentframe is for.

    \b
    Example:
      dentframe demo --out december.png
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        emulator.serve() as cloud,
        DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, cache=folder) as client,
    ):
        click.echo(f"dentframe reads {METER}, {MONTH} in {LA}")
        click.echo(f"from   {cloud.url}, an emulator within this program")
        how: Any = {"topics": ["DemandkW", "kWHNet"], "tz": LA, "bracket": True, "client": client}
        planned = reader.plan_dentcloud(METER, MONTH, **how)
        windows, seconds = ", ".join(map(str, planned)), f"{planned.seconds:.1f}"
        click.echo(f"plan   {planned.requests} requests ({windows}), at least {seconds} s")
        frame = reader.read_dentcloud(METER, MONTH, **how)
        click.echo(f"read   {len(frame):,} readings × {frame.shape[1]} columns, index in UTC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.CoverageWarning)
        days = frame.dent.energy("D", tz=LA, detail=True)
        month = frame.dent.energy("MS", tz=LA, detail=True)
        _show("First readings", _first(frame))
        _show("Energy per element and local day [kWh]", _per_day(days, month))
        click.echo("e estimated · p partial · m missing — never zero, never hidden")
        _show("What was not simply recorded", _doubtful(days))
        _show(f"Peak demand of the month [kW], in {LA}", _highest(frame))
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


def _first(frame: DentFrame) -> pd.DataFrame:
    """The first two readings of four columns, with their units."""
    head = frame.iloc[:2, [0, 1, -2, -1]].map("{:,.3f}".format)
    head.columns = pd.MultiIndex.from_tuples([(c, f"{frame.dent.units[str(c)]:~}") for c in head])
    head.insert(0, ("time (UTC)", ""), [f"{t:%Y-%m-%d %H:%M}" for t in frame.index[:2]])
    return head


def _per_day(days: pd.DataFrame, month: pd.DataFrame) -> pd.DataFrame:
    """A column for each element: some days, then the month."""
    shown = days[days["start"].dt.day.between(11, 18)]
    shown = shown.assign(day=shown["start"].dt.strftime("%a %d %b"))
    rows = pd.concat([shown, month.assign(day="December")])
    rows["text"] = rows["energy"].map("{:,.1f}".format) + rows["status"].map(MARKS)
    table: pd.DataFrame = rows.pivot(index="day", columns="element", values="text")
    least: Any = rows.groupby("day")["coverage"].min()
    table["coverage"] = least.map(lambda x: percent(x, 2))
    return table.reindex(rows["day"].unique()).reset_index()


def _doubtful(days: pd.DataFrame) -> pd.DataFrame:
    found = days[days["status"] != "recorded"]
    kwh = found[["energy", "lo", "hi"]].map("{:,.1f}".format)
    shown = found.assign(
        day=found["start"].dt.strftime("%d %b"),
        kWh=kwh["energy"],
        coverage=[percent(x, 2) for x in found["coverage"]],
        between=kwh["lo"] + " … " + kwh["hi"],
        why=[",".join(x for x in flags if x in WHY) for flags in found["flags"]],
    )
    return shown[["day", "element", "kWh", "coverage", "status", "between", "why"]]


def _highest(frame: DentFrame) -> pd.DataFrame:
    found = frame.dent.peaks("MS", tz=LA).nlargest(3, "peak")
    when = found["start"].dt.strftime("%a %d %b %H:%M – ") + found["end"].dt.strftime("%H:%M")
    shown = found.assign(kW=found["peak"].map("{:,.2f}".format), when=when)
    return shown[["element", "kW", "when", "status"]]


def _picture(frame: DentFrame, out: Path) -> None:
    """Daily energy per element, stacked: the branches, not the main that holds them."""
    drawing = errors.import_extra("matplotlib.figure", "draw the demo's picture", "plot")
    figure = drawing.Figure(figsize=(9, 4.2), layout="constrained")
    title = f"{METER}, December 2023: hatched where not simply recorded"
    branches = emulator.METERS[0].elements[1:6]
    elements = {f"{METER}_{x.name}": {"label": x.label} for x in branches}
    site = Site.from_dict({"name": METER, "tz": LA, "currency": "USD", "elements": elements})
    frame.dent.plot.stack(freq="D", site=site, title=title, ax=figure.subplots())
    try:
        figure.savefig(out, dpi=150)
    except ValueError as error:
        raise errors.ConfigError(f"Cannot draw {out}: {error}.") from None


COMMANDS = (demo, meters, topics, inventory, plan, read, energy, peaks, sync, report, status)
