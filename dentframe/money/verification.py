"""A split is computed again from its record, and what differs is said.

Nothing outside the record's own folder is read, and no link in it is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from dentframe.errors import ConfigError, DentError
from dentframe.files import files_in
from dentframe.frame import csv_and_excel
from dentframe.money import settlement
from dentframe.money.rebill_notes import Rebilling, rebilled
from dentframe.money.record_reader import (
    FILE,
    MADE_FROM,
    PAPERS,
    READINGS,
    REBILL,
    RECORD,
    TABLES,
    WORKINGS,
    digest,
    folder_of,
    is_sealed,
    load,
)
from dentframe.money.record_writer import paper_names, rows, versions
from dentframe.money.split_rules import SplitRules
from dentframe.money.tenant_statements import statements
from dentframe.money.utility_bill import UtilityBill
from dentframe.site.site import Site

if TYPE_CHECKING:
    from dentframe.money.record_reader import Told
    from dentframe.money.settlement import Outcome


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
    folder = folder_of(path)
    told = load(folder / FILE)
    if folder.name != RECORD:
        raise ConfigError(
            f"Cannot verify {str(folder)!r}: a record's own folder is called {RECORD!r}, and the "
            "files of its list lie beside it. Give it its name again."
        )
    there = dict(files_in(folder.parent))
    own = there.pop(f"{RECORD}/{FILE}")
    differences = list(_changed(told, there))
    if not is_sealed(own, told):
        differences.append(f"File {RECORD}/{FILE} was changed: its seal is not that of its text.")
    _check_there(folder, there)
    try:
        again = _again(folder, told, there)
    except DentError as error:  # such as a changed bill that no longer adds up to its total
        if not any(f"{RECORD}/{x}" in y for x in MADE_FROM for y in _changed(told, there)):
            raise
        differences.append(f"The figures were not computed again. {error}")
        return Verification(tuple(differences), tuple(_notes(told)))
    if again is None:
        differences.append("Its readings were changed: the figures were not computed again.")
    else:
        differences += _unlisted(told, again)
        computed = rows(again)
        for name in dict.fromkeys([*computed, *told.result]):
            differences += _compared(name, told.result.get(name, []), computed.get(name, []))
    return Verification(tuple(differences), tuple(_notes(told)))


def _changed(told: Told, there: Mapping[str, Path]) -> Iterator[str]:
    """What the list of files says against what is there; the list's own names open no file."""
    for name, wanted in told.files.items():
        path = there.get(name)
        if path is None:
            yield f"File {name} is missing."
        elif path.is_symlink() or not path.is_file():
            yield f"File {name} is a link or no plain file: it was not read."
        elif digest(path) != wanted:
            yield f"File {name} was changed: its SHA-256 is not the recorded one."
    for name in there:
        if name not in told.files:
            yield f"File {name} is not in the record's list: it was added, or taken from the list."


def _unlisted(told: Told, again: Outcome) -> Iterator[str]:
    """What every record has, and this one's list has not."""
    wanted = told.papers + [f"{x}.csv" for x in TABLES]
    wanted += [f"{RECORD}/{x}" for x in (*MADE_FROM, *WORKINGS)]
    if told.ok or told.draft:
        paid = {s.party for s in statements(again, None)}
        names = paper_names(again, draft=told.draft)
        wanted += [f"{PAPERS}/{name}.csv" for party, name in names.items() if party in paid]
    for name in dict.fromkeys(wanted):
        if name not in told.files:
            yield f"File {name} is not in the record's list, which every record has."
    if told.ok != bool(settlement.exceptions(again)["accepted"].all()):
        yield f"The record says ok = {told.ok}, which does not come out."
    if told.replaces != (again.rebilling.replaces if again.rebilling else ""):
        yield f"The record says that it replaces {told.replaces!r}, which does not come out."
    if (told.bill, told.site) != (again.bill.name, again.site.name):
        yield f"The record is of {told.bill!r} of {told.site!r}, its files are of others."


def _check_there(folder: Path, there: Mapping[str, Path]) -> None:
    """Refuse a record without a file that its figures are made from."""
    for name in MADE_FROM:
        path = there.get(f"{RECORD}/{name}")
        if path is None or path.is_symlink() or not path.is_file():
            what = "missing" if path is None else "a link or no plain file"
            raise ConfigError(f"Cannot verify {str(folder)!r}: its {name} is {what}.")


def _again(folder: Path, told: Told, there: Mapping[str, Path]) -> Outcome | None:
    """The split, computed from the files; None where the readings are not those of the list."""
    if digest(folder / READINGS) != told.files.get(f"{RECORD}/{READINGS}"):
        return None
    site = Site.load(folder / "site.toml")
    bill = UtilityBill.load(folder / "bill.toml")
    rules = SplitRules.load(folder / "rules.toml")
    try:
        frame = csv_and_excel.read_csv(folder / READINGS)
        frame.attrs.update(told.attrs)
        closings = {k: (pd.Timestamp(at), Decimal(x)) for k, (at, x) in told.closings.items()}
        found = settlement.settle(frame, site, bill, rules, closings=closings)
        if f"{RECORD}/{REBILL}" not in there:
            return found
        body = (folder / REBILL).read_bytes()
        return rebilled(found, msgspec.json.decode(body, type=Rebilling))
    except DentError:
        raise
    except Exception as error:  # pandas raises many kinds for what is damaged
        raise ConfigError(
            f"Cannot verify {str(folder)!r}: nothing can be computed from {READINGS} and "
            f"field 'attrs' of {FILE} ({type(error).__name__}: {str(error)[:200]}). They are "
            "damaged, or were written by something else."
        ) from error


def _compared(
    name: str, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Iterator[str]:
    if len(before) != len(after):
        yield f"Table {name}: {len(before)} rows are recorded, {len(after)} come out."
    for i, (a, b) in enumerate(zip(before, after, strict=False), 1):
        who = " ".join(str(a.get(k)) for k in ("party", "line", "subject", "element") if a.get(k))
        for k in b:
            if a.get(k) != b[k]:
                told = f"{k} {a.get(k)} is recorded, {b[k]} comes out"
                yield f"Table {name}, row {i} ({who}): {told}."


def _notes(told: Told) -> Iterator[str]:
    now = versions()
    for name, was in told.versions.items():
        if now.get(name) != was:
            yield f"Recorded with {name} {was}, verified with {now.get(name)}."
