"""What the tests of shapes share: a frame of one meter, and of several."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.attrs_kit import told

DAY = ["2023-12-01T00:00:00Z", "2023-12-02T00:00:00Z"]
LABELS = [
    "DemandkW/Elm/A",
    "DemandkW/Elm/C",
    "kWHNet/Elm/A",
    "kWHNet/Elm/C",
    "A/Ch/A1",
    "A/Ch/A2",
    "A/Ch/C10",
    "dPF/Elm/A",
    "dPF/Ch/A1",
]


def single(labels=LABELS, rows=4, tz="UTC"):
    index = pd.date_range("2023-12-01 00:02", periods=rows, freq="15min", tz="UTC", unit="us")
    index.freq, index.name = None, "time"
    values = np.arange(float(rows * len(labels))).reshape(rows, len(labels)) / 7
    frame = pd.DataFrame(values, index=index.tz_convert(tz), columns=pd.Index(labels))
    if values.size:
        frame.iloc[1, 0] = np.nan
    return told(frame, {"P1": DAY}, units={"DemandkW": "kW", "Foo": "gal"})


def several(labels=LABELS):
    parts = {m: single(labels) + i * 100 for i, m in enumerate(("P1", "P2"))}
    frame = pd.concat(parts, names=["meter", "time"])
    return told(frame, {"P1": DAY, "P2": DAY})
