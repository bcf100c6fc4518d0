"""Numbers, dates and money become texts here: in plain English, or as a locale writes them."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any

import pandas as pd

from dentframe.errors import ConfigError, import_extra

LETTER = {"USD", "CAD", "MXN"}
"""The currencies of countries where Letter is the paper; A4 is it elsewhere."""


class Formats:
    """How a paper without a locale writes: ``1,234.50``, ``30 November 2023``, ``12.30 USD``."""

    point = "."

    def number(self, value: Decimal | None) -> str:
        """With thousands separated, and every decimal that it has."""
        return "" if value is None else f"{value:,f}"

    def money(self, value: Decimal, currency: str) -> str:
        """An amount with its currency."""
        return f"{self.number(value)} {currency}".strip()

    def percent(self, value: Decimal) -> str:
        """A number of per cent: ``99.5 %``."""
        return f"{self.number(value)} %"

    def change(self, percent: Decimal) -> str:
        """A change in whole per cent, with its sign."""
        sign = "+" if percent > 0 else "-" if percent < 0 else ""
        return f"{sign}{self.percent(abs(percent))}"

    def day(self, at: dt.date) -> str:
        """A date in full: ``30 November 2023``."""
        return f"{at.day} {self.month(at)}"

    def short(self, at: dt.date) -> str:
        """A date without its year: ``30 Nov``."""
        return f"{at.day} {pd.Timestamp(at).month_name()[:3]}"

    def month(self, at: dt.date) -> str:
        """A calendar month: ``November 2023``."""
        return f"{pd.Timestamp(at).month_name()} {at.year}"

    def clock(self, at: pd.Timestamp) -> str:
        """The time of day to the minute: ``18:05``."""
        return f"{at:%H:%M}"

    def time(self, at: pd.Timestamp, tz: Any) -> str:
        """A local time to the minute: ``30 November 2023, 18:05``."""
        local = at.tz_convert(tz)
        return f"{self.day(local)}, {self.clock(local)}"

    def moment(self, at: pd.Timestamp, tz: Any) -> str:
        """A local time to the minute, with its zone, as an audit sheet has it."""
        return f"{at.tz_convert(tz):%Y-%m-%d %H:%M %Z}"

    def between(self, first: dt.date, last: dt.date) -> str:
        """Two dates and all between them."""
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{self.day(last)}"
        return f"{self.day(first).removesuffix(f' {last.year}')} – {self.day(last)}"

    def dates(self, start: pd.Timestamp, end: pd.Timestamp, tz: str) -> str:
        """A period in whole inclusive dates and its days; a time only where it is no midnight.

        Examples
        --------
        >>> november = pd.Timestamp("2023-11-01", tz="UTC"), pd.Timestamp("2023-12-01", tz="UTC")
        >>> Formats().dates(*november, "UTC")
        '1–30 November 2023, 30 days'
        """
        length = days(start, end, tz)
        many = f"{self.number(length)} day{'s' * (length != 1)}"
        first, last = (x.tz_convert(tz).tz_localize(None) for x in (start, end))
        if (first, last) != (first.normalize(), last.normalize()):
            return f"{self.time(start, tz)} to {self.time(end, tz)}, {many}"
        last -= pd.Timedelta(days=1)
        return f"{self.day(first) if first == last else self.between(first, last)}, {many}"

    def period(self, start: pd.Timestamp, end: pd.Timestamp, tz: str) -> str:
        """What a period is called: its calendar month, else its dates.

        Examples
        --------
        >>> november = pd.Timestamp("2023-11-01", tz="UTC"), pd.Timestamp("2023-12-01", tz="UTC")
        >>> Formats().period(*november, "UTC")
        'November 2023'
        """
        first, last = (x.tz_convert(tz).tz_localize(None) for x in (start, end))
        month = first.normalize().replace(day=1)
        whole = (first, last) == (month, month + pd.DateOffset(months=1))
        return self.month(first) if whole else self.dates(start, end, tz)


class LocaleFormats(Formats):
    """How a locale writes, by Babel.

    Parameters
    ----------
    locale : str
        E.g. ``"de-DE"``.

    Raises
    ------
    MissingExtraError
        Where Babel is not installed.
    ConfigError
        For a locale that Babel does not know.
    """

    def __init__(self, locale: str) -> None:
        what = f"write numbers and dates as locale {locale!r} has them"
        needed = ("babel", "babel.dates", "babel.numbers")
        babel, self._dates, self._numbers = (import_extra(x, what, "report") for x in needed)
        try:
            self._locale = babel.Locale.parse(locale.replace("-", "_"))
        except (babel.UnknownLocaleError, ValueError):
            raise ConfigError(
                f"Cannot {what}: Babel does not know it. Give a language and a territory in field "
                "'locale' of the site file, e.g. 'en-US' or 'de-DE'."
            ) from None
        self.point = self._numbers.get_decimal_symbol(self._locale)
        self._whole = self._locale.decimal_formats[None].pattern.split(".")[0]

    def number(self, value: Decimal | None) -> str:
        """With every decimal that it has."""
        if value is None:
            return ""
        places = decimals(value)
        pattern = f"{self._whole}.{'0' * places}" if places else self._whole
        return self._written("decimal", value, format=pattern)

    def money(self, value: Decimal, currency: str) -> str:
        """An amount with its currency."""
        if not currency:
            return self.number(value)
        fine = decimals(value) > self._numbers.get_currency_precision(currency)
        return self._written("currency", value, currency, decimal_quantization=not fine)

    def percent(self, value: Decimal) -> str:
        """A number of per cent."""
        return self._written("percent", value / 100, decimal_quantization=False)

    def _written(self, kind: str, value: Decimal, *args: str, **how: Any) -> str:
        """A number as Babel writes its kind, with every digit of an exact share."""
        write = getattr(self._numbers, f"format_{kind}")
        # More digits than such a share has: Babel writes no more than its context has.
        with localcontext(prec=100):
            return _narrow(write(value, *args, locale=self._locale, **how))

    def day(self, at: dt.date) -> str:
        """A date in full."""
        return str(self._dates.format_date(at, "long", locale=self._locale))

    def short(self, at: dt.date) -> str:
        """A date without its year."""
        return str(self._dates.format_skeleton("MMMd", at, locale=self._locale))

    def month(self, at: dt.date) -> str:
        """A calendar month."""
        return str(self._dates.format_skeleton("yMMMM", at, locale=self._locale))

    def clock(self, at: pd.Timestamp) -> str:
        """The time of day to the minute."""
        return _narrow(self._dates.format_time(at, "short", locale=self._locale))

    def moment(self, at: pd.Timestamp, tz: Any) -> str:
        """A local time to the minute, with its zone."""
        local = at.tz_convert(tz)
        day = self._dates.format_date(local, "medium", locale=self._locale)
        return _narrow(f"{day}, {self.clock(local)} {local:%Z}")

    def between(self, first: dt.date, last: dt.date) -> str:
        """Two dates and all between them."""
        return _narrow(self._dates.format_interval(first, last, "yMMMd", locale=self._locale))


def _narrow(text: str) -> str:
    """With the common no-break space: the fonts of every PDF reader lack the narrow ones."""
    return text.replace("\u202f", "\u00a0").replace("\u2009", "\u00a0")


@lru_cache
def formats(locale: str) -> Formats:
    """How a paper writes: as its locale does, or in plain English without one."""
    return LocaleFormats(locale) if locale else Formats()


def days(start: pd.Timestamp, end: pd.Timestamp, tz: str) -> Decimal:
    """The local days of a period; a part of a day counts as such."""
    first, last = (x.tz_convert(tz).tz_localize(None) for x in (start, end))
    length = Decimal((last - first) // pd.Timedelta(seconds=1)) / 86400
    return length.quantize(Decimal("0.01"), ROUND_HALF_UP).normalize() + 0


def decimals(value: Any) -> int:
    """How many decimals a number has; none if it is no Decimal."""
    return max(-int(value.as_tuple().exponent), 0) if isinstance(value, Decimal) else 0


def aligned(f: Formats, rows: list[dict[str, str]], *names: str) -> list[dict[str, str]]:
    """Rows whose numbers get what each lacks of the longest decimals in its column."""
    for name in names:
        have = [len(row[name].partition(f.point)[2]) for row in rows]
        most = max(have, default=0)
        for row, n in zip(rows, have, strict=True):
            tail = f.point * (n == 0 and most > 0) + "0" * (most - n)
            row[f"{name}_tail"] = tail if row[name] else ""
    return rows
