"""Advice on the command line: options, not Python; and no phrase that the source no longer has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import dentframe
from dentframe.cli.output import SAYINGS, told

WITHHOLD = "min_coverage= accepts or withholds them without this warning."
PACKAGE = Path(dentframe.__file__).parent


def texts():
    """Every text in the source as it is printed: implicit joins whole, fields as ``{}``."""
    for path in PACKAGE.rglob("*.py"):
        if path.name == "wording.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.replace('{{"{}": ...}}', '{"P1_E": ...}')
            elif isinstance(node, ast.JoinedStr):
                parts = (getattr(x, "value", None) for x in node.values)
                yield "".join(x if isinstance(x, str) else "{}" for x in parts)


@pytest.fixture(scope="module")
def source():
    """All of them together."""
    return "\n".join(texts())


@pytest.mark.parametrize("pattern", [p for p, _ in SAYINGS if "Read with bracket" not in p])
def test_every_phrase_is_still_said(source, pattern):
    """A text that was changed must not leave its translation behind."""
    assert re.search(pattern, source)


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        (
            f"the worst is E. detail=True tells each one; {WITHHOLD}",
            "the worst is E. --detail tells each one.",
        ),
        (
            f"Look at status and coverage; {WITHHOLD}",
            "Look at status and coverage.",
        ),
        (
            'Give it: RegisterRules(max_kw={"P1_E": ...}).',
            "Give it: --max-kw P1_E=KW, or in a file for --site.",
        ),
        ("It is plain.", "It is plain."),
    ],
)
def test_python_becomes_options(python, shell):
    """Keywords become options, what has none is left out, and the rest stays."""
    assert told(python) == shell
