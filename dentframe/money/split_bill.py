"""`split` reads what a utility's bill rests on, and shares the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.display import Card, WithCard
from dentframe.documents.journal_invoices_and_energy_star import accounts_of
from dentframe.documents.number_and_date_formats import Formats
from dentframe.errors import ConfigError, UnknownMeterError, by
from dentframe.frame.quantify import dequantify
from dentframe.money import credit_notes, record_writer
from dentframe.money.earlier_and_daily_use import BilledPeriod, archived_year_before
from dentframe.money.occupancy import check_frame, dated_parts, occupancies, span
from dentframe.money.record_reader import CHARGES, EDGES, FIGURES, billed_before, records_in
from dentframe.money.rounding_and_tiers import add, add_by, digits_of, rounded
from dentframe.money.shares import DIFFERENCE, FEE, ZERO, Charge, fees, figures_of, share
from dentframe.money.split_exceptions import exceptions_of
from dentframe.money.split_usage import Usage, measure, worst_status
from dentframe.money.tenant_statements import statements
from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
from dentframe.read_plan_and_inventory import read_dentcloud
from dentframe.site.site import EXPORT, UNALLOCATED, Site
from dentframe.wire.columns import element_ids, split_element

if TYPE_CHECKING:
    from pathlib import Path

    from dentframe.cloud.client import DentCloud
    from dentframe.money.statement import Statement, Statements


@dataclass(frozen=True, repr=False)
class Run(WithCard):
    """A utility's bill, split.

    Attributes
    ----------
    site, bill, rules
        What it was made from.
    frame : pandas.DataFrame
        The readings that were used.
    read_at : pandas.Timestamp or None
        When they were read; None where they were given.
    whole : Usage
        What was used over the bill's period.
    dated : mapping of str to Usage
        What was used over a line's own dates, by the line's name.
    shares, fees : list of Charge
        What each party has of each line of the bill, and of each fee of the landlord.
    earlier : tuple of BilledPeriod
        What earlier records tell of the tenants, for the statements to compare with.
    closings : mapping of str to (Timestamp, Decimal)
        By element, the closing that was printed of the period before, and when it was read.
    rebilling : Rebilling or None
        What was billed before, where this is a re-bill.

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
    whole: Usage
    dated: Mapping[str, Usage]
    shares: list[Charge]
    fees: list[Charge]
    earlier: tuple[BilledPeriod, ...] = ()
    closings: Mapping[str, tuple[pd.Timestamp, Decimal]] = field(default_factory=dict)
    rebilling: credit_notes.Rebilling | None = None

    @property
    def every_charge(self) -> list[Charge]:
        """The shares, then the fees."""
        return [*self.shares, *self.fees]

    @property
    def uses(self) -> list[Usage]:
        """Each use once, the whole period first."""
        return [self.whole, *dict.fromkeys(self.dated.values())]

    def use(self, line: str) -> Usage:
        """What a line rests on; the whole period for what is no line of the bill."""
        return self.dated.get(line, self.whole)

    def role_of(self, party: str) -> str:
        """``tenant``, ``landlord``, ``export`` or ``unallocated``."""
        if party in {EXPORT, UNALLOCATED}:
            return party
        return "landlord" if party == self.site.landlord else "tenant"

    @cached_property
    def charges(self) -> pd.DataFrame:
        """One row a party and line; amounts are Decimal [currency]."""
        site, rows = self.site, []
        codes = {t.name: t.code for t in (*site.tenants, site.owner)}
        of_fees = {f.name: f.code for f in self.rules.fees}
        for c in self.every_charge:
            use = self.use(c.line)
            start, end = span(site, use.bill)  # a dated line's own
            own_code = of_fees[c.line] if c.part == FEE else ""
            computed = c.amount if c.computed is None else c.computed
            rows.append(
                (self.bill.name, start.tz_convert(site.zone), end.tz_convert(site.zone), c.party,
                 self.role_of(c.party), own_code or codes.get(c.party, ""), c.title, c.line,
                 c.kind, c.part, c.basis, c.quantity, c.unit, c.amount, site.currency,
                 worst_status(figures_of(use, c)), computed, c.amount)
            )  # fmt: skip
        return pd.DataFrame(rows, columns=list(CHARGES))

    @cached_property
    def control(self) -> pd.Series[Any]:
        """Utility = tenants + landlord + export + unallocated, as Decimal, to the cent.

        ``fees`` comes after them, where the rules have any: it is no part of that sum.
        """
        where = add_by(
            (DIFFERENCE if c.part == DIFFERENCE else self.role_of(c.party), c.amount)
            for c in self.shares
        )
        values = {"utility": self.bill.amount, "tenants": where.get("tenant", ZERO)}
        named = ["landlord", EXPORT, UNALLOCATED] + [DIFFERENCE] * (self.rebilling is not None)
        values |= {x: where.get(x, ZERO) for x in named}
        if self.fees:
            values["fees"] = add([c.amount for c in self.fees])
        money = {k: rounded(v, digits_of(self.site.currency)) for k, v in values.items()}
        return pd.Series(money, dtype=object, name="amount")

    @cached_property
    def exceptions(self) -> pd.DataFrame:
        """What must be looked at, and what to do: the fields of `Finding`."""
        return exceptions_of(self)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Every energy and demand figure that a line rests on."""
        zone, labels = self.site.zone, self.site.labels
        rows = [
            (f.element, labels[f.element], f.party, f.kind, f.start.tz_convert(zone),
             f.end.tz_convert(zone), basis, f.value, f.unit, f.coverage, f.status, f.flags,
             *(f.row.get(x) for x in EDGES))
            for use in self.uses
            for basis, found in use.figures.items()
            for f in found
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(FIGURES))

    @cached_property
    def notes(self) -> pd.DataFrame:
        """Of a re-bill every difference, by party and line; of a first bill no row."""
        return credit_notes.notes(self)

    @cached_property
    def statements(self) -> Statements:
        """One a tenant, by position or name."""
        return statements(self)

    @cached_property
    def landlord(self) -> Statement | None:
        """The landlord's own statement: vacant elements, and what the rules charge the landlord."""
        found = statements(self, landlord=True)
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
        return record_writer.save(self, folder, draft=draft)

    def _card(self) -> Card:
        """Where the utility's amount went, and what the rules do not accept."""
        f, every, most = Formats(), self.exceptions, 10
        refused = every[~every["accepted"].astype(bool)]
        found, n, shown = len(every), len(refused), refused.head(most)
        verdict = "every exception is one that the rules accept" if found else "no exceptions"
        if n:
            verdict = f"{n} exception{'s' * (n > 1)} that the rules do not accept"
        owed = [f"{s.party} {f.number(s.total)}" for s in self.statements]
        if len(owed) > most:
            owed = [*owed[:most], f"and {len(owed) - most} more"]
        remedies = dict.fromkeys(zip(shown["kind"], shown["remedy"], strict=True))
        notes = [f"{kind}: {remedy}" for kind, remedy in remedies if remedy]
        if n > most:
            notes.append(f"And {n - most} more: .exceptions lists all {found}.")
        elif found > n:
            notes.append(f".exceptions lists all {found}.")
        amounts = ((str(part), f.money(x, self.site.currency)) for part, x in self.control.items())
        return Card(
            title=f"Run of {self.bill.name}: {verdict}",
            facts=(*amounts, ("statements", ", ".join(owed))),
            heads=("exception", "subject", "detail"),
            rows=shown[["kind", "subject", "detail"]].astype(str).to_numpy().tolist(),
            notes=notes,
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
    given = ("bill", bill, UtilityBill), ("site", site, Site), ("rules", rules, SplitRules)
    for name, value, wanted in given:
        if not isinstance(value, wanted) and not (value is None and name == "rules"):
            raise ConfigError(
                f"Cannot split with {name}={value!r}: it is no {wanted.__name__}. Read one with "
                f"{wanted.__name__}.load('{name}.toml')."
            )
    how = rules_of(site) if rules is None else rules
    if site.locale:
        record_writer.missing_extras(site.locale)  # refuses one that cannot be written
    if site.accounts:
        accounts_of(site)  # refuses accounts that cannot be posted to
    dated_parts(site, bill, how)  # refuses what the lines lack
    read_at = None
    if frame is None:
        read_at = pd.Timestamp.now("UTC").floor("s")
        frame = readings_of(bill, site, client, archive)
    else:
        frame = dequantify(frame)
        check_frame(site, [s.element for s in occupancies(site, bill)], frame)
    saved = records_in(records) if isinstance(records, str | PathLike) else records or ()
    run = settle(frame, site, bill, how, earlier=billed_before(saved, site), read_at=read_at)
    if archive is None:
        return run
    return replace(run, earlier=(*archived_year_before(archive, run.whole), *run.earlier))


def rules_of(site: Site) -> SplitRules:
    """The rules of the site's ``[split]`` table.

    Raises
    ------
    ConfigError
        Where it has none.
    """
    if site.split is None:
        raise ConfigError(
            f"Cannot split a bill of {site.name!r}: no rule says how. Add a [split] table to "
            f"{site.file}, or "
            + by("pass rules=SplitRules.load('rules.toml').", "give --rules rules.toml.")
        )
    return SplitRules.from_dict(site.split, file=site.file, where="split")


def settle(
    frame: pd.DataFrame,
    site: Site,
    bill: UtilityBill,
    rules: SplitRules,
    *,
    earlier: Sequence[BilledPeriod] = (),
    read_at: pd.Timestamp | None = None,
) -> Run:
    """Share a bill by readings that are at hand.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over (meter, time), or over time for a site of one meter.
    site, bill, rules
        The description, the bill and the rules.
    earlier : sequence of BilledPeriod
        As in `Run`, whose `closings` are those that end where the bill starts.
    read_at : Timestamp, optional
        When the readings were read.

    Raises
    ------
    ConfigError
        For a line without a rule or a basis, or a bill in another currency.
    """
    if bill.currency is not None and bill.currency != site.currency:
        raise ConfigError(
            f"Cannot split {bill.name!r}: it is in {bill.currency}, {site.name!r} in "
            f"{site.currency}. Correct field 'currency' in one of them."
        )
    parts = dated_parts(site, bill, rules)
    apart = {x.name for part in parts for x in part.lines}
    whole = measure(frame, site, bill, rules, [x for x in bill.lines if x.name not in apart])
    dated: dict[str, Usage] = {}
    for part in parts:
        use = measure(frame, site, part, rules, part.lines, f" from {part.start} to {part.end}")
        dated |= {line.name: use for line in part.lines}
    start = span(site, bill)[0]
    closings = {k: v for x in earlier if x.end == start for k, v in x.closings.items()}
    return Run(
        site, bill, rules, frame, read_at, whole, dated, share(whole, dated), [*fees(whole)],
        tuple(earlier), closings,
    )  # fmt: skip


def readings_of(
    bill: UtilityBill, site: Site, client: DentCloud | None, archive: Any
) -> pd.DataFrame:
    """The readings that a bill rests on, with their bracketing readings."""
    elements = list(dict.fromkeys(s.element for s in occupancies(site, bill)))
    spans = [span(site, bill, x) for x in (None, *bill.lines)]
    start, end = min(s for s, _ in spans), max(e for _, e in spans)
    how: dict[str, Any] = {
        "topics": ["kWHNet", "DemandkW"], "tz": site.tz, "bracket": True, "client": client,
        "archive": archive, "progress": False,
    }  # fmt: skip
    try:
        whole = read_dentcloud(elements, start, end, **how)
    except UnknownMeterError as error:
        raise UnknownMeterError(f"Cannot use {site.file}: {error}") from None
    several = isinstance(whole.index, pd.MultiIndex)
    for meter in dict.fromkeys(split_element(x)[0] for x in elements):
        own = [x for x in elements if split_element(x)[0] == meter]
        rows = whole[whole.index.get_level_values(0) == meter] if several else whole
        known = element_ids(rows.dropna(axis=1, how="all").columns)
        # An element without any value may be one that the meter does not have.
        if len(rows) and any(split_element(x)[1] not in known for x in own):
            check_frame(site, own, read_dentcloud(meter, start, end, **how))
    return whole
