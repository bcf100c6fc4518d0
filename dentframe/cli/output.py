"""The command line prints here: tables for a person, CSV and JSON for a program, and messages."""

from __future__ import annotations

import functools
import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dentframe.documents.csv import joined
from dentframe.documents.excel import save_workbook
from dentframe.errors import ConfigError, missing_extra
from dentframe.frame import tables
from dentframe.wire.columns import wire_columns

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
    """Print a frame, or write it to a file."""
    form = form or _by_ending(out)
    if form in {"parquet", "xlsx"} and out is None:
        raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")
    if form == "parquet":
        _parquet(frame, out)
    elif form == "xlsx":
        _excel(frame, out)
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


def _excel(frame: pd.DataFrame, out: Path | None) -> None:
    """Readings as `to_excel` has them; a table of figures as it stands, times as text."""
    if len(wire_columns(frame.columns)) == frame.shape[1]:
        tables.to_excel(frame, out)
        return
    save_workbook({"figures": _whole(frame)}, Path(str(out)))


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, unless that is a mere count."""
    return frame if frame.index.names == [None] else frame.reset_index()


def _text(frame: pd.DataFrame, form: str, out: Path | None) -> None:
    if form == "json":
        text = _whole(frame).to_json(orient="records", date_format="iso")
    elif form == "table":
        text = _flat(frame).to_string()
    else:
        shown = _whole(_flat(frame)).rename(columns=_uncomputed)
        for name, values in shown.items():
            if values.dtype.kind == "O":
                shown[name] = values.map(_uncomputed)
        text = shown.to_csv(index=False).rstrip("\n")
    if out is None:
        click.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")


def _uncomputed(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return tables.escaped(value) if isinstance(value, str) else value


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Flags as one cell, ``edge_interpolated;reset``, in place of Python's tuples."""
    if "flags" not in frame.columns:
        return frame
    return frame.assign(flags=[joined(x) for x in frame["flags"]])
