"""`rebill` splits a bill again with corrections, from the record of the first time.

Whatever else would differ is listed and refused, unless it is accepted by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, by
from dentframe.frame.quantify import dequantify
from dentframe.money.credit_notes import OTHERS, Before, Rebilling, rebilled
from dentframe.money.record_reader import Record, billed_before, records_in
from dentframe.money.split_bill import Run, settle
from dentframe.site.corrections import Correction, corrections_of, load_corrections
from dentframe.site.toml_tables import Table, exact, load, moment

if TYPE_CHECKING:
    from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
    from dentframe.site.site import Site


def rebill(
    record: Any,
    corrections: Any,
    *,
    others: str | None = None,
    interest: Any = None,
    interest_from: Any = None,
    issued: Any = None,
    due: Any = None,
    site: Site | None = None,
    bill: UtilityBill | None = None,
    rules: SplitRules | None = None,
    frame: pd.DataFrame | None = None,
    accept_change: Iterable[str] = (),
    records: Any = None,
) -> Run:
    """Bill a split again with corrections.

    Parameters
    ----------
    record : str, path or Record
        The record that was issued; a re-bill's own record continues its chain.
    corrections : sequence of Correction, or path
        What is new; a TOML file may have a table ``[rebill]`` too.
    others : {"bill", "landlord"}, optional
        What those are billed whose own meters were right, though the corrections move their
        shares: all that is computed, or what they were billed before, while the landlord bears
        the difference. By default ``[rebill]`` of the file, then of the site; there is no other.
    interest : Decimal, optional
        On what tenants were overcharged [% a year]: simple, actual/365, a line of its own.
    interest_from : date, optional
        Since when; by default when the first statement was due, else the end of its period.
    issued, due : date, optional
        Of the new papers; interest runs until `issued`.
    site, bill, rules, frame : optional
        In place of the record's own. What differs from them is refused, unless accepted.
    accept_change : iterable of str
        Names of differences that are meant, as the error lists them.
    records : path, optional
        Where other records lie: those that the corrections bear on too are named, the statements
        compare with earlier ones, an opening must be the closing that was printed, and a record
        that one of them replaces is refused. By default beside the folder of this one.

    Returns
    -------
    Run
        ``statements`` of those whose amounts changed, ``notes`` with every difference, ``control``
        with ``rebill_difference``, ``exceptions`` with ``also_affected``; `Run.save` writes the
        papers, a credit or debit note each, and a record that names the one it replaces.

    Raises
    ------
    ConfigError
        For a record with open exceptions, one that a saved re-bill replaces, corrections that
        contradict others or the register, a rule for others that is not stated, or a difference
        that is not accepted.

    Examples
    --------
    >>> run = rebill("bills/2023-12", "corrections.toml", others="landlord", issued="2024-02-05")
    >>> run.notes.query("party == 'Bakery'")["difference"].sum()
    Decimal('-88.92')
    """
    old = record if isinstance(record, Record) else Record.load(record)
    if not old.ok:
        raise ConfigError(
            f"Cannot re-bill {str(old.folder)!r}: it is a draft, or has open exceptions, so that "
            "nothing was billed by it. Split the bill again, with the corrections in the site file."
        )
    around = old.folder.parent.parent if records is None else records
    other_records = _other_records(old, around)
    is_file = not isinstance(corrections, Correction | Mapping | list | tuple)
    new = load_corrections(corrections) if is_file else corrections_of(corrections)
    stated = {"others": others, "interest": interest, "interest_from": interest_from,
              "issued": issued, "due": due}  # fmt: skip
    terms = _terms(old, load(corrections).get("rebill", {}) if is_file else {}, stated)
    was, known = (
        replace(x, corrections=tuple(y for y in x.corrections if y not in new))
        for x in (old.site, site or old.site)
    )
    where = replace(known, corrections=(*known.corrections, *new))
    what, how = bill or old.bill, rules or old.rules
    data = old.readings if frame is None else dequantify(frame)
    changes = [
        *_paths("site", was.to_dict(), known.to_dict()),
        *_paths("bill", old.bill.to_dict(), what.to_dict()),
        *_paths("rules", old.rules.to_dict(), how.to_dict()),
        *([] if frame is None else _cells(old.readings, data)),
    ]
    accepted = [*accept_change]
    left = [
        (name, change)
        for name, change in changes
        if not any(name == x or name.startswith(f"{x}.") for x in accepted)
    ]
    if left:
        first, differ = left[0][0], "; ".join(f"{name}: {change}" for name, change in left[:10])
        raise ConfigError(
            f"Cannot re-bill: beside the corrections {len(left)} things differ from the record: "
            f"{differ}. Take the record's own, or accept each by its name: "
            + by(f"accept_change=[{first!r}].", f"--accept-change {first}.")
        )
    if terms["issued"] is not None:
        what = replace(what, issued=terms["issued"], due=terms["due"])
    before = billed_before(other_records, where)
    read_at = pd.Timestamp(old.contents.read_at) if old.contents.read_at else None
    run = settle(data, where, what, how, earlier=before, read_at=read_at)
    return rebilled(run, _rebilling(old, run, new, terms, other_records))


def _other_records(old: Record, folder: Any) -> list[Record]:
    """The other records that nothing replaces; refuse one that a saved re-bill replaces.

    Its credits would be given twice.
    """
    found = records_in(folder, replaced=True)
    after = {x.replaces: x for x in found if x.ok and x.replaces}
    last = old
    while last.id in after:
        last = after[last.id]
    if last is not old:
        raise ConfigError(
            f"Cannot re-bill {str(old.folder.parent)!r}: the record {str(last.folder.parent)!r} "
            "replaces it, and what that credited would be credited twice. Re-bill that one."
        )
    return [x for x in found if x.id not in after and x.id != old.id]


def _terms(old: Record, of_file: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """What is stated of a re-bill: by keywords, by the corrections' file, by the site."""
    table = Table({**(old.site.rebill or {}), **of_file}, "the table [rebill]", "rebill")
    table.only(*stated)
    found = {k: table.data.get(k) if x is None else x for k, x in stated.items()}
    if found["others"] not in OTHERS:
        raise ConfigError(
            f"Cannot re-bill {old.bill.name!r}: nothing says what those are billed whose meters "
            f'were right (others = {found["others"]!r}). State others = "bill" (all that is '
            'computed) or others = "landlord" (the landlord bears the difference) in a table '
            "[rebill] of the corrections' file or the site's, or "
            + by("pass others=.", "give --others.")
        )
    for k in ("interest_from", "issued", "due"):
        day = None if found[k] is None else moment(found[k])
        if isinstance(day, dt.datetime):
            raise ConfigError(f"Cannot use {k}={found[k]!r}: it must be a date without a time.")
        found[k] = day
    if found["interest"] is not None:
        rate = exact(found["interest"])
        if rate is None or rate < 0 or found["issued"] is None:
            raise ConfigError(
                f"Cannot use interest = {found['interest']!r}: it is a rate in per cent a year, "
                "and runs until the new papers are issued: state issued = 2024-02-05 or the like."
            )
        if found["interest_from"] is not None and found["interest_from"] > found["issued"]:
            raise ConfigError(
                f"Cannot use interest_from={found['interest_from']}: it is after the day of issue, "
                f"{found['issued']}. Interest runs from the day of payment to the day of issue."
            )
        found["interest"] = rate
    return found


def _rebilling(
    old: Record, run: Run, new: tuple[Correction, ...], terms: Mapping[str, Any],
    others: Sequence[Record],
) -> Rebilling:  # fmt: skip
    """What the record of the re-bill keeps of the one before it."""
    zone, was = run.site.zone, old.rebilling
    figures = [f for use in run.uses for part in use.figures.values() for f in part]
    direct = {
        f.party
        for f in figures
        if any(x.element == f.element and x.touches(f.start, f.end, zone) for x in new)
    }
    before = [
        Before(r["party"], r["line"], r["bill_line"], r["kind"], r["part"], r["amount"])
        for r in old.charges.to_dict("records")
    ]
    letters = {s.party: s.letter for s in old.statements if s.letter}
    numbers = {party: x.number for party, x in letters.items()}
    # The money was paid when the first bill was due, whatever papers came in between.
    due = next((x.due for x in letters.values()), None)
    since = was.interest_from if was else due
    until = old.site.instant(old.bill.end).tz_convert(zone).date()
    return Rebilling(
        replaces=old.id,
        chain=(was.chain if was else 0) + 1,
        others=terms["others"],
        direct=sorted(x for x in direct if x),
        corrections=[x.id for x in new],
        before=before,
        numbers={**(was.numbers if was else {}), **numbers},
        interest=terms["interest"],
        interest_from=terms["interest_from"] or since or until,
        interest_to=terms["issued"],
        affected=_affected(old, new, others),
        first={**numbers, **(was.first or was.numbers if was else {})},
    )


def _affected(old: Record, new: tuple[Correction, ...], others: Sequence[Record]) -> list[str]:
    """Other issued records whose period, its edges included, a new correction touches."""
    found, mine = [], old.contents
    for x in others:
        if x.ok and x.contents.site == mine.site and x.contents.bill != mine.bill:
            start, end = x.site.instant(x.bill.start), x.site.instant(x.bill.end)
            known = {y.id for y in x.site.corrections}
            if any(c.id not in known and c.touches(start, end, old.site.zone) for c in new):
                found.append(x.contents.bill)
    return sorted(found)


# --- what else differs -------------------------------------------------------------------


def _paths(name: str, old: Any, new: Any) -> Iterator[tuple[str, str]]:
    """Where two trees differ, and how; tables that have names are compared by them."""
    lists = isinstance(old, list) and isinstance(new, list)
    if lists and all(isinstance(x, Mapping) and "name" in x for x in (*old, *new)):
        old, new = ({x["name"]: x for x in rows} for rows in (old, new))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for k in dict.fromkeys([*old, *new]):
            yield from _paths(f"{name}.{k}", old.get(k), new.get(k))
    elif old != new:
        yield name, f"{old} became {new}"


def _cells(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The readings that came otherwise, by column."""
    a, b = old.align(new)
    for column in a.columns:
        x, y = a[column].to_numpy(float), b[column].to_numpy(float)
        n = int((~((x == y) | (np.isnan(x) & np.isnan(y)))).sum())
        if n:
            yield f"readings.{column}", f"{n} of {len(x)} readings differ"
