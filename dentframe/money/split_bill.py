"""`split` reads what a utility's bill rests on, and shares the bill."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import PathLike
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import pandas as pd

from dentframe.archive.archive import opened
from dentframe.cards import Card, html_of, text_of
from dentframe.documents import html as _cards
from dentframe.errors import ConfigError, IncompleteReadError, UnknownMeterError
from dentframe.frame.quantify import dequantify
from dentframe.money import rebill_notes as _rebill_notes
from dentframe.money import settlement as _settlement
from dentframe.money.comparison import Billed, measured
from dentframe.money.occupancy import (
    blank,
    check_frame,
    check_present,
    completed,
    dated_parts,
    dates,
    span,
    stays,
)
from dentframe.money.record_reader import billed_before, records_in
from dentframe.money.record_writer import ledger, missing_extras
from dentframe.money.record_writer import save as _save
from dentframe.money.split_rules import SplitRules, rules_of
from dentframe.money.statement import Statement
from dentframe.money.tenant_statements import statements
from dentframe.money.utility_bill import UtilityBill
from dentframe.reader import read_dentcloud
from dentframe.site.site import Site
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from pathlib import Path

    from dentframe.cloud.client import DentCloud
    from dentframe.money.figures import Usage


TOPICS = ("kWHNet", "DemandkW")


class Statements(tuple[Statement, ...]):
    """The tenants' statements, by position or by the party's name."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Statement: ...
    @overload
    def __getitem__(self, key: slice) -> Statements: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Statement | Statements:
        if isinstance(key, slice):
            return Statements(super().__getitem__(key))
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.parties:
            told = ", ".join(self.parties) or "none"
            raise KeyError(f"no statement of {key!r}; there are {told}")
        return super().__getitem__(self.parties.index(key))

    def __repr__(self) -> str:
        return f"Statements of {', '.join(self.parties) or 'nobody'}"

    @property
    def parties(self) -> list[str]:
        """Whose they are."""
        return [s.party for s in self]


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

    Examples
    --------
    >>> run = split(utility, site)
    >>> run.ok, run.statements.parties, run.statements["Bakery"].total
    (True, ['Bakery'], Decimal('972.62'))
    """

    site: Site
    bill: UtilityBill
    rules: SplitRules
    frame: pd.DataFrame
    read_at: pd.Timestamp | None
    outcome: _settlement.Outcome

    @cached_property
    def charges(self) -> pd.DataFrame:
        """One row a party and line; amounts are Decimal [currency]."""
        return _settlement.charges(self.outcome)

    @cached_property
    def control(self) -> pd.Series[Any]:
        """Utility = tenants + landlord + export + unallocated, as Decimal, to the cent.

        ``fees`` comes after them, where the rules have any: it is no part of that sum.
        """
        return _settlement.control(self.outcome)

    @cached_property
    def exceptions(self) -> pd.DataFrame:
        """What must be looked at, and what to do: the fields of `Finding`."""
        return _settlement.exceptions(self.outcome)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Every energy and demand figure that a line rests on."""
        return _settlement.figures(self.outcome)

    @cached_property
    def notes(self) -> pd.DataFrame:
        """Of a re-bill every difference, by party and line; of a first bill no row."""
        return _rebill_notes.notes(self.outcome)

    @cached_property
    def statements(self) -> Statements:
        """One a tenant, by position or name."""
        return Statements(statements(self.outcome, self.read_at))

    @cached_property
    def landlord(self) -> Statement | None:
        """The landlord's own statement: vacant elements, and what the rules lay on the landlord."""
        found = statements(self.outcome, self.read_at, landlord=True)
        return next((x for x in found if x.party == self.site.landlord), None)

    @property
    def ok(self) -> bool:
        """Whether every exception is one that the rules accept."""
        return bool(self.exceptions["accepted"].all())

    def save(self, folder: Any, *, draft: bool = False) -> Path:
        """Write the tenants' papers, ``charges.csv``, tables for the owner and the record.

        While exceptions are open there are no papers, unless as drafts.

        Parameters
        ----------
        folder : str or path
            A folder that is not there yet, or is empty. A split of the same bill and site that
            has open exceptions, or is a draft, is replaced; one with the same result gets the
            papers that it lacks, e.g. after an extra was installed.
        draft : bool
            Write papers that say DRAFT on every page, in their names and in ``charges.csv``.

        Returns
        -------
        pathlib.Path
            The record, for `dentframe.verify`.

        Raises
        ------
        ConfigError
            Where the folder holds something else, or the disk does not take it.
        """
        return _save(self.outcome, self.frame, self.read_at, folder, draft=draft)

    def __repr__(self) -> str:
        return text_of(_card, self)

    def _repr_html_(self) -> str:
        return html_of(_card, self)


def _card(run: Run) -> Card:
    return _cards.split(
        run.bill.name, run.site.currency, run.control, run.exceptions, run.statements
    )


def split(
    bill: UtilityBill,
    site: Site,
    rules: SplitRules | None = None,
    *,
    client: DentCloud | None = None,
    archive: Any = None,
    frame: pd.DataFrame | None = None,
    records: Any = None,
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
        As for `read_dentcloud`; what it holds of the year before is compared with.
    frame : pandas.DataFrame, optional
        Readings over (meter, time), or over time for one meter, in place of reading them.
    records : str, path or sequence of Record, optional
        The folder of earlier records, or these: the statements compare with them, in energy and
        money, and an opening must be the closing that was printed. Only final records of this
        site count, and none that a re-bill has replaced.

    Returns
    -------
    Run
        ``charges``, ``control``, ``exceptions``, ``statements``, ``save(folder)``.

    Raises
    ------
    ConfigError
        For rules that are not stated, or a basis that is not there.
    UnknownMeterError
        For a meter that the account does not have, or an element that its meter does not have.
    IncompleteReadError
        Where readings cannot be read.

    Notes
    -----
    A line whose figures have a status that the rules do not accept is ``unallocated`` as a
    whole, and `exceptions` names the figures. Nothing is estimated in silence.

    Examples
    --------
    >>> run = split(utility, site)
    >>> run.control
    utility        1234.56
    tenants         972.62
    landlord        261.94
    export            0.00
    unallocated       0.00
    Name: amount, dtype: object
    """
    _check(bill, site)
    how = rules_of(site, rules)
    if site.locale:
        missing_extras(site.locale)  # refuses one that cannot be written, before the work
    if site.accounts:
        ledger(site)  # refuses accounts that cannot be posted to before anything is read
    dated_parts(site, bill, how)  # refuses what the lines lack before anything is read
    read_at = None
    if frame is None:
        read_at = pd.Timestamp.now("UTC").floor("s")
        frame = readings_of(bill, site, client, archive)
    else:
        frame = dequantify(frame)
        check_frame(site, _elements(bill, site), frame)
    before: list[Billed] = []
    if records is not None:
        of_folder = isinstance(records, str | PathLike)
        before = billed_before(records_in(records) if of_folder else records, site)
    found = _settlement.settle(frame, site, bill, how, earlier=before)
    if archive is not None:
        found = replace(found, earlier=(*_archived(found.whole, archive), *found.earlier))
    return Run(site, bill, how, frame, read_at, found)


def _archived(use: Usage, archive: Any) -> list[Billed]:
    """The energy of the year before, as far as an archive holds it; nothing is asked."""
    start = span(use.site, use.bill)[0].tz_convert(use.site.zone)
    elements = list(dict.fromkeys(s.element for s in use.stays))
    first = start - pd.DateOffset(years=1)
    try:
        frame = opened(archive).read(elements, first, start, tz=use.site.tz, bracket=True)
    except UnknownMeterError:
        return []
    except IncompleteReadError as error:
        frame = error.partial
    if not len(frame):
        return []
    return measured(replace(use, frame=completed(frame, use.stays, start)))[0]


def _check(bill: Any, site: Any) -> None:
    for name, value, wanted in (("bill", bill, UtilityBill), ("site", site, Site)):
        if not isinstance(value, wanted):
            raise ConfigError(
                f"Cannot split with {name}={value!r}: it is no {wanted.__name__}. Read one with "
                f"{wanted.__name__}.load('{name}.toml')."
            )


def readings_of(
    bill: UtilityBill, site: Site, client: DentCloud | None, archive: Any
) -> pd.DataFrame:
    """The readings that a bill rests on, with their bracketing readings."""
    elements = _elements(bill, site)
    spans = [span(site, bill), *(dates(site, bill, x) for x in bill.lines)]
    start, end = min(s for s, _ in spans), max(e for _, e in spans)
    read = partial(
        read_dentcloud, start=start, end=end, topics=list(TOPICS), tz=site.tz, bracket=True,
        client=client, archive=archive, progress=False,
    )  # fmt: skip
    try:
        whole = read(elements)
    except UnknownMeterError as error:
        raise UnknownMeterError(f"Cannot use {site.file}: {error}") from None
    for meter in dict.fromkeys(split_element(x)[0] for x in blank(whole, elements)):
        check_present(site, elements, read(meter), meter)
    return whole


def _elements(bill: UtilityBill, site: Site) -> list[str]:
    return list(dict.fromkeys(s.element for s in stays(site, bill)))
