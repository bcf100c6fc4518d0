"""Options tell what a command reads: meters, a span, a zone, topics, an archive, a site."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from dentframe import reader
from dentframe.errors import ConfigError, RangeError
from dentframe.metering.register_rules import RegisterRules
from dentframe.money.occupancy import check_frame
from dentframe.times.ranges import time_range, zone
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.site.site import Site


FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)
"""A file or a folder that is there."""
NEW = click.Path(path_type=Path)
archive_option = click.option(
    "--archive", type=FOLDER, help="An archive's folder: asks only for what it lacks."
)


@dataclass(frozen=True)
class ReadArguments:
    """The arguments that name a read: meters, a span, topics, a zone and an archive."""

    meters: str
    start: str | None
    end: str | None
    month: str | None
    period: str | None
    tz: str | None
    topics: str | None = None
    archive: Path | None = None

    @property
    def names(self) -> str | list[str]:
        """One meter, or a list."""
        found = listed(self.meters) or []
        return found[0] if len(found) == 1 else found

    def zone(self, *, calendar: bool = False, site: Site | None = None) -> str:
        """The zone given, else the site's.

        Raises
        ------
        RangeError
            Where local days or months are meant, and there is neither.
        """
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
            first = dt.datetime.now(zone(tz)).date().replace(day=1)
            last = f"{first - dt.timedelta(days=1):%Y-%m}"
            return (last if self.month.strip().lower() == "last" else self.month), None
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

    def figures(
        self, site_file: Path | None, max_kw: str | None
    ) -> tuple[pd.DataFrame, dict[str, Any], Site | None]:
        """The readings of energy and demand, the verbs' ``tz`` and ``registers``, and the site."""
        site = load_site(site_file)
        tz = self.zone(calendar=True, site=site)
        frame = self.read(tz, ["kWHNet", "DemandkW"], bracket=True)
        rules = registers(site, max_kw, self.meters, frame)
        return frame, {"tz": tz, "registers": rules}, site


def listed(text: str | None) -> list[str] | None:
    """The names in a comma-separated option."""
    return None if text is None else [name.strip() for name in text.split(",")]


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add START, END, ``--month``, ``--period`` and ``--tz``; the command gets all as ``what``."""
    names = [f.name for f in fields(ReadArguments)]

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        what = ReadArguments(**{name: given.pop(name) for name in names if name in given})
        return command(what=what, **given)

    period = "From the first to before the second local day: 2023-11-18..2023-12-18."
    added: Callable[..., Any] = gathered
    for add in (
        click.option("--tz", help="The zone of days and months, e.g. America/Los_Angeles, or UTC."),
        click.option("--period", help=period),
        click.option("--month", help="A local month, 2023-12, or 'last'."),
        click.argument("end", required=False),
        click.argument("start", required=False),
    ):
        added = add(added)
    return added


def range_options(command: Callable[..., Any], **meters: Any) -> Callable[..., Any]:
    """Add METERS, ``--topics`` and what `span_options` adds; ``what`` has all of it."""
    topics = click.option("--topics", help="Comma-separated, e.g. DemandkW,kWHNet; default: all.")
    return click.argument("meters", **meters)(span_options(topics(command)))


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--site`` and ``--max-kw``."""
    powers = "Greatest power of elements [kW], e.g. E=40,B=30: tells a cleared register."
    site = "The site's file: tz, greatest powers, labels."
    return click.option("--site", type=FILE, help=site)(
        click.option("--max-kw", help=powers)(command)
    )


def load_site(path: Path | None) -> Site | None:
    """The site of ``--site``, None without one."""
    from dentframe.site.site import Site

    return None if path is None else Site.load(path)


def registers(
    site: Site | None, max_kw: str | None, meters: str, frame: pd.DataFrame
) -> RegisterRules:
    """What site and ``--max-kw`` say about registers; the option wins.

    Raises
    ------
    ConfigError
        For powers that cannot be read, or a site's elements that the meters do not have.
    """
    from dentframe.site.site import apply_site

    whole = {x for x in listed(meters) or [] if split_element(x)[1] is None}
    if site is not None:
        check_frame(site, [x for x in site.elements if split_element(x)[0] in whole], frame)
    own = RegisterRules()
    if max_kw is not None:
        known = {} if site is None else dict(site.register_rules(frame).max_kw or {})
        own = RegisterRules(known | _powers(max_kw, meters))
    return apply_site(site, None, own, frame=frame)[1]


def _powers(text: str, meters: str) -> dict[str, float]:
    names = listed(meters) or []
    meter = split_element(names[0])[0] if len(names) == 1 else None
    found = {}
    for part in text.split(","):
        name, _, value = (x.strip() for x in part.partition("="))
        try:
            own = f"{meter}_{name}" if meter and split_element(name)[1] is None else name
            found[own] = float(value)
        except ValueError:
            name = ""
        if not name:
            raise ConfigError(
                f"Cannot read --max-kw {text!r}: write ELEMENT=KW, several with commas: E=40,B=30."
            )
    return found
