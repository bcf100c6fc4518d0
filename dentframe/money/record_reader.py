"""A record of a split is read here: one month with its tables, or all months of a folder.

The layout is documented field by field in ``docs/reference/record.md``. `dentframe.verify` and the
record's own ``check.py`` compute it again.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from dentframe.atomic_files import file_names, files_in, put_back
from dentframe.documents.statement_audit_sheet import DRAFT
from dentframe.errors import ConfigError, by
from dentframe.frame import csv_and_excel
from dentframe.money.credit_notes import Rebilling
from dentframe.money.earlier_and_daily_use import BilledPeriod
from dentframe.money.rounding_and_tiers import add, rounded
from dentframe.money.split_exceptions import Finding
from dentframe.money.statement import Statement, Statements
from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
from dentframe.site import toml_tables
from dentframe.site.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.money.split_bill import Run

SCHEMA = 2
RECORD, FILE, PAPERS = "record", "record.json", "statements"
READINGS, STATEMENTS = "readings.csv", "statements.json"
MADE_FROM = ("site.toml", "bill.toml", "rules.toml", READINGS)
REBILL = "rebill.json"
WORKINGS = ("steps.csv", "edges.json", "check.py")
TABLES = ("charges", "control", "exceptions", "figures")
CHARGES = (
    "bill", "start", "end", "party", "role", "code", "line", "bill_line", "kind", "part", "basis",
    "quantity", "unit", "amount", "currency", "status", "computed", "billed",
)  # fmt: skip
"""The columns of `Run.charges`."""
EDGES = ("open_at", "open_reading", "close_at", "close_reading", "lo", "hi")
FIGURES = (
    "element", "label", "party", "kind", "start", "end", "basis", "quantity", "unit", "coverage",
    "status", "flags", *EDGES,
)  # fmt: skip
"""The columns of figures; the last ones are those of the verb that measured them."""
_UNSEALED = "0" * 64
_DECIMALS = {"quantity", "amount", "computed", "billed", "value", "limit", "old", "new",
             "difference"}  # fmt: skip


class Contents(msgspec.Struct, kw_only=True):
    """What ``record.json`` says, beside its schema."""

    bill: str
    site: str
    ok: bool
    attrs: dict[str, Any]
    files: dict[str, str]
    result: dict[str, list[dict[str, Any]]]
    seal: str
    read_at: str | None = None
    versions: dict[str, str] = {}
    draft: bool = False
    papers: list[str] = []
    replaces: str = ""
    closings: dict[str, tuple[str, str]] = {}

    @property
    def final(self) -> bool:
        """Whether no exception is open, and the papers are no drafts."""
        return self.ok and not self.draft


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def json_of(data: Any) -> str:
    """The text of a JSON file of a record."""
    return f"{json.dumps(data, indent=1, ensure_ascii=False)}\n"


def sealed(contents: Contents) -> bytes:
    """The text of ``record.json``: its seal is the SHA-256 of the text with a seal of zeros."""
    whole = {"schema": SCHEMA, "kind": "dentframe split", **msgspec.structs.asdict(contents)}
    body = json_of(whole | {"seal": _UNSEALED}).encode()
    return body.replace(_UNSEALED.encode(), hashlib.sha256(body).hexdigest().encode())


def is_sealed(path: Path, contents: Contents) -> bool:
    """Whether ``record.json`` is, byte for byte, as it was written."""
    body = path.read_bytes().replace(contents.seal.encode() or b"\0", _UNSEALED.encode())
    return hashlib.sha256(body).hexdigest() == contents.seal


def load(path: Path) -> Contents:
    """Read a record's ``record.json``; raise ConfigError where it is none, naming the field."""
    try:
        found = msgspec.json.decode(path.read_bytes())
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise ConfigError(
                f"Cannot read the record {str(path)!r}: it is none of schema {SCHEMA}. Another "
                "version of dentframe may have written it."
            )
        return msgspec.convert(found, Contents)
    except msgspec.ValidationError as error:
        why = f"{error}. It was damaged or changed"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = f"it is no JSON ({error})"
    except OSError as error:
        why = f"{error.strerror or error}"
    raise ConfigError(f"Cannot read the record {str(path)!r}: {why}.")


@dataclass(frozen=True)
class Record:
    """A split as it was saved.

    Nothing is computed anew: `dentframe.verify` does that.

    Attributes
    ----------
    folder : pathlib.Path
        The record's own folder.
    contents : Contents
        What ``record.json`` says.

    Examples
    --------
    >>> record = Record.load("bills/2023-12")
    >>> record.ok, record.bill.name, record.statements["Bakery"].total
    (True, '2023-12', Decimal('972.62'))
    """

    folder: Path
    contents: Contents = field(repr=False)

    @classmethod
    def load(cls, folder: Any) -> Record:
        """Read a record.

        Parameters
        ----------
        folder : str or path
            The folder that `Run.save` wrote, its folder ``record``, or that one's
            ``record.json``.

        Raises
        ------
        ConfigError
            Where there is no record, one that cannot be read, or one that is a link.
        """
        at = Path(folder).resolve()
        put_back(next((x for x in at.parents if x.is_dir()), at))
        for own in (at, at.parent if at.name == FILE else at / RECORD):
            if (own / FILE).is_file():
                link = next((x for x in (own, own / FILE) if x.is_symlink()), None)
                if link is None:
                    return cls(own, load(own / FILE))
                raise ConfigError(
                    f"Cannot read {str(folder)!r}: its {link.name} is a link, which is not "
                    "followed. Name the folder itself."
                )
        raise ConfigError(
            f"Cannot read {str(folder)!r}: there is no {FILE} in it. Name the folder "
            f"{by('that Run.save wrote', 'of --out')}, or its folder 'record'."
        )

    @property
    def ok(self) -> bool:
        """Whether it is final: no exception is open, and its papers are no drafts."""
        return self.contents.final

    @property
    def id(self) -> str:
        """What names this record, wherever its folder lies."""
        made_from = (self.contents.files.get(f"{RECORD}/{x}", "") for x in (*MADE_FROM, REBILL))
        return hashlib.sha256("".join(made_from).encode()).hexdigest()

    @property
    def replaces(self) -> str:
        """The `id` of the record that this one replaces; ``""`` for a first bill."""
        return self.contents.replaces

    @cached_property
    def site(self) -> Site:
        """The building, with the corrections that were known."""
        return Site.load(self.folder / "site.toml")

    @cached_property
    def bill(self) -> UtilityBill:
        """The utility's bill."""
        return UtilityBill.load(self.folder / "bill.toml")

    @cached_property
    def rules(self) -> SplitRules:
        """How it was shared."""
        return SplitRules.load(self.folder / "rules.toml")

    @cached_property
    def readings(self) -> pd.DataFrame:
        """The readings that were used, over (meter, time)."""
        frame = csv_and_excel.read_csv(self.folder / READINGS)
        frame.attrs.update(self.contents.attrs)
        return frame

    @cached_property
    def rebilling(self) -> Rebilling | None:
        """What was billed before, where this is a re-bill."""
        path = self.folder / REBILL
        return msgspec.json.decode(path.read_bytes(), type=Rebilling) if path.is_file() else None

    @cached_property
    def charges(self) -> pd.DataFrame:
        """One row a party and line, as `Run.charges`."""
        # The columns are there also where there is no row.
        return self.table("charges").reindex(columns=CHARGES)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Every figure that a line rests on, as `Run.figures`."""
        return self.table("figures").reindex(columns=FIGURES)

    @cached_property
    def exceptions(self) -> pd.DataFrame:
        """What had to be looked at, as `Run.exceptions`."""
        return self.table("exceptions").reindex(columns=[f.name for f in fields(Finding)])

    @cached_property
    def control(self) -> pd.Series[Any]:
        """The utility's amount and where it went, as `Run.control`."""
        return self.table("control").set_index("party")["amount"]

    @cached_property
    def statements(self) -> Statements:
        """The tenants' statements as they were written; none while exceptions are open."""
        path = self.folder / STATEMENTS
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        return Statements([Statement.from_dict(x) for x in data])

    @property
    def billed(self) -> list[BilledPeriod]:
        """What each tenant used and paid, for later statements to compare with."""
        accounts, places = {t.name: t.account for t in self.site.tenants}, self.rules.places
        found = []
        for party, own in self.figures.query("basis == 'energy'").groupby("party", sort=False):
            start, end = own["start"].min(), own["end"].max()
            used = None if own["quantity"].isna().any() else add(list(own["quantity"]))
            owed = add(list(self.charges["amount"][self.charges["party"] == party]))
            last = own[own["end"] == end].dropna(subset="close_reading")
            closings = {
                str(row["element"]): (row["close_at"], rounded(row["close_reading"], places))
                for row in last.astype(object).to_dict("records")
            }
            account = accounts.get(str(party), "")
            found.append(BilledPeriod(str(party), account, start, end, used, owed, closings))
        return found

    def table(self, name: str) -> pd.DataFrame:
        """One of ``charges``, ``control``, ``exceptions`` and ``figures``, its values typed."""
        found = pd.DataFrame(self.contents.result[name])
        for column, values in found.items():
            if column in {"start", "end", "open_at", "close_at"}:
                times = pd.to_datetime(values, utc=True, format="ISO8601")
                found[column] = times.dt.tz_convert(self.site.zone)
            elif column in _DECIMALS:
                decimals = values.map(lambda x: None if pd.isna(x) else Decimal(x))
                found[column] = decimals.astype(object)
            elif column == "flags":
                found[column] = values.map(lambda x: tuple(str(x).split(", ")) if x else ())
        return found


def tables_of(run: Run) -> dict[str, pd.DataFrame]:
    """The tables that a record has of a split."""
    return {
        "charges": run.charges,
        "control": run.control.rename_axis("party").reset_index(),
        "exceptions": run.exceptions,
        "figures": run.figures,
        **({"notes": run.notes} if run.rebilling else {}),
    }


def result_of(run: Run) -> dict[str, list[dict[str, Any]]]:
    """The same tables as rows for JSON: decimals and times are texts, what is missing is None."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return ", ".join(map(str, value))
        if isinstance(value, Decimal):
            return str(value)
        return None if pd.isna(value) else toml_tables.plain(value, texts=True)

    found = {}
    for name, table in tables_of(run).items():
        rows = table.astype(object).to_dict("records")
        found[name] = [{str(k): plain(v) for k, v in row.items()} for row in rows]
    return found


def paper_names(run: Run, *, draft: bool) -> dict[str, str]:
    """The name of each tenant's files, by account or name, so that every month has the same."""
    site = run.site
    parties = (*site.tenants, *[site.owner] * site.letterhead.landlord)
    stems = file_names({t.name: t.account or t.name for t in parties})
    return {party: f"{stem}-{DRAFT}" if draft else stem for party, stem in stems.items()}


def versions() -> dict[str, str]:
    """What computes here."""
    found = {name: version(name) for name in ("dentframe", "pandas", "numpy")}
    return {**found, "python": platform.python_version()}


def records_in(folder: Any, *, replaced: bool = False) -> list[Record]:
    """The records below a folder by site and period, at any depth; no link is followed.

    Parameters
    ----------
    folder : str or path
        Where the months were saved.
    replaced : bool
        Show records too that a re-bill has replaced.
    """
    put_back(Path(folder))
    found = [Record.load(path.parent) for name, path in files_in(Path(folder))
             if name.split("/")[-2:] == [RECORD, FILE] and not path.is_symlink()]  # fmt: skip
    gone = set() if replaced else {x.replaces for x in found if x.ok}
    kept = [x for x in found if x.id not in gone]
    return sorted(kept, key=lambda x: (x.contents.site, x.site.instant(x.bill.start)))


def billed_before(found: Iterable[Record], site: Site) -> list[BilledPeriod]:
    """What final records of a site tell of its tenants, in the order of the records."""
    return [x for r in found if r.ok and r.site.name == site.name for x in r.billed]


def records(folder: Any, table: str = "charges", *, replaced: bool = False) -> pd.DataFrame:
    """The records below a folder as one frame over months.

    Parameters
    ----------
    folder : str or path
        Where the months were saved, at any depth; no link is followed.
    table : str
        ``charges``, ``figures``, ``control`` or ``exceptions``.
    replaced : bool
        Show records too that a re-bill has replaced. Without them the amounts of a tenant add up
        to what the tenant was billed.

    Returns
    -------
    pandas.DataFrame
        The rows of that table, each with ``record`` (the folder within `folder`), ``bill``,
        ``site``, ``period_start``, ``period_end`` (of the bill), ``ok`` and ``draft``; records
        by site and period.

    Raises
    ------
    ConfigError
        For an unknown `table`, or a record that cannot be read.

    Examples
    --------
    >>> records("bills").groupby("party")["amount"].sum()["Bakery"]
    Decimal('972.62')
    """
    if table not in TABLES:
        raise ConfigError(f"Cannot read table {table!r} of records: use {', '.join(TABLES)}.")
    top = Path(folder)
    parts = []
    for x in records_in(top, replaced=replaced):
        rows = x.table(table).drop(columns="bill", errors="ignore")
        head = {
            "record": x.folder.parent.relative_to(top.resolve()).as_posix(),
            "bill": x.contents.bill,
            "site": x.contents.site,
            "period_start": x.site.instant(x.bill.start).tz_convert(x.site.zone),
            "period_end": x.site.instant(x.bill.end).tz_convert(x.site.zone),
            "ok": x.contents.ok,
            "draft": x.contents.draft,
        }
        parts.append(pd.concat([pd.DataFrame(head, index=rows.index), rows], axis=1))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
