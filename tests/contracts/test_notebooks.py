"""Every notebook runs from top to bottom on the emulator, and shows its outputs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


PATH = re.compile(r"(?<![\w/.:<-])(?:/[\w.-]+){2,}|\b[A-Za-z]:\\\w+")
"""A folder or file of some machine: from the root of its disk, two names or more."""


def texts(output):
    """What an output says in words; pictures are letters that mean no path."""
    data = output.get("data", {})
    found = [data[kind] for kind in ("text/plain", "text/html") if kind in data]
    return ["".join(text) for text in (*found, output.get("text", ""))]


def test_an_absolute_path_is_told_from_urls_units_and_columns():
    """What the rule of the next test takes for a path, and what it does not."""
    for text in ("/home/x/data.csv", "saved in /mnt/a", r"C:\Users\x", "'/opt/venv/lib'"):
        assert PATH.findall(text), text
    for text in ("A/Ch/A1", "http://127.0.0.1:80/v1/x", "</td></tr>", "kW/m2/d", "./a/b", "1/2/3"):
        assert not PATH.findall(text), text


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_is_short_and_keeps_its_outputs(path):
    """At most 15 cells, every code cell was run in order, and none shows an error or a path."""
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) <= 15
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert any(cell.outputs for cell in code_cells(notebook))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = [texts(output) for output in outputs] + [[cell.source] for cell in notebook.cells]
    assert [found for each in shown for text in each for found in PATH.findall(text)] == []


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_runs(path, tmp_path):
    """Executing every cell raises nothing, and leaves no file beside the notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": sys.version}
    here = tmp_path / "here"
    here.mkdir()
    client = NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(here)}})
    client.execute()
    assert not list(here.iterdir())


def test_there_are_notebooks():
    """The folder is not empty."""
    assert NOTEBOOKS
