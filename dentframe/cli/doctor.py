"""`dentframe doctor` is the first contact with an account: a screen, and a report to send."""

from __future__ import annotations

from pathlib import Path

import click

from dentframe.cli.options import FILE
from dentframe.cli.output import say
from dentframe.doctor import examine
from dentframe.files import write_whole


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("dentframe-doctor.json"),
    show_default=True,
    help="Where the report goes: JSON without keys, names of meters or sites, or readings.",
)
@click.option("--compare", type=FILE, help="An earlier report, to tell which rows came late.")
def doctor(out: Path, compare: Path | None) -> None:
    """Hold the service against every assumption made here, with at most 30 requests.

    Prints each assumption with ✓ (it holds), ✗ (it does not) or ? (nothing tells), and the
    evidence. Run it again with --compare two days later to see whether rows come late.

    \b
    Example:
      dentframe doctor
      dentframe doctor --compare dentframe-doctor.json --out later.json
    """
    earlier = None if compare is None else compare.read_text(encoding="utf-8")
    report = examine(earlier=earlier)
    click.echo(str(report))
    write_whole(out, f"{report.to_json()}\n".encode(), mode=0o644)
    say(f"Report: {out}. It holds no key, no name and no reading: send it to the maintainers.")
