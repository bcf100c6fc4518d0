"""Laws of splits: files give back what was written, and every cent has a party."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe import Site, SplitRules, UtilityBill
from tests.split_kit import LA, balanced, element, line, readings, split

JANUARY = datetime(2024, 1, 1)  # noqa: DTZ001 - wall time
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=12
).filter(str.strip)
CENTS = st.integers(100, 900_000).map(lambda n: Decimal(n) / 100)
AREAS = st.integers(1, 400).map(lambda n: Decimal(n) / 2)


@st.composite
def sites(draw):
    """Sites of one meter whose elements are held in turn, with holes between."""
    count = draw(st.integers(1, 4))
    names = draw(
        st.lists(
            TEXTS.filter(lambda x: x not in {"export", "unallocated", "Landlord"}),
            min_size=count, max_size=count, unique=True,
        )
    )  # fmt: skip
    letters = "ABCD"[:count]
    elements = {f"P1_{x}": element(label=draw(TEXTS), area=draw(AREAS)) for x in letters}
    elements["P1_S"] = element(role="export")
    tenants = [
        {
            "name": name,
            "area": draw(AREAS),
            "holds": draw(holds(f"P1_{letter}")),
        }
        for name, letter in zip(names, letters, strict=True)
    ]
    parts = draw(st.dictionaries(st.sampled_from(["loss", "tolerance"]), PART, max_size=1))
    lines = {k: draw(st.sampled_from(BASES)) for k in ("energy", "demand", "fixed")}
    return {
        "name": draw(TEXTS),
        "tz": LA,
        "currency": draw(st.sampled_from(["USD", "EUR"])),
        "elements": elements,
        "tenants": tenants,
        "split": {"lines": lines | {"tax": "lines"}, **parts},
    }


BASES = ["energy", "coincident", "own_peak", "area", "days", "landlord"]
PART = st.sampled_from(["area", "days", "landlord"]).map(lambda by: {"by": by, "rest": True})


@st.composite
def holds(draw, key):
    """One or two stays, at midnights or any minute."""
    minutes = sorted(draw(st.sets(st.integers(0, 3 * 24 * 60), min_size=2, max_size=4)))
    at = [JANUARY + timedelta(minutes=m) for m in minutes]
    return [
        {"elements": [key], "start": a, "end": b} for a, b in zip(at[::2], at[1::2], strict=False)
    ]


@st.composite
def bills(draw):
    """Bills with one line of each kind, credits among them."""
    kinds = ("energy", "demand", "fixed", "tax")
    return {
        "name": draw(TEXTS),
        "start": date(2024, 1, 1),
        "end": date(2024, 1, 4),
        "kwh": draw(st.integers(200, 6_000)),
        "lines": [
            *(line(kind.title(), kind, draw(CENTS)) for kind in kinds),
            line("Credit", "tax", -draw(CENTS)),
        ],
    }


@given(sites())
def test_a_site_survives_its_file(data):
    """What to_toml wrote is read back as an equal site, whatever it is called."""
    site = Site.from_dict(data)
    assert Site.from_dict(tomllib.loads(site.to_toml(), parse_float=Decimal)) == site


@given(bills())
def test_a_bill_survives_its_file(data):
    """What to_toml wrote is read back as an equal bill."""
    bill = UtilityBill.from_dict(data)
    assert UtilityBill.from_dict(tomllib.loads(bill.to_toml(), parse_float=Decimal)) == bill


@settings(max_examples=25)
@given(sites(), bills(), st.integers(0, 90))
def test_every_cent_has_a_party(data, billed, generated):
    """utility = tenants + landlord + export + unallocated, and each line adds up by itself."""
    site, bill = Site.from_dict(data), UtilityBill.from_dict(billed)
    letters = [k[-1] for k in data["elements"] if k != "P1_S"]
    totals = {x: 70 + 10 * i for i, x in enumerate(letters)} | {"S": -generated}
    demand = {x: 5 + i for i, x in enumerate([*letters, "S"])}
    run = split(bill, site, frame=readings(totals, end="2024-01-04", demand=demand))
    assert balanced(run)
    for one in bill.lines:
        rows = run.charges[run.charges["bill_line"] == one.name]
        assert sum(rows["amount"], Decimal(0)) == one.amount
    assert sum((s.total for s in run.statements), Decimal(0)) == run.control["tenants"]
    assert not run.charges.duplicated(["party", "line"]).any()


def by_hand(cents, weights):
    """A whole number of cents by weights: rounded down, the rest to the largest remainders."""
    whole = [abs(cents) * w / sum(weights) for w in weights]
    shared = [int(x) for x in whole]
    order = sorted(range(len(whole)), key=lambda i: shared[i] - whole[i])
    for i in order[: abs(cents) - sum(shared)]:
        shared[i] += 1
    return [x if cents > 0 else -x for x in shared]


def half_up(thousandths):
    """Thousandths as hundredths."""
    return (thousandths + 5) // 10


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(100, 90_000)), min_size=2, max_size=4),
    st.integers(1, 10**7), st.integers(1, 10**6), st.integers(-(10**6), -1),
    st.sampled_from([2, None]),
)  # fmt: skip
def test_shares_are_those_of_paper_and_pencil(meters, energy, service, credit, places):
    """From the printed readings alone: used, each line's shares, and a credit as a tax."""
    t = pd.date_range("2024-01-01", "2024-01-04", freq="h", tz=LA, name="time").tz_convert("UTC")
    letters = "ABCD"[: len(meters)]
    columns = {
        f"kWHNet/Elm/{x}": np.round(np.linspace(low, low + used, len(t))) / 1000
        for x, (low, used) in zip(letters, meters, strict=True)
    }
    frame = pd.concat({"P1": pd.DataFrame(columns, index=t)}, names=["meter"])
    used = [
        Fraction(u) if places is None else Fraction(half_up(low + u) - half_up(low))
        for low, u in meters
    ]
    kwh = Decimal(int(sum(used))) / (1000 if places is None else 100)
    lines = [
        line("Energy", "energy", Decimal(energy) / 100),
        line("Service", "fixed", Decimal(service) / 100),
        line("Credit", "tax", Decimal(credit) / 100, credit=True),
    ]
    data = {"name": "b", "start": "2024-01-01", "end": "2024-01-04", "kwh": kwh, "lines": lines}
    where = Site.from_dict(
        {
            "name": "s", "tz": LA, "currency": "USD",
            "elements": {f"P1_{x}": element() for x in letters},
            "tenants": [{"name": x, "elements": [f"P1_{x}"]} for x in letters],
        }
    )  # fmt: skip
    rules = SplitRules({"energy": "energy", "fixed": "days", "tax": "lines"}, places=places)
    run = split(UtilityBill.from_dict(data), where, rules, frame=frame)
    first, second = by_hand(energy, used), by_hand(service, [Fraction(1)] * len(letters))
    both = [Fraction(a + b) for a, b in zip(first, second, strict=True)]
    expected = [*first, *second, *by_hand(credit, both)]
    assert [int(x * 100) for x in run.charges["amount"]] == [x for x in expected if x] or (
        [int(x * 100) for x in run.charges["amount"]] == expected
    )
    assert balanced(run)
    assert run.control["unallocated"] == 0
    assert all(made.check() == [] for made in run.statements)
