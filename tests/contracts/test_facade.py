"""The accessor is a mirror of the functions, and the package of its parts."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

import dentframe
from dentframe import DentAccessor
from tests.house_map import CONTRIBUTING, code_lines, packages

PACKAGE = Path(dentframe.__file__).parent
NAMES = [name for name in vars(DentAccessor) if not name.startswith("_")]
TO_SHRINK = {"record_check_without_dentframe.py"}  # it is one file by its promise, under 600
METHODS = [name for name in NAMES if hasattr(getattr(DentAccessor, name), "__wrapped__")]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_functions_signature(name):
    """Every method's parameters, defaults included, are its function's without the frame."""
    method = getattr(DentAccessor, name)
    function = method.__wrapped__
    theirs = list(inspect.signature(function).parameters.values())[1:]
    ours = list(inspect.signature(method).parameters.values())[1:]
    assert ours == theirs
    assert function.__name__ == name
    assert method.__doc__ == function.__doc__


def test_the_accessor_has_no_state():
    """Constructing the accessor only keeps the frame, and using it changes nothing."""
    frame = pd.DataFrame({"A/Ch/A1": [1.0]}, index=pd.DatetimeIndex(["2024-01-01"], tz="UTC"))
    accessor = frame.dent
    assert list(vars(accessor)) == ["_frame"]
    _ = accessor.units, accessor.columns
    assert list(vars(accessor)) == ["_frame"]
    assert frame.attrs == {}


def test_a_frame_that_is_none_of_ours_has_no_accessor():
    """`hasattr(df, "dent")` is False for a frame without wire-named columns."""
    assert not hasattr(pd.DataFrame({"x": [1]}), "dent")


def test_the_accessor_has_its_verbs():
    """The list of methods that the tests here go through is the design's."""
    assert {"energy", "peaks", "coincident", "stats", "gaps", "quantify"} <= set(METHODS)
    assert {"units", "topics", "elements", "channels", "columns"} <= set(NAMES) - set(METHODS)


def test_every_public_name_is_documented():
    """Every public class, function, method and property has a docstring."""
    public = [getattr(dentframe, name) for name in dentframe.__all__]
    public += [getattr(DentAccessor, name) for name in NAMES]
    assert all(inspect.getdoc(thing) for thing in public)


def imported(path):
    """Top-level packages that a file imports when it runs, not for type checkers."""
    todo = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        todo.extend(ast.iter_child_nodes(node))


def test_requests_is_imported_by_the_cloud_session_alone():
    """Only the transport speaks requests and requests-cache."""
    for path in PACKAGE.rglob("*.py"):
        found = set(imported(path)) & {"requests", "requests_cache"}
        allowed = {"transport.py": {"requests", "requests_cache"}, "account.py": {"requests"}}
        assert found <= allowed.get(path.name, set()), path


def test_the_emulator_never_imports_the_client():
    """The emulator is an independent witness: it imports topics and errors alone."""
    for path in (PACKAGE / "emulator").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dentframe"):
                own = node.module.startswith("dentframe.emulator")
                assert own or node.module in {"dentframe.wire.topics", "dentframe.errors"}, path


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_files_and_functions_stay_small(path):
    """No file over 300 lines of code, no function body over 50."""
    text = path.read_text(encoding="utf-8")
    assert path.name in TO_SHRINK or code_lines(text) <= 300, f"{path}: {code_lines(text)} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - first.lineno < 50, f"{path}: {node.name}"


def test_every_module_imports():
    """Every module of the package can be imported with the extras of the test run."""
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            importlib.import_module(".".join(p for p in parts if p != "__init__"))


def test_contributing_says_what_every_package_does():
    """Its table has a row for each package and for each file of the root."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    table = text.partition("| what it does |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if "`" in line]
    told = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert told == set(packages()) - {"__init__", "__main__"}
