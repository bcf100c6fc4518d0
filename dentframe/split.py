"""The door that splits a utility's bill: reads, gates, allocates, saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money import outcome as _outcome
from dentframe.money.rules import SplitRules, rules_of
from dentframe.money.statement import Statement
from dentframe.money.stays import span, stays
from dentframe.money.utility_bill import UtilityBill
from dentframe.reader import read_dentcloud
from dentframe.record import save as _save
from dentframe.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from dentframe.cloud.client import DentCloud

TOPICS = ("kWHNet", "DemandkW")


class Statements(Sequence[Statement]):
    """The tenants' statements, by position or by the party's name."""

    def __init__(self, found: Sequence[Statement]) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, key: int | str) -> Statement: ...
    @overload
    def __getitem__(self, key: slice) -> Statements: ...
    def __getitem__(self, key: int | str | slice) -> Statement | Statements:
        if isinstance(key, slice):
            return Statements(self._found[key])
        if isinstance(key, str):
            return self._found[self.parties.index(key)] if key in self.parties else self._no(key)
        return self._found[key]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"Statements of {', '.join(self.parties) or 'nobody'}"

    @property
    def parties(self) -> list[str]:
        """Whose they are."""
        return [s.party for s in self._found]

    def _no(self, party: str) -> Statement:
        raise KeyError(f"no statement of {party!r}; there are {', '.join(self.parties) or 'none'}")


@dataclass(frozen=True)
class Run:
    """A utility's bill, split.

    Attributes
    ----------
    site, bill, rules
        What it was made from.
    frame : pandas.DataFrame
        The readings that were used.
    read_at : pandas.Timestamp or None
        When they were read; None where they were given.
    """

    site: Site
    bill: UtilityBill
    rules: SplitRules
    frame: pd.DataFrame
    read_at: pd.Timestamp | None
    outcome: _outcome.Outcome

    @cached_property
    def charges(self) -> pd.DataFrame:
        """One row a party and line; amounts are Decimal [currency]."""
        return _outcome.charges(self.outcome)

    @cached_property
    def control(self) -> pd.Series[Any]:
        """Utility = tenants + landlord + export + unallocated, as Decimal, to the cent."""
        return _outcome.control(self.outcome)

    @cached_property
    def exceptions(self) -> pd.DataFrame:
        """What must be looked at: ``kind, subject, detail, value, limit, unit, accepted``."""
        return _outcome.exceptions(self.outcome)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Every energy and demand figure that a line rests on."""
        return _outcome.figures(self.outcome)

    @cached_property
    def statements(self) -> Statements:
        """One a tenant, by position or name."""
        return Statements(_outcome.statements(self.outcome, self.read_at))

    @property
    def ok(self) -> bool:
        """Whether every exception is one that the rules accept."""
        return bool(self.exceptions["accepted"].all())

    def save(self, folder: Any) -> Path:
        """Write statements, ``charges.csv``, tables for the owner and the record.

        Parameters
        ----------
        folder : str or path
            A folder that is not there yet, or is empty.

        Returns
        -------
        pathlib.Path
            The record, for `dentframe.record.verify`.

        Raises
        ------
        ConfigError
            Where the folder holds something already.
        """
        return _save(self.outcome, self.frame, self.read_at, folder)

    def __repr__(self) -> str:
        told = ", ".join(f"{k} {v}" for k, v in self.control.items())
        return f"<Run {self.bill.name!r}: {told} {self.site.currency}; {self._told()}>"

    def _told(self) -> str:
        open_ones = int((~self.exceptions["accepted"]).sum())
        return f"{len(self.exceptions)} exceptions, {open_ones} not accepted"


def split(
    bill: UtilityBill,
    site: Site,
    rules: SplitRules | None = None,
    *,
    client: DentCloud | None = None,
    archive: Any = None,
    frame: pd.DataFrame | None = None,
) -> Run:
    """Split a utility's bill among tenants, landlord and export.

    Parameters
    ----------
    bill : UtilityBill
        What the utility charged.
    site : Site
        Who holds what.
    rules : SplitRules, optional
        How each line and part is shared; None takes the site's ``[split]`` table.
    client : DentCloud, optional
        Reads the period with its bracketing readings; by default one per process.
    archive : optional
        As for `read_dentcloud`.
    frame : pandas.DataFrame, optional
        Readings over (meter, time), or over time for one meter, in place of reading them.

    Returns
    -------
    Run
        ``charges``, ``control``, ``exceptions``, ``statements``, ``save(folder)``.

    Raises
    ------
    ConfigError
        For rules that are not stated, or a basis that is not there.
    IncompleteReadError
        Where readings cannot be read.

    Notes
    -----
    A line whose figures have a status that the rules do not accept is ``unallocated`` as a
    whole, and `exceptions` names the figures. Nothing is estimated in silence.
    """
    _check(bill, site)
    how = rules_of(site, rules)
    for line in bill.lines:
        how.of(line)
    read_at = None
    if frame is None:
        read_at = pd.Timestamp.now("UTC").floor("s")
        frame = _read(bill, site, client, archive)
    found = _outcome.settle(frame, site, bill, how)
    return Run(site, bill, how, frame, read_at, found)


def _check(bill: Any, site: Any) -> None:
    for name, value, wanted in (("bill", bill, UtilityBill), ("site", site, Site)):
        if not isinstance(value, wanted):
            raise ConfigError(
                f"Cannot split with {name}={value!r}: it is no {wanted.__name__}. Read one with "
                f"{wanted.__name__}.load('{name}.toml')."
            )


def _read(bill: UtilityBill, site: Site, client: DentCloud | None, archive: Any) -> pd.DataFrame:
    elements = list(dict.fromkeys(s.element for s in stays(site, bill)))
    start, end = span(site, bill)
    return read_dentcloud(
        elements, start, end, list(TOPICS), tz=site.tz, bracket=True, client=client,
        archive=archive, progress=False,
    )  # fmt: skip
