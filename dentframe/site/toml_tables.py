"""TOML files of sites, bills and rules are read and written here.

Errors name file, table, field and value. Texts that no paper, sheet or file name can hold are
refused as they are read, and not when a split is saved.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import tomli_w

from dentframe.errors import ConfigError, RangeError, did_you_mean
from dentframe.times.dates_and_ranges import instant

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Data = TypeVar("Data", bound="DataclassInstance")
Moment: TypeAlias = dt.date | dt.datetime
"""A local date (its midnight), a wall time, or an instant with its offset."""
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters, line ends, halves of a pair, and what is no character at all."""
_LONGEST, _DIGITS = 200, 15
"""Letters of a text; digits before the point of a number."""
_READ = {
    "str": "text", "bool": "flag", "tuple[str, ...]": "names", "Decimal": "decimal",
    "float": "positive", "int": "whole", "Moment": "moment", "dt.date": "date",
    "tuple[float, ...]": "numbers", "Mapping[str, Any]": "plain",
    "Mapping[str, Decimal]": "decimals", "Any": "given",
}  # fmt: skip
"""Types of fields, and the method of a `Table` that reads them."""


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
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"Cannot read {str(path)!r}: it is no UTF-8 ({error}).") from None
    except (OSError, TypeError, ValueError) as error:  # no path, or characters that none has
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"Cannot read {str(path)!r}: {why}. Check the path.") from None
    return parse(text, repr(str(path)))


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
    tz : tzinfo or None
        The zone of its times: one that the zone does not have is refused.
    """

    data: Mapping[str, Any] = field(repr=False)
    file: str
    where: str = ""
    tz: dt.tzinfo | None = None

    def error(self, name: str, why: str) -> ConfigError:
        """An error about a field: file, table, field, value and what to do."""
        at = f"table [{self.where}], " if self.where else ""
        value = f" = {_shown(self.data[name])}" if name in self.data else ""
        return ConfigError(f"Cannot use {self.file}: {at}field {_cut(repr(name))}{value}: {why}")

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

    def text(self, name: str, *, one_of: Sequence[str] = ()) -> str:
        """A text that is not blank, and one of a few where they are given."""
        value = self.given(name, "a text in quotes")
        if not isinstance(value, str) or not value.strip():
            raise self.error(name, "it must be a text that is not blank.")
        self.check_text(name, value)
        if one_of and value not in one_of:
            near = did_you_mean(value, one_of).removeprefix(": ")
            it = f"{near} It" if near else "it"
            raise self.error(name, f"{it} must be one of {', '.join(one_of)}.")
        return value

    def check_text(self, name: str, value: str) -> None:
        """Refuse a text that papers and sheets cannot hold."""
        found = UNPRINTABLE.search(value)
        if found:
            raise self.error(
                name, f"it has the character {found[0]!a}, which cannot be printed. Remove it."
            )
        if len(value) > _LONGEST:
            raise self.error(name, f"it has {len(value)} letters, at most {_LONGEST} fit a paper.")

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.data[name]
        if isinstance(value, bool):
            return value
        raise self.error(name, "it must be true or false.")

    def decimal(self, name: str, *, least: Any = None) -> Decimal:
        """A finite number, exact; `least` is the lowest it may be."""
        value = self.given(name, "a number")
        if isinstance(value, Fraction):
            value = Context(2 * _DIGITS).divide(*map(Decimal, value.as_integer_ratio()))
        is_one = isinstance(value, Real | str | Decimal) and not isinstance(value, bool)
        try:
            number = Decimal(str(value).strip() if is_one else "NaN")
        except (InvalidOperation, ValueError):  # Python writes no integer of 5,000 digits
            number = Decimal("NaN")
        if not number.is_finite():
            raise self.error(name, "it must be a number, e.g. 120.50 (or the same in quotes).")
        if number.adjusted() >= _DIGITS or len(number.as_tuple().digits) > 2 * _DIGITS:
            raise self.error(name, f"it must be below 10^{_DIGITS}, with fewer digits.")
        if number and number.adjusted() < -2 * _DIGITS:
            raise self.error(name, f"it must have its first digit within {2 * _DIGITS} decimals.")
        if least is not None and number < least:
            raise self.error(name, f"it must be at least {least}.")
        return number

    def money(self, name: str) -> Decimal:
        """An amount of money: a float is none."""
        if isinstance(self.data.get(name), float):
            raise self.error(name, "a float is no exact amount; use a Decimal or a text.")
        return self.decimal(name)

    def positive(self, name: str) -> float:
        """A number above 0 as a float."""
        number = self.decimal(name)
        if number <= 0:
            raise self.error(name, "it must be above 0.")
        return float(number)

    def whole(self, name: str, *, least: int = 0) -> int:
        """A whole number."""
        number = self.decimal(name, least=least)
        if number != int(number):
            raise self.error(name, "it must be a whole number.")
        return int(number)

    def date(self, name: str) -> dt.date:
        """A date without a time."""
        self.given(name, "a date, e.g. 2024-01-05")
        with suppress(ConfigError):
            found = self.moment(name)
            if not isinstance(found, dt.datetime):
                return found
        raise self.error(name, "it must be a date without a time, e.g. 2024-01-05.")

    def date_or_days(self, name: str) -> dt.date | int:
        """A date without a time, or how many days from 0 to 366."""
        value = self.data.get(name)
        if not isinstance(value, int):
            return self.date(name)
        if isinstance(value, bool) or not 0 <= value <= 366:
            raise self.error(name, "it must be a date, or days from 0 to 366.")
        return value

    def moment(self, name: str) -> Moment:
        """A date, a wall time or an instant."""
        value = self.given(name, "a date, e.g. 2023-12-01")
        text = value.isoformat() if isinstance(value, dt.date) else value
        text = text.strip() if isinstance(text, str) else ""
        kind: type[Moment] = dt.date if len(text) <= len("2023-12-01") else dt.datetime
        try:
            found = kind.fromisoformat(text)
            if self.tz is not None:
                instant(found, self.tz, name)
        except RangeError as error:
            raise self.error(name, str(error)) from None
        except ValueError:
            why = "it must be a date like 2023-12-15 (its local midnight), or a time like"
            raise self.error(name, f"{why} 2023-12-15T12:30:00.") from None
        return found

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts, as a tuple; one text is a list of one."""
        value = self.given(name, "a list of texts")
        listed = [value] if isinstance(value, str) else value
        if is_list(listed) and listed and all(isinstance(x, str) and x.strip() for x in listed):
            for text in listed:
                self.check_text(name, text)
            return tuple(listed)
        raise self.error(name, 'it must be a list of texts, e.g. ["P482311252_A"].')

    def numbers(self, name: str, *, what: str) -> tuple[float, ...]:
        """A list of numbers above 0 as floats; `what` says in errors what they are."""
        value: Any = self.data.get(name)
        with suppress(ConfigError):
            if is_list(value):
                return tuple(replace(self, data={name: x}).positive(name) for x in value)
        raise self.error(name, f"it must be a list of {what}.")

    def plain(self, name: str) -> dict[str, Any]:
        """A table within as plain data, for others to read."""
        return dict(self.table(name).data)

    def decimals(self, name: str, *, least: Any = None) -> dict[str, Decimal]:
        """A table within of numbers, each as `decimal` reads it."""
        inside: Table = self.table(name)
        return {k: inside.decimal(k, least=least) for k in inside.data}

    def table(self, name: str) -> Any:
        """A `Table` within, or None."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.error(name, f"it must be a table, [{self._inside(name)}].")
        return replace(self, data=value, where=self._inside(name))

    def tables(self, name: str) -> list[Table]:
        """An array of tables within."""
        value = self.data.get(name, ())
        if not is_list(value) or not all(isinstance(x, Mapping) for x in value):
            raise self.error(name, f"it must be an array of tables, [[{self._inside(name)}]].")
        inside = self._inside(name)
        return [replace(self, data=x, where=f"{inside} #{i}") for i, x in enumerate(value, 1)]

    def one(self, name: str, *, of: type[Data]) -> Data:
        """A table within, as a record; what is one already stays it."""
        value = self.given(name, "a table")
        if isinstance(value, of):
            return value
        inside: Table = self.table(name)
        return inside.record(of)

    def every(self, name: str, *, of: type[Data]) -> tuple[Data, ...]:
        """An array of tables within, as records; what are records already stay it."""
        value: Any = self.data.get(name)
        if is_list(value) and all(isinstance(x, of) for x in value):
            return tuple(value)
        return tuple(x.record(of) for x in self.tables(name))

    def fields_of(self, cls: type[Any]) -> dict[str, Any]:
        """The fields of a record by their names in a file; others are refused."""
        own = (f for f in fields(cls) if f.init and f.name != "file")
        found = {f.metadata.get("key", f.name): f for f in own}
        self.only(*found)
        return found

    def record(self, cls: type[Data], **own: Any) -> Data:
        """A frozen record, each field read as its type says; see `values`.

        Raises
        ------
        ConfigError
            Naming file and table; of a field, or what the record itself cannot mean.
        """
        found = self.values(cls, **own)
        try:
            return cls(**found)
        except ConfigError as error:
            if "file" in own:  # the record names it itself
                raise
            said, of_field, why = str(error).partition(": field ")
            told = [f"table [{self.where}]"] if self.where else []
            told.append(f"field {why}" if of_field else said)
            raise ConfigError(f"Cannot use {self.file}: {', '.join(told)}") from None

    def values(self, cls: type[Any], **own: Any) -> dict[str, Any]:
        """What the table has of a record, each field read as its type says.

        Parameters
        ----------
        cls : type
            A dataclass. The metadata of a field may name the method that reads it (``read``),
            that method's keywords, and the field in a file where that is another (``key``), or
            say that its default is written too (``written``); ``file`` is this table's. A field
            that is None is not given.
        own : optional
            Fields that the caller has read.
        """
        for key, f in self.fields_of(cls).items():
            is_needed = _default(f) is MISSING
            if f.name not in own and (is_needed or self.data.get(key) is not None):
                how = {k: v for k, v in f.metadata.items() if k not in {"read", "key", "written"}}
                kind = str(f.type).removesuffix(" | None")
                own[f.name] = getattr(self, f.metadata.get("read") or _READ[kind])(key, **how)
        return own

    def given(self, name: str, what: str = "a value") -> Any:
        """A value as it is; `what` says in errors what to give."""
        value = self.data.get(name)
        if value is None:
            raise self.error(name, f"it is missing; give {what}.")
        return value

    def _inside(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def read_itself(record: Any, what: str, **own: Any) -> Table:
    """Read a frozen record's own fields as those of a file, so that both are checked alike.

    Parameters
    ----------
    record : dataclass
        What is being made.
    what : str
        What it is, for errors.
    own : optional
        Fields that the record has read.

    Returns
    -------
    Table
        The fields that do not have their default, for errors about what they mean together.
    """
    given = {}
    for f in (f for f in fields(record) if f.name not in {*own, "file"}):
        value, default = getattr(record, f.name), _default(f)
        if value is None and default is not MISSING:
            object.__setattr__(record, f.name, default)
        elif type(value) is not type(default) or value != default:
            given[f.metadata.get("key", f.name)] = value
    table = Table(given, what)
    for name, value in table.values(type(record), **own).items():
        object.__setattr__(record, name, value)
    return table


def _default(f: Field[Any]) -> Any:
    """What a field of a record is by default; MISSING where it must be given."""
    return f.default if f.default_factory is MISSING else f.default_factory()


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
    """A value nearly as a file has it, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_written(v)}" for k, v in value.items()) + " }"
    if is_list(value):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool | dt.date):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def is_list(value: Any) -> bool:
    """Whether a value is a list or tuple."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def plain(value: Any, *, texts: bool = False, defaults: bool = False) -> Any:
    """A value as plain data: a frozen record is a table, a tuple is a list.

    Parameters
    ----------
    value : object
        A record, a mapping, a sequence, or what a field has.
    texts : bool
        As JSON can have it: decimals and times are texts. As TOML can have it by default: a whole
        decimal is an integer, and what has no value is left out.
    defaults : bool
        Fields of a record too that have the values which they have by default.
    """
    if is_dataclass(value):
        every = sorted(fields(value), key=lambda f: bool(f.kw_only))  # as a call has them
        own = {f: getattr(value, f.name) for f in every if f.compare}
        value = {
            f.metadata.get("key", f.name): x
            for f, x in own.items()
            if defaults or "written" in f.metadata or x != _default(f)
        }
    again = partial(plain, texts=texts, defaults=defaults)
    if isinstance(value, Mapping):
        return {str(k): again(v) for k, v in value.items() if texts or v is not None}
    if is_list(value):
        return [again(v) for v in value]
    if texts and isinstance(value, Decimal):
        return f"{value:f}"
    if texts and isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal) and value.as_tuple().exponent >= 0:  # type: ignore[operator]
        return int(value)
    return value


def dump(data: Mapping[str, Any]) -> str:
    """Tables as TOML: what has no value is left out, decimals and dates keep their form."""
    return tomli_w.dumps(plain(data))
