"""A split's charges become a ledger's entries and invoices here, its bill a row for ENERGY STAR.

Every entry is balanced to the cent by itself: what a party owes is debited, and the utility's
clearing account (for a fee the landlord's income) is credited. A negative amount changes sides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pandas as pd

from dentframe.atomic_files import whole_file
from dentframe.documents.statement_csv_and_excel import csv_cell, save_csv, save_workbook
from dentframe.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run
    from dentframe.site.site import Site

Account = str | dict[str, str]
"""An account, or accounts by kind of line with ``other`` for the rest."""

ENTRY = (
    "number", "date", "account", "contact", "code", "description", "debit", "credit", "amount",
    "side", "kind", "start", "end", "currency", "bill", "original",
)  # fmt: skip
"""The fields of a row of the journal. `amount` is positive on the side of `Layout.sign`."""
INVOICE = (
    "contact", "number", "date", "due", "code", "description", "quantity", "unit_amount", "amount",
    "account", "tax_code", "used", "unit", "kind", "start", "end", "currency", "bill", "original",
)  # fmt: skip
"""The fields of a row of the invoices. `quantity` is 1: a share of a bill has no unit price."""
UPLOAD = (
    "Property Name", "Portfolio Manager Meter ID", "Meter Type", "Start Date", "End Date",
    "Usage/Quantity", "Usage Units", "Cost ($)", "Estimated Value",
)  # fmt: skip
"""The columns of an upload, as the spreadsheet for adding bills to energy meters has them."""
_KEY = ["party", "role", "line", "bill_line", "kind", "part"]


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """How a file is laid out: the tables ``[accounts.journal]`` and ``[accounts.invoices]``.

    Attributes
    ----------
    columns : dict of str to str
        Each column's name and the field in it, in order; ``"=text"`` is the same text in each row.
    date : str
        ``"%m/%d/%Y"`` and the like.
    decimal, separator : str
        The sign before the cents, and the one between the cells.
    sign : {"debit", "credit"}
        Which side is positive in `amount`.
    """

    columns: dict[str, str] = {}
    date: str = "%Y-%m-%d"
    decimal: str = "."
    separator: str = ","
    sign: str = "debit"


class Accounts(msgspec.Struct, forbid_unknown_fields=True):
    """The accounts of a ledger: the table ``[accounts]`` of a site file.

    Attributes
    ----------
    receivable, landlord, export : str or dict of kind to str
        Debited: what tenants owe, the landlord's expense, what the export party has.
    clearing, fees, tax : str or dict of kind to str
        Credited: the utility's bill, the landlord's fees, and the bill's lines of kind ``tax``
        where they have an account of their own.
    tenants : dict of tenant to dict of kind to str
        A tenant's own accounts instead of `receivable`.
    tax_codes : dict of kind to str
        For invoices.
    journal_of : {"all", "others"}
        Whether the journal has the tenants' entries too, or leaves them to the invoices.
    journal, invoices : Layout
        How the two files are laid out.
    """

    receivable: Account = "Accounts receivable"
    landlord: Account = "Electricity expense"
    export: Account = "Electricity exported"
    clearing: Account = "Utility clearing"
    fees: Account = "Fee income"
    tax: Account | None = None
    tenants: dict[str, Account] = {}
    tax_codes: dict[str, str] = {}
    journal_of: Literal["all", "others"] = "all"
    journal: Layout = msgspec.field(default_factory=Layout)
    invoices: Layout = msgspec.field(default_factory=Layout)

    def owed(self, role: str, party: str, kind: str) -> str:
        """The account that is debited."""
        if role != "tenant":
            return _pick(role, kind, getattr(self, role))
        return _pick(f"tenants.{party}", kind, self.tenants.get(party, {}), self.receivable)

    def earned(self, part: str, kind: str) -> str:
        """The account that is credited."""
        name = "tax" if kind == "tax" and self.tax is not None else "clearing"
        name = "fees" if part in {"fee", "interest"} else name
        return _pick(name, kind, getattr(self, name))


def accounts_of(site: Site) -> Accounts:
    """The accounts of a site's ``[accounts]`` table; plain names where there is none.

    Raises
    ------
    ConfigError
        For a field, tenant or layout that cannot be meant.
    """
    try:
        found = msgspec.convert(dict(site.accounts or {}), Accounts)
    except msgspec.ValidationError as error:
        raise ConfigError(f"Cannot use {site.file}: table [accounts]: {error}.") from None
    mistake = next(_mistakes(found, [t.name for t in site.tenants]), None)
    if mistake is not None:
        raise ConfigError(f"Cannot use {site.file}: table [accounts.{mistake}")
    return found


def _mistakes(accounts: Accounts, tenants: list[str]) -> Iterator[str]:
    for name in accounts.tenants:
        if name not in tenants:
            near = did_you_mean(name, tenants) or f": there are {', '.join(tenants)}."
            yield f"tenants]: no tenant {name!r}{near}"
    for name, fields in (("journal", ENTRY), ("invoices", INVOICE)):
        layout: Layout = getattr(accounts, name)
        for column, field in layout.columns.items():
            if field not in fields and not field.startswith("="):
                options = f": use one of {', '.join(fields)}, or '=text'"
                near = did_you_mean(field, fields) or options
                yield f"{name}.columns], column {column!r}: no field {field!r}{near}"
        if layout.sign not in {"debit", "credit"} or len(layout.separator) != 1:
            yield f"{name}]: sign is 'debit' or 'credit', and separator one letter."
        if layout.decimal == layout.separator:
            both = "cannot be both decimal and separator. Use separator = ';'."
            yield f"{name}]: {layout.decimal!r} {both}"


def differences(charges: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """What a re-bill changes: each party's line less what was billed, without what is the same."""
    both = pd.concat([charges, before.assign(amount=[-x for x in before["amount"]])])
    found = both.groupby(_KEY, sort=False, dropna=False)
    rest = [x for x in both.columns if x not in {*_KEY, "amount"}]
    table = found[rest].first().assign(amount=found["amount"].agg(lambda x: sum(x, Decimal(0))))
    return table[table["amount"] != 0].reset_index()[list(charges.columns)]


def postings(
    charges: pd.DataFrame,
    date: dt.date | None,
    due: dt.date | None,
    numbers: Mapping[str, str],
    originals: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The charges that are posted, with number, dates and a description.

    Parameters
    ----------
    charges : DataFrame
        The columns of `Run.charges`; of a re-bill what `differences` returns.
    date, due : date or None
        When the invoices were issued, and are due.
    numbers, originals : mapping of party to str
        The number of each party's statement, and of the one that it replaces.

    Returns
    -------
    list of dict
        A row a charge; amounts that no rule allocates are in none.
    """
    rows = []
    posted: Any = charges[(charges["role"] != "unallocated") & (charges["amount"] != 0)]
    for row in posted.astype(object).to_dict("records"):
        start, last = row["start"].date(), (row["end"] - pd.Timedelta(1, "us")).date()
        party = str(row["party"])
        rows.append({
            **row,
            "start": start,
            "end": last,
            "contact": party,
            "number": numbers.get(party) or f"{row['bill']} {party}",
            "original": originals.get(party, ""),
            "date": date or last,
            "due": due,
            "description": f"{row['line']}, {start} to {last}",
        })  # fmt: skip
    return rows


def entries(rows: Iterable[Mapping[str, Any]], accounts: Accounts) -> pd.DataFrame:
    """The journal: for each party what it owes, line by line, and where that goes.

    Returns
    -------
    DataFrame
        The columns of `ENTRY`; the rows of one number add up to nothing. Those of tenants are in
        it only where `Accounts.journal_of` says so.
    """
    found = []
    for row in rows:
        if accounts.journal_of != "all" and row["role"] == "tenant":
            continue
        owed = accounts.owed(row["role"], row["party"], row["kind"])
        earned = accounts.earned(row["part"], row["kind"])
        for account, value in ((owed, row["amount"]), (earned, -row["amount"])):
            side = "debit" if value > 0 else "credit"
            amount = value if accounts.journal.sign == "debit" else -value
            posted = {side: abs(value), "account": account, "amount": amount, "side": side}
            found.append({**row, **posted})
    return pd.DataFrame(found, columns=list(ENTRY))


def invoices(rows: Iterable[Mapping[str, Any]], accounts: Accounts) -> pd.DataFrame:
    """The tenants' invoices, one row a line: the columns of `INVOICE`."""
    codes = accounts.tax_codes
    found = [
        {
            **row, "quantity": 1, "unit_amount": row["amount"],
            "account": accounts.earned(row["part"], row["kind"]),
            "tax_code": codes.get(row["kind"], codes.get("other", "")), "used": row["quantity"],
        }
        for row in rows
        if row["role"] == "tenant"
    ]  # fmt: skip
    return pd.DataFrame(found, columns=list(INVOICE))


def _pick(where: str, kind: str, *accounts: Account) -> str:
    """The account of a kind of line: that of the first of some accounts that has one."""
    for account in accounts:
        found = account if isinstance(account, str) else account.get(kind, account.get("other"))
        if found is not None:
            return found
    raise ConfigError(
        f"Cannot post a line of kind {kind!r}: [accounts] {where} has no account for it. Give "
        f"{kind} or other in it."
    )


def save(run: Run, folder: Path) -> None:
    """Write ``journal.csv`` and ``invoices.csv`` as the accounts' layouts say."""
    letters = {s.party: s.letter for s in run.statements if s.letter is not None}
    due = next((x.due for x in letters.values()), None)
    charges, how = run.charges, run.rebilling
    numbers, originals = {party: x.number for party, x in letters.items()}, {}
    if how is not None:
        # A line that the re-bill no longer has gets its dates and its code from here.
        site, bill = run.site, run.bill
        start, end = (site.instant(x).tz_convert(site.zone) for x in (bill.start, bill.end))
        codes = {t.name: t.code for t in (*site.tenants, site.owner)}
        billed = pd.DataFrame(
            [(codes.get(x.party, ""), x.party, run.role_of(x.party), x.title, x.line, x.kind,
              x.part, x.amount) for x in how.before],
            columns=["code", *_KEY, "amount"],
        )  # fmt: skip
        before = billed.assign(bill=bill.name, start=start, end=end, currency=site.currency)
        charges, originals = differences(charges, before), how.numbers
        numbers = {party: how.number(party) for party in originals}
    rows = postings(charges, run.bill.issued, due, numbers, originals)
    accounts = accounts_of(run.site)
    for name, make in (("journal", entries), ("invoices", invoices)):
        table, layout = make(rows, accounts), getattr(accounts, name)
        columns = layout.columns or {x: x for x in table.columns}
        cells = [
            [x[1:] if x.startswith("=") else _cell(row[x], layout) for x in columns.values()]
            for row in table.astype(object).to_dict("records")
        ]
        file, sep = folder / f"{name}.csv", layout.separator
        shown = pd.DataFrame(cells, columns=list(columns))
        shown.to_csv(file, index=False, sep=sep, encoding="utf-8", lineterminator="\r\n")


def _cell(value: Any, layout: Layout) -> Any:
    """A cell as the ledger reads it; a text is never computed by a spreadsheet."""
    if isinstance(value, dt.date):
        return f"{value:{layout.date}}"
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", layout.decimal)
    return csv_cell(value)


# --- ENERGY STAR Portfolio Manager ---------------------------------------------------------


def to_portfolio_manager(
    runs: Any, path: str | Path | None = None, *, meters: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The bills of runs or records as rows for ENERGY STAR Portfolio Manager.

    Parameters
    ----------
    runs : Run, Record, or iterable of them
        Each is a row.
    path : str or Path, optional
        Where to write it, ``.xlsx`` or ``.csv``.
    meters : mapping of site name to str, optional
        The id that Portfolio Manager gave the site's electric meter.

    Returns
    -------
    DataFrame
        A row a bill: first and last day (both included) as ``MM/DD/YYYY``, use [kWh], cost
        [currency], and whether a figure of it is estimated.

    Raises
    ------
    ConfigError
        For a site that `meters` does not have, a bill without energy, or
        another ending.
    MissingExtraError
        Where XlsxWriter is not installed (extra ``excel``).

    Notes
    -----
    Use is the bill's ``kwh``. Portfolio Manager distributes bills over calendar months itself.

    Examples
    --------
    >>> to_portfolio_manager([run])["Cost ($)"].tolist()
    [Decimal('1234.56')]
    """
    every: Iterable[Any] = runs if isinstance(runs, Iterable) else [runs]
    in_order = sorted(every, key=lambda x: (x.site.name, x.site.instant(x.bill.start)))
    table = pd.DataFrame([_upload_row(x, meters) for x in in_order], columns=list(UPLOAD))
    if path is not None:
        path = Path(path)
        if path.suffix not in {".xlsx", ".csv"}:
            raise ConfigError(f"Cannot write {path}: name a .xlsx or .csv file.")
        with whole_file(path) as part:
            if path.suffix == ".xlsx":
                save_workbook({"Meter Entries": table}, part)
            else:
                save_csv(table, part)
    return table


def _upload_row(run: Any, meters: Mapping[str, str] | None) -> tuple[Any, ...]:
    site, bill = run.site, run.bill
    if meters is not None and site.name not in meters:
        raise ConfigError(
            f"Cannot upload the bills of {site.name!r}: meters= has no id for it. Portfolio "
            "Manager shows the id on the meter's page."
        )
    if bill.kwh is None:
        raise ConfigError(
            f"Cannot upload bill {bill.name!r}: it has no kwh, and no line of it is shared by "
            "energy, so that nothing was measured. Type in the utility's kwh."
        )
    energy = run.figures.query("basis == 'energy'")
    start, end = (site.instant(x).tz_convert(site.tz) for x in (bill.start, bill.end))
    return (
        site.name,
        "" if meters is None else meters[site.name],
        "Electric - Grid",
        f"{start:%m/%d/%Y}",
        f"{end - pd.Timedelta(1, 'us'):%m/%d/%Y}",
        Decimal(bill.kwh),
        "kWh (thousand Watt-hours)",
        bill.amount,
        "Yes" if (energy["status"] == "estimated").any() else "No",
    )
