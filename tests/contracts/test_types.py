"""What editors and type checkers tell a user: the snippet below, under mypy and pyright.

mypy takes a few seconds where its cache is warm (``make check`` warms it), else a minute.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A line that ends in "# X" reveals X or is refused for X; every other line is silent.
SNIPPET = """\
from dentframe import DentFrame, Statement, inventory, plan_dentcloud, read_dentcloud

df = read_dentcloud("P482311252", "2023-12", topics=["DemandkW"], tz="America/Los_Angeles")
reveal_type(df)  # DentFrame
reveal_type(df.dent)  # DentAccessor
reveal_type(df.dent.energy("D", tz="UTC", detail=True))  # DataFrame
reveal_type(df.dent.peaks("MS", tz="UTC", n=3))  # DataFrame
reveal_type(df.dent.select("DemandkW"))  # DentFrame
reveal_type(df.dent.convert({"DemandkW": "W"}).dent.gaps())  # DataFrame
reveal_type(df.dent.units)  # dict[str, Any]
reveal_type(plan_dentcloud("P482311252", "2023").seconds)  # float
reveal_type(inventory())  # DataFrame


def december(frame: DentFrame, statement: Statement) -> list[str]:
    reveal_type(statement.total)  # Decimal
    return frame.dent.elements


december(df, 3)  # error
df.dent.energy("D", tzz="UTC")  # error
df.dent.peaks(per_day="yes")  # error
df.dent.gaps(corrections=())  # error
df.dent.energi()  # error
read_dentcloud("P482311252", "2023", zone="UTC")  # error
from dentframe import bogus  # error
"""
WANTED = {
    number: line.rpartition("# ")[2]
    for number, line in enumerate(SNIPPET.splitlines(), 1)
    if "# " in line
}
VERB = r"^    (\w+) = (?:frame_)?method\("


@pytest.fixture
def snippet(tmp_path):
    """The snippet as a user's file."""
    path = tmp_path / "december.py"
    path.write_text(SNIPPET, encoding="utf-8")
    return path


def bare(revealed):
    """A type without the modules of its parts."""
    return re.sub(r"\b(?:\w+\.)+", "", revealed)


@pytest.mark.timeout(300)
def test_mypy_knows_every_name_and_parameter(snippet):
    """mypy, strict, reveals the types and refuses the wrong lines, and no others."""
    api = pytest.importorskip("mypy.api")
    config = [
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--cache-dir",
        str(ROOT / ".mypy_cache"),
    ]
    out, err, _ = api.run([*config, "--no-error-summary", str(snippet)])
    assert not err
    told = {}
    for line in out.splitlines():
        number, kind, text = re.fullmatch(r".*?december\.py:(\d+): (\w+): (.*)", line).groups()
        revealed = re.fullmatch(r'Revealed type is "(.*)"', text)
        if revealed or kind == "error":
            told[int(number)] = bare(revealed[1]) if revealed else "error"
    assert told == WANTED


@pytest.mark.timeout(300)
def test_pyright_knows_every_name_and_parameter(snippet):
    """pyright, which editors run, says the same."""
    pytest.importorskip("pyright")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", snippet],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    told = {}
    for x in json.loads(done.stdout)["generalDiagnostics"]:
        revealed = re.fullmatch(r'Type of ".*" is "(.*)"', x["message"])
        number = x["range"]["start"]["line"] + 1
        told[number] = revealed[1] if revealed else x["severity"]
    assert told == WANTED


def test_the_frame_is_a_frame_when_it_runs():
    """`DentFrame` is there for annotations and is pandas' own class."""
    import pandas as pd

    import dentframe

    assert dentframe.DentFrame is pd.DataFrame


def test_the_marker_of_types_is_there():
    """PEP 561: without ``py.typed`` no checker reads the annotations."""
    assert (ROOT / "dentframe" / "py.typed").is_file()


def test_adding_a_verb_is_one_line():
    """Every verb of the accessor is one line of its class, and names what it calls."""
    text = (ROOT / "dentframe" / "accessor.py").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(VERB, line)]
    assert len(lines) > 25
    for line in lines:
        assert re.fullmatch(r"    (\w+) = (?:frame_)?method\(_\w+\.\1\)", line), line
