"""The command line prints here: tables for a person, CSV and JSON for a program, and messages.

Warnings and errors advise in Python (``detail=True``); `told` says what the same is called as an
option. A test holds every phrase on its left side to the source, so that none goes stale.
"""

from __future__ import annotations

import functools
import logging
import re
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


SAYINGS: tuple[tuple[str, str], ...] = (
    (r'RegisterRules\(max_kw=\{"([^"]+)": \.\.\.\}\)', r"--max-kw \1=KW, or in a file for --site"),
    (
        r'RegisterRules\(swaps=\{"([^"]+)": \.\.\.\}\)',
        r"[[elements.\1.swaps]] in a file for --site",
    ),
    (r"registers=RegisterRules\(max_kw=\.\.\.\)", "--max-kw ELEMENT=KW, or a file by --site"),
    (r'accept=\("recorded", "estimated"\)', "--accept-estimated"),
    (
        r'Read with bracket=True, [^.]*accept=\("recorded", "partial"\)\.',
        "Run it again when late readings have come; Python can fill gaps, or bill what is covered.",
    ),
    (r": read with bracket=True\.", ", and the meter has no reading right beside them."),
    (r"detail=True tells each one; min_coverage= [^.]*\.", "--detail tells each one."),
    (r"; min_coverage= [^.]*\.", "."),
    (
        r" What was read is in \.partial; \.resume\(\) asks for the rest\.",
        " What was read is in the cache: run the command again, and only the rest is asked for.",
    ),
    (r'e\.g\. elements=\["([^"]+)", "([^"]+)"\]', r"e.g. --elements \1,\2"),
    (r'elements="all"', "--elements all"),
    (
        r'declare RegisterRules\(allow_export=\{"([^"]+)": True\}, max_kw=\{"[^"]+": \.\.\.\}\)',
        r'give \1 role = "export" and max_kw in a file for --site',
    ),
    (r"inventory\(\) tells", "dentframe inventory tells"),
    (r"pass rules=SplitRules\.load\('rules\.toml'\)", "give --rules rules.toml"),
    (r"Name the folder that Run\.save wrote", "Name the folder of --out"),
)
"""Pattern of the Python advice, and what the command line calls it."""


def told(message: object) -> str:
    """A message with its advice in options instead of keywords.

    Examples
    --------
    >>> told('Accept it: accept=("recorded", "estimated").')
    'Accept it: --accept-estimated.'
    """
    text = str(message)
    for pattern, saying in SAYINGS:
        text = re.sub(pattern, saying, text)
    return text


FORMATS = ("table", "csv", "json", "parquet", "xlsx")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--format``, ``--json`` and ``--out``; the command gets ``form`` and ``out``."""

    @functools.wraps(command)
    def gathered(*, form: str | None, as_json: bool, **given: Any) -> Any:
        if as_json and form not in {None, "json"}:
            raise ConfigError(f"Cannot print --json as --format {form}: give one of the two.")
        return command(form="json" if as_json else form, **given)

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
        text = _flat(frame).to_csv(index=frame.index.names != [None]).rstrip("\n")
    if out is None:
        click.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Flags as one cell, ``edge_interpolated;reset``, in place of Python's tuples."""
    if "flags" not in frame.columns:
        return frame
    return frame.assign(flags=[joined(x) for x in frame["flags"]])
