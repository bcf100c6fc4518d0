"""What the tests of statements share: a month, a line, a reading, a statement."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from dentframe import Statement
from dentframe.money import Line, Past, Reading
from dentframe.money.rounding_and_tiers import rounded

NY = "America/New_York"
MAY = pd.Timestamp("2024-05-01", tz=NY), pd.Timestamp("2024-06-01", tz=NY)


def priced(name, kind, quantity, unit, rate, *, digits, rounding="half-up", **more):
    """A line whose amount is quantity times rate, rounded to `digits`."""
    return Line(
        name, kind, quantity, unit, rate, rounded(quantity * rate, digits, rounding), **more
    )


def energy_line(quantity="10.00", rate="0.25", **more):
    """One priced line."""
    return priced("Energy", "energy", Decimal(quantity), "kWh", Decimal(rate), digits=2,
                  charge="Energy", **more)  # fmt: skip


def statement(*lines, **more):
    """A statement of May."""
    lines = lines or (energy_line(),)
    return Statement("Bakery", "Electricity", *MAY, NY, "USD", lines, **more)


def reading(**more):
    """A meter that was read at both edges."""
    told = {
        "element": "A",
        "open_at": MAY[0],
        "open_reading": Decimal("100.0"),
        "open_interpolated": False,
        "close_at": MAY[1],
        "close_reading": Decimal("110.0"),
        "close_interpolated": False,
        "energy": Decimal("10.00"),
        "coverage": 1.0,
        "status": "recorded",
    }
    return Reading(**{**told, **more})


def full():
    """A statement with all that one can say: estimates, bounds, flags, a year, notes."""
    cut = reading(
        element="Shop (P482311252_C)",
        open_at=MAY[0] - pd.Timedelta("13min"),
        open_reading=Decimal("50669.932"),
        open_interpolated=True,
        status="estimated",
        flags=("edge_in_gap", "reset"),
        lo=Decimal("9.50"),
        hi=Decimal("12.75"),
        coverage=0.999999,
    )
    line = energy_line(status="estimated", coverage=0.999999, flags=("reset",), note="by hand")
    return statement(
        line,
        energy_line("1.00", "0.0825"),
        readings=(cut,),
        comparison=(Past("2023-05", None), Past("2023-06", Decimal("9.50"))),
        tariff={"name": "Small shop"},
        notes=("Pay within 30 days.",),
        read_at=MAY[1] + pd.Timedelta("8h"),
    )


SAID = (
    "Electricity",
    "Bakery",
    "Small shop",
    NY,
    "Energy",
    "by hand",
    "0.0825",
    "Shop (P482311252_C)",
    "9.50",
    "12.75",
    "estimated",
    "display cleared",
    "no reading near the beginning or end",
    "The meter's display was cleared and began again.",
    "The meter sent no reading near the beginning or the end of the period.",
    "2023-06",
    "Pay within 30 days.",
    "Quantities are rounded to 2 decimals",
    "Made by dentframe",
)
"""What `full` must say wherever it is printed."""
