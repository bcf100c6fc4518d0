"""Commands of money: split a utility's bill, price a meter, verify a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dentframe.cli.spans import bounds, span, span_options
from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from dentframe.money import Statement

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_ANY = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("bill", type=_FILE)
@click.option("--site", required=True, type=_FILE, help="The site's file, e.g. site.toml.")
@click.option("--rules", type=_FILE, help="Rules; default: the site file's [split] table.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
def split(bill: Path, site: Path, rules: Path | None, out: Path) -> None:
    """Split the utility's BILL among the tenants of a site.

    Prints the control sum; exceptions go to stderr, and one that the rules do not accept makes
    the exit code 1. Everything is saved in either case.

    \b
    Example:
      dentframe split bill.toml --site site.toml --out 2023-12
    """
    from dentframe.money.rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site import Site
    from dentframe.split import split as run_split

    how = None if rules is None else SplitRules.load(rules)
    run = run_split(UtilityBill.load(bill), Site.load(site), how)
    record = run.save(out)
    for name, amount in run.control.items():
        click.echo(f"{name},{amount}")
    for row in run.exceptions.itertuples():
        mark = "accepted" if row.accepted else "NOT ACCEPTED"
        click.echo(f"{row.kind} ({mark}) {row.subject}: {row.detail}", err=True)
    click.echo(f"Saved; check it with: dentframe verify {record.parent}", err=True)
    if not run.ok:
        raise click.ClickException(f"The rules do not accept every exception: see {out}.")


@click.command()
@click.argument("record", type=_ANY)
def verify(record: Path) -> None:
    """Compute a saved split again from its RECORD and say what differs.

    \b
    Example:
      dentframe verify 2023-12
    """
    from dentframe.record import verify as run_verify

    found = run_verify(record)
    for note in found.notes:
        click.echo(note, err=True)
    for difference in found.differences:
        click.echo(difference)
    if not found.ok:
        raise click.ClickException(f"{len(found.differences)} differences from the record.")
    click.echo("Nothing differs.")


@click.command()
@click.argument("meter")
@click.argument("tariff", type=_FILE)
@span_options
@click.option("--tz", required=True, help="The zone of the tariff and of the period.")
@click.option("--elements", help="Comma-separated, e.g. B,C; all for the whole meter.")
@click.option("--party", default="", help="Whose statement it is.")
@click.option("--accept-estimated", is_flag=True, help="Bill estimated figures too, marked.")
@click.option("--out", type=click.Path(path_type=Path), help="An html, pdf, xlsx or csv file.")
def bill(
    meter: str,
    tariff: Path,
    month: str | None,
    period: str | None,
    tz: str,
    elements: str | None,
    party: str,
    accept_estimated: bool,
    out: Path | None,
) -> None:
    """Price a METER's elements by a TARIFF file.

    \b
    Example:
      dentframe bill P482311252 flat.toml --month 2023-12 --tz America/Los_Angeles --elements B
    """
    from dentframe.money import Tariff
    from dentframe.money import bill as price
    from dentframe.reader import read_dentcloud

    start, end = bounds(*span(tz, month=month, period=period), tz)
    frame = read_dentcloud(meter, start, end, tz=tz, bracket=True)
    accept = ("recorded", "estimated") if accept_estimated else ("recorded",)
    chosen = elements if elements == "all" else _listed(elements)
    statement = price(
        frame, Tariff.load(tariff), start, end, tz=tz, elements=chosen, accept=accept, party=party
    )
    _write(statement, out)


def _listed(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",")]


def _write(statement: Statement, out: Path | None) -> None:
    if out is None:
        click.echo(statement.to_csv().rstrip("\n"))
        return
    writers: dict[str, Callable[[Path], object]] = {
        ".html": statement.to_html,
        ".pdf": statement.to_pdf,
        ".xlsx": statement.to_excel,
        ".csv": statement.to_csv,
    }
    if out.suffix.lower() not in writers:
        raise ConfigError(f"Cannot write {out}: its ending must be {', '.join(writers)}.")
    writers[out.suffix.lower()](out)
    click.echo(f"Wrote {out}: {statement.total} {statement.currency}".rstrip(), err=True)


COMMANDS = (split, bill, verify)
