"""Corrections of a site's meters are described here, read from their tables, and checked.

The raw readings stay as they are; `metering.apply_corrections` applies what is stated here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from typing import Any

import pandas as pd

from dentframe.errors import ConfigError, did_you_mean
from dentframe.site.toml_tables import Moment, Table, load, plain, read_itself
from dentframe.times.dates_and_ranges import instant

KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "factor": (("from", "factor"), ("to",)),
    "reading": (("time", "value"), ()),
    "exchange": (("time", "closing", "opening"), ()),
    "figure": (("from", "to", "kwh", "by"), ("kw", "windows")),
}
"""Each kind, the fields that it needs and those that it may have, as a file calls them."""
_COMMON = ("kind", "element", "id", "reason", "on", "by", "replaces")
OPEN_END = pd.Timestamp("2200-01-01", tz="UTC")
"""What stands for an end that is open."""


@dataclass(frozen=True)
class Correction:
    """One correction of what a meter says: a table ``[[corrections]]``.

    Parameters
    ----------
    kind : {"factor", "reading", "exchange", "figure"}
        ``factor``: kWHNet, kVAHNet, DemandkW and A times `factor` from `start` to `end`.
        ``reading``: the register of kWHNet showed `value` at `time`. ``exchange``: the meter was
        exchanged at `time`. ``figure``: energy that was agreed for ``[start, end)``.
    element : str
        Its id, ``"P482311252_B"``.
    id : str
        What the correction is called, unique in its file.
    reason : str
        Why: statements print it.
    on : date
        When it was decided.
    start, end : date or datetime, optional
        ``from`` and ``to`` in a file; an `end` of None is open for a factor.
    time : date or datetime, optional
        When a reading was taken or a meter was exchanged.
    factor : Decimal, optional
        Above 0.
    value, closing, opening : Decimal, optional
        In the scale of the raw register [kWh].
    kwh, kw : Decimal, optional
        The agreed energy [kWh] and, where it was agreed too, peak demand [kW].
    windows : mapping of str to Decimal
        The agreed energy of each time-of-use window [kWh]; they add up to `kwh`.
    by : str
        Who read the meter, or with whom the figure was agreed.
    replaces : str
        The id of the correction whose place it takes.

    Raises
    ------
    ConfigError
        For a field that is missing, is of another kind, or cannot be meant.

    Examples
    --------
    >>> wrong_ct = Correction("factor", "P482311252_B", "ct-b", "CT 200:5, not 100:5",
    ...                       on="2024-01-09", start="2023-12-12", factor=2)
    >>> wrong_ct.factor, wrong_ct.end
    (Decimal('2'), None)
    """

    kind: str = field(metadata={"one_of": tuple(KINDS)})
    element: str
    id: str
    reason: str
    on: dt.date = field(metadata={"read": "moment"})
    start: Moment | None = field(default=None, metadata={"key": "from"})
    end: Moment | None = field(default=None, metadata={"key": "to"})
    time: Moment | None = None
    factor: Decimal | None = None
    value: Decimal | None = None
    closing: Decimal | None = None
    opening: Decimal | None = None
    kwh: Decimal | None = None
    kw: Decimal | None = None
    windows: Mapping[str, Decimal] = field(default_factory=dict)
    by: str = ""
    replaces: str = ""

    def __post_init__(self) -> None:
        table = read_itself(self, str(self))
        needed, allowed = KINDS[self.kind]
        missing = f"it is missing; a correction of kind {self.kind!r} has it."
        for name in (x for x in needed if x not in table.data):
            raise table.error(name, missing)
        for name in sorted(table.data.keys() - {*_COMMON, *needed, *allowed}):
            raise table.error(name, f"it goes not with kind {self.kind!r}.")
        if self.factor is not None and self.factor <= 0:
            raise table.error("factor", "it must be above 0.")
        if self.windows and sum(self.windows.values()) != self.kwh:
            total = sum(self.windows.values())
            raise table.error("windows", f"they add up to {total}, kwh is {self.kwh}.")

    def __str__(self) -> str:
        return f"correction {self.id!r} of {self.element}"

    def span(self, tz: dt.tzinfo | None) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Its first and last instant, UTC; both the same for a reading and an exchange."""
        if self.time is not None:
            at = instant(self.time, tz, f"{self}: time")
            return at, at
        low = instant(self.start, tz, f"{self}: from")
        return low, OPEN_END if self.end is None else instant(self.end, tz, f"{self}: to")

    def resolved(self, tz: dt.tzinfo | None) -> Correction:
        """The same with UTC instants, which needs no zone and replaces nothing any more."""
        low, high = (x.to_pydatetime() for x in self.span(tz))
        if self.time is not None:
            return replace(self, time=low, replaces="")
        return replace(self, start=low, end=None if self.end is None else high, replaces="")

    def touches(self, start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo | None) -> bool:
        """Whether it bears on a period, its two edges included."""
        low, high = self.span(tz)
        return low <= end and high >= start

    def to_dict(self) -> dict[str, Any]:
        """Its table in a file; `from_dict` gives an equal correction."""
        return dict(plain(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, file: str = "corrections") -> Correction:
        """A correction from its table in a file.

        Raises
        ------
        ConfigError
            Naming `file`, table and field.
        """
        return Table(data, file, "corrections").record(cls)


def corrections_of(given: Any) -> tuple[Correction, ...]:
    """Corrections from objects, tables as in a file, or one of either."""
    several = isinstance(given, Iterable) and not isinstance(given, Mapping)
    listed: list[Any] = [*given] if several else [] if given is None else [given]
    if not all(isinstance(x, Correction | Mapping) for x in listed):
        raise ConfigError(
            f"Cannot use corrections={given!r}: they are no corrections. Give a list of "
            "Correction, or of tables with kind, element, id, reason and on."
        )
    return tuple(x if isinstance(x, Correction) else Correction.from_dict(x) for x in listed)


def load_corrections(path: Any) -> tuple[Correction, ...]:
    """The ``[[corrections]]`` of a TOML file, which may be a site's.

    Raises
    ------
    ConfigError
        Where it has none, or one that cannot be meant.
    """
    found = Table(load(path), str(path)).every("corrections", of=Correction)
    if not found:
        raise ConfigError(
            f"Cannot use {str(path)!r}: it has no table [[corrections]]. Give each correction one, "
            "with kind, element, id, reason and on."
        )
    return found


def in_force(
    given: Sequence[Correction], tz: dt.tzinfo | None, elements: Sequence[str] | None = None
) -> list[Correction]:
    """The corrections that no other one replaces, their times as instants.

    Parameters
    ----------
    given : sequence of Correction
        All of them.
    tz : tzinfo or None
        The zone of naive times.
    elements : sequence of str, optional
        The elements that there are.

    Raises
    ------
    ConfigError
        For an unknown element, an id that comes twice, one that replaces nothing, an end before
        its start, or two of a kind that overlap.
    """
    by_id: dict[str, Correction] = {}
    for x in given:
        if elements is not None and x.element not in elements:
            near = did_you_mean(x.element, elements) or f": there are {', '.join(elements)}."
            raise ConfigError(f"Cannot use {x}: there is no such element{near}")
        if by_id.setdefault(x.id, x) is not x:
            raise ConfigError(f"Cannot use {x}: {by_id[x.id]} has the same id.")
        low, high = x.span(tz)
        if x.time is None and not low < high:
            raise ConfigError(f"Cannot use {x}: 'to' = {x.end} is not after 'from' = {x.start}.")
    for x in given:
        old = by_id.get(x.replaces)
        if x.replaces and (old is None or (old.kind, old.element) != (x.kind, x.element)):
            why = "there is none" if old is None else f"that is a {old.kind} of {old.element}"
            raise ConfigError(f"Cannot use {x}: it replaces {x.replaces!r}, and {why}.")
    replaced = {x.replaces for x in given}
    left = [(x, x.span(tz)) for x in given if x.id not in replaced]
    for (a, one), (b, other) in combinations(left, 2):
        overlap = one == other or (one[0] < other[1] and other[0] < one[1])
        if overlap and (a.kind, a.element) == (b.kind, b.element):
            raise ConfigError(
                f"Cannot use {b}: it overlaps {a}, which is a {a.kind} too. Where it takes its "
                f'place, say replaces = "{a.id}"; else change its time.'
            )
    return [x.resolved(tz) for x, _ in left]
