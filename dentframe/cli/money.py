"""The commands of money split a utility's bill and verify a record."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dentframe.cli.options import FILE, archive_option
from dentframe.cli.output import say
from dentframe.errors import DentWarning
from dentframe.money.saving import row_dicts

if TYPE_CHECKING:
    from dentframe.money.split import Run


_ANY = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("bill", type=FILE)
@click.option("--site", required=True, type=FILE, help="The site's file, e.g. site.toml.")
@click.option("--rules", type=FILE, help="Rules; default: the site file's [split] table.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--draft", is_flag=True, help="Write statements marked DRAFT, whatever is open.")
@archive_option
def split(
    bill: Path, site: Path, rules: Path | None, out: Path, draft: bool, archive: Path | None
) -> None:
    """Split the utility's BILL among the tenants of a site.

    Prints the control sum; exceptions go to stderr. While one is open that the rules do not
    accept, the exit code is 1 and no tenant's statement is written; charges, tables and the
    record are. Such a run, and a draft, is replaced when the same bill and site are split again;
    a good one never is, but gets the files that it lacked for want of an extra.

    \b
    Example:
      dentframe split bill.toml --site site.toml --out 2023-12
      dentframe split bill.toml --site site.toml --rules rules.toml --out strict --draft
      dentframe split bill.toml --site site.toml --archive archive --out 2023-12-again
    """
    from dentframe.money.saving import missing_extras
    from dentframe.money.split import split as run_split
    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.site import Site

    how = None if rules is None else SplitRules.load(rules)
    asked = UtilityBill.load(bill), Site.load(site), how
    missing = missing_extras()
    if missing:
        say(missing)
    run = run_split(*asked, archive=archive)
    with warnings.catch_warnings():
        if missing:  # it was told above, before the work
            warnings.filterwarnings("ignore", re.escape(missing), DentWarning)
        record = run.save(out, draft=draft)
    for name, amount in run.control.items():
        click.echo(f"{name},{amount}")
    for line in _exceptions(run):
        say(line)
    say(f"Saved; check it with: dentframe verify {record.parent}")
    if not run.ok:
        n = int((~run.exceptions["accepted"]).sum())
        raise click.ClickException(
            f"{n} exception{'s are' if n > 1 else ' is'} open: see {out / 'exceptions.csv'}. "
            f"{'The statements are drafts' if draft else 'No statement was written (--draft does)'}"
            ". Correct the bill, the site or its rules, and run the same command again: it "
            f"replaces {out} as long as exceptions are open."
        )


def _exceptions(run: Run) -> Iterator[str]:
    """Each exception with its value, its limit, the rule that decides, and what to do."""
    for row in row_dicts(run.exceptions):
        mark = "accepted" if row["accepted"] else "NOT ACCEPTED"
        facts = [
            f"{k} {row[k]} {row['unit']}".rstrip() for k in ("value", "limit") if row[k] is not None
        ]
        facts += [f"rule {row['rule']}"] if row["rule"] else []
        told = f" [{', '.join(facts)}]" if facts else ""
        yield f"{row['kind']} ({mark}) {row['subject']}: {row['detail']}{told}"
        if row["remedy"]:
            yield f"  {row['remedy']}"


@click.command()
@click.argument("record", type=_ANY)
def verify(record: Path) -> None:
    """Compute a saved split again from its RECORD and say what differs.

    \b
    Example:
      dentframe verify 2023-12
    """
    from dentframe.money.verification import verify as run_verify

    found = run_verify(record)
    for note in found.notes:
        say(note)
    for difference in found.differences:
        click.echo(difference)
    if not found.ok:
        n = len(found.differences)
        raise click.ClickException(f"{n} difference{'s' * (n > 1)} from the record.")
    click.echo("Nothing differs.")


COMMANDS = (split, verify)
