"""A column's name is taken apart here, ``"A/Ch/A1"`` into a `Column`, its unit and numbers read.

A name the grammar does not know is kept readable as it is: ``V/Ph/L1-L2``, ``kVARHNet/Elm/A``
and ``Foo`` all parse, and print as they came. Units are pint's, by its application registry. They
go through a whitelist, because pint reads ``PF`` as petafarad; kVAh and kvarh get dimensions of
their own, so that kWh + kVAh raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from numbers import Number
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import DecodeError, ReadingWarning, UnitError, warn
from dentframe.wire.topics import TOPICS

ELEMENT = "Elm"
CHANNEL = "Ch"
_LABEL = re.compile(r"^(.*?)(?: \[([^\[\]]*)\])?$", re.DOTALL)
_CHANNEL_ID = re.compile(r"^(?P<element>[A-Za-z]+)(?P<number>\d+)$")
_ELEMENT_ID = re.compile(r"^(?P<meter>.+)_(?P<element>[A-Z]{1,2})$")


@dataclass(frozen=True)
class Column:
    """One column of the wire, taken apart.

    Attributes
    ----------
    topic : str
        The prefix: the topic's request key.
    scope : str
        ``"Elm"`` (a whole element), ``"Ch"`` (one CT channel), any other text the wire
        may use, or ``""`` where the name has no scope.
    id : str
        The element's or channel's name, or whatever stands in its place.
    unit : str or None
        The unit written into the label (``DemandkW/Elm/A [W]``), if any.
    """

    topic: str
    scope: str = ""
    id: str = ""
    unit: str | None = None

    @cached_property
    def element(self) -> str | None:
        """The element's letter, or None where the name does not tell."""
        if self.scope == ELEMENT:
            return self.id
        match = _CHANNEL_ID.match(self.id) if self.scope == CHANNEL else None
        return match["element"] if match else None

    @property
    def channel(self) -> str | None:
        """The channel's name (``"A1"``), or None where the column is no channel."""
        return self.id if self.scope == CHANNEL else None

    @cached_property
    def wire(self) -> str:
        """The name as the wire spells it, without a unit."""
        return "/".join(p for p in (self.topic, self.scope, self.id) if p)

    @property
    def label(self) -> str:
        """The name as a frame's label, with its unit where it carries one."""
        return self.wire if self.unit is None else f"{self.wire} [{self.unit}]"

    def __str__(self) -> str:
        return self.label


@lru_cache(maxsize=4096)
def parse(label: str) -> Column:
    """Take a column's label apart; never fails.

    Examples
    --------
    >>> parse("A/Ch/A1")
    Column(topic='A', scope='Ch', id='A1', unit=None)
    >>> parse("Foo").topic
    'Foo'
    """
    name, unit = next(_LABEL.finditer(label)).groups()
    parts = name.split("/", 2)
    if len(parts) != 3 or not all(parts):
        return Column(name, unit=unit)
    return Column(parts[0], parts[1], parts[2], unit)


def topic_of(column: str) -> str:
    """The topic of a column on the wire: what stands before its first slash."""
    return column.partition("/")[0]


def is_wire(label: object) -> TypeGuard[str]:
    """Whether a label has the wire's three parts, ``topic/scope/id``."""
    return isinstance(label, str) and parse(label).scope != ""


def wire_columns(labels: Iterable[object]) -> list[str]:
    """The labels that are wire names, in their order."""
    return [x for x in labels if isinstance(x, str) and parse(x).scope != ""]


def element_ids(labels: Iterable[object]) -> set[str]:
    """The ids of the elements that have a column."""
    return {x.id for x in map(parse, wire_columns(labels)) if x.scope == ELEMENT}


def sort_key(column: Column, topics: Sequence[str] = ()) -> tuple[object, ...]:
    """Order by topic as asked, then scope, element and channel number."""
    asked = topics.index(column.topic) if column.topic in topics else len(topics)
    match = _CHANNEL_ID.match(column.id) if column.scope == CHANNEL else None
    number = int(match["number"]) if match else 0
    where = column.element or column.id
    rest = "" if column.topic in topics else column.topic
    return asked, rest, column.scope, len(where), where, number, column.id


def ordered(labels: Iterable[str], topics: Sequence[str] = ()) -> list[str]:
    """Labels in the order topic asked, scope, element, channel."""
    return sorted(labels, key=lambda label: sort_key(parse(label), topics))


def split_element(name: str) -> tuple[str, str | None]:
    """Split ``"P482311252_A"`` into meter and element; a plain meter has None.

    Examples
    --------
    >>> split_element("P482311252_A")
    ('P482311252', 'A')
    """
    match = _ELEMENT_ID.match(name)
    return (match["meter"], match["element"]) if match else (name, None)


def full_name(meter: str | None, element: str) -> str:
    """How an element is addressed: ``"P482311252_A"``, or ``"A"`` where nothing names its meter."""
    return element if meter is None else f"{meter}_{element}"


ATTRS = "dentcloud"

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "kilowatt_hour": ("kWh",),
    "watt_hour": ("Wh",),
    "megawatt_hour": ("MWh",),
    "kilovolt_ampere_hour": ("kVAh",),
    "kilovolt_ampere_reactive_hour": ("kvarh", "kVARh", "kVARH"),
    "kilowatt": ("kW",),
    "watt": ("W",),
    "megawatt": ("MW",),
    "kilovolt_ampere": ("kVA",),
    "volt_ampere": ("VA",),
    "kilovolt_ampere_reactive": ("kvar", "kVAR"),
    "ampere": ("A",),
    "volt": ("V",),
    "hertz": ("Hz",),
    "dimensionless": ("dPF", "aPF", "PF", "", "1"),
}
"""What the wire calls each unit of pint; the first is its symbol."""
WIRE_UNITS = {text: unit for unit, texts in _SPELLINGS.items() for text in texts}
_SYMBOLS = {unit: texts[0] for unit, texts in _SPELLINGS.items()} | {"dimensionless": "1"}

_DEFINITIONS = {
    "volt_ampere_hour": "volt_ampere_hour = [apparent_energy] = VAh",
    "volt_ampere_reactive": "volt_ampere_reactive = volt * ampere = var",
    "volt_ampere_reactive_hour": "volt_ampere_reactive_hour = [reactive_energy] = varh",
}


def registry() -> Any:
    """The application's pint registry, with what metering needs and pint lacks.

    Only missing units are defined, and nothing is replaced: the registry belongs to the user.
    """
    import pint

    ureg: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]
    for name, definition in _DEFINITIONS.items():
        if name not in ureg:
            ureg.define(definition)
    return ureg


def define_units() -> None:
    """Define VAh, var and varh, with their prefixes, in pint's application registry.

    Only what it lacks: call it as often as you like. For files whose ``units`` are ``kvarh``
    or ``kvar``, before `.pint.quantify()`; nothing is defined by an import.

    Examples
    --------
    >>> import pint
    >>> define_units()
    >>> str(pint.get_application_registry().Unit("kvarh"))
    'kilovolt_ampere_reactive_hour'
    """
    registry()


def parse_unit(text: str) -> Any:
    """The pint unit of a wire unit or of a unit's usual name.

    Raises
    ------
    UnitError
        Where neither the wire's list nor pint knows the text.
    """
    ureg = registry()
    try:
        return ureg.Unit(WIRE_UNITS.get(text, text))
    except Exception as error:  # noqa: BLE001 - pint raises a dozen kinds for bad text
        raise UnitError(
            f"Cannot read {text!r} as a unit: {type(error).__name__}. "
            f"Use a unit of the wire ({', '.join(u for u in WIRE_UNITS if u)}) or one pint knows."
        ) from None


def symbol(unit: Any) -> str:
    """The short name of a pint unit: the wire's where it has one (``kWh``), else pint's."""
    return _SYMBOLS.get(name_of(unit)) or f"{unit:~D}"


def name_of(unit: Any) -> str:
    """The long name of a pint unit, whatever the application's default format is."""
    return f"{unit:D}"


def same_unit(one: Any, other: Any) -> bool:
    """Whether two units (pint's, or text) are the same one; kVA is not the same as kW."""
    try:
        names = [name_of(parse_unit(u) if isinstance(u, str) else u) for u in (one, other)]
    except UnitError:
        return bool(one == other)
    return names[0] == names[1]


def attrs_units(frame: pd.DataFrame) -> Mapping[str, str]:
    """What getTopics said, by topic, where the frame still carries it."""
    info = frame.attrs.get(ATTRS)
    units = info.get("units") if isinstance(info, Mapping) else None
    return units if isinstance(units, Mapping) else {}


def unit_of(frame: pd.DataFrame, label: str) -> Any:
    """The pint unit of one column: its dtype, its label, the attrs, the catalogue.

    Raises
    ------
    UnitError
        Where none of the four knows it.
    """
    unit = _dtype_unit(frame, label)
    if unit is not None:
        return unit
    text = unit_text(frame, label)
    if text is None:
        raise UnitError(
            f"Cannot tell the unit of column {label!r}: its topic "
            f"{parse(label).topic!r} is not in the catalogue. "
            f"Write the unit into the label, as in {label + ' [kW]'!r}."
        )
    return parse_unit(text)


def unit_text(frame: pd.DataFrame, label: str) -> str | None:
    """The unit of one column as text, or None where nothing tells it."""
    column = parse(label)
    bare = default_text(frame, column.topic)
    unit = _dtype_unit(frame, label)
    if unit is not None:
        return bare if bare is not None and same_unit(bare, unit) else symbol(unit)
    return bare if column.unit is None else column.unit


def _dtype_unit(frame: pd.DataFrame, label: str) -> Any:
    return getattr(getattr(frame[label], "dtype", None), "units", None)


def default_text(frame: pd.DataFrame, topic: str) -> str | None:
    """The unit that a topic's bare name means: what getTopics said, else the catalogue's."""
    from_service = attrs_units(frame).get(topic)
    if from_service is not None:
        return str(from_service)
    known = TOPICS.get(topic)
    return known.unit if known else None


def label_in(frame: pd.DataFrame, column: Column, unit: Any) -> str:
    """A column's label in `unit` (text, pint's or None), which it names only where it must."""
    bare = default_text(frame, column.topic)
    if unit is None or (bare is not None and same_unit(bare, unit)):
        return column.wire
    return replace(column, unit=unit if isinstance(unit, str) else symbol(unit)).label


def units(frame: pd.DataFrame) -> dict[str, Any]:
    """The pint unit of every wire-named column.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any frame with wire-named columns, shape (readings, columns).

    Returns
    -------
    dict
        Column label to `pint.Unit`.

    Raises
    ------
    UnitError
        Where nothing says which unit a column has.

    Warns
    -----
    ReadingWarning
        For a unit that neither pint nor the wire's list knows, such as ``%THD``: its columns
        are left out.
    """
    labels = wire_columns(frame.columns)
    strange: dict[str, str] = {}
    for label in labels:
        text = unit_text(frame, label)
        try:
            parse_unit(text or "")
        except UnitError:
            strange[label] = str(text)
    if strange:
        named = dict.fromkeys(f"{parse(x).topic} in {t!r}" for x, t in strange.items())
        warn(
            f"Units: {', '.join(named)}: a unit that neither dentframe nor pint knows. Its "
            f"{len(strange)} column(s) stay plain numbers; the others have their units.",
            ReadingWarning,
        )
    return {label: unit_of(frame, label) for label in labels if label not in strange}


def component(unit: Any) -> str:
    """Active, apparent or reactive: pint takes W, VA and var for one and the same."""
    name = name_of(unit)
    if "reactive" in name:
        return "reactive power"
    return "apparent power" if "volt" in name and "ampere" in name else "active power"


def plain_numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """A column as plain floats, in the unit that it is in; what is blank is NaN.

    Raises
    ------
    DecodeError
        Where it holds something else than numbers.
    """
    quantity = getattr(column.array, "quantity", None)
    data: pd.Series[Any] = column if quantity is None else pd.Series(quantity.m)
    if data.dtype == object:
        numeric = all(isinstance(x, Number) and not isinstance(x, bool) for x in data[data.notna()])
    else:
        is_bool = pd.api.types.is_bool_dtype(data.dtype)
        numeric = pd.api.types.is_numeric_dtype(data.dtype) and not is_bool
    if not numeric:
        raise DecodeError(
            f"Cannot read column {column.name!r} as numbers: it is {data.dtype}. Readings are "
            'floats with NaN for what is missing: use pd.to_numeric(..., errors="coerce") and look '
            "at what it drops."
        )
    return data.to_numpy(dtype=np.float64, na_value=np.nan)


def numbers(frame: pd.DataFrame, position: int, column: Column) -> npt.NDArray[np.float64]:
    """One column as `plain_numbers`, in its topic's catalogue unit where it has one."""
    values = plain_numbers(frame.iloc[:, position])
    if column.topic not in TOPICS:
        return values
    label, unit = str(frame.columns[position]), TOPICS[column.topic].unit
    text = unit_text(frame, label)
    if text == unit:
        return values
    found, wanted = unit_of(frame, label), parse_unit(unit)
    same_kind = component(found) == component(wanted)
    if not found.is_compatible_with(wanted) or not same_kind:
        raise UnitError(
            f"Cannot use column {label!r} in {text}: its topic is measured in {unit}. "
            "Correct the unit in its label, dtype or attrs."
        )
    factor = float(registry().convert(1.0, found, wanted))
    return values if factor == 1.0 else values * factor
