"""The record of a split: what it was made from, its hashes, and the check that repeats it.

The I/O edge of splits. A record holds site, bill and rules as TOML, the readings, and the
result; `verify` computes everything again from the first three and says what differs.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe import tables
from dentframe.columns import wire_columns
from dentframe.errors import ConfigError
from dentframe.money import outcome as _outcome
from dentframe.money.rules import SplitRules
from dentframe.money.utility_bill import UtilityBill
from dentframe.record_sheets import csv, plain, records, workbook
from dentframe.site import Site

if TYPE_CHECKING:
    from dentframe.money.outcome import Outcome

SCHEMA = 1
RECORD, FILE = "record", "record.json"
_TABLES = ("charges", "control", "exceptions", "figures")


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


# --- saving ------------------------------------------------------------------------------


def save(of: Outcome, frame: pd.DataFrame, read_at: pd.Timestamp | None, folder: Any) -> Path:
    """Write a split: statements, tables and record, or nothing at all.

    Parameters
    ----------
    of : Outcome
        The split.
    frame : pandas.DataFrame
        The readings that were used.
    read_at : pandas.Timestamp or None
        When they were read.
    folder : str or path
        A folder that is not there yet, or is empty.

    Returns
    -------
    pathlib.Path
        The record's folder.

    Raises
    ------
    ConfigError
        Where the folder holds something already: a record is never overwritten.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(
            f"Cannot save to {str(target)!r}: something is there, and a record is never "
            "overwritten. Name a new folder."
        )
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / RECORD).mkdir(parents=True)
    _statements(of, read_at, part / "statements")
    found = result(of)
    for name in _TABLES:
        csv(found[name], part / f"{name}.csv")
    if find_spec("openpyxl"):
        workbook(found, part / "internal.xlsx")
    _record(of, frame, read_at, part)
    if target.exists():
        target.rmdir()
    part.rename(target)
    return target / RECORD


def result(of: Outcome) -> dict[str, pd.DataFrame]:
    """The tables of a split."""
    return {
        "charges": _outcome.charges(of),
        "control": _outcome.control(of).rename_axis("party").reset_index(),
        "exceptions": _outcome.exceptions(of),
        "figures": _outcome.figures(of),
    }


def _statements(of: Outcome, read_at: pd.Timestamp | None, folder: Path) -> None:
    folder.mkdir()
    for i, s in enumerate(_outcome.statements(of, read_at), 1):
        stem = folder / f"{i:02d}-{_slug(s.party)}"
        s.to_csv(stem.with_suffix(".csv"))
        if find_spec("jinja2"):
            s.to_html(stem.with_suffix(".html"))
        if find_spec("openpyxl"):
            s.to_excel(stem.with_suffix(".xlsx"))


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name).strip("-").lower()[:40] or "party"


def _record(of: Outcome, frame: pd.DataFrame, read_at: pd.Timestamp | None, part: Path) -> None:
    texts = {"site": of.site.to_toml(), "bill": of.bill.to_toml(), "rules": of.rules.to_toml()}
    for name, text in texts.items():
        (part / RECORD / f"{name}.toml").write_text(text, encoding="utf-8")
    readings = _readings(frame, part / RECORD)
    told = {
        "schema": SCHEMA,
        "kind": "dentframe split",
        "bill": of.bill.name,
        "read_at": None if read_at is None else read_at.isoformat(),
        "versions": versions(),
        "readings": readings,
        "attrs": frame.attrs,
        "files": {str(p.relative_to(part).as_posix()): _hash(p) for p in _files(part)},
        "result": _rows(of),
    }
    body = json.dumps(told, indent=1, ensure_ascii=False)
    (part / RECORD / FILE).write_text(f"{body}\n", encoding="utf-8")


def _readings(frame: pd.DataFrame, folder: Path) -> str:
    """The readings, bit-identical: Parquet where pyarrow is there, else exact CSV."""
    kept = frame[wire_columns(frame.columns)].copy()
    kept.attrs = {}
    floats = all(str(x) == "float64" for x in kept.dtypes)
    name = "readings.parquet" if floats and find_spec("pyarrow") else "readings.csv"
    if name.endswith(".csv"):
        tables.to_csv(kept, folder / name)
    else:
        kept.to_parquet(folder / name)
    return name


def versions() -> dict[str, str]:
    """What computes here."""
    found = {name: version(name) for name in ("dentframe", "pandas", "numpy")}
    return {**found, "python": platform.python_version()}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != FILE)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(of: Outcome) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{k: plain(v) for k, v in row.items()} for row in records(table)]
        for name, table in result(of).items()
    }


# --- verifying ---------------------------------------------------------------------------


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
    """
    folder = _folder(path)
    told = _load(folder / FILE)
    changed = list(_changed(folder.parent, told["files"]))
    again = _again(folder, told)
    differences = [*changed, *(x for n in _TABLES for x in _compared(n, told["result"], again))]
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


def _load(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"Cannot verify {str(path)!r}: it is no JSON ({error}).") from None
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise ConfigError(
            f"Cannot verify {str(path)!r}: it is no record of schema {SCHEMA}. A later version of "
            "dentframe may have written it."
        )
    return told


def _changed(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            yield f"File {name} is missing."
        elif _hash(path) != wanted:
            yield f"File {name} was changed: its SHA-256 is not the recorded one."


def _again(folder: Path, told: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    path = folder / told["readings"]
    if not path.is_file():
        raise ConfigError(f"Cannot verify {str(folder)!r}: its {path.name} is missing.")
    frame = tables.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    frame.attrs = told["attrs"]
    site = Site.load(folder / "site.toml")
    bill = UtilityBill.load(folder / "bill.toml")
    return _rows(_outcome.settle(frame, site, bill, SplitRules.load(folder / "rules.toml")))


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
