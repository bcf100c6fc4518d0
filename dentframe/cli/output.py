"""How a frame is printed: a table for a person, CSV or JSON for a program, or a file."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dentframe import tables
from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json", "parquet", "xlsx")


def format_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--format`` and ``--out`` to a command."""
    command = click.option(
        "--out", type=click.Path(path_type=Path), help="Write to this file instead of printing."
    )(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        help="By default by --out's ending; else a table in a terminal and CSV in a pipe.",
    )(command)


def write(frame: pd.DataFrame, form: str | None, out: Path | None) -> None:
    """Print a frame, or write it to a file."""
    form = form or _by_ending(out)
    if form in {"parquet", "xlsx"} and out is None:
        raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")
    if form == "parquet":
        _parquet(frame, out)
    elif form == "xlsx":
        tables.to_excel(frame, out)
    else:
        _text(frame, form, out)


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


def _parquet(frame: pd.DataFrame, out: Path | None) -> None:
    try:
        import_module("pyarrow")
    except ImportError:
        raise missing_extra("write Parquet", "archive") from None
    frame.to_parquet(str(out))


def _text(frame: pd.DataFrame, form: str, out: Path | None) -> None:
    if form == "json":
        text = frame.reset_index().to_json(orient="records", date_format="iso")
    elif form == "table":
        text = frame.to_string()
    else:
        text = frame.to_csv().rstrip("\n")
    if out is None:
        click.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")
