"""The credit notes of a re-bill are made here, from its charges and those of the record before.

The charges are computed as those of a first bill; then a stated rule says what others, whose own
meters were right, are billed of it. All of this stands in the record, so that it can be checked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from dentframe.documents.number_and_date_formats import formats
from dentframe.money.rounding_and_tiers import EXACT, add, add_by, digits_of, rounded
from dentframe.money.shares import DIFFERENCE, INTEREST, Charge
from dentframe.money.statement import Line, Statement

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run

OTHERS = ("bill", "landlord")
NOTES = ("party", "account", "number", "replaces", "line", "old", "new", "difference", "direct",
         "settled")  # fmt: skip
ZERO = Decimal(0)
_DAYS = Decimal(36500)
"""Days of a year times hundred: interest is stated in per cent a year, actual/365."""
_APART = (INTEREST, "fee", DIFFERENCE)
"""Parts of a bill that others keep under no rule."""


class Before(msgspec.Struct, frozen=True):
    """What a party was billed of a line until now."""

    party: str
    title: str
    line: str
    kind: str
    part: str
    amount: Decimal


class Rebilling(msgspec.Struct, frozen=True):
    """What makes a split a re-bill: ``rebill.json`` of its record.

    Attributes
    ----------
    replaces : str
        The id of the record that it replaces.
    chain : int
        1 for the first re-bill of a bill, 2 for the second, …
    others : str
        What those are billed whose own meters were right: ``"bill"``, all that is computed; or
        ``"landlord"``, what they were billed before, the landlord bears the difference.
    direct : list of str
        The parties whose own meters were corrected.
    corrections : list of str
        The ids of the corrections that are new.
    before : list of Before
        What was billed until now, earlier notes included.
    numbers : dict of str to str
        The number of the statement that each party has.
    first : dict of str to str
        The number of each party's first statement, from which those of re-bills are made.
    interest : Decimal or None
        On what was overcharged [% a year]; simple, actual/365.
    interest_from, interest_to : date or None
        Its days.
    affected : list of str
        Other records that the corrections bear on.
    """

    replaces: str
    chain: int
    others: str
    direct: list[str]
    corrections: list[str]
    before: list[Before]
    numbers: dict[str, str]
    interest: Decimal | None = None
    interest_from: dt.date | None = None
    interest_to: dt.date | None = None
    affected: list[str] = []
    first: dict[str, str] = {}

    def number(self, party: str) -> str:
        """The number of a party's new statement: that of the first, with ``-C`` and the chain."""
        old = self.first.get(party) or self.numbers.get(party, "")
        return f"{old}-C{self.chain}" if old else ""


def rebilled(run: Run, how: Rebilling) -> Run:
    """A split with what each party is billed, after what was billed before.

    Parameters
    ----------
    run : Run
        As computed with the corrections.
    how : Rebilling
        What was billed before, and the rule for others.
    """
    keep = {t.name for t in run.site.tenants} - {*how.direct} if how.others == "landlord" else set()
    old = {(x.party, x.title): x for x in how.before if x.party in keep and x.part not in _APART}
    new = []
    for c in run.shares:
        was = old.pop((c.party, c.title), None)
        amount = c.amount if c.party not in keep else was.amount if was else ZERO
        new.append(replace(c, amount=amount, computed=c.amount))
    left = old.values()
    new += [Charge(x.party, x.line, x.kind, x.part, "", x.amount, computed=ZERO) for x in left]
    kinds = {c.line: c.kind for c in reversed(new)}
    apart = add_by((c.line, EXACT.subtract(c.computed or ZERO, c.amount)) for c in new)
    for name, x in apart.items():
        if x:
            own = run.site.landlord, name, kinds[name], DIFFERENCE, "", x
            new.append(Charge(*own, computed=ZERO))
    due = [x for x in how.before if x.part == INTEREST]
    fees = run.fees + [Charge(x.party, x.line, INTEREST, INTEREST, x.kind, x.amount) for x in due]
    made = replace(run, shares=new, fees=fees, rebilling=how)
    if how.interest is None or how.interest_from is None or how.interest_to is None:
        return made
    # What was not yet due when the new papers are issued was not paid too early.
    days = max((how.interest_to - how.interest_from).days, 0)
    before = add_by((x.party, x.amount) for x in how.before)
    billed = add_by((c.party, c.amount) for c in made.every_charge)
    name, found = f"Interest {how.interest} % from {how.interest_from} to {how.interest_to}", []
    for party in (t.name for t in run.site.tenants):
        over = EXACT.subtract(before.get(party, ZERO), billed.get(party, ZERO))
        exact = EXACT.divide(EXACT.multiply(EXACT.multiply(over, how.interest), days), _DAYS)
        money = rounded(exact, digits_of(run.site.currency))
        if over > 0 and money:
            found.append(Charge(party, name, INTEREST, INTEREST, "", -money))
    return replace(made, fees=[*fees, *found])


def notes(run: Run) -> pd.DataFrame:
    """The differences of a re-bill, one row a party and line.

    Returns
    -------
    pandas.DataFrame
        ``party, account, number`` (of the new statement), ``replaces`` (the old one's number),
        ``line, old, new, difference`` [currency] as Decimal, ``direct`` (whether the party's own
        meter was corrected) and ``settled``: ``note`` where the party gets it, ``landlord`` where
        the landlord bears it: `new` is then what was computed and is not billed.
    """
    how = run.rebilling
    if how is None:
        return pd.DataFrame(columns=list(NOTES))
    rows, accounts = [], {t.name: t.account for t in run.site.tenants}
    charges = run.charges.to_dict("records")
    billed = add_by(((c["party"], c["line"]), c["billed"]) for c in charges)
    computed = add_by(((c["party"], c["line"]), c["computed"]) for c in charges)
    before = add_by(((x.party, x.title), x.amount) for x in how.before)
    for party, title in {**billed, **before}:
        was, now, due = (x.get((party, title), ZERO) for x in (before, billed, computed))
        difference, is_tenant = now - was, party in accounts
        change = difference or (due - was if is_tenant else ZERO)
        if change:
            who = party, accounts.get(party, ""), how.number(party), how.numbers.get(party, "")
            settled = "note" if difference and is_tenant else "landlord"
            rows.append((*who, title, was, was + change, change, party in how.direct, settled))
    return pd.DataFrame(rows, columns=list(NOTES))


def note_statements(run: Run, papers: Sequence[Statement]) -> Iterator[Statement]:
    """A credit or debit note for each tenant who has a new statement."""
    found = run.notes
    for s in papers:
        mine = found[(found["party"] == s.party) & (found["settled"] == "note")].to_dict("records")
        number = formats(s.locale).number
        lines = tuple(
            Line(r["line"], "note", None, "", None, r["difference"],
                 note=f"was {number(r['old'])}, is {number(r['new'])} {s.currency}")
            for r in mine
        )  # fmt: skip
        if lines:
            what = "Credit note" if add([x.amount for x in lines]) < 0 else "Debit note"
            old, new = mine[0]["replaces"], mine[0]["number"]
            both = f"statement No. {old} and {new}" if old else "the earlier statement and the new"
            yield Statement(
                s.party, f"{what}: {s.title}", s.start, s.end, s.tz, s.currency, lines,
                places=s.places, notes=(f"It settles the difference between {both}.",),
                read_at=s.read_at, letter=s.letter, locale=s.locale,
            )  # fmt: skip


def replacing(run: Run, papers: Sequence[Statement]) -> list[Statement]:
    """The new statements of those whose amounts changed, with numbers of their own."""
    how = run.rebilling
    if how is None:
        return list(papers)
    differ, day, found = run.notes, formats(run.site.locale).day, []
    # What the landlord bears of a tenant's computed amount changes no paper of the tenant.
    own = (differ["settled"] == "note") | (differ["party"] == run.site.landlord)
    changed = {*differ["party"][own]}
    new = [x for x in run.site.corrections if x.id in how.corrections]
    reasons = [f"Corrected on {day(x.on)}: {run.site.labels[x.element]}: {x.reason}." for x in new]
    for s in (s for s in papers if s.party in changed):
        old = how.numbers.get(s.party, "")
        replaces = f"This statement replaces {f'No. {old}' if old else 'the earlier one'}."
        letter = s.letter and replace(s.letter, number=how.number(s.party))
        found.append(replace(s, letter=letter, notes=(replaces, *reasons, *s.notes)))
    return found
