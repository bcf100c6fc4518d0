"""A column name is taken apart here: ``"A/Ch/A1"`` becomes a `Column`, and back.

A name the grammar does not know is kept readable as it is: ``V/Ph/L1-L2``, ``kVARHNet/Elm/A``
and ``Foo`` all parse, and print as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

ELEMENT = "Elm"
CHANNEL = "Ch"
_LABEL = re.compile(r"^(?P<name>.*?)(?: \[(?P<unit>[^\[\]]*)\])?$", re.DOTALL)
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

    @property
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

    @property
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
    match = _LABEL.match(label)
    name, unit = (match["name"], match["unit"]) if match else (label, None)
    parts = name.split("/", 2)
    if len(parts) != 3 or not all(parts):
        return Column(name, unit=unit)
    return Column(parts[0], parts[1], parts[2], unit)


def is_wire(label: object) -> bool:
    """Whether a label has the wire's three parts, ``topic/scope/id``."""
    return isinstance(label, str) and parse(label).scope != ""


def wire_columns(labels: Iterable[object]) -> list[str]:
    """The labels that are wire names, in their order."""
    return [x for x in labels if isinstance(x, str) and is_wire(x)]


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
