"""What must work in a fresh environment: ``python tests/smoke.py EXTRA`` (``bare`` for none).

Run by `tests/extras.py`, by the environment's own Python, with nothing installed but the wheel
and one extra. Every extra's feature either works or says which extra to install.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from decimal import Decimal
from pathlib import Path

import pandas as pd

import dentframe
from dentframe import emulator, errors

METER = "P482311252"
WITH = {"dask": {"dask", "archive"}, "bare": set()}  # an extra that brings others


def command_line(df, folder):
    done = subprocess.run(
        [sys.executable, "-m", "dentframe", "--help"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise errors.MissingExtraError(done.stderr)
    assert "energy" in done.stdout


def picture(df, folder):
    import os

    os.environ["MPLBACKEND"] = "Agg"
    assert df.dent.plot.heatmap(elements=["A"], tz="UTC") is not None


def quantities(df, folder):
    assert all("pint" in str(dtype) for dtype in df.dent.quantify().dtypes)


def workbook(df, folder):
    df.dent.to_excel(folder / "readings.xlsx", tz="UTC")


def paper(df, folder):
    start, end = pd.Timestamp("2023-12-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="UTC")
    from dentframe.money import Line

    line = Line("Energy", "energy", Decimal(10), "kWh", Decimal("0.25"), Decimal("2.50"))
    statement = dentframe.Statement("Bakery", "Electricity", start, end, "UTC", "USD", (line,))
    assert "Bakery" in statement.to_html()
    statement.to_pdf(folder / "statement.pdf")


def parquet(df, folder):
    report = with_cloud(folder, sync_a_day)
    assert report.ok
    assert list(dentframe.Archive(folder / "archive").meters()) == [METER]


def sync_a_day(client, folder):
    return dentframe.sync(
        [METER], "2023-12-12", topics=["kWHNet"], archive=folder / "archive", client=client,
        progress=False,
    )  # fmt: skip


def cluster(df, folder):
    assert dentframe.Archive(folder / "archive").to_dask().npartitions == 1


FEATURES = {
    "cli": command_line,
    "plot": picture,
    "quantify": quantities,
    "excel": workbook,
    "report": paper,
    "archive": parquet,
    "dask": cluster,
}


def with_cloud(folder, use):
    """What `use` makes of a client of the emulator."""
    with emulator.serve() as cloud:
        client = dentframe.DentCloud(
            cloud.api_key, cloud.key_id, base_url=cloud.url, cache=folder / "cache"
        )
        with client:
            return use(client, folder)


def read_a_day(client, folder):
    return dentframe.read_dentcloud(
        METER, "2023-12-12", topics=["DemandkW", "kWHNet"], client=client, bracket=True
    )


def read(folder):
    """Read a day from the emulator with the core alone, and compute."""
    df = with_cloud(folder, read_a_day)
    assert df.dent.energy("D", tz="UTC").iloc[0].sum() > 1000
    assert len(df.dent.peaks(tz="UTC")) == len(df.dent.elements)
    assert df.dent.to_xarray().sizes["element"] == len(df.dent.elements)
    assert METER in repr(df.dent)
    return df


def tell(name, present, df, folder):
    """Try one feature; return what happened, in a few words."""
    try:
        FEATURES[name](df, folder)
    except errors.MissingExtraError as error:
        named = f'pip install "dentframe[{name}]"' in str(error)
        return "asks for itself" if named and name not in present else f"FAILED: {error}"
    except Exception as error:  # noqa: BLE001 - told with the others, below
        return f"FAILED: {type(error).__name__}: {error}"
    return "works"


def main() -> int:
    extra = sys.argv[1]
    assert "site-packages" in dentframe.__file__, f"not the installed wheel: {dentframe.__file__}"
    present = set(FEATURES) if extra == "all" else WITH.get(extra, {extra})
    warnings.simplefilter("ignore", errors.DentWarning)
    with tempfile.TemporaryDirectory() as name:
        df = read(Path(name))
        told = {feature: tell(feature, present, df, Path(name)) for feature in FEATURES}
    versions = f"Python {sys.version.split()[0]}, pandas {pd.__version__}"
    print(f"{extra} on {versions}: " + ", ".join(f"{k} {v}" for k, v in told.items()), flush=True)
    return any(v.startswith("FAILED") for v in told.values())


if __name__ == "__main__":
    sys.exit(main())
