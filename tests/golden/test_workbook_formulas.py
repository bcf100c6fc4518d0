"""The workbook's live formulas, computed by an independent engine, give the printed numbers.

`formulas` reads the xlsx file and computes its cells in Python; it shares no code with us. Each
amount and the total are compared with the Decimal ones of the statement.
"""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest

from dentframe import Statement, Tariff, Window
from dentframe.money import Demand, Energy, Fixed, Minimum, Tax, bill
from tests.split_kit import bill as utility_bill
from tests.split_kit import line, readings, site, split
from tests.statement_kit import priced

NY = "America/New_York"
MAY = pd.Timestamp("2024-05-01", tz="UTC"), pd.Timestamp("2024-06-01", tz="UTC")


def computed(path):
    """Every cell of the sheet `Statement` as the engine computes it, by (column, row)."""
    with warnings.catch_warnings():
        # The engine and what it imports warn of their own futures.
        warnings.simplefilter("ignore")
        import formulas

        found = formulas.ExcelModel().loads(str(path)).finish().calculate()
        cells = {k: v.value[0, 0] for k, v in found.items() if _cell(str(k))}
    return {str(k).rpartition("!")[2].replace("$", ""): v for k, v in cells.items()}


def _cell(name):
    return "]STATEMENT'!" in name and ":" not in name


def compare(made, folder):
    """Amounts, bases of taxes and the total of a workbook against the statement's."""
    assert made.check() == []
    path = made.to_excel(folder / "s.xlsx")
    sheet = openpyxl.load_workbook(path)["Statement"]
    cells = computed(path)
    names = [c.value for c in sheet["A"]]
    top, last = names.index("Line") + 2, names.index("Total") + 1
    assert last - top == len(made.lines)
    live = 0
    for row, x in enumerate(made.lines, top):
        assert shown(cells[f"F{row}"], made) == x.amount, (x, cells[f"F{row}"])
        if x.quantity is not None:
            assert Decimal(repr(round(float(cells[f"C{row}"]), 9))) == x.quantity
        live += str(sheet[f"F{row}"].value).startswith("=")
    assert str(sheet[f"F{last}"].value).startswith("=SUM(")
    assert shown(cells[f"F{last}"], made) == made.total
    return live


def shown(value, made):
    """What a spreadsheet displays of a computed amount, to nine decimals where none are lost."""
    number = Decimal(repr(round(float(value), 9)))
    if made.digits is None:
        return number
    # Noise of binary far below the last decimal is not displayed; anything more is a difference.
    assert abs(number - round(number, made.digits)) < Decimal("1e-8")
    return round(number, made.digits)


@pytest.fixture(scope="module")
def november():
    """November 2024 in New York: 8 kW on afternoons, else 2.13 kW, and the demand beside it."""
    index = pd.date_range("2024-11-01", "2024-12-01", freq="15min", tz=NY)
    kw = np.where((index.hour >= 12) & (index.hour < 18), 8.0, 2.13)
    register = 7000 + np.concatenate([[0], np.cumsum(kw[:-1] / 4)])
    frame = pd.DataFrame({"kWHNet/Elm/A": register, "DemandkW/Elm/A": np.roll(kw, 1)}, index=index)
    return frame.tz_convert("UTC")


PEAK = [Window("peak", "12:00", "18:00", days="weekday")]
TARIFFS = {
    "flat": [Energy("Energy", "0.1234567")],
    "tiers": [Energy("Energy", ["0.11", "0.1335", "0.2"], tiers=[500, 900], tier_proration="none")],
    "time of use": [Energy("Energy", rates={"peak": "0.30555", "other": "0.1"}, windows=PEAK)],
    "demand with ratchet": [
        Energy("Energy", "0.1"),
        Demand("Demand", "12.345", ratchet={"percent": 90, "lookback": 11}),
    ],
    "taxes": [
        Energy("Energy", "0.1"),
        Fixed("Service", "0.45", per="day"),
        Tax("City", "0.0825", on=["Energy"]),
        Tax("State", "0.0625", on=["Energy", "Service"]),
    ],
    "a minimum that binds": [Energy("Energy", "0.01"), Minimum("Minimum", "75.55")],
    "a minimum that does not": [Energy("Energy", "0.1"), Minimum("Minimum", "20.05")],
    "a credit": [Energy("Energy", "0.1"), Fixed("Rebate", "-3.335", per="month")],
}


@pytest.mark.parametrize("rounding", ["half-up", "half-even"])
@pytest.mark.parametrize("name", TARIFFS)
def test_a_tariff(november, tmp_path, name, rounding):
    """Flat, tiers, time of use, demand with ratchet, taxes, minimum, credit: all lines are live."""
    tariff = Tariff("t", TARIFFS[name], "USD")
    made = bill(november, tariff, "2024-11-01", "2024-12-01", tz=NY, elements="A",
                rounding=rounding, history=[14.7, 9.2])  # fmt: skip
    assert compare(made, tmp_path) == len(made.lines)


def test_without_rounding(november, tmp_path):
    """`places=None` computes exactly what was computed, to nine decimals."""
    tariff = Tariff("t", TARIFFS["taxes"], "USD")
    made = bill(november, tariff, "2024-11-01", "2024-12-01", tz=NY, elements="A", places=None)
    cells = computed(made.to_excel(tmp_path / "s.xlsx"))
    told = sorted(k for k in cells if k.startswith("F"))
    amounts = [float(cells[k]) for k in told if isinstance(cells[k], float | int | np.number)]
    wanted = [float(x) for x in (*(x.amount for x in made.lines), made.total)]
    assert sorted(amounts) == pytest.approx(sorted(wanted), abs=1e-9)


def ties(rate):
    """Quantities of two decimals whose amount ends in exactly half a cent."""
    found = (Decimal(q) / 100 for q in range(1, 20_000))
    return [q for q in found if q * rate * 1000 % 10 == 5]


@pytest.mark.parametrize("rounding", ["half-up", "half-even"])
def test_ties(tmp_path, rounding):
    """Amounts that lie exactly on a half cent, which binary cannot hold, of both signs."""
    cases = [(q, r) for r in map(Decimal, ("0.1", "0.5", "0.335", "1.005")) for q in ties(r)[:12]]
    lines = tuple(
        priced(f"{q} at {rate}", "energy", q, "kWh", rate * (-1) ** i, digits=2, rounding=rounding)
        for i, (q, rate) in enumerate(cases)
    )
    assert len(lines) == 48
    made = Statement("b", "t", *MAY, "UTC", "USD", lines, rounding=rounding)
    assert compare(made, tmp_path) == len(lines)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("KWD", 3)])
def test_other_currencies(tmp_path, currency, digits):
    """Yen have no decimals, dinars three."""
    lines = tuple(
        priced(f"{q}", "energy", Decimal(q) / 100, "kWh", Decimal("12.5"), digits=digits)
        for q in range(4, 404, 40)
    )
    compare(Statement("b", "t", *MAY, "UTC", currency, lines), tmp_path)


def test_a_split_statement(tmp_path):
    """Shares are given amounts, their total is live."""
    lines = [line("Energy", "energy", "600.01"), line("City tax", "tax", "30.03")]
    run = split(utility_bill(*lines), site(), frame=readings({"A": 1000, "B": 1999.99}))
    for made in run.statements:
        assert compare(made, tmp_path) == 0
