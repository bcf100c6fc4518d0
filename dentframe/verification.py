"""The check that repeats a split from its record, and says what differs. Reads files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dentframe import tables
from dentframe.errors import ConfigError
from dentframe.money import outcome as _outcome
from dentframe.money.rules import SplitRules
from dentframe.money.utility_bill import UtilityBill
from dentframe.record import FILE, RECORD, TABLES, digest, load, rows, versions
from dentframe.site import Site


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
        ``differences`` names each file that was changed and each figure that comes out
        otherwise; ``ok`` where there is none.

    Raises
    ------
    ConfigError
        Where there is no record, or it cannot be read.

    Examples
    --------
    >>> record = split(utility, site).save("2023-12")
    >>> verify(record).ok
    True
    """
    folder = _folder(path)
    told = load(folder / FILE)
    changed = list(_changed(folder.parent, told["files"]))
    again = _again(folder, told)
    differences = [*changed, *(x for n in TABLES for x in _compared(n, told["result"], again))]
    return Verification(tuple(differences), tuple(_notes(told)))


def _folder(path: Any) -> Path:
    at = Path(path)
    for candidate in (at, at.parent if at.name == FILE else at / RECORD):
        if (candidate / FILE).is_file():
            return candidate.resolve()
    raise ConfigError(
        f"Cannot verify {str(at)!r}: there is no {FILE} in it. Name the folder that Run.save "
        "wrote, or its folder 'record'."
    )


def _changed(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            yield f"File {name} is missing."
        elif digest(path) != wanted:
            yield f"File {name} was changed: its SHA-256 is not the recorded one."


def _again(folder: Path, told: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    path = folder / told["readings"]
    if not path.is_file():
        raise ConfigError(f"Cannot verify {str(folder)!r}: its {path.name} is missing.")
    frame = tables.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    frame.attrs = told["attrs"]
    site = Site.load(folder / "site.toml")
    bill = UtilityBill.load(folder / "bill.toml")
    return rows(_outcome.settle(frame, site, bill, SplitRules.load(folder / "rules.toml")))


def _compared(
    name: str, old: Mapping[str, list[dict[str, Any]]], new: Mapping[str, list[dict[str, Any]]]
) -> Iterator[str]:
    before, after = old[name], new[name]
    if len(before) != len(after):
        yield f"Table {name}: {len(before)} rows are recorded, {len(after)} come out."
    for i, (a, b) in enumerate(zip(before, after, strict=False), 1):
        who = " ".join(str(a.get(k)) for k in ("party", "line", "subject", "element") if a.get(k))
        for k in b:
            if a.get(k) != b[k]:
                told = f"{k} {a.get(k)} is recorded, {b[k]} comes out"
                yield f"Table {name}, row {i} ({who}): {told}."


def _notes(told: Mapping[str, Any]) -> Iterator[str]:
    for name, was in told["versions"].items():
        now = versions().get(name)
        if now != was:
            yield f"Recorded with {name} {was}, verified with {now}."
