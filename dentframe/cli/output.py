"""The command line prints here: tables for a person, CSV and JSON for a program, and messages."""

from __future__ import annotations

import functools
import io
import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dentframe.errors import ConfigError, missing_extra
from dentframe.files import write_whole
from dentframe.frame import csv_and_excel

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


LOG = logging.getLogger("dentframe.cli")


def say(message: str, level: int = logging.INFO) -> None:
    """Tell the user on standard error, and the log where there is one."""
    click.echo(message, err=True)
    LOG.log(level, "%s", message)


FORMATS = ("table", "csv", "json", "parquet", "xlsx")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def one_form(form: str | None, as_json: bool) -> str | None:
    """The format that ``--format`` and ``--json`` name together.

    Raises
    ------
    ConfigError
        Where they name two.
    """
    if as_json and form not in {None, "json"}:
        raise ConfigError(f"Cannot print --json as --format {form}: give one of the two.")
    return "json" if as_json else form


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--format``, ``--json`` and ``--out``; the command gets ``form`` and ``out``."""

    @functools.wraps(command)
    def gathered(*, form: str | None, as_json: bool, **given: Any) -> Any:
        return command(form=one_form(form, as_json), **given)

    added: Callable[..., Any] = gathered
    for add in (
        click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead."),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            help="By default by --out's ending; else a table in a terminal and CSV in a pipe.",
        ),
    ):
        added = add(added)
    return added


def write(frame: pd.DataFrame, form: str | None, out: Path | None) -> None:
    """Print a frame, or write it to a file, whole or not at all."""
    form = form or _by_ending(out)
    if out is None and form in {"parquet", "xlsx"}:
        raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")
    data = _bytes(frame, form)
    if out is None:
        click.echo(data.decode().rstrip("\n"))
    else:
        write_whole(out, data, 0o644)


def _by_ending(out: Path | None) -> str:
    if out is None:
        return "table" if sys.stdout.isatty() else "csv"
    ending = out.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise ConfigError(
            f"Cannot tell the format of {out}: its ending is none of {', '.join(FORMATS[1:])}. "
            "Give --format."
        )
    return ending


def _bytes(frame: pd.DataFrame, form: str) -> bytes:
    text, data = io.StringIO(), io.BytesIO()
    if form == "csv":
        csv_and_excel.to_csv(frame, text)
    elif form == "table":
        flat = frame.assign(flags=frame["flags"].map(";".join)) if "flags" in frame else frame
        text.write(f"{flat.to_string()}\n")
    elif form == "json":
        whole = frame if frame.index.names == [None] else frame.reset_index()
        text.write(f"{whole.to_json(orient='records', date_format='iso')}\n")
    elif form == "xlsx":
        csv_and_excel.to_excel(frame, data)
    elif find_spec("pyarrow"):
        frame.to_parquet(data)
    else:
        raise missing_extra("write Parquet", "archive")
    return text.getvalue().encode() + data.getvalue()
