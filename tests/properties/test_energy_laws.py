"""The invariants of energy, and the package against an exact oracle."""

from __future__ import annotations

import os
import warnings
from fractions import Fraction

import numpy as np
import oracle
import pandas as pd
import pytest
import strategies as gen
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from register_oracle import Register as OracleRegister
from register_oracle import Rules

from dentframe import RegisterRules
from dentframe.errors import DentWarning

NUMBERS = ("energy", "coverage", "lo", "hi", "imported", "exported")
MEAN = "DemandkW/Elm/A"
MANY = int(os.environ.get("DENTFRAME_EXAMPLES", "120"))
"""Examples against the oracle; a longer search is one environment variable away."""

many, few = settings(max_examples=MANY), settings(max_examples=MANY // 3)


def energy(frame, *args, **kwargs):
    return frame.dent.energy(*args, **kwargs)


def intervals(frame, **kwargs):
    return frame.dent.intervals(**kwargs)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        return call(*args, **kwargs)


def detail(frame, at, **kwargs):
    instants = [gen.instant(m) for m in at]
    return quiet(energy, frame, instants, tz="UTC", detail=True, **kwargs)


def rules_of(register):
    return RegisterRules(
        max_kw=register.max_kw and float(register.max_kw),
        modulus=register.modulus and float(register.modulus),
        allow_export=register.allow_export,
        swaps=[(gen.instant(m), float(a), float(b)) for m, a, b in register.swaps],
    )


def same(row, figure):
    for name in NUMBERS:
        wanted = getattr(figure, name)
        if wanted is None:
            assert np.isnan(row[name]), name
        else:
            assert row[name] == pytest.approx(float(wanted), abs=1e-9), name
    assert row["status"] == figure.status
    assert row["readings"] == figure.readings


@many
@given(st.data())
def test_registers_as_the_oracle_says(data):
    """Every column of `detail` is that of the rules, value by value, wherever edges lie."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows))
    moves = data.draw(st.sampled_from(["interpolate", "last_reading"]))
    demand = data.draw(st.one_of(st.just(()), gen.demands_of(register)))
    frame = gen.frame_of(register.rows)
    if demand:
        frame[MEAN] = gen.frame_of(demand, MEAN)[MEAN].reindex(frame.index)
        frame.loc[frame.index.duplicated(keep="first"), MEAN] = np.nan
    told = {"max_kw", "modulus", "allow_export", "swaps"}
    rules = Rules(**{k: v for k, v in vars(register).items() if k in told})
    oracle_of = OracleRegister(register.rows, rules, demand)
    rows = detail(frame, edges, registers=rules_of(register), edges=moves, source="register")
    for (_, row), s, e in zip(rows.iterrows(), edges, edges[1:], strict=False):
        figure = oracle_of.figure(Fraction(s), Fraction(e), moves)
        if figure.start == figure.end:
            assert (row["status"], row["coverage"]) == ("missing", 0)
            continue
        same(row, figure)
        assert (row["flags"], row["expected"]) == (figure.flags, figure.expected)
        for side, reading in (("open", figure.opens), ("close", figure.closes)):
            at, value = reading or (None, np.nan)
            assert row[f"{side}_reading"] == pytest.approx(float(value), nan_ok=True)
            assert (
                pd.isna(row[f"{side}_at"]) if at is None else row[f"{side}_at"] == gen.instant(at)
            )


@many
@given(st.data())
def test_means_as_the_oracle_says(data):
    """Right-labelled means, with jitter, early extras, gaps and blanks."""
    rows = data.draw(gen.means())
    edges = data.draw(gen.edges(rows))
    pieces, readings, _ = oracle.mean_pieces(rows)
    found = detail(gen.frame_of(rows, MEAN), edges)
    for (_, row), s, e in zip(found.iterrows(), edges, edges[1:], strict=False):
        figure = oracle.figure(pieces, readings, Fraction(s), Fraction(e), register=False)
        same(row, figure)
        assert set(figure.flags) <= set(row["flags"])


@few
@given(st.data())
def test_parts_add_up_to_the_whole(data):
    """Law 1: energy and covered time of any partition are those of the whole."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows, least=3))
    frame, rules = gen.frame_of(register.rows), rules_of(register)
    parts = detail(frame, edges, registers=rules)
    whole = detail(frame, [edges[0], edges[-1]], registers=rules).iloc[0]
    length = parts["end"] - parts["start"]
    covered = (parts["coverage"] * length.dt.total_seconds()).sum()
    total = (whole["end"] - whole["start"]).total_seconds()
    assert covered == pytest.approx(whole["coverage"] * total, abs=1e-6)
    assert parts["energy"].sum() == pytest.approx(np.nan_to_num(whole["energy"]), abs=1e-9)


@few
@given(st.data())
def test_order_and_copies_change_nothing(data):
    """Law 2: shuffled rows and exact copies change only the flag ``duplicate_dropped``."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows))
    copies = data.draw(st.lists(st.sampled_from(register.rows), max_size=4))
    known = {m for m, _ in copies if len({v for t, v in register.rows if t == m}) == 1}
    extra = [c for c in copies if c[0] in known]
    shuffled = data.draw(st.permutations([*register.rows, *extra]))
    rules = rules_of(register)
    one = detail(gen.frame_of(register.rows), edges, registers=rules)
    two = detail(gen.frame_of(shuffled), edges, registers=rules)
    drop = lambda flags: tuple(f for f in flags if f != "duplicate_dropped")  # noqa: E731
    one["flags"], two["flags"] = one["flags"].map(drop), two["flags"].map(drop)
    pd.testing.assert_frame_equal(one, two)


@few
@given(st.data())
def test_a_split_request_changes_nothing(data):
    """Law 3: two frames that overlap at a cut tell what the whole tells."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows))
    cut = data.draw(st.sampled_from(register.rows))[0]
    early = gen.frame_of([r for r in register.rows if r[0] <= cut])
    late = gen.frame_of([r for r in register.rows if r[0] >= cut])
    rules = rules_of(register)
    whole = detail(gen.frame_of(register.rows), edges, registers=rules)
    parts = detail(pd.concat([late, early]), edges, registers=rules)
    pd.testing.assert_frame_equal(whole.drop(columns="flags"), parts.drop(columns="flags"))


@few
@given(st.data())
def test_the_zone_of_the_index_changes_nothing(data):
    """Law 4: the same instants under another zone give the same figures."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows))
    frame, rules = gen.frame_of(register.rows), rules_of(register)
    there = frame.tz_convert("Asia/Kathmandu")
    pd.testing.assert_frame_equal(
        detail(frame, edges, registers=rules), detail(there, edges, registers=rules)
    )


@few
@given(st.data())
def test_coverage_energy_and_bounds_agree(data):
    """Laws 5 and 6: coverage in [0, 1], energy NaN iff coverage 0, lo <= energy <= hi."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows))
    rows = detail(gen.frame_of(register.rows), edges, registers=rules_of(register))
    assert rows["coverage"].between(0, 1).all()
    assert (rows["energy"].isna() == (rows["coverage"] == 0)).all()
    known = rows[rows["lo"].notna()]
    assert (known["lo"] <= known["energy"]).all()
    assert (known["energy"] <= known["hi"]).all()


@few
@given(st.data())
def test_an_inner_reading_never_changes_the_total(data):
    """Law 7: without a fall, deleting an inner reading leaves the outer total."""
    register = data.draw(gen.smooth_registers(least=3))
    victim = data.draw(st.sampled_from(register.rows[1:-1]))
    fewer = [r for r in register.rows if r != victim]
    outer = [register.rows[0][0], register.rows[-1][0]]
    rules = RegisterRules(max_kw=1000.0)
    one = detail(gen.frame_of(register.rows), outer, registers=rules).iloc[0]
    two = detail(gen.frame_of(fewer), outer, registers=rules).iloc[0]
    assert one["energy"] == pytest.approx(two["energy"], abs=1e-9)
    assert one["coverage"] == two["coverage"] == 1


@few
@given(st.data())
def test_a_constant_changes_nothing(data):
    """Law 11: a register that began elsewhere tells the same energy."""
    register = data.draw(gen.smooth_registers())
    edges = data.draw(gen.edges(register.rows))
    shift = data.draw(gen.thousandths(0, 10_000))
    moved = [(m, v + shift) for m, v in register.rows]
    one = detail(gen.frame_of(register.rows), edges)
    two = detail(gen.frame_of(moved), edges)
    for name in NUMBERS:
        np.testing.assert_allclose(one[name], two[name], atol=1e-9)


@few
@given(st.data())
def test_missing_is_never_zero(data):
    """Law 12: a mean replaced by a blank never leaves the same figure with coverage 1."""
    n = data.draw(st.integers(1, 12))
    steps = data.draw(st.lists(st.integers(12, 18), min_size=n, max_size=n))
    values = data.draw(st.lists(gen.thousandths(0, 30), min_size=n, max_size=n))
    at = [int(x) for x in np.cumsum(steps)]
    k = data.draw(st.integers(0, n - 1))
    rows = list(zip(at, values, strict=True))
    outer = [at[0] - oracle.W, at[-1]]
    full = detail(gen.frame_of(rows, MEAN), outer).iloc[0]
    assert full["coverage"] == 1
    rows[k] = (at[k], None)
    assert detail(gen.frame_of(rows, MEAN), outer).iloc[0]["coverage"] < 1


@few
@given(st.data())
def test_intervals_add_up_to_energy(data):
    """The intervals between readings are a partition of the span."""
    register = data.draw(gen.registers())
    frame, rules = gen.frame_of(register.rows), rules_of(register)
    assume(frame.iloc[:, 0].notna().any())
    whole = quiet(energy, frame, registers=rules).iloc[0, 0]
    parts = quiet(intervals, frame, registers=rules)
    assert parts.iloc[:, 0].sum() == pytest.approx(np.nan_to_num(whole), abs=1e-9)


@few
@given(st.data())
def test_last_readings_telescope(data):
    """With ``edges="last_reading"`` adjacent periods add up as well."""
    register = data.draw(gen.registers())
    edges = data.draw(gen.edges(register.rows, least=3))
    frame, rules = gen.frame_of(register.rows), rules_of(register)
    parts = detail(frame, edges, registers=rules, edges="last_reading")
    whole = detail(frame, [edges[0], edges[-1]], registers=rules, edges="last_reading").iloc[0]
    assert parts["energy"].sum() == pytest.approx(np.nan_to_num(whole["energy"]), abs=1e-9)
