"""Every notebook runs from top to bottom on the emulator, and shows its outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


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
    text = path.read_text(encoding="utf-8")
    assert '"output_type": "error"' not in text
    assert "/work/" not in text
    assert "/root/" not in text
    assert "/tmp/" not in text  # noqa: S108 - a machine's path, not a file we write


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
