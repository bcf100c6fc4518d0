"""A split is saved here: papers, tables, and the record of what they were made from."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from dentframe.documents import journal
from dentframe.documents.csv_and_excel import save_csv, save_workbook
from dentframe.documents.formats import formats
from dentframe.errors import AlreadyThereError, ConfigError, DentWarning, missing_extra, warn
from dentframe.files import file_names, files_in, put_back, whole_folder
from dentframe.frame import csv_and_excel
from dentframe.money import rebill_notes, record_steps, settlement
from dentframe.money.record_reader import (
    FILE,
    PAPERS,
    READINGS,
    REBILL,
    RECORD,
    SCHEMA,
    STATEMENTS,
    Told,
    digest,
    load,
    sealed,
)
from dentframe.money.tenant_statements import statements
from dentframe.wire.columns import wire_columns

if TYPE_CHECKING:
    from dentframe.money.settlement import Outcome
    from dentframe.money.statement import Statement
    from dentframe.site.site import Site


DRAFT = "DRAFT"
_EXTRAS = {
    "jinja2": ("pages", "report"),
    "fpdf": ("PDFs", "report"),
    "xlsxwriter": ("workbooks", "excel"),
}
"""Package to what it writes, and the extra that installs it."""


def save(
    of: Outcome,
    frame: pd.DataFrame,
    read_at: pd.Timestamp | None,
    folder: Any,
    *,
    draft: bool = False,
) -> Path:
    """Write a split: tenants' papers, tables and record, or nothing at all.

    Parameters
    ----------
    of : Outcome
        The split.
    frame : pandas.DataFrame
        The readings that were used.
    read_at : pandas.Timestamp or None
        When they were read.
    folder : str or path
        A folder that is not there yet, is empty, or holds a split of the same bill and site:
        a draft, or one whose exceptions were not all accepted, is replaced; one with the same
        result gets the papers that it lacks.
    draft : bool
        Write the papers marked as drafts, whatever the exceptions are.

    Returns
    -------
    pathlib.Path
        The record's folder.

    Raises
    ------
    ConfigError
        Where the folder holds something else (a good record is never overwritten), or the disk
        does not take it.
    """
    target = Path(folder)
    try:
        put_back(target.resolve().parent)
        lacking = _check_free(target, of)
        missing = missing_extras(of.site.locale)
        if missing:
            warn(missing, DentWarning)
        with whole_folder(target) as part:
            if lacking is None:
                _whole(of, frame, read_at, part, draft=draft)
            else:
                _completed(of, lacking, target, part)
    except OSError as error:
        raise ConfigError(
            f"Cannot save to {str(target)!r}: {error.strerror or error}. Nothing was written "
            "there. Make room or name another folder, and save again."
        ) from None
    return target / RECORD


def missing_extras(locale: str) -> str:
    """What cannot be written for want of optional packages, all at once; ``""`` for nothing.

    Raises
    ------
    MissingExtraError
        Where a locale is asked for and Babel is not installed; the other packages are named too.
    ConfigError
        For a locale that Babel does not know.
    """
    forms = {k: v for k, v in _EXTRAS.items() if find_spec(k) is None}
    extras = ",".join(dict.fromkeys(["report"] * bool(locale) + [x for _, x in forms.values()]))
    without = " and ".join(x for x, _ in forms.values())
    if locale and find_spec("babel") is None:
        also = f", and {without}" if without else ""
        raise missing_extra(f"write statements as locale {locale!r} has them{also}", extras)
    formats(locale)
    if not forms:
        return ""
    return (
        f"The statements are saved without {without}: an "
        f'optional package is not installed. Install it with: pip install "dentframe[{extras}]", '
        "and save to the same folder again to add them."
    )


# --- what may be replaced ------------------------------------------------------------------


def _check_free(target: Path, of: Outcome) -> Told | None:
    """The record that lacks some papers of this split; None where a new one can be written."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    if not (target / RECORD / FILE).is_file():
        why = "something is there that is no record of a split"
    else:
        told = load(target / RECORD / FILE)
        why = _kept(target, told, of)
        if not why and told.ok and not told.draft:
            return told
    if why:
        raise ConfigError(
            f"Cannot save to {str(target)!r}: {why}. Only a split of the same bill and site with "
            "open exceptions is replaced. Name a new folder, or remove this one yourself."
        )
    return None


def _kept(target: Path, told: Told, of: Outcome) -> str:
    """Why a folder must stay as it is, ``""`` where this split may go there."""
    if (told.bill, told.site) != (of.bill.name, of.site.name):
        return f"a split of {told.bill!r} of {told.site!r} is there"
    known = {*told.files, f"{RECORD}/{FILE}"}
    others = [name for name, _ in files_in(target) if name not in known]
    if others:
        return f"{others[0]!r} is there, which dentframe did not write"
    if told.ok and not told.draft and told.result != rows(of):
        return "a record without open exceptions is there, and is never overwritten"
    if told.ok and not told.draft and not _lacks(told, of):
        raise AlreadyThereError(
            f"Nothing to save: {str(target)!r} holds this split already, without open exceptions. "
            "Such a record is never overwritten."
        )
    return ""


def _lacks(told: Told, of: Outcome) -> bool:
    """Whether papers can be made now that a record does not have."""
    endings = [x for k, x in (("jinja2", ".html"), ("xlsxwriter", ".xlsx"), ("fpdf", ".pdf"))
               if find_spec(k)]  # fmt: skip
    mine = {s.party for s in statements(of, None)}
    names = {f"{PAPERS}/{x}" for p, x in paper_names(of, draft=False).items() if p in mine}
    return any(f"{name}{x}" not in told.files for name in names for x in endings)


# --- writing -------------------------------------------------------------------------------


def _whole(
    of: Outcome, frame: pd.DataFrame, read_at: pd.Timestamp | None, part: Path, *, draft: bool
) -> None:
    (part / RECORD).mkdir()
    found = result(of)
    ok = bool(found["exceptions"]["accepted"].all())
    if draft or ok:
        statements = _papers(of, read_at, part, draft=draft)
        if not draft:
            journal.save(_postings(of, statements), ledger(of.site), part)
    _tables(found, part, draft=draft or not ok)
    texts = {"site": of.site.to_toml(), "bill": of.bill.to_toml(), "rules": of.rules.to_toml()}
    for name, text in texts.items():
        (part / RECORD / f"{name}.toml").write_text(text, encoding="utf-8")
    _readings(frame, part / RECORD)
    (part / RECORD / "steps.csv").write_text(record_steps.steps_csv(of), encoding="utf-8")
    edges = json.dumps(record_steps.edges_of(of), indent=1, ensure_ascii=False)
    (part / RECORD / "edges.json").write_text(f"{edges}\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name("check.py"), part / RECORD / "check.py")
    if of.rebilling is not None:
        (part / RECORD / REBILL).write_bytes(msgspec.json.format(msgspec.json.encode(of.rebilling)))
    told = Told(
        schema=SCHEMA,
        bill=of.bill.name,
        site=of.site.name,
        ok=ok,
        draft=draft,
        read_at=None if read_at is None else read_at.isoformat(),
        versions=versions(),
        attrs={str(k): v for k, v in frame.attrs.items()},
        files={},
        result=rows(of),
        replaces=of.rebilling.replaces if of.rebilling else "",
        seal="",
        closings={k: (at.isoformat(), f"{x:f}") for k, (at, x) in of.closings.items()},
    )
    _finish(told, part)


def _completed(of: Outcome, told: Told, target: Path, part: Path) -> None:
    """The record as it is, with the papers that it lacks."""
    shutil.copytree(target, part, dirs_exist_ok=True)
    read_at = None if told.read_at is None else pd.Timestamp(told.read_at)
    _papers(of, read_at, part, draft=False)
    if find_spec("xlsxwriter"):
        save_workbook(result(of), part / "internal.xlsx")
    _finish(told, part)


def _finish(told: Told, part: Path) -> None:
    files = {k: digest(p) for k, p in files_in(part) if k != f"{RECORD}/{FILE}"}
    told.files, told.papers = files, [k for k in files if not k.startswith(f"{RECORD}/")]
    (part / RECORD / FILE).write_bytes(sealed(told))


def _tables(found: Mapping[str, pd.DataFrame], part: Path, *, draft: bool) -> None:
    if draft:
        charges = found["charges"].copy()
        charges.insert(0, "draft", DRAFT)
        found = {**found, "charges": charges}
    for name, table in found.items():
        save_csv(table, part / f"{name}.csv")
    if find_spec("xlsxwriter"):
        save_workbook(found, part / "internal.xlsx", draft=draft)


def _papers(
    of: Outcome, read_at: pd.Timestamp | None, part: Path, *, draft: bool
) -> list[Statement]:
    """Each statement as CSV, and as page, workbook and PDF where their extras are there."""
    (part / PAPERS).mkdir(exist_ok=True)
    names = paper_names(of, draft=draft)
    found = [replace(s, draft=draft) for s in statements(of, read_at)]
    papers = [(s, names[s.party]) for s in found]
    papers += [(replace(s, draft=draft), f"{names[s.party]}-note")
               for s in rebill_notes.note_statements(of, found)]  # fmt: skip
    unwritten = [x for s, name in papers for x in _forms(s, part / PAPERS / name)]
    told = json.dumps([s.to_dict() for s in found], indent=1, ensure_ascii=False)
    (part / RECORD / STATEMENTS).write_text(f"{told}\n", encoding="utf-8")
    if unwritten:
        warn(
            f"{len(unwritten)} statements are saved without a PDF. The first: {unwritten[0]}",
            DentWarning,
        )
    return found


def ledger(site: Site) -> journal.Accounts:
    """The accounts that a site's charges are posted to."""
    return journal.accounts_of(site.accounts, [t.name for t in site.tenants], site.file)


def _postings(of: Outcome, statements: list[Statement]) -> list[dict[str, Any]]:
    letters = {s.party: s.letter for s in statements if s.letter is not None}
    due = next((x.due for x in letters.values()), None)
    numbers = {party: x.number for party, x in letters.items()}
    charges, how = settlement.charges(of), of.rebilling
    if how is not None:
        before = pd.DataFrame(
            [(x.party, settlement.role_of(of, x.party), x.title, x.line, x.kind, x.part, x.amount)
             for x in how.before],
            columns=["party", "role", "line", "bill_line", "kind", "part", "amount"],
        )  # fmt: skip
        charges = journal.differences(charges, before)
        numbers = {party: how.number(party) for party in how.numbers}
    originals = {} if how is None else how.numbers
    return journal.postings(charges, of.bill.issued, due, numbers, originals)


def _forms(s: Statement, stem: Path) -> list[str]:
    """Write what is not there yet; a name that no font can write leaves the other forms."""
    writers = ((None, ".csv", s.to_csv), ("jinja2", ".html", s.to_html),
               ("xlsxwriter", ".xlsx", s.to_excel), ("fpdf", ".pdf", s.to_pdf))  # fmt: skip
    for package, ending, write in writers:
        path = stem.with_name(f"{stem.name}{ending}")
        if path.exists() or (package and find_spec(package) is None):
            continue
        try:
            write(path)
        except ConfigError as error:
            if ending != ".pdf":
                raise
            path.unlink(missing_ok=True)
            return [str(error)]
    return []


def paper_names(of: Outcome, *, draft: bool) -> dict[str, str]:
    """The name of each tenant's files, by account or name, so that every month has the same."""
    site = of.site
    parties = (*site.tenants, *[site.owner] * site.letterhead.landlord)
    names = file_names({t.name: t.account or t.name for t in parties})
    return {party: f"{name}-{DRAFT}" if draft else name for party, name in names.items()}


def _readings(frame: pd.DataFrame, folder: Path) -> None:
    """The readings as exact CSV."""
    csv_and_excel.to_csv(frame[wire_columns(frame.columns)], folder / READINGS)


# --- the result ----------------------------------------------------------------------------


def result(of: Outcome) -> dict[str, pd.DataFrame]:
    """The tables of a split."""
    return {
        "charges": settlement.charges(of),
        "control": settlement.control(of).rename_axis("party").reset_index(),
        "exceptions": settlement.exceptions(of),
        "figures": settlement.figures(of),
        **({"notes": rebill_notes.notes(of)} if of.rebilling else {}),
    }


def rows(of: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The tables of a result as JSON-safe rows."""
    return {
        name: [{k: _json_safe(v) for k, v in row.items()} for row in row_dicts(table)]
        for name, table in result(of).items()
    }


def row_dicts(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows by column name."""
    names = [str(c) for c in table.columns]
    for row in table.astype(object).to_numpy():
        yield dict(zip(names, row, strict=True))


def _json_safe(value: Any) -> Any:
    """A value as JSON has it: decimals and times as text, what is missing as None."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def versions() -> dict[str, str]:
    """What computes here."""
    found = {name: version(name) for name in ("dentframe", "pandas", "numpy")}
    return {**found, "python": platform.python_version()}
