"""The M cases of shares: remainders, credits, bases, losses and residuals."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from dentframe.money import Energy, Fixed, allocate
from dentframe.money.rounding_and_tiers import rounded
from tests.golden.money_kit import NY, case, hourly, price


def test_m11_largest_remainder():
    """M11: the cent that is left goes to the first of equals."""
    args, expect = case("M11")
    shares = allocate(args["total"], args["weights"])
    assert shares.tolist() == [Decimal(x) for x in expect["shares"]]


def test_m12_half_up_shares_would_overshoot():
    """M12: 123.45 by equal halves and sixths stays 123.45, where rounding each gives 123.46."""
    weights = {"A": 1, "B": 1}
    each = [rounded(Decimal("123.45") / 2, 2) for _ in weights]
    assert sum(each) == Decimal("123.46")
    assert allocate("123.45", weights).tolist() == [Decimal("61.73"), Decimal("61.72")]


def test_m13_a_credit_is_shared_by_its_magnitude():
    """M13: -100.00 in three is -33.34, -33.33, -33.33."""
    shares = allocate("-100.00", {"A": 1, "B": 1, "C": 1})
    assert [str(x) for x in shares] == ["-33.34", "-33.33", "-33.33"]


def test_m14_no_basis_is_an_error():
    """M14: nothing is split equally in silence."""
    args, _ = case("M14")
    with pytest.raises(ValueError, match="no basis"):
        allocate(args["total"], args["weights"])


def test_m15_each_line_by_its_own_basis():
    """M15: energy by kWh, demand by coincident kW."""
    args, expect = case("M15")
    total = allocate(args["energy_cost"], args["kwh"]) + allocate(args["demand_cost"], args["kw"])
    assert total.to_dict() == {k: Decimal(v) for k, v in expect.items()}


def test_m16_losses_by_a_stated_rule():
    """M16: the loss of 300 kWh pro rata, by area, or to the landlord."""
    args, expect = case("M16")
    kwh = {k: Decimal(v) for k, v in args["kwh"].items()}
    loss = Decimal(args["master"]) - sum(kwh.values())
    assert loss == Decimal(expect["loss"])
    for rule, basis in (("pro_rata", args["kwh"]), ("by_area", args["area"])):
        shares = allocate(loss, basis)
        assert {k: kwh[k] + shares[k] for k in kwh} == {
            k: Decimal(v) for k, v in expect[rule].items()
        }
    assert {**kwh, "common": loss} == {k: Decimal(v) for k, v in expect["landlord"].items()}


def test_m17_a_negative_residual_is_flagged():
    """M17: main less branches goes below 0 and is shown as it is."""
    args, expect = case("M17")
    index = pd.DatetimeIndex(["2024-01-01", "2024-01-02"], tz="UTC").as_unit("us")
    moved = {"A": args["plus"][0], "B": args["minus"][0], "C": args["minus"][1]}
    df = pd.DataFrame({f"kWHNet/Elm/{k}": [0.0, float(v)] for k, v in moved.items()}, index=index)
    row = df.dent.virtual({"Common": "A - B - C"}, "D", tz="UTC", detail=True,
                  registers=_wide_gaps()).iloc[0]  # fmt: skip
    assert row["energy"] == pytest.approx(float(expect["value"]))
    assert expect["flags"][0] in row["flags"]


def _wide_gaps():
    from dentframe import RegisterRules

    return RegisterRules(max_gap="2D")


def test_m18_fixed_charges_by_the_days_a_party_has():
    """M18: March with a move-out on the 15th and a vacancy: 14, 5 and 12 days share 31."""
    df = hourly(1, "2024-03-01", "2024-04-01", NY)
    stays = [("2024-03-01", "2024-03-15"), ("2024-03-15", "2024-03-20"),
             ("2024-03-20", "2024-04-01")]  # fmt: skip
    charges = Fixed("Service", "1", per="day"), Energy("E", "1")
    made = [price(df, *charges, start=a, end=b, tz=NY) for a, b in stays]
    days = [int(x.lines[0].quantity) for x in made]
    assert days == [14, 5, 12]
    assert [int(x.lines[1].quantity) for x in made] == [335, 120, 288]
    assert sum(allocate("15.50", days)) == Decimal("15.50")
