"""The check that repeats a split from its record, and says what differs. Reads files.

Tables and statements of a split as files, and as plain data. An I/O edge.

The record of a split: what it was made from, its hashes, and its result. Writes files.

A record holds site, bill and rules as TOML, the readings, and the result; `verification`
computes everything again from the first three and says what differs.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, DentWarning, warn
from dentframe.frame import tables
from dentframe.money import outcome as _ledger
from dentframe.money import outcome as _outcome
from dentframe.money.split_rules import SplitRules
from dentframe.money.utility_bill import UtilityBill
from dentframe.site.site import Site
from dentframe.wire.columns import wire_columns

if TYPE_CHECKING:
    from dentframe.money.outcome import Outcome
    from dentframe.money.statement import Statement


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table; cells that a spreadsheet would compute are escaped."""
    table.map(_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _cell(value: Any) -> Any:
    """A value as a spreadsheet must read it: text is never computed."""
    if isinstance(value, tuple | list):
        value = joined(value)
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return plain(value)


def joined(values: Sequence[Any]) -> str:
    """Several names in one cell: ``edge_interpolated;reset``."""
    return ";".join(map(str, values))


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals and times as text, what is missing as None."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def workbook(found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """All tables in one file, for the owner alone."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, table in found.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append(list(table.columns))
        for row in table.to_numpy(dtype=object):
            sheet.append([_number(x) for x in row])
    book.save(path)


def _number(value: Any) -> Any:
    return value if isinstance(value, Decimal) else _cell(value)


def records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows by column name."""
    names = [str(c) for c in table.columns]
    for row in table.astype(object).to_numpy():
        yield dict(zip(names, row, strict=True))


def papers(statements: Sequence[Statement], folder: Path) -> None:
    """Each statement as CSV, and as page, PDF and workbook where their extras are there.

    What could not be written is told once, and is no error: the CSV and the record have it all.
    """
    folder.mkdir()
    lacking = [x for x in ("jinja2", "fpdf", "openpyxl") if find_spec(x) is None]
    unwritten = []
    for i, s in enumerate(statements, 1):
        stem = folder / f"{i:02d}-{_slug(s.party)}"
        s.to_csv(stem.with_suffix(".csv"))
        if "jinja2" not in lacking:
            s.to_html(stem.with_suffix(".html"))
        if "openpyxl" not in lacking:
            s.to_excel(stem.with_suffix(".xlsx"))
        if "fpdf" not in lacking:
            unwritten += _pdf(s, stem.with_suffix(".pdf"))
    _tell(lacking, unwritten)


def _pdf(statement: Statement, path: Path) -> list[str]:
    """Write it; a name that the built-in font cannot write leaves the other forms."""
    try:
        statement.to_pdf(path)
    except ConfigError as error:
        path.unlink(missing_ok=True)
        return [str(error)]
    return []


def _tell(lacking: Sequence[str], unwritten: Sequence[str]) -> None:
    report = [x for x in ("jinja2", "fpdf") if x in lacking]
    if report:
        forms = " and ".join("pages" if x == "jinja2" else "PDFs" for x in report)
        warn(
            f"The statements are saved without {forms}: an optional package is not installed. "
            'Install it with: pip install "dentframe[report]"',
            DentWarning,
        )
    if unwritten:
        warn(
            f"{len(unwritten)} statements are saved without a PDF. The first: {unwritten[0]}",
            DentWarning,
        )


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name).strip("-").lower()[:40] or "party"


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
