"""What the tests of the metering rules' cases share: the cases, and frames of their readings."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import CoverageWarning

SHARED = Path(__file__).parents[2] / "shared"
CASES = SHARED / "domain" / "cases.json"
KW = "DemandkW/Elm/A"


def cases(*ops, having=None):
    if not CASES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {CASES.name} beside us"))]
    found = json.loads(CASES.read_text())["cases"]
    found = [c for c in found if c["op"] in ops and (having is None or having in c["expect"])]
    return [pytest.param(c, id=c["id"]) for c in found]


def near(text):
    """The exact number of a case, to 1e-9."""
    return pytest.approx(float(Fraction(text)), abs=1e-9)


def frame_of(readings, column=KW):
    index = pd.DatetimeIndex([pd.Timestamp(t) for t, _ in readings], tz="UTC").as_unit("us")
    values = [pd.to_numeric(v, errors="coerce") for _, v in readings]
    return pd.DataFrame({column: np.array(values, dtype=float)}, index=index)


def quarters(columns, start="2024-01-01 00:15", minutes=15):
    n = len(next(iter(columns.values())))
    index = pd.date_range(start, periods=n, freq=f"{minutes}min", tz="UTC", unit="us")
    return pd.DataFrame({k: [float(x) for x in v] for k, v in columns.items()}, index=index)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return call(*args, **kwargs)
