"""One cell of a statement as text: numbers, times, shares, and what a spreadsheet may not run."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def safe(text: str) -> str:
    r"""Text that no spreadsheet runs as a formula.

    Parameters
    ----------
    text : str
        Of a user, of the data, or our own.

    Returns
    -------
    str
        With an apostrophe before it where it begins with ``= + - @``, a tab or a line end, or
        with apostrophes and then one of them; any other text as it is. So taking one apostrophe
        from a cell that begins so gives the text back.

    Examples
    --------
    >>> safe("=1+1"), safe("'t Hooft"), safe("'=1")
    ("'=1+1", "'t Hooft", "''=1")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def visible(text: str) -> str:
    """Without control characters, which no page, sheet or PDF can hold."""
    return _INVISIBLE.sub("", text)


def number(value: Decimal | None) -> str:
    """With thousands separated, and every decimal that it has."""
    return "" if value is None else f"{value:,f}"


def moment(at: pd.Timestamp | None, tz: str) -> str:
    """A local time to the minute, with its zone."""
    return "" if at is None else f"{at.tz_convert(tz):%Y-%m-%d %H:%M %Z}"


def percent(coverage: float | None) -> str:
    """A share, rounded down: 100 % is said only where it is."""
    return "" if coverage is None else f"{int(coverage * 10000) / 100:g} %"


def tails(texts: Sequence[str]) -> list[str]:
    """What each number lacks of the longest decimals in its column, to stand below each other.

    Examples
    --------
    >>> tails(["1.5", "0.0825", "12", ""])
    ['000', '', '.0000', '']
    """
    have = [len(t.partition(".")[2]) for t in texts]
    most = max(have, default=0)
    return [
        "." * (n == 0 and most > 0) + "0" * (most - n) if t else ""
        for t, n in zip(texts, have, strict=True)
    ]
