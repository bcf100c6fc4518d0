"""How a time, a label or a number stands in a cell of a table, and how it is read back. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe import columns as _columns
from dentframe import units as _units
from dentframe.errors import ConfigError

TIME = "time"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
Floats = npt.NDArray[np.float64]


def offsets(local: pd.DatetimeIndex, utc: pd.DatetimeIndex) -> list[str]:
    """The UTC offset of each local time, as text."""
    seconds = np.asarray((local - utc) // pd.Timedelta(seconds=1), dtype=np.int64)
    distinct, which = np.unique(seconds, return_inverse=True)
    texts = np.array([_offset(int(s)) for s in distinct], dtype=object)
    return list(texts[which]) if len(texts) else []


def _offset(seconds: int) -> str:
    """``UTC-08:00``: a letter comes first, since a spreadsheet computes ``-08:00``."""
    return str(dt.timezone(dt.timedelta(seconds=seconds))) if seconds else "UTC+00:00"


def iso(times: pd.DatetimeIndex) -> pd.Index:
    """Naive times as ISO 8601 text, to the second where that is exact."""
    instants = times.as_unit("us").to_numpy()
    whole = not np.any(instants.astype("int64") % 1_000_000)
    return pd.Index(np.datetime_as_string(instants, unit="s" if whole else "us"))


def escaped(text: str) -> str:
    """Text that a spreadsheet takes for text: nothing in it is ever computed."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def plain(text: str) -> str:
    """Text as it was before `escaped`."""
    return text.removeprefix("'")


def excel_column(values: Any) -> Iterable[Any]:
    """Times as Excel's writer takes them; other values as they are."""
    return values.to_pydatetime() if isinstance(values, pd.DatetimeIndex) else values


def excel_number(sheet: Any, value: float) -> Any:
    """A cell that holds the float exactly: openpyxl alone writes 16 digits of 17."""
    if value != value:  # noqa: PLR0124 - NaN is an empty cell
        return None
    if abs(value) == float("inf"):
        return escaped(repr(value))
    if repr(float(f"{value:.16g}")) == repr(value) and value:
        return value
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=repr(value))
    cell.data_type = "n"
    return cell


def utc(cells: Any, path: Any) -> pd.DatetimeIndex:
    """The times of a file.

    Raises
    ------
    ConfigError
        For a text that is no time.
    """
    try:
        times = pd.to_datetime(pd.Series(list(cells), dtype=object), utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"Cannot read the times of {path!r}: {error}. They are UTC, e.g. 2023-12-01T08:02:00Z."
        ) from None
    return pd.DatetimeIndex(times, name=TIME).as_unit("us")


def label(header: str) -> str:
    """A header as the label of a wire frame."""
    column = _columns.parse(plain(header))
    return _units.label_in(pd.DataFrame(), column, column.unit)


def floats(cells: Any, header: str, path: Any) -> Floats:
    """The numbers of a column, NaN where a cell is empty.

    Raises
    ------
    ConfigError
        For a cell that is no number.
    """
    try:
        return np.array([_float(cell) for cell in cells], dtype=np.float64)
    except ValueError as error:
        raise ConfigError(
            f"Cannot read column {header!r} of {path!r}: {error}. "
            "Leave the cell of a missing reading empty."
        ) from None


def _float(cell: Any) -> float:
    if cell is None or cell == "":
        return float("nan")
    if isinstance(cell, bool) or "_" in str(cell):
        raise ValueError(f"{cell!r} is no number")
    return float(plain(cell) if isinstance(cell, str) else cell)
