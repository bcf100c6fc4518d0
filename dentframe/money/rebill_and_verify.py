"""A record is computed again here: `rebill` with corrections, `verify` to say what differs.

A re-bill lists and refuses whatever else would differ, unless it is accepted by name. To verify,
nothing outside the record's own folder is read, and no link in it is followed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.atomic_files import files_in
from dentframe.errors import ConfigError, DentError, by
from dentframe.frame.quantify import dequantify
from dentframe.money import record_reader
from dentframe.money.credit_notes import OTHERS, Before, Rebilling, rebilled
from dentframe.money.record_reader import FILE, MADE_FROM, READINGS, RECORD, Contents, Record
from dentframe.money.split_bill import Run, settle
from dentframe.site.corrections import Correction, corrections_of, load_corrections
from dentframe.site.toml_tables import Table, load

if TYPE_CHECKING:
    from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
    from dentframe.site.site import Site


@dataclass(frozen=True)
class _Terms:
    """What is stated of a re-bill; the fields are those of `rebill`."""

    others: str
    interest: Decimal | None = field(default=None, metadata={"least": 0})
    interest_from: dt.date | None = None
    issued: dt.date | None = None
    due: dt.date | None = None


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
    other_records = _other_records(old, old.folder.parent.parent if records is None else records)
    is_file = not isinstance(corrections, Correction | Mapping | list | tuple)
    new = load_corrections(corrections) if is_file else corrections_of(corrections)
    stated = {"others": others, "interest": interest, "interest_from": interest_from,
              "issued": issued, "due": due}  # fmt: skip
    of_file = Table(load(corrections), str(corrections)).table("rebill") if is_file else None
    terms = _terms(old, of_file.data if of_file else {}, stated)
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
    accepted = tuple(f"{x}." for x in accept_change)  # a table's name accepts all that is in it
    left = [(name, change) for name, change in changes if not f"{name}.".startswith(accepted)]
    if left:
        first, differ = left[0][0], "; ".join(f"{name}: {change}" for name, change in left[:10])
        raise ConfigError(
            f"Cannot re-bill: beside the corrections {len(left)} things differ from the record: "
            f"{differ}. Take the record's own, or accept each by its name: "
            + by(f"accept_change=[{first!r}].", f"--accept-change {first}.")
        )
    if terms.issued is not None:
        what = replace(what, issued=terms.issued, due=terms.due)
    before = record_reader.billed_before(other_records, where)
    read_at = pd.Timestamp(old.contents.read_at) if old.contents.read_at else None
    run = settle(data, where, what, how, earlier=before, read_at=read_at)
    return rebilled(run, _rebilling(old, run, new, terms, other_records))


def _other_records(old: Record, folder: Any) -> list[Record]:
    """The other records that nothing replaces; refuse one that a saved re-bill replaces.

    Its credits would be given twice.
    """
    found = record_reader.records_in(folder, replaced=True)
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


def _terms(old: Record, of_file: Mapping[str, Any], stated: Mapping[str, Any]) -> _Terms:
    """What is stated of a re-bill: by keywords, by the corrections' file, by the site."""
    by_keyword = {k: x for k, x in stated.items() if x is not None}
    terms = {**(old.site.rebill or {}), **of_file, **by_keyword}
    table = Table(terms, "the terms of the re-bill (table [rebill])")
    table.fields_of(_Terms)  # refuses a misspelt field before one that is missing for it
    if terms.get("others") not in OTHERS:
        raise ConfigError(
            f"Cannot re-bill {old.bill.name!r}: nothing says what those are billed whose meters "
            f'were right (others = {terms.get("others")!r}). State others = "bill" (all that is '
            'computed) or others = "landlord" (the landlord bears the difference) in a table '
            "[rebill] of the corrections' file or the site's, or "
            + by("pass others=.", "give --others.")
        )
    found = table.record(_Terms)
    if found.interest is None:
        return found
    if found.issued is None:
        why = "it runs until the new papers are issued: state issued = 2024-02-05 or the like."
        raise table.error("interest", why)
    if found.interest_from is not None and found.interest_from > found.issued:
        raise table.error(
            "interest_from",
            f"it is after the day of issue, {found.issued}. Interest runs from the day of payment "
            "to the day of issue.",
        )
    return found


def _rebilling(
    old: Record, run: Run, new: tuple[Correction, ...], terms: _Terms, others: Sequence[Record],
) -> Rebilling:  # fmt: skip
    """What the record of the re-bill keeps of the one before it."""
    zone, was = run.site.zone, old.rebilling
    figures = [f for use in run.uses for found in use.figures.values() for f in found if f.party]
    direct = {
        f.party
        for f in figures
        if any(x.element == f.element and x.touches(f.start, f.end, zone) for x in new)
    }
    billed = old.charges[["party", "line", "bill_line", "kind", "part", "amount"]]
    letters = {s.party: s.letter for s in old.statements if s.letter}
    numbers = {party: x.number for party, x in letters.items()}
    # The money was paid when the first bill was due, whatever papers came in between.
    due = next((x.due for x in letters.values()), None)
    since = was.interest_from if was else due
    until = old.site.instant(old.bill.end).tz_convert(zone).date()
    return Rebilling(
        replaces=old.id,
        chain=(was.chain if was else 0) + 1,
        others=terms.others,
        direct=sorted(direct),
        corrections=[x.id for x in new],
        before=[Before(*row) for row in billed.itertuples(index=False)],
        numbers={**(was.numbers if was else {}), **numbers},
        interest=terms.interest,
        interest_from=terms.interest_from or since or until,
        interest_to=terms.issued,
        affected=sorted(_affected(old, new, others)),
        first={**numbers, **(was.first or was.numbers if was else {})},
    )


def _affected(old: Record, new: tuple[Correction, ...], others: Sequence[Record]) -> Iterator[str]:
    """Other issued records whose period, its edges included, a new correction touches."""
    mine = old.contents
    for x in others:
        if x.ok and x.contents.site == mine.site and x.contents.bill != mine.bill:
            start, end = x.site.instant(x.bill.start), x.site.instant(x.bill.end)
            known = {y.id for y in x.site.corrections}
            if any(c.id not in known and c.touches(start, end, old.site.zone) for c in new):
                yield x.contents.bill


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
    a, b = old.astype(float).align(new.astype(float))
    for column, n in (a.ne(b) & ~(a.isna() & b.isna())).sum().items():
        if n:
            yield f"readings.{column}", f"{n} of {len(a)} readings differ"


# --- verify ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    differences : tuple of str
        What differs, one sentence each; empty where everything is the same.
    notes : tuple of str
        What a reader may want to know, e.g. another version of dentframe.
    """

    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def verify(path: Any) -> Verification:
    """Compute a record again, from its own site, bill, rules and readings.

    Parameters
    ----------
    path : str or path
        The record's folder, its ``record.json``, or the folder that `Run.save` wrote.

    Returns
    -------
    Verification
        ``differences`` names each file that was changed, added or taken away and each figure
        that comes out otherwise; ``ok`` where there is none.

    Raises
    ------
    ConfigError
        Where there is no record, a file of it is missing, or it cannot be read though its
        files are those of its list.

    Examples
    --------
    >>> record = split(utility, site).save("2023-12")
    >>> verify(record).ok
    True
    """
    record = Record.load(path)
    folder, contents = record.folder, record.contents
    if folder.name != RECORD:
        raise ConfigError(
            f"Cannot verify {str(folder)!r}: a record's own folder is called {RECORD!r}, and the "
            "files of its list lie beside it. Give it its name again."
        )
    there = dict(files_in(folder.parent))
    own = there.pop(f"{RECORD}/{FILE}")
    changed = dict(_changed(contents, there))
    differences = [*changed.values()]
    if not record_reader.is_sealed(own, contents):
        differences.append(f"File {RECORD}/{FILE} was changed: its seal is not that of its text.")
    for name in MADE_FROM:
        file = there.get(f"{RECORD}/{name}")
        if file is None or file.is_symlink() or not file.is_file():
            what = "missing" if file is None else "a link or no plain file"
            raise ConfigError(f"Cannot verify {str(folder)!r}: its {name} is {what}.")
    if f"{RECORD}/{READINGS}" in changed:
        differences.append("Its readings were changed: the figures were not computed again.")
    else:
        try:
            again = _again(record)
        except DentError as error:  # such as a changed bill that no longer adds up to its total
            if not any(f"{RECORD}/{x}" in changed for x in MADE_FROM):
                raise
            differences.append(f"The figures were not computed again. {error}")
        else:
            differences += [*_unlisted(contents, again), *_compared(contents, again)]
    now = record_reader.versions()
    notes = [
        f"Recorded with {name} {was}, verified with {now.get(name)}."
        for name, was in contents.versions.items()
        if now.get(name) != was
    ]
    return Verification(tuple(differences), tuple(notes))


def _changed(contents: Contents, there: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Each file that is not as the list has it, and how; the list's own names open no file."""
    for name, wanted in contents.files.items():
        path = there.get(name)
        if path is None:
            yield name, f"File {name} is missing."
        elif path.is_symlink() or not path.is_file():
            yield name, f"File {name} is a link or no plain file: it was not read."
        elif record_reader.digest(path) != wanted:
            yield name, f"File {name} was changed: its SHA-256 is not the recorded one."
    for name in there:
        if name not in contents.files:
            why = "is not in the record's list: it was added, or taken from the list."
            yield name, f"File {name} {why}"


def _unlisted(contents: Contents, again: Run) -> Iterator[str]:
    """What every record has, and this one's list has not."""
    wanted = contents.papers + [f"{x}.csv" for x in record_reader.TABLES]
    wanted += [f"{RECORD}/{x}" for x in (*MADE_FROM, *record_reader.WORKINGS)]
    if contents.ok or contents.draft:
        names = record_reader.paper_names(again, draft=contents.draft)
        wanted += [f"{record_reader.PAPERS}/{names[x]}.csv" for x in again.statements.parties]
    for name in dict.fromkeys(wanted):
        if name not in contents.files:
            yield f"File {name} is not in the record's list, which every record has."
    if contents.ok != again.ok:
        yield f"The record says ok = {contents.ok}, which does not come out."
    if contents.replaces != (again.rebilling.replaces if again.rebilling else ""):
        yield f"The record says that it replaces {contents.replaces!r}, which does not come out."
    if (contents.bill, contents.site) != (again.bill.name, again.site.name):
        yield f"The record is of {contents.bill!r} of {contents.site!r}, its files are of others."


def _again(record: Record) -> Run:
    """The split, computed from the record's own files."""
    site, bill, rules = record.site, record.bill, record.rules
    recorded = record.contents.closings.items()
    try:
        closings = {k: (pd.Timestamp(at), Decimal(x)) for k, (at, x) in recorded}
        found = replace(settle(record.readings, site, bill, rules), closings=closings)
        return found if record.rebilling is None else rebilled(found, record.rebilling)
    except DentError:
        raise
    except Exception as error:  # pandas raises many kinds for what is damaged
        raise ConfigError(
            f"Cannot verify {str(record.folder)!r}: nothing can be computed from {READINGS} and "
            f"field 'attrs' of {FILE} ({type(error).__name__}: {str(error)[:200]}). They are "
            "damaged, or were written by something else."
        ) from error


def _compared(contents: Contents, again: Run) -> Iterator[str]:
    """The rows of each table that come out otherwise."""
    computed = record_reader.result_of(again)
    for name in dict.fromkeys([*computed, *contents.result]):
        before, after = contents.result.get(name, []), computed.get(name, [])
        if len(before) != len(after):
            yield f"Table {name}: {len(before)} rows are recorded, {len(after)} come out."
        for i, (a, b) in enumerate(zip(before, after, strict=False), 1):
            names = (a.get(k) for k in ("party", "line", "subject", "element"))
            row = f"Table {name}, row {i} ({' '.join(str(x) for x in names if x)})"
            for k in b:
                if a.get(k) != b[k]:
                    yield f"{row}: {k} {a.get(k)} is recorded, {b[k]} comes out."
