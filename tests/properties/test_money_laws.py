"""Laws of money: shares and lines add up, tariffs survive their files."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe import RegisterRules, Statement, Tariff, Window
from dentframe.errors import ConfigError
from dentframe.money import Demand, Energy, Fixed, Minimum, Ratchet, Reactive, Tax, allocate, bill
from dentframe.money.rounding_and_tiers import Tiers, add, rounded

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
rates = st.decimals(-10, 10, places=6, allow_nan=False)
prices = st.decimals(0, 1, places=4)
dates = st.dates(dt.date(2020, 1, 1), dt.date(2030, 12, 31))
prorations = st.sampled_from(["none", "days", "month", 30])
times = st.sampled_from(["00:00", "06:30", "12:00", "18:15", "23:00"])
windows = st.builds(
    Window,
    names,
    times,
    times,
    days=st.sampled_from(["all", "weekday", "weekend", ("mon", "sat"), "holiday"]),
    season=st.sampled_from([None, ("06-01", "09-30"), ("11-01", "03-15")]),
)


@st.composite
def energies(draw):
    """Energy charges of all shapes."""
    edges = sorted(draw(st.sets(st.integers(1, 5000), max_size=3)))
    tiers = {"tiers": edges, "tier_proration": draw(prorations)} if edges else {}
    several = [draw(rates) for _ in range(len(edges) + 1)]
    rate = several if edges else several[0]
    own = draw(st.lists(windows, max_size=3))
    if not own or draw(st.booleans()):
        return Energy(draw(names), rate, windows=own, **tiers)
    by_name = dict.fromkeys([*(w.name for w in own), "other"], rate)
    order = draw(st.sampled_from(Tiers.ORDERS)) if edges else None
    return Energy(draw(names), rates=by_name, windows=own, tier_order=order, **tiers)


ratchets = st.builds(Ratchet, st.integers(0, 100), st.integers(0, 12), prices)
demands = st.builds(
    Demand,
    names,
    rates,
    windows=st.lists(windows, max_size=2),
    measure=st.sampled_from(["block", "rolling"]),
    window=st.sampled_from(["15min", "30min"]),
    n=st.integers(1, 3),
    one_per_day=st.booleans(),
    ratchet=st.none() | ratchets,
    proration=st.none() | prorations,
    valid_from=st.none() | dates,
)
fixed = st.builds(Fixed, names, rates, st.sampled_from(["day", "month"]), valid_to=dates)
others = st.builds(Reactive, names, rates, prices) | st.builds(Minimum, names, prices)
taxes = st.builds(Tax, names, prices, proration=st.sampled_from([None, "days", "none"]))
tariffs = st.builds(
    Tariff,
    names,
    st.lists(energies() | demands | fixed | others | taxes, min_size=1, max_size=5),
    st.sampled_from(["", "USD", "JPY", "KWD"]),
    st.lists(dates, max_size=3),
)


@given(tariffs)
def test_a_tariff_survives_dict_json_and_toml(tariff):
    """Every tariff is read back as it was, from any of its forms."""
    assert Tariff.from_dict(tariff.to_dict()) == tariff
    assert Tariff.from_json(tariff.to_json()) == tariff
    assert Tariff.from_toml(tariff.to_toml()) == tariff


weights = st.lists(
    st.fractions(0, 10**6) | st.integers(0, 10**9) | st.floats(0, 1e6), min_size=1, max_size=12
)


@given(st.integers(-(10**12), 10**12), st.integers(0, 6), weights)
def test_shares_add_up_to_the_amount(units, places, basis):
    """Non-negative weights, any sign, any places: the shares are the amount, to the last unit."""
    amount = Decimal(units).scaleb(-places)
    if not any(round(float(w), 9) if isinstance(w, float) else w for w in basis):
        with pytest.raises(ConfigError, match="no basis"):
            allocate(amount, basis, places=places)
        return
    shares = allocate(amount, basis, places=places)
    assert add(shares.tolist()) == amount
    assert all(x == 0 or (x > 0) == (amount > 0) for x in shares)
    assert all(x.as_tuple().exponent == -places for x in shares)


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 1000), min_size=1, max_size=9))
def test_a_share_is_less_than_a_cent_from_its_exact_value(cents, basis):
    """No share is a whole unit away from what it would be without rounding."""
    if not any(basis):
        return
    amount = Decimal(cents).scaleb(-2)
    for share, w in zip(allocate(amount, basis), basis, strict=True):
        assert abs(Fraction(share) - Fraction(amount) * w / sum(basis)) < Fraction(1, 100)


pieces = st.lists(
    st.tuples(st.sampled_from("abc"), st.decimals(-50, 500, places=3)), min_size=1, max_size=20
)


@given(st.sampled_from(Tiers.ORDERS), pieces, st.sets(st.integers(1, 900), max_size=4))
def test_tiers_neither_lose_nor_invent_energy(order, sequence, edges):
    """In every order, the tiers of all windows add up to the energy."""
    found = Tiers([Decimal(x) for x in sorted(edges)]).split(order, sequence)
    total = add([q for tiers in found.values() for q in tiers])
    assert abs(total - add([q for _, q in sequence])) < Decimal("1e-40")


@pytest.fixture(scope="module")
def month():
    """A month of an uneven load, off the quarter hour."""
    index = pd.date_range("2024-02-29 23:47", periods=96 * 31 + 2, freq="15min", tz="UTC")
    kw = np.random.default_rng(6).integers(1, 60, len(index)) / 7
    data = {"kWHNet/Elm/A": np.round(5000 + np.cumsum(kw / 4), 3), "DemandkW/Elm/A": kw}
    data["kVAHNet/Elm/A"] = np.round(5000 + np.cumsum(kw / 3.5), 3)
    return pd.DataFrame(data, index=index.as_unit("us"))


@settings(max_examples=30)
@given(
    charges=st.lists(energies() | demands | fixed | others | taxes, min_size=1, max_size=5),
    places=st.sampled_from([None, 0, 2, 3]),
    rounding=st.sampled_from(["half-up", "half-even"]),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_lines_add_up_and_a_statement_agrees_with_itself(
    month, charges, places, rounding, currency
):
    """Whatever the tariff: the total is the sum of its lines, and check() finds no difference."""
    tariff = Tariff("any", charges, currency)
    how = {"tz": "UTC", "places": places, "rounding": rounding, "history": []}
    try:
        made = bill(month, tariff, "2024-03-01", "2024-03-31 23:00", **how)
    except ConfigError as e:
        assert "validity begins or ends inside" in str(e) or "proration" in str(e)  # noqa: PT017
        return
    assert made.total == add([x.amount for x in made.lines])
    assert made.check() == []
    assert Statement.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@given(st.integers(-(10**7), 10**7), st.integers(0, 4))
def test_a_half_is_never_moved_by_binary_noise(thousandths, places):
    """A float is rounded as its decimal text would be."""
    text = Decimal(thousandths).scaleb(-places - 1)
    assert rounded(float(text), places) == rounded(text, places)


@settings(max_examples=25, deadline=None)
@given(st.integers(10**9, 10**11 - 1), st.integers(0, 10**8), st.randoms(use_true_random=False))
def test_a_half_is_never_moved_by_a_large_register(opening, hundredths, random):
    """Registers up to 100 GWh with three decimals: what their decimals leave is billed."""
    t = pd.date_range("2024-03-01", periods=50, freq="6h", tz="UTC")
    used = hundredths * 10 + 5
    steps = sorted(random.randint(0, used) for _ in t[2:])
    register = [opening, *(opening + x for x in steps), opening + used]
    frame = pd.DataFrame({"kWHNet/Elm/A": [x / 1000 for x in register]}, index=t)
    tariff = Tariff("one", [Energy("Energy", "0.20")], "USD")
    rules = RegisterRules(max_kw=1e9)  # without it, steps at random look like jumps
    how = {"accept": ("recorded", "estimated"), "edges": "interpolate", "registers": rules}
    made = bill(frame, tariff, t[0], t[-1], tz="UTC", **how)
    assert made.lines[0].quantity == rounded(Decimal(used).scaleb(-3), 2)
    assert made.check() == []
