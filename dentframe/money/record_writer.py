"""A split is saved here: papers, tables, and the record of what they were made from."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from dentframe.documents import journal
from dentframe.documents.number_and_date_formats import formats
from dentframe.documents.statement_csv_and_excel import save_csv, save_workbook
from dentframe.errors import AlreadyThereError, ConfigError, DentWarning, missing_extra, warn
from dentframe.files import file_names, files_in, put_back, whole_folder
from dentframe.frame import csv_and_excel
from dentframe.money import record_steps
from dentframe.money.credit_notes import note_statements
from dentframe.money.record_reader import (
    FILE,
    PAPERS,
    READINGS,
    REBILL,
    RECORD,
    SCHEMA,
    STATEMENTS,
    Contents,
    digest,
    load,
    sealed,
)
from dentframe.wire.columns import wire_columns

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run
    from dentframe.money.statement import Statement
    from dentframe.site.site import Site


DRAFT = "DRAFT"
_FORMS = (
    ("", ".csv", "", ""),
    ("jinja2", ".html", "pages", "report"),
    ("fpdf", ".pdf", "PDFs", "report"),
    ("xlsxwriter", ".xlsx", "workbooks", "excel"),
)
"""Of each form of a statement the package that it needs, the end of its file's name, what such
files are called, and the extra that installs the package."""


def save(run: Run, folder: Any, *, draft: bool) -> Path:
    """Write a split: tenants' papers, tables and record, or nothing at all; see `Run.save`."""
    target = Path(folder)
    try:
        put_back(target.resolve().parent)
        lacking = _lacking_papers(target, run)
        missing = missing_extras(run.site.locale)
        if missing:
            warn(missing, DentWarning)
        with whole_folder(target) as part:
            if lacking is None:
                contents = _write_new(run, part, draft=draft)
            else:
                contents = lacking
                shutil.copytree(target, part, dirs_exist_ok=True)
                at = contents.read_at
                run = replace(run, read_at=None if at is None else pd.Timestamp(at))
                _papers(run, part, draft=False)
                if find_spec("xlsxwriter"):
                    save_workbook(result(run), part / "internal.xlsx")
            files = {k: digest(p) for k, p in files_in(part) if k != f"{RECORD}/{FILE}"}
            contents.files = files
            contents.papers = [k for k in files if not k.startswith(f"{RECORD}/")]
            (part / RECORD / FILE).write_bytes(sealed(contents))
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
    lacking = [form for form in _FORMS if form[0] and find_spec(form[0]) is None]
    extras = ["report"] * bool(locale) + [extra for *_, extra in lacking]
    install = ",".join(dict.fromkeys(extras))
    without = " and ".join(what for _, _, what, _ in lacking)
    if locale and find_spec("babel") is None:
        also = f", and {without}" if without else ""
        raise missing_extra(f"write statements as locale {locale!r} has them{also}", install)
    formats(locale)
    if not lacking:
        return ""
    return (
        f"The statements are saved without {without}: an "
        f'optional package is not installed. Install it with: pip install "dentframe[{install}]", '
        "and save to the same folder again to add them."
    )


# --- what may be replaced ------------------------------------------------------------------


def _lacking_papers(target: Path, run: Run) -> Contents | None:
    """The record that lacks some papers of this split; None where a new one can be written."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    if not (target / RECORD / FILE).is_file():
        why = "something is there that is no record of a split"
    else:
        contents = load(target / RECORD / FILE)
        why = _why_kept(target, contents, run)
        if not why:
            return contents if contents.final else None
    raise ConfigError(
        f"Cannot save to {str(target)!r}: {why}. Only a split of the same bill and site with "
        "open exceptions is replaced. Name a new folder, or remove this one yourself."
    )


def _why_kept(target: Path, contents: Contents, run: Run) -> str:
    """Why a folder must stay as it is, ``""`` where this split may go there."""
    if (contents.bill, contents.site) != (run.bill.name, run.site.name):
        return f"a split of {contents.bill!r} of {contents.site!r} is there"
    known = {*contents.files, f"{RECORD}/{FILE}"}
    others = [name for name, _ in files_in(target) if name not in known]
    if others:
        return f"{others[0]!r} is there, which dentframe did not write"
    if not contents.final:
        return ""
    if contents.result != rows(run):
        return "a record without open exceptions is there, and is never overwritten"
    endings = [ending for package, ending, *_ in _FORMS if package and find_spec(package)]
    names = paper_names(run, draft=False)
    papers = [f"{PAPERS}/{names[s.party]}{ending}" for s in run.statements for ending in endings]
    if all(paper in contents.files for paper in papers):
        raise AlreadyThereError(
            f"Nothing to save: {str(target)!r} holds this split already, without open exceptions. "
            "Such a record is never overwritten."
        )
    return ""


# --- writing -------------------------------------------------------------------------------


def _write_new(run: Run, part: Path, *, draft: bool) -> Contents:
    """Write everything but the list of files, and return what that says of the rest."""
    record, tables = part / RECORD, result(run)
    record.mkdir()
    if draft or run.ok:
        _papers(run, part, draft=draft)
        if not draft:
            journal.save(_postings(run), ledger(run.site), part)
    if draft or not run.ok:
        charges = tables["charges"].copy()
        charges.insert(0, "draft", DRAFT)
        tables["charges"] = charges
    for name, table in tables.items():
        save_csv(table, part / f"{name}.csv")
    if find_spec("xlsxwriter"):
        save_workbook(tables, part / "internal.xlsx", draft=draft or not run.ok)
    edges = json.dumps(record_steps.edges_of(run), indent=1, ensure_ascii=False)
    texts = {
        "site.toml": run.site.to_toml(), "bill.toml": run.bill.to_toml(),
        "rules.toml": run.rules.to_toml(), "steps.csv": record_steps.steps_csv(run),
        "edges.json": f"{edges}\n",
    }  # fmt: skip
    for name, text in texts.items():
        (record / name).write_text(text, encoding="utf-8")
    csv_and_excel.to_csv(run.frame[wire_columns(run.frame.columns)], record / READINGS)
    shutil.copyfile(Path(__file__).with_name("check.py"), record / "check.py")
    if run.rebilling is not None:
        (record / REBILL).write_bytes(msgspec.json.format(msgspec.json.encode(run.rebilling)))
    return Contents(
        schema=SCHEMA,
        bill=run.bill.name,
        site=run.site.name,
        ok=run.ok,
        draft=draft,
        read_at=None if run.read_at is None else run.read_at.isoformat(),
        versions=versions(),
        attrs={str(k): v for k, v in run.frame.attrs.items()},
        files={},
        result=rows(run),
        replaces=run.rebilling.replaces if run.rebilling else "",
        seal="",
        closings={k: (at.isoformat(), f"{x:f}") for k, (at, x) in run.closings.items()},
    )


def _papers(run: Run, part: Path, *, draft: bool) -> None:
    """Each statement as CSV, and as page, PDF and workbook where their extras are there."""
    (part / PAPERS).mkdir(exist_ok=True)
    names = paper_names(run, draft=draft)
    statements = [replace(s, draft=draft) for s in run.statements]
    notes = [replace(s, draft=draft) for s in note_statements(run, statements)]
    papers = [(s, names[s.party]) for s in statements]
    papers += [(s, f"{names[s.party]}-note") for s in notes]
    unwritten = [x for s, name in papers for x in _forms(s, part / PAPERS / name)]
    body = json.dumps([s.to_dict() for s in statements], indent=1, ensure_ascii=False)
    (part / RECORD / STATEMENTS).write_text(f"{body}\n", encoding="utf-8")
    if unwritten:
        warn(
            f"{len(unwritten)} statements are saved without a PDF. The first: {unwritten[0]}",
            DentWarning,
        )


def _forms(s: Statement, stem: Path) -> Iterator[str]:
    """Write what is not there yet; a name that no font can write leaves the other forms."""
    writers: tuple[Callable[[Path], Any], ...] = s.to_csv, s.to_html, s.to_pdf, s.to_excel
    for (package, ending, *_), write in zip(_FORMS, writers, strict=True):
        path = stem.with_name(f"{stem.name}{ending}")
        if path.exists() or (package and find_spec(package) is None):
            continue
        try:
            write(path)
        except ConfigError as error:
            if ending != ".pdf":
                raise
            path.unlink(missing_ok=True)
            yield str(error)


def ledger(site: Site) -> journal.Accounts:
    """The accounts that a site's charges are posted to."""
    return journal.accounts_of(site.accounts, [t.name for t in site.tenants], site.file)


def _postings(run: Run) -> list[dict[str, Any]]:
    letters = {s.party: s.letter for s in run.statements if s.letter is not None}
    due = next((x.due for x in letters.values()), None)
    numbers = {party: x.number for party, x in letters.items()}
    charges, how = run.charges, run.rebilling
    if how is None:
        return journal.postings(charges, run.bill.issued, due, numbers, {})
    before = pd.DataFrame(
        [(x.party, run.role_of(x.party), x.title, x.line, x.kind, x.part, x.amount)
         for x in how.before],
        columns=["party", "role", "line", "bill_line", "kind", "part", "amount"],
    )  # fmt: skip
    charges = journal.differences(charges, before)
    numbers = {party: how.number(party) for party in how.numbers}
    return journal.postings(charges, run.bill.issued, due, numbers, how.numbers)


def paper_names(run: Run, *, draft: bool) -> dict[str, str]:
    """The name of each tenant's files, by account or name, so that every month has the same."""
    site = run.site
    parties = (*site.tenants, *[site.owner] * site.letterhead.landlord)
    names = file_names({t.name: t.account or t.name for t in parties})
    return {party: f"{name}-{DRAFT}" if draft else name for party, name in names.items()}


# --- the result ----------------------------------------------------------------------------


def result(run: Run) -> dict[str, pd.DataFrame]:
    """The tables of a split."""
    return {
        "charges": run.charges,
        "control": run.control.rename_axis("party").reset_index(),
        "exceptions": run.exceptions,
        "figures": run.figures,
        **({"notes": run.notes} if run.rebilling else {}),
    }


def rows(run: Run) -> dict[str, list[dict[str, Any]]]:
    """The tables of a result as JSON-safe rows."""
    return {
        name: [
            {str(k): _json_safe(v) for k, v in row.items()}
            for row in table.astype(object).to_dict("records")
        ]
        for name, table in result(run).items()
    }


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
