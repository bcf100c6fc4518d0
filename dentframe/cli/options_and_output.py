"""The options that commands share are defined here, and their results are printed or written.

Data is printed as a table for a person, as CSV or JSON for a program, or written to a file.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import pandas as pd

from dentframe import read_plan_and_inventory as reader
from dentframe.atomic_files import whole_file
from dentframe.errors import ConfigError, RangeError, import_extra
from dentframe.frame import csv_and_excel
from dentframe.metering.register_rules import RegisterRules
from dentframe.money.occupancy import check_frame
from dentframe.site.site import Site, apply_site
from dentframe.times.dates_and_ranges import time_range, zone
from dentframe.wire.columns import split_element

Command = Callable[..., Any]
LOG = logging.getLogger("dentframe.cli")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)
"""A file or a folder that is there."""
NEW = click.Path(path_type=Path)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
FORMATS = ("table", "csv", "json", "parquet", "xlsx")

file_option = functools.partial(click.option, type=FILE)
existing_option = functools.partial(click.option, type=EXISTING)
archive_option = click.option(
    "--archive", type=FOLDER, help="An archive's folder: asks only for what it lacks."
)


def out_option(default: str, text: str) -> Callable[[Command], Command]:
    """Add ``--out``, a file that is written over."""
    return click.option("--out", type=NEW_FILE, default=default, show_default=True, help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def say(message: str, level: int = logging.INFO) -> None:
    """Tell the user on standard error, and the log where there is one."""
    click.echo(message, err=True)
    LOG.log(level, "%s", message)


def listed(text: str | None) -> list[str] | None:
    """The names in a comma-separated option."""
    return None if text is None else [name.strip() for name in text.split(",")]


# --- what is read ---


@dataclass(frozen=True)
class ReadArguments:
    """The arguments that name a read: meters, a span, topics, a zone, an archive and a site."""

    meters: str
    start: str | None
    end: str | None
    month: str | None
    period: str | None
    tz: str | None
    topics: str | None = None
    archive: Path | None = None
    site_file: Path | None = None
    max_kw: str | None = None

    @property
    def names(self) -> str | list[str]:
        """One meter, or a list."""
        found = listed(self.meters) or []
        return found[0] if len(found) == 1 else found

    @cached_property
    def site(self) -> Site | None:
        """The site of ``--site``, None without one."""
        return None if self.site_file is None else Site.load(self.site_file)

    def zone(self, *, calendar: bool = False) -> str:
        """The zone given, else the site's.

        Raises
        ------
        RangeError
            Where local days or months are meant, and there is neither.
        """
        site = self.site  # one that cannot be read is refused before anything is asked
        tz = self.tz or (site.tz if site else None)
        if tz is None and (calendar or self.month or self.period):
            raise RangeError(
                "Cannot tell which days are meant: days and months are local. Give --tz "
                "America/Los_Angeles or the like (--tz UTC if UTC is meant); the file of a --site "
                "has one."
            )
        return tz or "UTC"

    def when(self, tz: str) -> tuple[str, str | None]:
        """The start and end that the arguments or one of the two options name.

        Raises
        ------
        RangeError
            Where they are named twice or not at all, or one cannot be read.
        """
        if [self.start, self.month, self.period].count(None) != 2:
            raise RangeError(
                "Cannot tell the span: give one of START [END], --month 2023-12 or --period A..B."
            )
        if self.start is not None:
            return self.start, self.end
        if self.month is not None:
            this = pd.Timestamp.now(zone(tz)).tz_localize(None).to_period("M")
            return (str(this - 1) if self.month.strip().lower() == "last" else self.month), None
        start, dots, end = str(self.period).partition("..")
        if not (start and dots and end):
            raise RangeError(
                f"Cannot read --period {self.period!r}: write it like 2023-11-18..2023-12-18 "
                "(the second day is no longer in it)."
            )
        return start.strip(), end.strip()

    def bounds(self, tz: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Both instants of the span."""
        return time_range(*self.when(tz), tz, now=pd.Timestamp.now("UTC"))

    def read(self, tz: str, topics: list[str] | None, *, bracket: bool) -> pd.DataFrame:
        """The readings."""
        return reader.read_dentcloud(
            self.names, *self.when(tz), listed(self.topics) or topics, tz=tz, bracket=bracket,
            archive=self.archive,
        )  # fmt: skip

    def figures(self) -> tuple[pd.DataFrame, dict[str, Any]]:
        """The readings of energy and demand, and the verbs' ``tz`` and ``registers``."""
        tz = self.zone(calendar=True)
        frame = self.read(tz, ["kWHNet", "DemandkW"], bracket=True)
        return frame, {"tz": tz, "registers": self.registers(frame)}

    def registers(self, frame: pd.DataFrame) -> RegisterRules:
        """What site and ``--max-kw`` say about registers; the option wins.

        Raises
        ------
        ConfigError
            For powers that cannot be read, or a site's elements that the meters do not have.
        """
        site, own = self.site, RegisterRules()
        if site is not None:
            whole = {x for x in listed(self.meters) or [] if split_element(x)[1] is None}
            check_frame(site, [x for x in site.elements if split_element(x)[0] in whole], frame)
        if self.max_kw is not None:
            known = {} if site is None else dict(site.register_rules(frame).max_kw or {})
            own = RegisterRules(known | self._powers(self.max_kw))
        return apply_site(site, None, own, frame=frame)[1]

    def _powers(self, text: str) -> dict[str, float]:
        meter = split_element(self.names)[0] if isinstance(self.names, str) else None
        found = {}
        for part in text.split(","):
            name, _, value = (x.strip() for x in part.partition("="))
            own = f"{meter}_{name}" if meter and split_element(name)[1] is None else name
            try:
                found[own] = float(value if name else "")
            except ValueError:
                raise ConfigError(
                    f"Cannot read --max-kw {text!r}: write ELEMENT=KW, several with commas: "
                    "E=40,B=30."
                ) from None
        return found


def options(*parameters: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several parameters as one decorator; a command's help shows the first of them first."""

    def added(command: Command) -> Command:
        for add in reversed(parameters):
            command = add(command)
        return command

    return added


def _gathered(command: Command) -> Command:
    """Give a command the parameters of a read together, as ``what``."""
    names = [f.name for f in fields(ReadArguments)]

    @functools.wraps(command)
    def called(**given: Any) -> Any:
        what = ReadArguments(**{name: given.pop(name) for name in names if name in given})
        return command(what=what, **given)

    return called


_PERIOD = "From the first to before the second local day: 2023-11-18..2023-12-18."
span_options = options(
    click.argument("start", required=False),
    click.argument("end", required=False),
    click.option("--month", help="A local month, 2023-12, or 'last'."),
    click.option("--period", help=_PERIOD),
    click.option("--tz", help="The zone of days and months, e.g. America/Los_Angeles, or UTC."),
    _gathered,
)
"""START, END, ``--month``, ``--period`` and ``--tz``; the command gets all as ``what``."""


def range_options(**meters: Any) -> Callable[[Command], Command]:
    """Add METERS, ``--topics`` and what `span_options` adds; ``what`` has all of it."""
    topics = click.option("--topics", help="Comma-separated, e.g. DemandkW,kWHNet; default: all.")
    return options(click.argument("meters", **meters), span_options, topics)


site_options = options(
    file_option("--site", "site_file", help="The site's file: tz, greatest powers, labels."),
    click.option(
        "--max-kw",
        help="Greatest power of elements [kW], e.g. E=40,B=30: tells a cleared register.",
    ),
)
"""``--site`` and ``--max-kw``, for a command whose ``what`` has them."""


# --- what is printed ---


def print_json_or_text(as_json: bool, data: object, text: str) -> None:
    """Print a result that is no table, for a program or for a person."""
    click.echo(json.dumps(data, default=pd.Timestamp.isoformat) if as_json else text)


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


def format_option(
    write: Callable[[Any, str | None, Path | None], None],
) -> Callable[[Command], Command]:
    """Add ``--format``, ``--json`` and ``--out``, by which what a command returns is written."""

    def written(command: Command) -> Command:
        @functools.wraps(command)
        def called(*, form: str | None, as_json: bool, out: Path | None, **given: Any) -> None:
            form = one_form(form, as_json)
            write(command(**given), form, out)

        return called

    default = "By default by --out's ending; else a table in a terminal and CSV in a pipe."
    return options(
        click.option("--format", "form", type=click.Choice(FORMATS), help=default),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option("--out", type=NEW, help="Write to this file instead."),
        written,
    )


def print_or_save(
    texts: Mapping[str, Callable[[], str]],
    files: Mapping[str, Callable[[Path], object]],
    form: str | None,
    out: Path | None,
) -> None:
    """Print a result in one of its forms, or write it to a file, whole or not at all.

    By default a terminal gets a table, a pipe CSV, and a file what its ending says.

    Raises
    ------
    ConfigError
        For a form that the result does not have.
    """
    if out is None:
        form = form or ("table" if sys.stdout and sys.stdout.isatty() else "csv")
        if form not in texts:
            raise ConfigError(f"Cannot print {form} to a terminal: name a file with --out.")
        click.echo(texts[form]().rstrip("\n"))
        return
    form = form or out.suffix.lstrip(".").lower()
    known = {**texts, **files}
    if form not in known:
        raise ConfigError(
            f"Cannot write {out} as {form!r}: it can be {', '.join(known)}. Give another ending, "
            "or --format."
        )
    with whole_file(out) as part:
        if form in files:
            files[form](part)
        else:
            part.write_bytes(texts[form]().encode())


def write(frame: pd.DataFrame, form: str | None, out: Path | None) -> None:
    """Print a frame, or write it to a file."""

    def table() -> str:
        flat = frame.assign(flags=frame["flags"].map(";".join)) if "flags" in frame else frame
        return f"{flat.to_string()}\n"

    def csv() -> str:
        text = io.StringIO()
        csv_and_excel.to_csv(frame, text)
        return text.getvalue()

    def records() -> str:
        whole = frame if frame.index.names == [None] else frame.reset_index()
        return f"{whole.to_json(orient='records', date_format='iso')}\n"

    def parquet(path: Path) -> None:
        import_extra("pyarrow", "write Parquet", "archive")
        frame.to_parquet(path)

    texts = {"table": table, "csv": csv, "json": records}
    excel = functools.partial(csv_and_excel.to_excel, frame)
    print_or_save(texts, {"parquet": parquet, "xlsx": excel}, form, out)
