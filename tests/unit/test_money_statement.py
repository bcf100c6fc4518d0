"""Statements: their total, their check, their plain data, and the extras that outputs need."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from dentframe import Statement
from dentframe.errors import ConfigError, MissingExtraError
from dentframe.money import Line, Past
from tests.statement_kit import MAY, energy_line, full, priced, reading, statement


def test_the_total_is_the_sum_of_the_lines():
    """Without a total of its own, a statement adds up its lines and knows its version."""
    made = statement(energy_line(), energy_line("1.00", "0.10"))
    assert made.total == Decimal("2.60")
    assert made.version
    assert made.check() == []


def test_check_names_what_differs():
    """A changed amount, total, tax base or reading is told, each by its name."""
    tax = priced("Tax", "tax", Decimal("9.00"), "USD", Decimal("0.1"), digits=2, of=("Energy",))
    bad = replace(energy_line(), amount=Decimal("2.51"))
    made = statement(bad, tax, total=Decimal("1.00"), readings=(reading(energy=Decimal("9.00")),))
    told = made.check()
    assert [x.split(":")[0] for x in told] == [
        "Line 'Energy'",
        "Line 'Tax'",
        "Element 'A'",
        "Total",
    ]
    assert "10.00 × 0.25 is 2.50, printed is 2.51" in told[0]


def test_a_quantity_finer_than_printed_is_told():
    """The quantity printed is the quantity priced: hidden decimals are a difference."""
    assert "finer than 2 places" in statement(energy_line("10.001")).check()[0]


def test_shares_without_a_rate_are_taken_as_given():
    """A line whose amount was shared is summed, not multiplied."""
    share = Line("Share", "share", Decimal(20), "kWh", None, Decimal("3.33"), basis="energy")
    assert statement(share).check() == []


def test_a_statement_survives_json():
    """to_dict is plain data, from_dict reads it back, an unknown field is refused."""
    made = statement(
        energy_line(status="recorded", coverage=1.0, flags=("glitch",), open_at=MAY[0]),
        readings=(reading(),),
        comparison=(Past("2023-05", Decimal("9.5")),),
        notes=("a note",),
        read_at=MAY[1],
        tariff={"name": "Flat"},
    )
    data = json.loads(json.dumps(made.to_dict()))
    assert Statement.from_dict(data) == made
    with pytest.raises(
        ConfigError, match=r"field 'colour' = 'red': no such field.*A later version"
    ):
        Statement.from_dict({**data, "colour": "red"})


def test_the_frame_has_a_row_a_line_and_money_as_decimal():
    """to_frame keeps Decimals."""
    df = statement(energy_line(), energy_line()).to_frame()
    assert df["amount"].tolist() == [Decimal("2.50")] * 2
    assert list(df.columns[:3]) == ["name", "kind", "quantity"]


@pytest.mark.parametrize(
    ("module", "method", "name"),
    [
        ("xlsxwriter", "to_excel", "excel"),
        ("jinja2", "to_html", "report"),
        ("fpdf", "to_pdf", "report"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, tmp_path, module, method, name):
    """Without its package, an output says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"dentframe[{name}]")):
        getattr(statement(), method)(tmp_path / "out")


def test_a_figure_outside_its_bounds_is_told():
    """The readings bound the energy: what lies outside is a difference."""
    inside = reading(open_interpolated=True, lo=Decimal("9.90"), hi=Decimal("10.10"))
    assert statement(readings=(inside,)).check() == []
    outside = replace(inside, energy=Decimal("10.11"))
    (told,) = statement(readings=(outside,)).check()
    assert told == "Element 'A': 10.11 kWh is not between 9.90 and 10.10."


def test_a_full_statement_adds_up_and_survives_json():
    """Bounds, notes and the year before are in the record and come back from it."""
    made = full()
    assert made.check() == []
    assert Statement.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_another_layout_and_what_cannot_be_read_are_refused():
    """No schema, a later one, an unknown field, a value of another kind: each is told."""
    data = statement(readings=(reading(),)).to_dict()
    for schema in (None, 1, 3):
        with pytest.raises(ConfigError, match=f"schema is {schema}.*update dentframe"):
            Statement.from_dict({**data, "schema": schema})
    with pytest.raises(
        ConfigError, match=r"field 'colour' = 'red': no such field.*A later version"
    ):
        Statement.from_dict({**data, "colour": "red"})
    with pytest.raises(ConfigError, match=r"\$\.total"):
        Statement.from_dict({**data, "total": "much"})
    line = {k: v for k, v in data["lines"][0].items() if k != "unit"}
    with pytest.raises(ConfigError, match=r"required field `unit`"):
        Statement.from_dict({**data, "lines": [line]})
