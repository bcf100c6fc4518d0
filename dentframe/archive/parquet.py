"""Holdings as Parquet files, written and read. Open columns, and what we know in the metadata.

What an archive knows of an answer it keeps: its window, topics, age and report. Pure.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dentframe.archive.merge import Holding
from dentframe.cloud.answers import topic_of
from dentframe.cloud.planner import Window
from dentframe.errors import ConfigError, missing_extra
from dentframe.wire.page import Report

if TYPE_CHECKING:
    import numpy.typing as npt


SCHEMA = 1
_REPORTED = frozenset(f.name for f in fields(Report))


@dataclass(frozen=True)
class Record:
    """One answer, without its readings.

    Attributes
    ----------
    window : Window
        The UTC month, day or hour that was asked for.
    topics : tuple of str
        The request keys that were asked for.
    read_at : datetime
        When it was asked, UTC.
    until : float or None
        Until when it need not be asked again, POSIX [s]; None is for ever.
    complete : bool
        Whether it held all that its window can hold.
    columns : tuple of str
        The columns of the answer.
    report : Report
        What decoding met.
    lacks : tuple of int
        Minutes of its window that answers about other topics have and it has not.
    """

    window: Window
    topics: tuple[str, ...]
    read_at: datetime
    until: float | None
    complete: bool
    columns: tuple[str, ...]
    report: Report
    lacks: tuple[int, ...] = ()

    @property
    def name(self) -> tuple[datetime, Window, tuple[str, ...]]:
        """What tells answers apart, and their order: the later read one is right."""
        return self.read_at, self.window, self.topics

    @property
    def unasked(self) -> frozenset[str]:
        """Topics of columns that came without being asked for."""
        return _unasked(self.columns, self.topics)

    def fresh(self, now: datetime) -> bool:
        """Whether it need not be asked again."""
        return self.until is None or now.timestamp() < self.until


@lru_cache(maxsize=1024)
def _unasked(columns: tuple[str, ...], topics: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(topic_of, columns)) - set(topics)


def dump(records: Iterable[Record]) -> dict[str, Any]:
    """Records as JSON-safe values; columns that records share are written once."""
    sets: dict[tuple[str, ...], int] = {}
    found = [_dump_one(r, sets.setdefault(r.columns, len(sets))) for r in records]
    return {"column_sets": [list(c) for c in sets], "records": found}


def _dump_one(record: Record, columns: int) -> dict[str, Any]:
    empty = asdict(Report.zero())
    met = {k: v for k, v in asdict(record.report).items() if v != empty[k]}
    return {
        "window": str(record.window),
        "topics": list(record.topics),
        "read_at": record.read_at.astimezone(UTC).isoformat(),
        "until": record.until,
        "complete": record.complete,
        "columns": columns,
        "report": met,
        "lacks": list(record.lacks),
    }


def load(data: dict[str, Any]) -> tuple[Record, ...]:
    """Records from what `dump` made."""
    sets = [tuple(map(str, columns)) for columns in data["column_sets"]]
    return tuple(_load_one(found, sets) for found in data["records"])


def _load_one(found: dict[str, Any], sets: Sequence[tuple[str, ...]]) -> Record:
    return Record(
        window=_window(found["window"]),
        topics=tuple(found["topics"]),
        read_at=datetime.fromisoformat(found["read_at"]),
        until=found["until"],
        complete=bool(found["complete"]),
        columns=sets[found["columns"]],
        report=_load_report(found["report"]),
        lacks=tuple(found["lacks"]),
    )


_window = lru_cache(maxsize=4096)(Window.parse)


def _load_report(met: dict[str, Any]) -> Report:
    found = {k: v for k, v in met.items() if k in _REPORTED}
    if "unreadable" in found:
        found["unreadable"] = {c: (n, tuple(s)) for c, (n, s) in found["unreadable"].items()}
    if "bad_date_samples" in found:
        found["bad_date_samples"] = tuple(found["bad_date_samples"])
    return Report(**found)


KEY = b"dentframe"
TIME = "time"
_US_PER_MINUTE = 60_000_000
_FEW = 0.4
"""A column of so few different values in its rows is smaller with a dictionary."""
_MAPPED = os.name != "nt"
"""Mapped files are read quicker, but on Windows none can be replaced meanwhile."""
_LEVEL, _QUICK = 6, 1
"""How hard zstd tries: for good, and for answers that wait."""


def pyarrow(what: str = "use an archive") -> Any:
    """The package pyarrow with its Parquet module, or the error that names the extra."""
    try:
        import pyarrow as pa

        import_module("pyarrow.parquet")
    except ImportError:
        raise missing_extra(what, "archive") from None
    return pa


# --- writing -----------------------------------------------------------------------------


def encode(
    meter: str, year: int, holding: Holding, units: Mapping[str, str], *, quick: bool = False
) -> memoryview:
    """A holding as the bytes of a Parquet file, a row group a month."""
    pa = pyarrow("write an archive")
    groups = _months(holding.minutes, year)
    about = {
        "schema": SCHEMA,
        "meter": meter,
        "year": year,
        "months": [month for month, _ in groups],
        "units": dict(units),
        **dump(holding.records),
    }
    table = _table(pa, holding).replace_schema_metadata({KEY: json.dumps(about)})
    level = _QUICK if quick else _LEVEL
    return _write(pa, table, [rows for _, rows in groups], _coded(holding), level)


def encode_columns(columns: Sequence[str]) -> memoryview:
    """A file without rows that has these columns."""
    pa = pyarrow("write an archive")
    nothing = Holding((), tuple(columns), np.empty(0, np.int64), np.empty((0, len(columns))))
    table = _table(pa, nothing).replace_schema_metadata({KEY: json.dumps({"schema": 1})})
    return _write(pa, table, [], [])


def _table(pa: Any, holding: Holding) -> Any:
    time = pa.array(holding.minutes * _US_PER_MINUTE, pa.timestamp("us", tz="UTC"))
    cells = [pa.array(holding.values[:, i], from_pandas=True) for i in range(len(holding.columns))]
    return pa.table([time, *cells], names=[TIME, *holding.columns])


def _write(
    pa: Any, table: Any, groups: Sequence[slice], coded: Sequence[str], level: int = _LEVEL
) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.parquet.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=list(coded),
        column_encoding={TIME: "DELTA_BINARY_PACKED"},  # even spacing: next to nothing
        write_statistics=[TIME],
    ) as writer:
        for rows in groups:
            part = table.slice(rows.start, rows.stop - rows.start)
            writer.write_table(part, row_group_size=max(len(part), 1))
    return memoryview(sink.getvalue())


def _months(minutes: npt.NDArray[np.int64], year: int) -> list[tuple[int, slice]]:
    edges = [Window(year, m).minutes.start for m in range(1, 13)]
    places = [*np.searchsorted(minutes, edges).tolist(), len(minutes)]
    return [
        (month, slice(first, last))
        for month, (first, last) in enumerate(pairwise(places), 1)
        if last > first
    ]


def _coded(holding: Holding) -> list[str]:
    """The columns that a dictionary makes smaller, as a month's worth of their rows tells."""
    middle = len(holding.minutes) // 2
    sample = holding.values[middle : middle + 3000]
    return [
        name
        for i, name in enumerate(holding.columns)
        if len(np.unique(sample[:, i])) < _FEW * len(sample)
    ]


# --- reading -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Opened:
    """An open file of an archive; a context manager.

    Attributes
    ----------
    path : pathlib.Path
        Where it is.
    records : tuple of Record
        What it holds.
    months : tuple of int
        The month of each row group.
    units : dict
        Topic to unit, as getTopics said.
    threads : bool
        Whether reading may use every core; a worker among others reads on its own.
    """

    path: Path
    records: tuple[Record, ...]
    months: tuple[int, ...]
    units: Mapping[str, str]
    file: Any
    threads: bool = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.file.close(force=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns of readings."""
        return tuple(name for name in self.file.schema_arrow.names if name != TIME)

    def read(
        self, columns: Sequence[str] | None = None, months: Collection[int] | None = None
    ) -> Holding:
        """Its readings, or those of some columns and months."""
        wanted = self.columns if columns is None else tuple(columns)
        groups = [i for i, month in enumerate(self.months) if months is None or month in months]
        try:
            table = self.file.read_row_groups(
                groups, columns=[TIME, *wanted], use_threads=self.threads
            )
        except (OSError, ValueError) as error:
            raise torn(self.path, error) from None
        minutes = _minutes(table.column(TIME))
        values = np.empty((len(minutes), len(wanted)), order="F")
        for i, name in enumerate(wanted):
            _copy(values[:, i], table.column(name))
        return Holding(self.records, wanted, minutes, values)


def _minutes(column: Any) -> npt.NDArray[np.int64]:
    found, first = np.empty(len(column), np.int64), 0
    for chunk in column.cast("int64").chunks:
        out = found[first : first + len(chunk)]
        np.floor_divide(chunk.to_numpy(), _US_PER_MINUTE, out=out)
        first += len(chunk)
    return found


def _copy(out: npt.NDArray[np.float64], column: Any) -> None:
    first = 0
    for chunk in column.chunks:
        out[first : first + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        first += len(chunk)


def open_file(path: Path, meter: str, year: int) -> Opened:
    """Open a file of the archive.

    Raises
    ------
    ConfigError
        Where it is torn, or was not written by dentframe for this meter and year.
    FileNotFoundError
        Where there is none.
    """
    pa = pyarrow("read an archive")
    try:
        file = pa.parquet.ParquetFile(path, memory_map=_MAPPED)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise torn(path, error) from None
    try:
        return _opened(path, file, meter, year)
    except ConfigError:
        file.close(force=True)
        raise


def _opened(path: Path, file: Any, meter: str, year: int) -> Opened:
    text = (file.metadata.metadata or {}).get(KEY)
    if text is None:
        raise foreign(path, "it says nothing of which windows it holds")
    try:
        about = json.loads(text)
        if about["schema"] != SCHEMA:
            raise foreign(path, f"it is of version {about['schema']}, written by a newer dentframe")
        if (about["meter"], about["year"]) != (meter, year):
            raise foreign(path, f"it holds {about['year']} of meter {about['meter']}")
        return Opened(path, load(about), tuple(about["months"]), about["units"], file)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise foreign(path, f"what it says of itself cannot be read ({error!r})") from None


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns that a file without rows shows; none where there is no such file."""
    pa = pyarrow("read an archive")
    try:
        names: Iterable[str] = pa.parquet.read_schema(path).names
    except (OSError, ValueError):
        return ()
    return tuple(name for name in names if name != TIME)


def torn(path: Path, error: Exception) -> ConfigError:
    """The error for a file that is damaged."""
    reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return ConfigError(
        f"Cannot read the archive's file {path}: it is damaged or no Parquet file ({reason}). "
        "Take it out of the archive, or put back a copy, and sync again: what it held is then "
        "asked for again."
    )


def foreign(path: Path, why: str) -> ConfigError:
    """The error for a file that is not the archive's."""
    return ConfigError(
        f"Cannot read the archive's file {path}: {why}. dentframe did not write it for this "
        "place: move it out of the archive."
    )
