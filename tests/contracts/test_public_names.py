"""The package's names are found when they are asked for, and mean what they should."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dentframe

ON_USE = ["requests", "requests_cache", "pint", "msgspec", "xarray", "matplotlib", "tqdm", "dask"]


def run(*lines):
    """What a fresh interpreter prints, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light():
    """Importing dentframe loads none of the packages that are used on demand."""
    assert run(f"import sys, dentframe; print([m for m in {ON_USE!r} if m in sys.modules])") == "[]"


def test_public_names_are_sorted_and_there():
    """`__all__` is sorted without regard to case and every name resolves."""
    assert dentframe.__all__ == sorted(dentframe.__all__, key=lambda n: (n.islower(), n))
    assert all(hasattr(dentframe, name) for name in dentframe.__all__)


def test_xarray_that_is_loaded_already_gets_its_accessor():
    """`Dataset.dent` is there where xarray was imported first, and with `dentframe.datasets`."""
    seen = "print(hasattr(xarray.Dataset, 'dent'))"
    assert run("import xarray, dentframe", seen) == "True"
    assert run("import dentframe.datasets, xarray", seen) == "True"


def test_type_checkers_read_the_names_that_are_imported_on_use():
    """The imports under TYPE_CHECKING are those that happen when a name is asked for."""
    tree = ast.parse(Path(dentframe.__file__).read_text(encoding="utf-8"))
    (block,) = (
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    )
    found = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "dentframe"
        for alias in node.names
    }
    assert found == dentframe.ON_USE


def test_a_star_brings_every_name():
    """`from dentframe import *` binds all of `__all__`."""
    told = run(
        "from dentframe import *", "import dentframe", "print(set(dentframe.__all__) - {*dir()})"
    )
    assert told == "set()"


def test_dir_names_what_is_public():
    """`dir(dentframe)` lists the public names without loading them."""
    assert set(dentframe.__all__) <= set(dir(dentframe))
    assert "TYPE_CHECKING" not in dir(dentframe)


def test_a_submodule_is_found_by_its_name():
    """`dentframe.money.Energy` works without an import of its own."""
    assert run("import dentframe", "print(dentframe.money.Energy.__name__)") == "Energy"


@pytest.mark.parametrize("name", ["bogus", "_bogus", "__bogus__", "Split"])
def test_a_name_that_is_not_there_is_an_attribute_error(name):
    """As with any module."""
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
        getattr(dentframe, name)


def test_the_package_is_a_module_to_everyone():
    """inspect takes the package for what it is."""
    assert isinstance(dentframe, ModuleType)
    assert inspect.ismodule(dentframe)
    assert type(dentframe) is ModuleType


def test_a_function_that_names_the_package_can_be_sent_to_a_worker():
    """cloudpickle, which Dask uses, knows no module but those of the exact type."""
    cloudpickle = pytest.importorskip("cloudpickle")
    sent = cloudpickle.dumps(lambda: dentframe.RegisterRules)
    assert pickle.loads(sent)() is dentframe.RegisterRules  # noqa: S301 - our own


def test_a_public_name_can_be_replaced():
    """Only the import system's binding of a submodule is refused, not a test's stand-in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dentframe, "split", print)
        assert dentframe.split is print
    assert inspect.isfunction(dentframe.split)


def test_the_version_is_the_distributions():
    """`__version__` comes from the installed metadata."""
    assert dentframe.__version__ == importlib.metadata.version("dentframe")
