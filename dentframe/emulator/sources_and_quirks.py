"""Sources give the emulator its rows, and quirks say how its service differs from what we assume.

Quirks, by name, are ways in which the service may differ from what dentframe assumes. A fault
goes wrong once; a quirk is how the service is. A :class:`Quirky` source changes the rows of
another one; limits and sizes are the server's own.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from dentframe.emulator.simulated_meters import Plant
from dentframe.emulator.simulated_readings import STAMP, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dentframe.emulator.requests_and_limits import Now
    from dentframe.emulator.simulated_readings import Row, Table

    Quirks = Mapping[str, Any]


@runtime_checkable
class Source(Protocol):
    """Where the emulator takes its answers from; write your own with these three methods.

    Give it a true attribute ``live`` if it must not be asked for the future.
    """

    def meters(self) -> list[str]:
        """Names of the meters, in the order of getMeters."""
        ...

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics: ``unit``, ``requestKey`` and ``description``."""
        ...

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a meter in ``[start, end)``, both empty if there are none.

        ``topics`` are request keys; ``start`` and ``end`` are in UTC.
        """
        ...


def topic_of(column: str) -> str:
    """The topic of a column: ``"A/Ch/A1"`` is of ``"A"``."""
    return column.partition("/")[0]


def select(
    rows: Sequence[Row],
    start: datetime,
    end: datetime,
    topics: Sequence[str],
    headers: Iterable[str] | None = None,
) -> Table:
    """Rows in ``[start, end)`` in the order they came, with the columns of some topics.

    The columns come in the order of the headers; without any, sorted by name.
    """
    if headers is None:
        headers = [*STAMP, *sorted({c for row in rows for c in row} - set(STAMP))]
    kept = [h for h in headers if h in STAMP or topic_of(h) in topics]
    lo, hi = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    inside = [
        {c: r[c] for c in kept if c in r} for r in rows if lo <= f"{r['date']} {r['time']}" < hi
    ]
    return (kept, inside) if inside and len(kept) > len(STAMP) else ([], [])


_NAME = re.compile(r"(?P<meter>.+)-(?P<month>\d{4}-\d{2})\.json")


class Recorded:
    """A folder of ``<meter>-<YYYY-MM>.json`` files, each a month's getData answer.

    Headers and rows keep their order and their text; what a file lacks stays lacking.

    Parameters
    ----------
    folder : path
        Where the files are; read when asked for, so that files may be added meanwhile.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"Cannot serve recorded answers: {self.folder} is not a folder. "
                "It must hold files named <meter>-<YYYY-MM>.json."
            )

    def meters(self) -> list[str]:
        """Names of the meters that have a file, sorted."""
        found = (_NAME.fullmatch(p.name) for p in self.folder.iterdir())
        return sorted({match["meter"] for match in found if match})

    def topics(self) -> list[dict[str, str]]:
        """The document's catalogue of topics."""
        return catalogue()

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows in ``[start, end)``, from the files of its months."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 2))
        paths = dict.fromkeys(self.folder / f"{meter}-{day:%Y-%m}.json" for day in days)
        months = [_load(p, p.stat().st_mtime_ns) for p in paths if p.is_file()]
        headers = dict.fromkeys(h for month in months for h in month["headers"])
        rows = [row for month in months for row in month["topics"]]
        return select(rows, start, end, topics, headers)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Any:
    return json.loads(path.read_bytes())


class Fixed:
    """Rows given in Python, for small tests.

    Parameters
    ----------
    meters : mapping
        Meter to rows: ``{"P1": [{"date": "2023-12-12", "time": "02:02", "A/Ch/A1": "1.0"}]}``.
        Values go out as they are; a None becomes null, a number a number.
    topics : sequence of dict, optional
        Rows of getTopics; the document's by default.
    """

    def __init__(
        self, meters: Mapping[str, Sequence[Row]], topics: Sequence[Mapping[str, str]] | None = None
    ) -> None:
        self._meters = meters
        self._topics = catalogue() if topics is None else [dict(t) for t in topics]

    def meters(self) -> list[str]:
        """Names of the meters, in the order given."""
        return list(self._meters)

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics."""
        return [dict(t) for t in self._topics]

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers, sorted, and rows in ``[start, end)``, in the order given."""
        return select(self._meters[meter], start, end, topics)


# --- quirks ---

_AROUND = timedelta(days=1)


class Quirk(NamedTuple):
    """What a quirk does, its usual value, and its change of rows where it makes one."""

    description: str
    value: Any = True
    change: Callable[[list[Row], Any, datetime], list[Row]] | None = None


def _when(row: Row) -> datetime:
    return datetime.fromisoformat(f"{row['date']}T{row['time']}").replace(tzinfo=UTC)


def _stamped(row: Row, when: datetime) -> Row:
    return row | {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H:%M}"}


def _local_time(rows: list[Row], zone: str, _: datetime) -> list[Row]:
    return [_stamped(r, _when(r).astimezone(ZoneInfo(zone))) for r in rows]


def _v_scope(rows: list[Row], scope: str, _: datetime) -> list[Row]:
    """The voltage of each element's first channel, under another scope."""
    columns = {c: c for row in rows for c in row if topic_of(c) != "V"}
    columns |= {
        c: f"V/{scope}/{c[5:-1]}" for row in rows for c in row if re.fullmatch("V/Ch/.*1", c)
    }
    return [{columns[c]: x for c, x in row.items() if c in columns} for row in rows]


def _cells(topic: str, change: Callable[[str, Any], str]) -> Any:
    """A change of every reading of a topic."""
    return lambda rows, value, _: [
        {c: change(x, value) if x and topic_of(c) == topic else x for c, x in row.items()}
        for row in rows
    ]


def _text(value: float) -> str:
    return repr(round(value, 3) + 0.0)


def _blanks(rows: list[Row], every: int, _: datetime) -> list[Row]:
    """Each so manieth reading, counted along its row from the row's own minute."""
    minutes = [int(_when(row).timestamp()) // 60 for row in rows]
    return [
        {c: x if c in STAMP or (first + i) % every else "" for i, (c, x) in enumerate(row.items())}
        for first, row in zip(minutes, rows, strict=True)
    ]


def _late_backfill(rows: list[Row], hours: float, now: datetime) -> list[Row]:
    late = timedelta(hours=hours)
    return [r for r in rows if not 6 <= _when(r).hour < 12 or now - _when(r) >= late]


def _repeated_rows(rows: list[Row], hours: int, _: datetime) -> list[Row]:
    made: list[Row] = []
    for row in rows:
        out = made and 3 <= _when(row).hour < 3 + hours
        made.append(_stamped(made[-1], _when(row)) if out else row)
    return made


QUIRK_TABLE: dict[str, Quirk] = {
    "local_time": Quirk(
        "Windows, dates and times are those of a zone's wall clock, not UTC.",
        "America/Los_Angeles", _local_time,
    ),
    "no_kVAHNet": Quirk("There is no topic kVAHNet."),
    "no_V": Quirk("There is no topic V."),
    "V_scope": Quirk("V comes under this scope, one value an element.", "Elm", _v_scope),
    "block_demand": Quirk("DemandkW is the mean of the last block that closed on the clock."),
    "sliding_demand": Quirk("DemandkW is the mean of the window that ends at the poll."),
    "absolute_demand": Quirk(
        "DemandkW has no sign.", True, _cells("DemandkW", lambda x, _: x.lstrip("-"))
    ),
    "dPF_sign": Quirk(
        "dPF is negative where current lags, as by IEEE, whatever the direction of power.", True,
        _cells("dPF", lambda x, _: _text(-abs(float(x)))),
    ),
    "interval": Quirk("Rows are this many minutes apart [min].", 5),
    "coarse_register": Quirk(
        "kWHNet shows whole steps of this size [kWh].", 1.0,
        _cells("kWHNet", lambda x, step: _text(float(x) // step * step)),
    ),
    "register_unit": Quirk(
        "kWHNet counts this share of a kilowatt-hour: 0.001 is watt-hours.", 0.001,
        _cells("kWHNet", lambda x, unit: _text(float(x) / unit)),
    ),
    "register_modulus": Quirk(
        "kWHNet begins again at 0 when it reaches this [kWh].", 1000.0,
        _cells("kWHNet", lambda x, modulus: _text(float(x) % modulus)),
    ),
    "blanks": Quirk("Each so manieth reading is an empty text.", 50, _blanks),
    "late_backfill": Quirk(
        "Readings between 06:00 and 12:00 UTC come this many hours late [h].", 96, _late_backfill
    ),
    "repeated_rows": Quirk(
        "An outage from 03:00 UTC, of this many hours each day, repeats the row before it [h].",
        2, _repeated_rows,
    ),
    "small_answers": Quirk("An answer above this is refused with 413 [B].", 2_000_000),
    "tight_limits": Quirk("So many requests a second, and as many at once [1/s].", 2),
}  # fmt: skip

QUIRKS: dict[str, str] = {name: quirk.description for name, quirk in QUIRK_TABLE.items()}
"""Every quirk's name and what it does."""


def chosen(quirks: Iterable[str] | Quirks) -> Quirks:
    """Quirks and their values: the usual one for a quirk that is only named."""
    given = quirks if isinstance(quirks, Mapping) else dict.fromkeys(quirks, True)
    unknown = [name for name in given if name not in QUIRK_TABLE]
    if unknown:
        raise ValueError(
            f"Cannot serve with the quirk {unknown[0]!r}: there is none of that name. "
            f"There are: {', '.join(QUIRK_TABLE)}."
        )
    return {
        name: QUIRK_TABLE[name].value if value is True else value
        for name, value in given.items()
        if value is not False
    }


class Quirky:
    """A source whose meters or service have quirks.

    Parameters
    ----------
    source : Source
        The source behind it.
    quirks : mapping
        Quirks and their values, see :data:`QUIRKS`.
    now : callable
        The present, for what comes late and for a source that is ``live``.
    """

    def __init__(self, source: Source, quirks: Quirks, now: Now) -> None:
        self._source, self._quirks, self._now = _rebuilt(source, quirks), quirks, now

    def meters(self) -> list[str]:
        """Names of the meters."""
        return self._source.meters()

    def topics(self) -> list[dict[str, str]]:
        """The topics that are there."""
        return [t for t in self._source.topics() if f"no_{t['requestKey']}" not in self._quirks]

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a window, after the quirks; what is not yet, is not there."""
        now = self._now()
        stop = end + _AROUND
        if getattr(self._source, "live", False):
            stop = min(stop, now + timedelta.resolution)
        _, rows = self._source.rows(meter, start - _AROUND, stop, topics)
        for name, value in self._quirks.items():
            change = QUIRK_TABLE[name].change
            rows = rows if change is None else change(rows, value, now)
        return select(rows, start, end, topics)


def _rebuilt(source: Source, quirks: Quirks) -> Source:
    """The plant with other meters, where a quirk is the meters' own."""
    changes = {"interval": quirks["interval"]} if "interval" in quirks else {}
    for window in ("block", "sliding"):
        if f"{window}_demand" in quirks:
            changes["demand_window"] = window
    if not changes:
        return source
    if not isinstance(source, Plant):
        raise ValueError(  # noqa: TRY004 - as every quirk that cannot be had
            f"Cannot give a {type(source).__name__} another {' and '.join(changes)}: only the "
            "meters of a Plant can be changed."
        )
    made = copy.copy(source)
    made.layout = {name: replace(meter, **changes) for name, meter in source.layout.items()}
    return made
