"""A year of one meter as the service would send it: 12 bodies of JSON, made from a seed."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

METER = "P482311252"
YEAR = 2023
ELEMENTS = "ABCDEFGHIJKLMNOP"
WIDE = {"A/Ch": 3, "dPF/Ch": 3, "kWHNet/Elm": 1, "DemandkW/Elm": 1, "kVAHNet/Elm": 1}
NARROW = {"A/Ch": 1, "V/Ch": 1, "dPF/Ch": 1, "kWHNet/Elm": 1, "DemandkW/Elm": 1, "kVAHNet/Elm": 1}


def times(months: int) -> pd.DatetimeIndex:
    end = pd.Timestamp(f"{YEAR}-01-01") + pd.DateOffset(months=months)
    return pd.date_range(f"{YEAR}-01-01 00:02", end, freq="15min", tz="UTC", inclusive="left")


def column(topic: str, load: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Readings as meters have them: noise on a daily load, rounded as on the wire."""
    noise = rng.normal(0, 1, len(load))
    made = {
        "A": lambda: load * 4 + 0.5 * noise,
        "V": lambda: (277 + 1.5 * noise).round(2),
        "dPF": lambda: np.clip(0.92 + 0.02 * noise, 0, 1),
        "DemandkW": lambda: load,
        "kWHNet": lambda: 12_345 + np.cumsum(load) / 4,
        "kVAHNet": lambda: 13_579 + np.cumsum(load) / 3.8,
    }
    return made[topic]().round(3)


def made(topics: dict[str, int], months: int = 12, elements: str = ELEMENTS) -> pd.DataFrame:
    """The readings: 144 columns with the wide topics, 96 with the narrow ones."""
    rng, stamps = np.random.default_rng(482311252), times(months)
    hour = 2 * np.pi * np.asarray(stamps.hour + stamps.minute / 60) / 24
    found = {}
    for element in elements:
        load = np.maximum(0, 5 - 4 * np.cos(hour) + rng.normal(0, 0.8, len(stamps)))
        for name, channels in topics.items():
            for channel in [""] if name.endswith("Elm") else range(1, channels + 1):
                found[f"{name}/{element}{channel}"] = column(name.split("/")[0], load, rng)
    return pd.DataFrame(found, index=stamps)


def bodies(frame: pd.DataFrame) -> Iterator[bytes]:
    """A body for each month of the readings."""
    text = frame.map("{:.3f}".format)
    text.insert(0, "time", frame.index.strftime("%H:%M"))
    text.insert(0, "date", frame.index.strftime("%Y-%m-%d"))
    for _, month in text.groupby(frame.index.month):
        answer = {"headers": list(text.columns), "topics": month.to_dict("records")}
        yield json.dumps(answer, separators=(",", ":")).encode()


@functools.cache
def wide(quick: bool = False) -> tuple[bytes, ...]:
    """The bodies of a year of 144 columns; of two months of two elements for a quick run."""
    return tuple(bodies(made(WIDE, 2, "AB") if quick else made(WIDE)))


def span(answers: Sequence[bytes]) -> tuple[str, str]:
    """The range that these bodies, a month each, make up."""
    end = pd.Timestamp(f"{YEAR}-01-01") + pd.DateOffset(months=len(answers))
    return f"{YEAR}-01-01", f"{end:%Y-%m-%d}"


def topics(kinds: dict[str, int] = WIDE) -> tuple[str, ...]:
    """The request keys of these columns."""
    return tuple(dict.fromkeys(name.split("/")[0] for name in kinds))


def write(answers: Sequence[bytes], folder: Path) -> Path:
    """A file a month, as the emulator replays them."""
    folder.mkdir()
    for month, body in enumerate(answers, 1):
        (folder / f"{METER}-{YEAR}-{month:02d}.json").write_bytes(body)
    return folder
