"""The record of a split: what it was made from, its hashes, and its result. Writes files.

A record holds site, bill and rules as TOML, the readings, and the result; `verification`
computes everything again from the first three and says what differs.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe import tables
from dentframe.columns import wire_columns
from dentframe.errors import ConfigError
from dentframe.money import ledger as _ledger
from dentframe.money import outcome as _outcome
from dentframe.record_sheets import csv, papers, plain, records, workbook

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.money.outcome import Outcome

SCHEMA = 1
RECORD, FILE = "record", "record.json"
TABLES = ("charges", "control", "exceptions", "figures")


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
        A folder that is not there yet, is empty, or holds a split of the same bill and site
        whose exceptions were not all accepted: that one is replaced.

    Returns
    -------
    pathlib.Path
        The record's folder.

    Raises
    ------
    ConfigError
        Where the folder holds something else: a good record is never overwritten.
    """
    target = Path(folder)
    _check_free(target, of)
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / RECORD).mkdir(parents=True)
    papers(_outcome.statements(of, read_at), part / "statements")
    found = result(of)
    for name in TABLES:
        csv(found[name], part / f"{name}.csv")
    if find_spec("openpyxl"):
        workbook(found, part / "internal.xlsx")
    _record(of, frame, read_at, part)
    _put(part, target)
    return target / RECORD


def _check_free(target: Path, of: Outcome) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    why = _kept(target, of)
    if why:
        raise ConfigError(
            f"Cannot save to {str(target)!r}: {why}. Only a split of the same bill and site with "
            "open exceptions is replaced. Name a new folder, or remove this one yourself."
        )


def _kept(target: Path, of: Outcome) -> str:
    """Why a folder must stay as it is, ``""`` where this split may take its place."""
    if not (target / RECORD / FILE).is_file():
        return "something is there that is no record of a split"
    told = load(target / RECORD / FILE)
    if told.get("ok") is not False:
        return "a record without open exceptions is there, and is never overwritten"
    if (told.get("bill"), told.get("site")) != (of.bill.name, of.site.name):
        return f"a split of {told.get('bill')!r} of {told.get('site')!r} is there"
    known = {*told["files"], f"{RECORD}/{FILE}"}
    others = [x for p in _files(target) if (x := p.relative_to(target).as_posix()) not in known]
    return f"{others[0]!r} is there, which dentframe did not write" if others else ""


def _put(part: Path, target: Path) -> None:
    """The new folder in the place of the old one, which goes last."""
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def result(of: Outcome) -> dict[str, pd.DataFrame]:
    """The tables of a split."""
    return {
        "charges": _ledger.charges(of),
        "control": _ledger.control(of).rename_axis("party").reset_index(),
        "exceptions": _ledger.exceptions(of),
        "figures": _ledger.figures(of),
    }


def _record(of: Outcome, frame: pd.DataFrame, read_at: pd.Timestamp | None, part: Path) -> None:
    texts = {"site": of.site.to_toml(), "bill": of.bill.to_toml(), "rules": of.rules.to_toml()}
    for name, text in texts.items():
        (part / RECORD / f"{name}.toml").write_text(text, encoding="utf-8")
    readings = _readings(frame, part / RECORD)
    told = {
        "schema": SCHEMA,
        "kind": "dentframe split",
        "bill": of.bill.name,
        "site": of.site.name,
        "ok": bool(_ledger.exceptions(of)["accepted"].all()),
        "read_at": None if read_at is None else read_at.isoformat(),
        "versions": versions(),
        "readings": readings,
        "attrs": frame.attrs,
        "files": {str(p.relative_to(part).as_posix()): digest(p) for p in _files(part)},
        "result": rows(of),
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


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(of: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The tables of a result as JSON-safe rows."""
    return {
        name: [{k: plain(v) for k, v in row.items()} for row in records(table)]
        for name, table in result(of).items()
    }


def load(path: Path) -> dict[str, Any]:
    """Read a record's ``record.json``; raise ConfigError where it is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(
            f"Cannot read the record {str(path)!r}: it is no JSON ({error})."
        ) from None
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise ConfigError(
            f"Cannot read the record {str(path)!r}: it is none of schema {SCHEMA}. A later "
            "version of dentframe may have written it."
        )
    return told
