"""Readings and tables of verbs are written as CSV and Excel, and readings are read back.

The header of readings names each column's unit (``DemandkW/Elm/A [kW]``); time is UTC,
with the local time and the UTC offset where a zone is known; reading gives the identical frame.
The tables of verbs are written as they are. No cell that dentframe writes is computed by a
spreadsheet: all are escaped here.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, RangeError, import_extra
from dentframe.frame.quantify import magnitudes
from dentframe.frame.select import METER, TIME
from dentframe.times.dates_and_ranges import Zone, is_utc, zone
from dentframe.times.periods import verb_zone
from dentframe.wire import columns as _columns

_FORMULA = re.compile(
    r"'*(?:[\s\x00-\x20\u200b\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
)
"""What a spreadsheet may compute, blanks and apostrophes before it included."""


def offsets(local: pd.DatetimeIndex, utc: pd.DatetimeIndex) -> list[str]:
    """The UTC offset of each local time, as text."""
    seconds = np.asarray((local - utc) // pd.Timedelta(seconds=1), dtype=np.int64)
    distinct, which = np.unique(seconds, return_inverse=True)
    # UTC-08:00: a letter comes first, since a spreadsheet computes -08:00.
    zones = (dt.timezone(dt.timedelta(seconds=int(s))) for s in distinct)
    texts = np.array([f"{x}" if x != dt.UTC else "UTC+00:00" for x in zones], dtype=object)
    return list(texts[which]) if len(texts) else []


def iso(times: pd.DatetimeIndex) -> pd.Index:
    """Naive times as ISO 8601 text, to the second where that is exact."""
    instants = times.as_unit("us").to_numpy()
    whole = not np.any(instants.astype("int64") % 1_000_000)
    return pd.Index(np.datetime_as_string(instants, unit="s" if whole else "us"))


def escaped(text: str) -> str:
    r"""Text for a cell of a CSV file that no spreadsheet computes, and that is one row.

    Parameters
    ----------
    text : str
        Of a user, of the data, or our own.

    Returns
    -------
    str
        With an apostrophe before it where it begins like a formula, blanks and apostrophes
        before that included; any other text as it is. `plain` takes it back.

    Examples
    --------
    >>> escaped("=1+1"), escaped("\n=1"), escaped("'t Hooft"), escaped("'=1")
    ("'=1+1", "'\n=1", "'t Hooft", "''=1")
    """
    if "\r" in text:  # csv.writer leaves a lone one unquoted, and it begins a row
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _FORMULA.match(text) else text


def plain(text: str) -> str:
    """Text as it was before `escaped`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def excel_cell(sheet: Any, value: Any) -> Any:
    """A cell that holds a text or a number as it is, empty for NaN and for an empty text.

    openpyxl alone takes ``=1`` for a formula, and writes 16 digits of a float's 17. A spreadsheet
    that is asked to edit such a text keeps it a text as well.
    """
    if isinstance(value, float):
        value = float(value)
        value = repr(value) if math.isinf(value) else value
    if isinstance(value, str):
        if not _FORMULA.match(value) and not value.startswith("#"):
            return value or None
        kind = "s"
    elif isinstance(value, float):
        if math.isnan(value):
            return None
        if value and float(f"{value:.16g}") == value:
            return value
        value, kind = repr(value), "n"
    else:
        return value
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type, cell.quotePrefix = kind, kind == "s"
    return cell


def _float(cell: Any) -> float:
    """The number of a cell, NaN where it is empty."""
    if cell is None or cell == "":
        return float("nan")
    if isinstance(cell, bool) or "_" in str(cell):
        raise ValueError(f"{cell!r} is no number")
    return float(cell)


EXCEL_TIME = "time_utc"
LOCAL = "local_time"
OFFSET = "utc_offset"
EXCEL_ROWS, EXCEL_COLUMNS = 1_048_576, 16_384
_TIME_WIDTH = 21
"""What a time takes; a narrower column shows ``###``."""


def to_csv(frame: pd.DataFrame, path: Any, *, tz: Zone = None) -> None:
    """Write readings, or the table of any verb, as CSV.

    Of readings, the wire columns are written. Any other table (``energy(detail=True)``, peaks,
    a long frame) is written whole: its named index, then its columns; times with their UTC
    offset, several flags in one cell: ``edge_interpolated;reset``.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), indexed by time or (meter, time); or what
        a verb returned.
    path : str, path or file object
        Where to write, as UTF-8; a file object is a text one.
    tz : str or tzinfo, optional
        The zone of the columns ``local_time`` and ``utc_offset``; None is the index's own
        zone, and UTC has no such columns. Of another table, the zone of its times.

    Raises
    ------
    RangeError
        Where the time index of readings is naive.
    ConfigError
        For a `path` that ends as a workbook does.

    Examples
    --------
    >>> df.dent.select(topic="kWHNet").dent.to_csv("december.csv", tz=LA)
    >>> pd.read_csv("december.csv").columns[:3].tolist()
    ['time', 'local_time', 'utc_offset']
    """
    _check_ending(path, ".xlsx .xls", "Use to_excel, or an ending such as .csv.")
    columns = {escaped(name): _csv_cells(values) for name, values in _columns_of(frame, tz)}
    pd.DataFrame(columns).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _csv_cells(values: Any) -> Any:
    if isinstance(values, pd.DatetimeIndex):
        return iso(values.tz_localize(None)) + ("" if values.tz is None else "Z")
    if isinstance(values, np.ndarray):
        return values
    return [escaped(x) if isinstance(x, str) else x for x in map(_cell, values)]


def read_csv(path: Any) -> pd.DataFrame:
    """Read a file that `to_csv` wrote.

    Parameters
    ----------
    path : str, path or file object
        The file.

    Returns
    -------
    pandas.DataFrame
        The wire frame, shape (readings, columns): float64, bit-identical, indexed by time
        (UTC, microseconds) or (meter, time). A label keeps its unit only where the bare
        name means another.

    Raises
    ------
    ConfigError
        Where the file has no column ``time``, or a cell that is no number.
    """
    try:
        # As text: the precision of pandas' own number parser differs between its versions.
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as error:
        raise ConfigError(f"Cannot read {path!r} as a CSV file of readings: {error}.") from None
    found = {plain(str(name)): raw[name].tolist() for name in raw.columns}
    if METER in found:
        found[METER] = [plain(x) for x in found[METER]]
    return _frame_of(found, path)


def to_excel(frame: pd.DataFrame, path: Any, *, tz: Zone = None) -> None:
    """Write readings, or the table of any verb, as an Excel workbook.

    Excel has no time zones: ``time_utc`` and ``local_time`` are naive, and ``utc_offset`` is
    text that tells them apart. Times are kept to the millisecond, values exactly. A table that
    is no readings is written whole, as by `to_csv`; its times are local ones, and the headers
    name their zone.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), indexed by time or (meter, time); or what
        a verb returned.
    path : str, path or file object
        Where to write; a file object is a binary one.
    tz : str or tzinfo, optional
        As for `to_csv`.

    Raises
    ------
    MissingExtraError
        Where openpyxl is not installed.
    RangeError
        Where the time index is naive, or the frame is larger than a sheet.
    ConfigError
        For a `path` that ends as another format does.

    Examples
    --------
    >>> df.dent.select(topic="kWHNet").dent.to_excel("december.xlsx", tz=LA)
    """
    _check_ending(path, ".csv .txt .xls", "Use to_csv, or the ending .xlsx.")
    openpyxl = import_extra("openpyxl", "write an Excel workbook", "excel")
    book = openpyxl.Workbook(write_only=True)
    readings = bool(_columns.wire_columns(frame.columns))
    sheet = book.create_sheet("readings" if readings else "table")
    table = dict(_excel_column(name, values) for name, values in _columns_of(frame, tz))
    if len(frame) >= EXCEL_ROWS or len(table) > EXCEL_COLUMNS:
        raise RangeError(
            f"Cannot write {len(frame)} rows x {len(table)} columns as one Excel sheet: it holds "
            f"{EXCEL_ROWS} rows, header included, and {EXCEL_COLUMNS} columns. "
            "Select less, or use to_csv."
        )
    sheet.freeze_panes = "B2"
    for i, name in enumerate(table, 1):
        time = name in {EXCEL_TIME, LOCAL} or name.endswith(")")  # a table's: "start (UTC)"
        wide = max(_TIME_WIDTH * time, len(name) + 3)
        sheet.column_dimensions[openpyxl.utils.get_column_letter(i)].width = wide
    for row in (table, *zip(*table.values(), strict=True)):
        sheet.append([excel_cell(sheet, value) for value in row])
    book.save(path)


def _check_ending(path: Any, refused: str, instead: str) -> None:
    """Refuse a name by which another program would take the file for what it is not."""
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    if name.lower().endswith(tuple(refused.split())):
        raise ConfigError(f"Cannot write {name!r}: its ending is another format's. {instead}")


def _excel_column(name: str, values: Any) -> tuple[str, Iterable[Any]]:
    """A header and the cells below it; times become naive ones, and the header tells their zone."""
    if isinstance(values, pd.DatetimeIndex):
        return EXCEL_TIME if name == TIME else name, values.tz_localize(None).to_pydatetime()
    if isinstance(values, np.ndarray):
        return name, values.tolist()
    if isinstance(getattr(values, "dtype", None), pd.DatetimeTZDtype):
        naive = values.dt.tz_localize(None)
        cells = [None if pd.isna(x) else x.to_pydatetime() for x in naive]
        return f"{name} ({values.dtype.tz})", cells
    return name, map(_cell, values)


def _columns_of(frame: pd.DataFrame, tz: Zone) -> Iterator[tuple[str, Any]]:
    """The columns of a file: arrays of readings after their times, or a whole table as Series."""
    labels = _columns.wire_columns(frame.columns)
    if not labels:
        yield from _whole(frame, tz)
        return
    index = frame.index
    if METER in index.names:
        yield METER, [str(m) for m in index.get_level_values(METER)]
        index = index.get_level_values(-1)
    times = pd.DatetimeIndex(index)
    local_zone, utc = verb_zone(times.tz, tz), times.tz_convert("UTC")
    yield TIME, utc
    if not is_utc(local_zone):
        local = times.tz_convert(local_zone).tz_localize(None)
        yield LOCAL, local
        yield OFFSET, offsets(local, utc.tz_localize(None))
    for label in labels:
        unit, wire = _columns.unit_text(frame, label), _columns.parse(label).wire
        yield wire if unit is None else f"{wire} [{unit}]", magnitudes(frame[label])


def _whole(frame: pd.DataFrame, tz: Zone) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The named levels of the index, then the columns, times in a zone where one is given."""
    names = enumerate(frame.index.names)
    levels = [(x, frame.index.get_level_values(i)) for i, x in names if x is not None]
    for label, values in [*levels, *frame.items()]:
        name = "/".join(map(str, label)) if isinstance(label, tuple) else str(label)
        series = pd.Series(values).reset_index(drop=True)
        if isinstance(series.dtype, pd.DatetimeTZDtype) and tz is not None:
            series = series.dt.tz_convert(zone(tz))
        yield name, pd.Series(magnitudes(series)) if hasattr(series.dtype, "units") else series


def _cell(value: Any) -> Any:
    """A cell of a table: numbers as they are, times with their offset, flags in one text."""
    if isinstance(value, tuple | list):
        return ";".join(map(str, value))
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | np.number) else str(value)


def read_excel(path: Any) -> pd.DataFrame:
    """Read the first sheet of a workbook that `to_excel` wrote.

    Parameters
    ----------
    path : str, path or file object
        The workbook.

    Returns
    -------
    pandas.DataFrame
        As from `read_csv`.

    Raises
    ------
    ConfigError
        Where the sheet has no column ``time_utc``, or a cell that is no number.
    """
    openpyxl = import_extra("openpyxl", "read an Excel workbook", "excel")
    with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = [str(h) for h in next(rows, ()) if h is not None]
        full = (row for row in rows if any(cell is not None for cell in row))
        # A sheet leaves out what is empty at the end of a row.
        padded = ((*row, *[None] * len(header))[: len(header)] for row in full)
        found = list(zip(*padded, strict=True))
    return _frame_of(dict(zip(header, found or [()] * len(header), strict=True)), path)


def _frame_of(table: dict[str, Any], path: Any) -> pd.DataFrame:
    time = next((name for name in (TIME, EXCEL_TIME) if name in table), None)
    if time is None:
        raise ConfigError(
            f"Cannot read {path!r} as readings: it has no column {TIME!r} or {EXCEL_TIME!r}, only "
            f"{', '.join(list(table)[:6]) or 'nothing'}. Use a file that dentframe wrote."
        )
    try:
        cells = pd.Series(list(table[time]), dtype=object)
        times = pd.to_datetime(cells, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"Cannot read the times of {path!r}: {error}. They are UTC, e.g. 2023-12-01T08:02:00Z."
        ) from None
    index: pd.Index = pd.DatetimeIndex(times, name=TIME).as_unit("us")
    if METER in table:
        names = [str(m) for m in table[METER]]
        index = pd.MultiIndex.from_arrays([names, index], names=[METER, TIME])
    values = {}
    for header in (x for x in table if x not in {time, METER, LOCAL, OFFSET}):
        column = _columns.parse(header)
        label = _columns.label_in(pd.DataFrame(), column, column.unit)
        try:
            values[label] = np.array([_float(cell) for cell in table[header]], dtype=np.float64)
        except ValueError as error:
            raise ConfigError(
                f"Cannot read column {header!r} of {path!r}: {error}. "
                "Leave the cell of a missing reading empty."
            ) from None
    return pd.DataFrame(values, index=index)
