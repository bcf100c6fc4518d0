"""What a frequency may be: a start-anchored name, billing months, or a list of edges. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.instants import minutes

Freq: TypeAlias = "str | Monthly | Sequence[Any] | pd.DatetimeIndex | dt.timedelta | None"

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FREQ = re.compile(
    rf"^(?P<n>\d+)?(?P<unit>min|h|D|W-(?:{'|'.join(WEEKDAYS)})"
    rf"|MS|[QY]S(?:-(?:{'|'.join(MONTHS)}))?)$"
)
_START_FORM = {
    "ME": "MS",
    "M": "MS",
    "BM": "MS",
    "BME": "MS",
    "Q": "QS",
    "QE": "QS",
    "A": "YS",
    "Y": "YS",
    "YE": "YS",
    "AS": "YS",
    "W": "W-MON",
    "H": "h",
    "T": "min",
    "d": "D",
    "B": "D",
}


@dataclass(frozen=True)
class Monthly:
    """Billing months that begin on one day of the month.

    Parameters
    ----------
    day : int
        The day each month begins on, at local midnight, 1 to 28.

    Examples
    --------
    >>> main = df.dent.select(element="A")
    >>> main.dent.energy(Monthly(day=18), tz=LA).index.strftime("%Y-%m-%d").tolist()
    ['2023-11-18', '2023-12-18']
    """

    day: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.day, int) or not 1 <= self.day <= 28:
            raise RangeError(
                f"Cannot begin a month on day {self.day!r}: not every month has it. "
                "Use a day from 1 to 28, or give a list of edges."
            )


def parse_freq(freq: Any) -> tuple[int, str]:
    """A start-anchored frequency as (multiple, unit), e.g. ``(15, "min")``.

    Raises
    ------
    RangeError
        For an end-anchored or unknown frequency, naming the start form.
    """
    text = _freq_text(freq)
    match = _FREQ.match(text)
    if match is None or match["n"] in {"0", "00"}:
        raise RangeError(_freq_help(text))
    return int(match["n"] or 1), match["unit"]


def _freq_text(freq: Any) -> str:
    if isinstance(freq, dt.timedelta | np.timedelta64):
        return f"{minutes(freq, 'freq')}min"
    return str(getattr(freq, "freqstr", freq)).strip()


def _freq_help(text: str) -> str:
    found = re.match(r"^(\d*)([A-Za-z]+)", text)
    start_form = _START_FORM.get(found[2]) if found else None
    if start_form is None:
        return (
            f"Cannot use freq={text!r}: it is not known here. Use a start-anchored one "
            "(15min, h, D, W-MON, MS, QS, YS, or a multiple), Monthly(day=...), or a list of edges."
        )
    return (
        f"Cannot use freq={text!r}: periods here are named by their start. "
        f"Use {(found[1] if found else '') + start_form!r}."
    )


def needs_zone(freq: Any) -> bool:
    """Whether a frequency depends on the local clock: all but None and up to 15 minutes."""
    if freq is None:
        return False
    if isinstance(freq, Monthly):
        return True
    if is_edges(freq):
        return any(pd.Timestamp(e).tzinfo is None for e in freq)
    n, unit = parse_freq(freq)
    return not (unit == "min" and n <= 15)


def is_edges(freq: Any) -> bool:
    """Whether a frequency is a list of edges."""
    return isinstance(freq, list | tuple | pd.DatetimeIndex | np.ndarray | pd.Series)
