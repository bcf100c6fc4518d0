"""A split is saved here: papers, tables, and the record of what they were made from.

``steps.csv`` and ``edges.json`` are what ``check.py``, which lies in the record, computes from.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from dentframe.atomic_files import files_in, put_back, whole_folder
from dentframe.documents import journal_invoices_and_energy_star as journal
from dentframe.documents.number_and_date_formats import formats
from dentframe.documents.statement_audit_sheet import DRAFT
from dentframe.documents.statement_csv_and_excel import save_csv, save_workbook
from dentframe.errors import AlreadyThereError, ConfigError, DentWarning, missing_extra, warn
from dentframe.frame import csv_and_excel
from dentframe.metering.apply_corrections import mean_factor
from dentframe.metering.register_rules import HOUR, MINUTE
from dentframe.metering.series import names
from dentframe.money import record_reader
from dentframe.money.credit_notes import note_statements
from dentframe.money.occupancy import span
from dentframe.money.record_reader import FILE, PAPERS, READINGS, RECORD, Contents, tables_of
from dentframe.money.rounding_and_tiers import exact
from dentframe.times.dates_and_ranges import micros
from dentframe.verbs import demand as blocks
from dentframe.verbs.energy import figures, moving
from dentframe.verbs.inputs_and_keywords import VerbKeywords, demand_source, interval_of, series_of
from dentframe.wire.columns import split_element, wire_columns

if TYPE_CHECKING:
    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.money.split_bill import Run

_FORMS = (
    ("", ".csv", "", ""),
    ("jinja2", ".html", "pages", "report"),
    ("fpdf", ".pdf", "PDFs", "report"),
    ("xlsxwriter", ".xlsx", "workbooks", "excel"),
)
"""Of each form of a statement the package that it needs, the end of its file's name, what such
files are called, and the extra that installs the package."""
STEPS = ("series", "source", "element", "start", "end", "opening", "closing", "raw", "measured",
         "corrected", "verdict", "flags")  # fmt: skip
"""The columns of ``steps.csv``."""
_PLAIN = sum(1 << k for k in (3, 5, 7, 8, 10, 16))
"""Flags of steps whose energy is what their readings differ by."""


def save(run: Run, folder: Any, *, draft: bool) -> Path:
    """Write a split: tenants' papers, tables and record, or nothing at all; see `Run.save`."""
    target = Path(folder)
    try:
        put_back(target.resolve().parent)
        contents = _there_already(target, run)
        missing = missing_extras(run.site.locale)
        if missing:
            warn(missing, DentWarning)
        with whole_folder(target) as part:
            if contents is None:
                contents = _write_new(run, part, draft=draft)
            else:
                shutil.copytree(target, part, dirs_exist_ok=True)
                read_at = pd.Timestamp(contents.read_at) if contents.read_at else None
                _write_papers(replace(run, read_at=read_at), part, draft=False)
                if find_spec("xlsxwriter"):
                    save_workbook(tables_of(run), part / "internal.xlsx")
            files = {k: path for k, path in files_in(part) if k != f"{RECORD}/{FILE}"}
            contents.files = {k: record_reader.digest(path) for k, path in files.items()}
            contents.papers = [k for k in files if not k.startswith(f"{RECORD}/")]
            (part / RECORD / FILE).write_bytes(record_reader.sealed(contents))
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


def _there_already(target: Path, run: Run) -> Contents | None:
    """The record of this split that lacks some papers; None where a new one can be written."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    file, why = target / RECORD / FILE, ""
    contents = record_reader.load(file) if file.is_file() else None
    known = {*contents.files, f"{RECORD}/{FILE}"} if contents else set()
    foreign = next((name for name, _ in files_in(target) if name not in known), "")
    if contents is None:
        why = "something is there that is no record of a split"
    elif (contents.bill, contents.site) != (run.bill.name, run.site.name):
        why = f"a split of {contents.bill!r} of {contents.site!r} is there"
    elif foreign:
        why = f"{foreign!r} is there, which dentframe did not write"
    elif not contents.final:
        return None
    elif contents.result != record_reader.result_of(run):
        why = "a record without open exceptions is there, and is never overwritten"
    if why:
        raise ConfigError(
            f"Cannot save to {str(target)!r}: {why}. Only a split of the same bill and site with "
            "open exceptions is replaced. Name a new folder, or remove this one yourself."
        )
    endings = [ending for package, ending, *_ in _FORMS if package and find_spec(package)]
    stems = record_reader.paper_names(run, draft=False)
    papers = {f"{PAPERS}/{stems[s.party]}{ending}" for s in run.statements for ending in endings}
    if papers <= known:
        raise AlreadyThereError(
            f"Nothing to save: {str(target)!r} holds this split already, without open exceptions. "
            "Such a record is never overwritten."
        )
    return contents


def _write_new(run: Run, part: Path, *, draft: bool) -> Contents:
    """Write everything but the list of files, and return what that says of the rest."""
    record, tables, final = part / RECORD, tables_of(run), run.ok and not draft
    record.mkdir()
    if draft or run.ok:
        _write_papers(run, part, draft=draft)
    if final:
        journal.save(run, part)
    else:
        tables["charges"] = tables["charges"].copy()
        tables["charges"].insert(0, "draft", DRAFT)
    for name, table in tables.items():
        save_csv(table, part / f"{name}.csv")
    if find_spec("xlsxwriter"):
        save_workbook(tables, part / "internal.xlsx", draft=not final)
    texts = {
        "site.toml": run.site.to_toml(), "bill.toml": run.bill.to_toml(),
        "rules.toml": run.rules.to_toml(), "steps.csv": _steps_csv(run),
        "edges.json": record_reader.json_of([*_edges(run)]),
    }  # fmt: skip
    for name, text in texts.items():
        (record / name).write_text(text, encoding="utf-8")
    csv_and_excel.to_csv(run.frame[wire_columns(run.frame.columns)], record / READINGS)
    program = Path(__file__).with_name("record_check_without_dentframe.py")
    shutil.copyfile(program, record / "check.py")
    if run.rebilling is not None:
        how = msgspec.json.format(msgspec.json.encode(run.rebilling))
        (record / record_reader.REBILL).write_bytes(how)
    return Contents(
        bill=run.bill.name,
        site=run.site.name,
        ok=run.ok,
        draft=draft,
        read_at=None if run.read_at is None else run.read_at.isoformat(),
        versions=record_reader.versions(),
        attrs={str(k): v for k, v in run.frame.attrs.items()},
        files={},
        result=record_reader.result_of(run),
        replaces=run.rebilling.replaces if run.rebilling else "",
        seal="",
        closings={k: (at.isoformat(), f"{x:f}") for k, (at, x) in run.closings.items()},
    )


# --- papers -------------------------------------------------------------------------------


def _write_papers(run: Run, part: Path, *, draft: bool) -> None:
    """Each statement as CSV, and as page, PDF and workbook where their extras are there."""
    (part / PAPERS).mkdir(exist_ok=True)
    stems = record_reader.paper_names(run, draft=draft)
    statements = [replace(s, draft=draft) for s in run.statements]
    papers = [(s, stems[s.party]) for s in statements]
    notes = note_statements(run, statements)
    papers += [(replace(s, draft=draft), f"{stems[s.party]}-note") for s in notes]
    unwritten = []
    for s, stem in papers:
        writers: tuple[Callable[[Path], Any], ...] = s.to_csv, s.to_html, s.to_pdf, s.to_excel
        for (package, ending, *_), write in zip(_FORMS, writers, strict=True):
            path = part / PAPERS / f"{stem}{ending}"
            if path.exists() or (package and find_spec(package) is None):
                continue
            try:
                write(path)
            except ConfigError as error:  # a name that no font can write: the other forms can
                if ending != ".pdf":
                    raise
                path.unlink(missing_ok=True)
                unwritten.append(str(error))
    body = record_reader.json_of([s.to_dict() for s in statements])
    (part / RECORD / record_reader.STATEMENTS).write_text(body, encoding="utf-8")
    if unwritten:
        lost = f"{len(unwritten)} statements are saved without a PDF. The first: {unwritten[0]}"
        warn(lost, DentWarning)


# --- what check.py computes from --------------------------------------------------------------


def _steps_csv(run: Run) -> str:
    """Each step of each register and each interval mean that a figure rests on, as CSV."""
    starts, ends = zip(*(span(run.site, x.bill) for x in run.uses), strict=True)
    around = micros(min(starts)) - 3 * HOUR, micros(max(ends)) + 3 * HOUR
    bases, rows = {basis for x in run.uses for basis in x.figures}, list[tuple[Any, ...]]()
    for c in run.whole.energy.series if "energy" in bases else ():
        rows += _steps("energy", moving(c, run.rules.edges), around)
    if bases - {"energy"}:
        source = demand_source(run.whole.frame, None, "auto")
        for c in series_of(run.whole.frame, source, VerbKeywords(**run.whole.keywords)):
            rows += _steps("demand", c, around)
    return pd.DataFrame(rows, columns=STEPS).to_csv(index=False, lineterminator="\n")


def _steps(name: str, c: Cumulative, around: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    first = max(int(np.searchsorted(c.t, around[0])) - 1, 0)
    last = min(int(np.searchsorted(c.t, around[1])) + 1, len(c.t) - 1)
    s, e = c.t[first:last], c.t[first + 1 : last + 1]
    increments = []
    for x in (c.corrected.raw, c.corrected.measured, c) if c.corrected else (c,) * 3:
        # What the running total grows by, so that the parts of a span add up to it.
        total = [Decimal(_text(value)) for value in x.energy_at(c.t[first : last + 1]).tolist()]
        increments.append([f"{b - a:f}" for a, b in pairwise(total)])
    factor = mean_factor(s, e, c.corrected.fixes) if c.corrected else np.ones(len(s))
    flags, ok, register = c.flags[first:last].tolist(), c.ok[first:last], c.source == "register"
    opens = dict(zip(c.at.tolist(), map(_text, c.readings.tolist()), strict=True))
    closes = opens | {at: _text(x) for at, x in c.closings.items()}  # two values at an exchange
    rows = zip(s.tolist(), e.tolist(), *increments, (factor == 1.0).tolist(), ok.tolist(),
               flags, strict=True)  # fmt: skip
    for start, end, raw, measured, corrected, single, used, bits in rows:
        # A mean has no opening: its kW stands where it closes.
        opening, closing = opens.get(start, "") if register else "", closes.get(end, "")
        values = raw, measured, corrected
        if opening and closing and single and not bits & ~_PLAIN:
            # What the two readings differ by, as a tenant would subtract them.
            whole = f"{Decimal(closing) - Decimal(opening):f}"
            values = (whole, whole, whole) if used else (raw, "0", "0")
        yield (name, c.source, c.name, _iso(start), _iso(end), opening, closing, *values,
               "use" if used else "missing", " ".join(names(bits)))  # fmt: skip


def _text(value: float) -> str:
    """A number without the noise of a float, as `exact` has it."""
    if abs(value) < 1e5:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return "" if np.isnan(value) else f"{exact(value):f}"


def _iso(t: int) -> str:
    """An instant [us UTC] as text."""
    return f"{np.datetime64(t, 'us')}Z".replace(".000000Z", "Z")


def _edges(run: Run) -> Iterator[dict[str, Any]]:
    """Who had which element in each use of a line, and when its energy was measured."""
    for use in run.uses:
        low, high = map(micros, span(run.site, use.bill))
        series = use.energy.series if "energy" in use.figures else ()
        registers, stays = {c.name: c for c in series}, []
        for x in use.occupancies:
            start, end = micros(x.start), micros(x.end)
            stay = {k: getattr(x, k) for k in ("element", "kind", "party")}
            stay |= {"start": _iso(start), "end": _iso(end)}
            if x.element in registers:
                edges = np.array([start]), np.array([end])
                f = figures(registers[x.element], *edges, edges=use.rules.edges)
                stay |= {"from": _iso(int(f.s[0])), "to": _iso(int(f.e[0]))}
            stays.append(stay)
        part: dict[str, Any] = {
            "lines": [x.name for x in run.bill.lines if run.use(x.name) is use],
            "kwh": None if use.bill.kwh is None else str(use.bill.kwh),
            "start": _iso(low),
            "end": _iso(high),
            "bases": [*use.figures],
            "stays": stays,
            "days": use.holders,
        }
        if {"coincident", "own_peak"} & {*use.figures}:
            how = blocks.cut("block", use.rules.window, None, use.rules.interval)
            s, e = blocks.span(how, np.array([low]), np.array([high]), use.site.zone)
            part["blocks"] = [_iso(x) for x in (*s.tolist(), *e[-1:].tolist())]
            part["window"] = how.window
            part["interval"] = {
                x.element: interval_of(use.rules.interval, split_element(x.element)[0]) // MINUTE
                for x in use.occupancies
            }
        yield part
