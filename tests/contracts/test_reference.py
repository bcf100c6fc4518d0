"""The reference pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
make_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make_reference)


@pytest.mark.parametrize("name", make_reference.PAGES)
def test_a_reference_page_is_what_the_code_says(name):
    """Each generated page is up to date; run docs/make_reference.py where it is not."""
    page = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert page == make_reference.PAGES[name]()
