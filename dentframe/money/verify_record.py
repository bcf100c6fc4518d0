"""A split is computed again from its record, and what differs is said.

Nothing outside the record's own folder is read, and no link in it is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.atomic_files import files_in
from dentframe.errors import ConfigError, DentError
from dentframe.money import record_reader
from dentframe.money.credit_notes import rebilled
from dentframe.money.record_reader import FILE, MADE_FROM, PAPERS, READINGS, RECORD, Record
from dentframe.money.split_bill import Run, settle

if TYPE_CHECKING:
    from dentframe.money.record_reader import Contents


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
    changed = list(_changed(contents, there))
    differences = [*changed]
    if not record_reader.is_sealed(own, contents):
        differences.append(f"File {RECORD}/{FILE} was changed: its seal is not that of its text.")
    for name in MADE_FROM:
        file = there.get(f"{RECORD}/{name}")
        if file is None or file.is_symlink() or not file.is_file():
            what = "missing" if file is None else "a link or no plain file"
            raise ConfigError(f"Cannot verify {str(folder)!r}: its {name} is {what}.")
    if record_reader.digest(folder / READINGS) != contents.files.get(f"{RECORD}/{READINGS}"):
        differences.append("Its readings were changed: the figures were not computed again.")
    else:
        try:
            again = _again(record)
        except DentError as error:  # such as a changed bill that no longer adds up to its total
            if not any(f"{RECORD}/{x}" in y for x in MADE_FROM for y in changed):
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


def _changed(contents: Contents, there: Mapping[str, Path]) -> Iterator[str]:
    """What the list of files says against what is there; the list's own names open no file."""
    for name, wanted in contents.files.items():
        path = there.get(name)
        if path is None:
            yield f"File {name} is missing."
        elif path.is_symlink() or not path.is_file():
            yield f"File {name} is a link or no plain file: it was not read."
        elif record_reader.digest(path) != wanted:
            yield f"File {name} was changed: its SHA-256 is not the recorded one."
    for name in there:
        if name not in contents.files:
            yield f"File {name} is not in the record's list: it was added, or taken from the list."


def _unlisted(contents: Contents, again: Run) -> Iterator[str]:
    """What every record has, and this one's list has not."""
    wanted = contents.papers + [f"{x}.csv" for x in record_reader.TABLES]
    wanted += [f"{RECORD}/{x}" for x in (*MADE_FROM, *record_reader.WORKINGS)]
    if contents.ok or contents.draft:
        names = record_reader.paper_names(again, draft=contents.draft)
        wanted += [f"{PAPERS}/{names[party]}.csv" for party in again.statements.parties]
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
            row = f"row {i} ({' '.join(str(x) for x in names if x)})"
            for k in b:
                if a.get(k) != b[k]:
                    differs = f"{k} {a.get(k)} is recorded, {b[k]} comes out"
                    yield f"Table {name}, {row}: {differs}."
