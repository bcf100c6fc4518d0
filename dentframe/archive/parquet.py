"""Readings are written to Parquet files and read back: open columns, guarded by checksums.

The metadata of a file says of each answer what was asked, when, and what came. Between its last
page and its footer, where no Parquet reader looks, stand a checksum of each column of each month
and a hash over these and the footer. They are verified before any byte reaches a Parquet reader:
those readers may crash on damaged bytes, or give other values without a word.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dentframe.archive.file_names_and_metadata import (
    KEY,
    SCHEMA,
    TIME,
    About,
    Topics,
    check_size,
    dump,
    foreign,
    load,
    read_metadata,
    reading_columns,
    unpacked,
)
from dentframe.archive.merge_and_monthly_coverage import Holding
from dentframe.cloud.planner import Window
from dentframe.errors import ConfigError, DentError, import_extra

if TYPE_CHECKING:
    import numpy.typing as npt


_US_PER_MINUTE = 60_000_000
_FEW = 0.4
"""A column of so few different values in its rows is smaller with a dictionary."""
_MAPPED = os.name != "nt"
"""Mapped files are read quicker, but on Windows none can be replaced meanwhile."""
_LEVEL, _QUICK = 6, 1
"""How hard zstd tries: for good, and for answers that wait."""
_MARK = b"dentsums"
_UNPACKED_AT_ONCE = 4 << 20
"""Readings of so many bytes are unpacked at a time: more would be in memory twice [B]."""
_CHECKED_AT_ONCE = 5 << 10
"""For more bytes zlib lets go of Python's lock; to wait until other threads give it back costs
more than the checksum of a month's column [B]."""
_MANY = 16
"""So many columns are worth threads of their own: fewer are read before the threads have begun."""


def pyarrow(what: str = "use an archive") -> Any:
    """The package pyarrow with its Parquet module, or the error that names the extra."""
    import_extra("pyarrow.parquet", what, "archive")
    return import_module("pyarrow")


# --- writing -----------------------------------------------------------------------------


def encode(
    meter: str, year: int, holding: Holding, units: Mapping[str, str], *, quick: bool = False
) -> bytes:
    """A holding as the bytes of a Parquet file, a row group a month."""
    months = holding.minutes.astype("M8[m]").astype("M8[M]").astype(np.int64) % 12 + 1
    found, first, counts = np.unique(months, return_index=True, return_counts=True)
    about = {
        "schema": SCHEMA,
        "meter": meter,
        "year": year,
        "months": found.tolist(),
        "units": dict(units),
        **dump(holding.records),
    }
    groups = list(zip(first.tolist(), counts.tolist(), strict=True))
    return _write(holding, about, groups, _QUICK if quick else _LEVEL)


def encode_columns(columns: Sequence[str], topics: Sequence[Mapping[str, str]] | None) -> bytes:
    """A file without rows that has these columns, and what getTopics said."""
    nothing = Holding((), tuple(columns), np.empty(0, np.int64), np.empty((0, len(columns))))
    return _write(nothing, {"schema": SCHEMA, "topics": topics}, [], _LEVEL)


def _write(
    holding: Holding, about: Mapping[str, Any], groups: Sequence[tuple[int, int]], level: int
) -> bytes:
    import msgspec

    pa = pyarrow("write an archive")
    time = pa.array(holding.minutes * _US_PER_MINUTE, pa.timestamp("us", tz="UTC"))
    cells = [pa.array(holding.values[:, i], from_pandas=True) for i in range(len(holding.columns))]
    table = pa.table([time, *cells], names=[TIME, *holding.columns])
    table = table.replace_schema_metadata({KEY: msgspec.json.encode(about)})
    # A month's worth of rows tells which columns a dictionary makes smaller.
    middle = len(holding.minutes) // 2
    sample = holding.values[middle : middle + 3000]
    few = _FEW * len(sample)
    coded = [c for i, c in enumerate(holding.columns) if len(np.unique(sample[:, i])) < few]
    sink = pa.BufferOutputStream()
    with pa.parquet.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=coded,
        column_encoding={TIME: "DELTA_BINARY_PACKED"},  # even spacing: next to nothing
        write_statistics=[TIME],
        write_page_checksum=True,  # for other readers; ours are those of `_sealed`
    ) as writer:
        for first, count in groups:
            writer.write_table(table.slice(first, count), row_group_size=count)
    return _sealed(pa, sink.getvalue())


# --- checksums ---------------------------------------------------------------------------


def _footer_at(data: memoryview) -> int:
    """Where the footer of a Parquet file begins."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def _sealed(pa: Any, written: Any) -> bytes:
    """A Parquet file with its checksums before its footer."""
    data, metadata = memoryview(written), pa.parquet.read_metadata(pa.BufferReader(written))
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    places = (_place(group, c) for group in groups for c in range(metadata.num_columns))
    sums = np.array([_checksum(data[place]) for place in places], "<u4").tobytes()
    sums += len(sums).to_bytes(4, "little")
    at = _footer_at(data)
    seal = hashlib.sha256(sums + data[at:]).digest()
    return b"".join((data[:at], sums, seal, _MARK, data[at:]))


def _place(group: Any, column: int) -> slice:
    """Where the pages of a column of a row group are."""
    chunk = group.column(column)
    first = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        first = min(first, chunk.dictionary_page_offset)
    return slice(first, first + chunk.total_compressed_size)


def _checksum(data: memoryview) -> int:
    """The CRC-32 of some bytes."""
    found = 0
    for first in range(0, len(data), _CHECKED_AT_ONCE):
        found = zlib.crc32(data[first : first + _CHECKED_AT_ONCE], found)
    return found


def _checksums(path: Path, data: memoryview) -> npt.NDArray[np.uint32] | None:
    """The checksums of the columns of a file whose footer is whole; None where it has none."""
    at = _footer_at(data) if len(data) > 12 else 0
    if at <= 0 or bytes(data[-4:]) != b"PAR1":
        raise torn(path, "it does not end as a Parquet file does")
    if data[max(at - 8, 0) : at].tobytes() != _MARK:
        if f'"schema":{SCHEMA}'.encode() in bytes(data[at:]):
            raise torn(path, "the checksums before its footer are lost")
        return None
    seal, counted = at - 40, at - 44
    size = int.from_bytes(data[max(counted, 0) : seal], "little")
    sums = bytes(data[max(counted - size, 0) : max(seal, 0)])
    if hashlib.sha256(sums + data[at:]).digest() != bytes(data[seal : at - 8]):
        raise torn(path, "the checksum of its footer differs")
    return np.frombuffer(sums[:-4], "<u4")


# --- reading -----------------------------------------------------------------------------


class DamagedError(ConfigError):
    """The bytes of a file are not those that were written."""


def torn(path: Path, reason: object) -> DamagedError:
    """The error for a file that is damaged."""
    said = (str(reason) or type(reason).__name__).splitlines()[0][:200]
    return DamagedError(
        f"Cannot read the archive's file {path}: it is damaged or no Parquet file ({said}). "
        "Put back a copy, or sync again: what is damaged is then asked for again, and the file "
        f"is kept in .dentframe/damaged."
    )


class ArchiveFile:
    """An open file of an archive, of a year or of a waiting answer; a context manager.

    Parameters
    ----------
    path : pathlib.Path
        Where it is.
    meter : str
        The meter that it must be of.
    year : int
        The UTC year that it must be of.

    Attributes
    ----------
    records : tuple of Record
        What it holds.
    months : tuple of int
        The month of each row group.
    units : dict
        Topic to unit, as getTopics said.
    columns : tuple of str
        Its columns of readings.
    sums : numpy.ndarray of uint32, or None
        Its checksums, if it has any: one of each column of each month.

    Raises
    ------
    DamagedError
        Where it is not what was written.
    ConfigError
        Where it was not written by dentframe for this meter and year.
    FileNotFoundError
        Where there is none.
    """

    def __init__(self, path: Path, meter: str, year: int) -> None:
        self.path, self.year = path, year
        self._data, self.sums, self._file = _open(path)
        with _reading(path):
            self.columns = reading_columns(path, self._file.schema_arrow)
            about = read_metadata(path, self._file.metadata.metadata, About)
            if (about.meter, about.year) != (meter, year):
                raise foreign(path, f"it holds {about.year} of meter {about.meter}")
            check_size(path, self._file.metadata, about)
            self.records = load(path, about, self.columns)
        self.months, self.units = about.months, about.units
        wanted = len(self.months) * (1 + len(self.columns))
        if self.sums is not None and len(self.sums) != wanted:
            raise torn(
                path, f"it has {len(self.sums)} checksums, not one of each column of each month"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._data.release()
        self._file.close(force=True)

    def read(
        self, columns: Sequence[str] | None = None, months: Collection[int] | None = None
    ) -> Holding:
        """Its readings, or those of some columns and months.

        Raises
        ------
        DamagedError
            Where some of them are not what was written.
        """
        wanted = self.columns if columns is None else tuple(columns)
        groups = [i for i, month in enumerate(self.months) if months is None or month in months]
        bad = self._differing(groups, wanted)
        if bad:
            named = (f"{self._window(g)}: {', '.join(columns[:3])}" for g, columns in bad.items())
            raise torn(self.path, f"checksums differ, {'; '.join(named)}")
        counts = [self._file.metadata.row_group(g).num_rows for g in groups]
        edges = np.cumsum([0, *counts]).tolist()
        minutes = _room(edges[-1], 1).view(np.int64)[:, 0]
        values = _room(edges[-1], len(wanted))
        some = max(_UNPACKED_AT_ONCE // (8 * (1 + len(wanted)) * max(counts, default=1)), 1)
        for first in range(0, len(groups), some):
            part = groups[first : first + some]
            rows = slice(edges[first], edges[first + len(part)])
            with _reading(self.path):
                self._check_pages(part, wanted)
                table = self._file.read_row_groups(
                    part, columns=[TIME, *wanted], use_threads=len(wanted) > _MANY
                )
            empty = table.column(TIME).null_count
            if empty:
                raise foreign(self.path, f"its column {TIME!r} has {empty} empty cells")
            us = table.column(TIME).to_numpy().view(np.int64)
            np.floor_divide(us, _US_PER_MINUTE, out=minutes[rows])
            for i, name in enumerate(wanted):
                values[rows, i] = table.column(name).to_numpy()
            del us, table  # so that little is in memory twice
            if isinstance(self._data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                self._data.obj.madvise(mmap.MADV_DONTNEED)  # nor the bytes that are unpacked
        self._check_minutes(minutes, groups, edges)
        return Holding(self.records, wanted, minutes, values)

    def damaged(self) -> dict[int, tuple[str, ...]]:
        """The months whose bytes are not those that were written, and their damaged columns."""
        if self.sums is not None:
            every = self._differing(range(len(self.months)), self.columns)
            return {self.months[group]: columns for group, columns in every.items()}
        found: dict[int, tuple[str, ...]] = {}
        for month in self.months:
            try:
                self.read(None, {month})
            except DamagedError:
                found[month] = (TIME,)
        return found

    def _differing(
        self, groups: Iterable[int], columns: Sequence[str]
    ) -> dict[int, tuple[str, ...]]:
        """The columns whose checksums differ, by row group."""
        if self.sums is None:
            return {}
        metadata, names = self._file.metadata, (TIME, *self.columns)
        chosen, found = {TIME, *columns}, dict[int, tuple[str, ...]]()
        at = [i for i, name in enumerate(names) if name in chosen]
        sums = self.sums.reshape(len(self.months), len(names)).tolist()
        for g in groups:
            places, wanted = metadata.row_group(g), sums[g]
            bad = [c for c in at if _checksum(self._data[_place(places, c)]) != wanted[c]]
            if bad:
                found[g] = tuple(names[c] for c in bad)
        return found

    def _check_pages(self, groups: Sequence[int], columns: Collection[str]) -> None:
        """Refuse pages of a file without checksums that unpack to more than its footer says."""
        metadata, chosen = self._file.metadata, {TIME, *columns}
        names = enumerate((TIME, *self.columns) if self.sums is None else ())
        for i, name in ((i, name) for i, name in names if name in chosen):
            for group in groups:
                row_group = metadata.row_group(group)
                said = row_group.column(i).total_uncompressed_size
                size = unpacked(self._data[_place(row_group, i)])
                if size > said:
                    raise torn(self.path, f"{name!r} unpacks to {size} bytes, not {said}")

    def _window(self, group: int) -> Window:
        return Window(self.year, self.months[group])

    def _check_minutes(
        self, minutes: npt.NDArray[np.int64], groups: Sequence[int], edges: Sequence[int]
    ) -> None:
        """Refuse rows that are not sorted, or not of their months."""
        right = bool((minutes[1:] > minutes[:-1]).all())
        each = zip(groups, pairwise(edges), strict=True)
        rows = [(self.months[g], a, b - 1) for g, (a, b) in each if b > a]
        month, first, last = np.array(rows, np.int64).reshape(-1, 3).T
        months = (self.year - 1970) * 12 + month - 1
        shown = minutes[np.stack((first, last))].astype("M8[m]").astype("M8[M]").astype(np.int64)
        if not (right and (shown == months).all()):
            raise foreign(self.path, f"its column {TIME!r} is not sorted, or leaves its months")


def _room(rows: int, width: int) -> npt.NDArray[np.float64]:
    """An array, column-major, of Arrow's memory: what one file gave back the next one has again."""
    memory = pyarrow().allocate_buffer(8 * rows * width)
    return np.frombuffer(memory, np.float64).reshape((rows, width), order="F")


def open_columns(path: Path) -> tuple[tuple[str, ...] | None, list[dict[str, str]] | None]:
    """The columns that the file without rows shows, and what getTopics said, if they are kept."""
    try:
        _, _, file = _open(path)
    except FileNotFoundError:
        return None, None
    with _reading(path):
        columns = reading_columns(path, file.schema_arrow)
        return columns, read_metadata(path, file.metadata.metadata, Topics).topics


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns of a file, by its footer; none where it cannot be read."""
    with contextlib.suppress(ConfigError, FileNotFoundError), _reading(path):
        return reading_columns(path, _open(path)[2].schema_arrow)
    return ()


def _open(path: Path) -> tuple[memoryview, npt.NDArray[np.uint32] | None, Any]:
    """The bytes of a file, its checksums, and the Parquet reader of them."""
    pa = pyarrow("read an archive")
    with _reading(path):
        with path.open("rb", buffering=0) as opened:
            fd = opened.fileno()
            mapped = _MAPPED and os.fstat(fd).st_size
            buffer = mmap.mmap(fd, 0, access=mmap.ACCESS_READ) if mapped else opened.read()
        data = memoryview(buffer)
        return data, _checksums(path, data), pa.parquet.ParquetFile(pa.BufferReader(buffer))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file where a Parquet reader does not understand it."""
    try:
        yield
    except (FileNotFoundError, DentError):
        raise
    except (OSError, ValueError, ArithmeticError, MemoryError, pyarrow().ArrowException) as error:
        raise torn(path, error) from None
