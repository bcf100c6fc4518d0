"""What a re-bill takes from the record that it replaces, and how its charges follow from both.

The charges are computed as those of a first bill; then a stated rule says what others, whose own
meters were right, are billed of it. All of this stands in the record, so that it can be checked.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from dentframe.documents.number_and_date_formats import formats
from dentframe.money.rounding_and_tiers import EXACT, add, digits_of, rounded
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
    shares = [replace(c, computed=c.amount) for c in run.shares]
    old = {(x.party, x.title): x for x in how.before if x.party in keep and x.part not in _APART}
    was = {key: x.amount for key, x in old.items()}
    new = [replace(c, amount=was.get((c.party, c.title), ZERO)) if c.party in keep else c
           for c in shares]  # fmt: skip
    for c in shares:
        old.pop((c.party, c.title), None)
    new += [Charge(x.party, x.line, x.kind, x.part, "", None, "", ZERO, x.amount, computed=ZERO)
            for x in old.values()]  # fmt: skip
    for name in dict.fromkeys(c.line for c in new):
        mine = [c for c in new if c.line == name]
        left = add([EXACT.subtract(c.computed or ZERO, c.amount) for c in mine])
        if left:
            new.append(
                Charge(run.site.landlord, name, mine[0].kind, DIFFERENCE, "", None, "", ZERO, left,
                       computed=ZERO)
            )  # fmt: skip
    fees = [replace(c, computed=c.amount) for c in run.fees]
    earlier = [Charge(x.party, x.line, INTEREST, INTEREST, x.kind, None, "", ZERO, x.amount,
                      computed=x.amount) for x in how.before if x.part == INTEREST]  # fmt: skip
    made = replace(run, shares=new, fees=[*fees, *earlier], rebilling=how)
    return replace(made, fees=[*made.fees, *_interest(made, how)])


def _interest(run: Run, how: Rebilling) -> list[Charge]:
    """Simple interest on what each tenant was overcharged."""
    if how.interest is None or how.interest_from is None or how.interest_to is None:
        return []
    # What was not yet due when the new papers are issued was not paid too early.
    days = max((how.interest_to - how.interest_from).days, 0)
    name = f"Interest {how.interest} % from {how.interest_from} to {how.interest_to}"
    found = []
    for t in run.site.tenants:
        over = -add([d for p, _, d in _differences(run, how) if p == t.name])
        exact = EXACT.divide(EXACT.multiply(EXACT.multiply(over, how.interest), days), _DAYS)
        money = rounded(exact, digits_of(run.site.currency))
        if over > 0 and money:
            found.append(Charge(t.name, name, INTEREST, INTEREST, "", None, "", ZERO, -money,
                                computed=-money))  # fmt: skip
    return found


def _differences(run: Run, how: Rebilling) -> list[tuple[str, str, Decimal]]:
    """Party, title and what is billed now less what was billed before, of each line."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for c in run.every_charge:
        found[c.party, c.title] += c.amount
    for key, amount in {(x.party, x.title): x.amount for x in how.before}.items():
        found[key] -= amount
    return [(party, title, difference) for (party, title), difference in found.items()]


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
    how, rows = run.rebilling, []
    if how is None:
        return pd.DataFrame(columns=list(NOTES))
    accounts = {t.name: t.account for t in run.site.tenants}
    old = {(x.party, x.title): x.amount for x in how.before}
    computed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for c in run.every_charge:
        computed[c.party, c.title] += c.amount if c.computed is None else c.computed
    for party, title, difference in _differences(run, how):
        was = old.get((party, title), ZERO)
        borne = computed[party, title] - was if party in accounts else ZERO
        settled = "note" if difference and party in accounts else "landlord"
        change = difference or borne
        if change:
            who = party, accounts.get(party, ""), how.number(party), how.numbers.get(party, "")
            rows.append((*who, title, was, was + change, change, party in how.direct, settled))
    return pd.DataFrame(rows, columns=list(NOTES))


def note_statements(run: Run, papers: Sequence[Statement]) -> list[Statement]:
    """A credit or debit note for each tenant who has a new statement."""
    found, how, made = notes(run), run.rebilling, []
    if how is None:
        return []
    for s in papers:
        mine = found[(found["party"] == s.party) & (found["settled"] == "note")]
        number = formats(s.locale).number
        lines = tuple(
            Line(r["line"], "note", None, "", None, r["difference"],
                 note=f"was {number(r['old'])}, is {number(r['new'])} {s.currency}")
            for r in mine.to_dict("records")
        )  # fmt: skip
        total = add([x.amount for x in lines])
        what = "Credit note" if total < 0 else "Debit note"
        if lines:
            old, new = how.numbers.get(s.party, ""), how.number(s.party)
            both = f"statement No. {old} and {new}" if old else "the earlier statement and the new"
            made.append(
                Statement(
                    s.party, f"{what}: {s.title}", s.start, s.end, s.tz, s.currency, lines,
                    places=s.places, notes=(f"It settles the difference between {both}.",),
                    read_at=s.read_at, letter=s.letter, comparison_note="",
                    locale=s.locale,
                )
            )  # fmt: skip
    return made


def replacing(run: Run, papers: Sequence[Statement]) -> list[Statement]:
    """The new statements of those whose amounts changed, with numbers of their own."""
    how = run.rebilling
    if how is None:
        return list(papers)
    changed = {p for p, _, d in _differences(run, how) if d}
    day, found = formats(run.site.locale).day, []
    reasons = [
        f"Corrected on {day(x.on)}: {run.site.labels[x.element]}: {x.reason}."
        for x in run.site.corrections
        if x.id in how.corrections
    ]
    for s in papers:
        if s.party not in changed:
            continue
        old = how.numbers.get(s.party, "")
        replaces = f"This statement replaces {f'No. {old}' if old else 'the earlier one'}."
        letter = s.letter and replace(s.letter, number=how.number(s.party))
        found.append(replace(s, letter=letter, notes=(replaces, *reasons, *s.notes)))
    return found
