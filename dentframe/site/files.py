"""TOML files of sites, bills and rules are read and written here.

Errors name file, table, field and value. Texts that no paper, sheet or file name can hold are
refused as they are read, and not when a split is saved.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeAlias

from dentframe.errors import ConfigError, RangeError, did_you_mean
from dentframe.times.ranges import instant

Moment: TypeAlias = dt.date | dt.datetime
"""A local date (its midnight), a wall time, or an instant with its offset."""
_REQUIRED: Any = object()
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters, line ends, halves of a pair, and what is no character at all."""
_LONGEST, _DIGITS = 200, 15
"""Letters of a text; digits before the point of a number."""


def load(path: Any) -> dict[str, Any]:
    """The tables of a TOML file, its decimals exact.

    Parameters
    ----------
    path : str or path
        The file, as UTF-8.

    Raises
    ------
    ConfigError
        Where there is no such file, or it is no TOML.
    """
    try:
        return parse(Path(path).read_text(encoding="utf-8"), repr(str(path)))
    except OSError as error:
        raise ConfigError(
            f"Cannot read {str(path)!r}: {error.strerror or error}. Check the path."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"Cannot read {str(path)!r}: it is no UTF-8 ({error}).") from None
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"Cannot read {str(path)!r}: {error}. Check the path.") from None


def parse(text: str, what: str) -> dict[str, Any]:
    """The tables of a TOML text; `what` names it in errors.

    Raises
    ------
    ConfigError
        Where it is no TOML, or nests or counts beyond what is meant.
    """
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        why = "its lists or tables are nested too deep"
    except ValueError as error:  # an integer of 5,000 digits is none of TOMLDecodeError's
        why = str(error)
    except ArithmeticError as error:
        why = f"a number in it is out of any range ({error})"
    raise ConfigError(
        f"Cannot read {what} as TOML: {why}. Dates are written 2023-12-01, text in double quotes, "
        "tables in [brackets]."
    )


@dataclass(frozen=True)
class Table:
    """One table of a file, read field by field.

    Attributes
    ----------
    data : mapping
        Its fields.
    file : str
        The file's name, for errors.
    where : str
        The table's own name, ``""`` for the top.
    """

    data: Mapping[str, Any] = field(repr=False)
    file: str
    where: str = ""

    def error(self, name: str, why: str) -> ConfigError:
        """An error about a field: file, table, field, value and what to do."""
        at = f"table [{self.where}], " if self.where else ""
        told = f" = {_shown(self.data[name])}" if name in self.data else ""
        return ConfigError(f"Cannot use {self.file}: {at}field {_cut(repr(name))}{told}: {why}")

    def other(self, wanted: str, looks: str, by: str) -> ConfigError:
        """An error about a file that is another kind of file: two were swapped."""
        return ConfigError(
            f"Cannot use {self.file} as {wanted}: this looks like {looks}, it has {by!r}. Were the "
            "two files swapped? The bill comes first, then the site."
        )

    def only(self, *known: str) -> None:
        """Refuse fields that are not known: a typo must not change a bill in silence."""
        for name in self.data:
            if name not in known:
                near = did_you_mean(str(name)[:_LONGEST], known) or "."
                raise self.error(str(name), f"no such field{near} It has {', '.join(known)}.")

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        """A text that is not blank."""
        value = self._get(name, default, "a text in quotes")
        if value is default:
            return value
        if not isinstance(value, str) or not value.strip():
            raise self.error(name, "it must be a text that is not blank.")
        self.check_text(name, value)
        return value

    def check_text(self, name: str, value: str) -> None:
        """Refuse a text that papers and sheets cannot hold."""
        odd = UNPRINTABLE.search(value)
        if odd:
            raise self.error(
                name, f"it has the character {odd[0]!a}, which cannot be printed. Remove it."
            )
        if len(value) > _LONGEST:
            raise self.error(name, f"it has {len(value)} letters, at most {_LONGEST} fit a paper.")

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.data.get(name, default)
        if isinstance(value, bool):
            return value
        raise self.error(name, "it must be true or false.")

    def decimal(self, name: str, default: Any = _REQUIRED, *, least: Any = None) -> Any:
        """A finite number, exact; `least` is the lowest it may be."""
        value = self._get(name, default, "a number")
        if value is default:
            return value
        number = exact(value)
        if number is None:
            raise self.error(name, "it must be a number, e.g. 120.50 (or the same in quotes).")
        if number.adjusted() >= _DIGITS or len(number.as_tuple().digits) > 2 * _DIGITS:
            raise self.error(name, f"it must be below 10^{_DIGITS}, with fewer digits.")
        if number and number.adjusted() < -2 * _DIGITS:
            raise self.error(name, f"it must have its first digit within {2 * _DIGITS} decimals.")
        if least is not None and number < least:
            raise self.error(name, f"it must be at least {least}.")
        return number

    def positive(self, name: str, default: Any = _REQUIRED) -> Any:
        """A number above 0."""
        number = self.decimal(name, default)
        if number is not default and number <= 0:
            raise self.error(name, "it must be above 0.")
        return number

    def positive_float(self, name: str) -> float | None:
        """A number above 0 as a float, None where it is not given."""
        number = self.positive(name, None)
        return None if number is None else float(number)

    def moment(self, name: str, tz: dt.tzinfo | None, default: Any = _REQUIRED) -> Any:
        """A date, a wall time or an instant; one that `tz` does not have is refused."""
        value = self._get(name, default, "a date, e.g. 2023-12-01")
        if value is default:
            return value
        try:
            found = moment(value)
            if tz is not None:
                instant(found, tz, name)
        except RangeError as error:
            raise self.error(name, str(error)) from None
        return found

    def names(self, name: str, default: Any = _REQUIRED) -> Any:
        """A list of texts, as a tuple; one text is a list of one."""
        value = self._get(name, default, "a list of texts")
        if value is default:
            return value
        listed = [value] if isinstance(value, str) else value
        if is_list(listed) and listed and all(isinstance(x, str) and x.strip() for x in listed):
            for text in listed:
                self.check_text(name, text)
            return tuple(listed)
        raise self.error(name, 'it must be a list of texts, e.g. ["P482311252_A"].')

    def table(self, name: str) -> Table | None:
        """A table within, or None."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.error(name, f"it must be a table, [{self._inside(name)}].")
        return Table(value, self.file, self._inside(name))

    def tables(self, name: str) -> list[Table]:
        """An array of tables within."""
        value = self.data.get(name, ())
        if not is_list(value) or not all(isinstance(x, Mapping) for x in value):
            raise self.error(name, f"it must be an array of tables, [[{self._inside(name)}]].")
        inside = self._inside(name)
        return [Table(x, self.file, f"{inside} #{i}") for i, x in enumerate(value, 1)]

    def _get(self, name: str, default: Any, what: str) -> Any:
        value = self.data.get(name, default)
        if value is _REQUIRED or (value is None and default is not None):
            raise self.error(name, f"it is missing; give {what}.")
        return value

    def _inside(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def _shown(value: Any) -> str:
    """A value as a file has it, where it is not too long for a message."""
    try:
        text = _written(value)
    except (RecursionError, ValueError):
        return "(a value too large to show)"
    return ascii(_cut(text))[1:-1] if UNPRINTABLE.search(text) else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _written(value: Any) -> str:
    """A value as a file has it; what no file can have as Python writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(k))} = {_written(v)}" for k, v in value.items()) + " }"
    if is_list(value):
        return f"[{', '.join(map(_written, value))}]"
    return _value(value) if isinstance(value, bool | dt.date | Decimal) else repr(value)


def is_list(value: Any) -> bool:
    """Whether a value is a list or tuple."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def exact(value: Any) -> Decimal | None:
    """A finite number as the decimal it shows; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):  # Python writes no integer of 5,000 digits
        return None
    return number if number.is_finite() else None


def moment(value: Any) -> Moment:
    """A date or time as the file or the caller has it, its text taken apart.

    Raises
    ------
    RangeError
        Where it cannot be read.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            day_only = len(text) == len("2023-12-01")
            return dt.date.fromisoformat(text) if day_only else dt.datetime.fromisoformat(text)
        except ValueError:
            value = text
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(value.isoformat())
    if isinstance(value, dt.date):
        return value
    raise RangeError(
        f"Cannot read {value!r} as a time. Use a date like 2023-12-15 (its local midnight), or "
        "a time like 2023-12-15T12:30:00."
    )


def stated(record: Any) -> dict[str, Any]:
    """The fields of a frozen record that have other values than by default, as a file has them."""
    found = {f.name: (getattr(record, f.name), f.default) for f in fields(record)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, (value, default) in found.items()
        if value != default and value is not None
    }


def without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    """Tables without the fields that have no value, as a file has them."""
    return {k: _pruned(v) for k, v in data.items() if v is not None}


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_none(value)
    return [_pruned(x) for x in value] if is_list(value) else value


# --- writing -----------------------------------------------------------------------------


def dump(data: Mapping[str, Any]) -> str:
    """Tables as TOML: what has no value is left out, decimals and dates keep their form."""
    return "\n".join(_table(without_none(data), ())).strip("\n") + "\n"


def _table(data: Mapping[str, Any], where: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(k)} = {_value(v)}" for k, v in data.items() if not _nests(v)]
    for k, v in data.items():
        inside = (*where, k)
        name = ".".join(map(_key, inside))
        if isinstance(v, Mapping):
            lines += ["", f"[{name}]", *_table(v, inside)]
        elif _nests(v):
            lines += [x for part in v for x in ("", f"[[{name}]]", *_table(part, inside))]
    return lines


def _nests(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return is_list(value) and bool(value) and all(isinstance(x, Mapping) for x in value)


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    if is_list(value):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _number(value: Decimal) -> str:
    """A decimal in plain digits, so that it comes back with the places it has."""
    return f"{value:f}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
