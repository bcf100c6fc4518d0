"""What a user installs: the wheel and the sdist hold what they should, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email.parser import HeaderParser
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import dentframe

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"{PROJECT['name']}-{PROJECT['version']}"
INFO = f"{NAME}.dist-info"
TOP = {
    ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "PKG-INFO", "README.md",
    "dentframe", "docs", "notebooks", "pyproject.toml", "tests",
}  # fmt: skip
KINDS = {
    "",
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".typed",
    ".html",
    ".css",
    ".csv",
    ".ipynb",
    ".bib",
    ".png",
    ".svg",
    ".json",
}
HOOK = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def build(what, source, into):
    """Build a wheel or an sdist without isolation: nothing is fetched."""
    done = subprocess.run(
        [sys.executable, "-c", HOOK, f"build_{what}", str(into)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return into / done.stdout.split()[-1]


def contents(wheel):
    """Name to bytes of everything in a wheel."""
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What is in the wheel that is built here."""
    return contents(build("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder of the sdist that is built here."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", ROOT, folder)) as file:
        file.extractall(folder, filter="data")
    return folder / NAME


def files(folder):
    """Path below a folder to bytes, without what Python leaves behind."""
    found = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def test_the_wheel_holds_the_package_as_it_is(wheel):
    """Every file of the package, the template and the marker of types included; no other."""
    ours = {f"dentframe/{name}": body for name, body in files(ROOT / "dentframe").items()}
    assert {n: b for n, b in wheel.items() if not n.startswith(INFO)} == ours
    assert {"dentframe/py.typed", "dentframe/documents/templates/statement.html"} <= set(ours)


def test_the_wheel_says_what_it_is(wheel):
    """Beside the package: metadata, entry points, the list of files and the licence."""
    names = {n.removeprefix(f"{INFO}/") for n in wheel if n.startswith(INFO)}
    assert names == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert wheel[f"{INFO}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"Root-Is-Purelib: true" in wheel[f"{INFO}/WHEEL"]


def test_the_metadata_is_the_projects(wheel):
    """Version, Python, licence, extras and the long description."""
    told = HeaderParser().parsestr(wheel[f"{INFO}/METADATA"].decode())
    assert (told["Name"], told["Version"]) == ("dentframe", dentframe.__version__)
    assert told["Requires-Python"] == PROJECT["requires-python"]
    assert told["License-Expression"] == "BSD-3-Clause"
    assert set(told.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert told["Description-Content-Type"] == "text/markdown"
    needed = [r.partition(";")[0] for r in told.get_all("Requires-Dist") if "extra ==" not in r]
    assert sorted(needed) == sorted(PROJECT["dependencies"])


def test_all_is_all_extras():
    """The extra ``all`` names every other one."""
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == set(extras) - {"all"}


def test_entry_points_load(wheel):
    """The command and xarray's engine are declared, and are there."""
    told = ConfigParser()
    told.read_string(wheel[f"{INFO}/entry_points.txt"].decode())
    assert told["console_scripts"]["dentframe"] == "dentframe.cli:main"
    assert told["xarray.backends"]["dentcloud"].startswith("dentframe.datasets.engine:")
    points = [EntryPoint(n, v, g) for g in told.sections() for n, v in told[g].items()]
    assert all(callable(point.load()) for point in points)


def test_the_sdist_holds_what_one_can_test_and_build(unpacked):
    """Sources, tests, docs and notebooks; no cache, no output, no data."""
    found = files(unpacked)
    assert {name.partition("/")[0] for name in found} == TOP
    assert {Path(name).suffix for name in found if name != ".gitignore"} <= KINDS
    assert not [n for n in found if "_build/" in n or "/." in n or "cache/" in n]
    assert max(map(len, found.values())) < 2_000_000


def test_the_sdist_builds_the_same_wheel(unpacked, wheel, tmp_path):
    """What is installed from source is what is installed from the wheel, byte by byte."""
    assert contents(build("wheel", unpacked, tmp_path)) == wheel


def test_nothing_tells_of_this_machine(wheel, unpacked):
    """No path of the machine that built it: neither the project's nor a home's."""
    for name, body in {**files(unpacked), **wheel}.items():
        assert str(ROOT / "dentframe").encode() not in body, name
        if not name.startswith("tests/"):  # they look for homes
            assert f"{Path.home()}/".encode() not in body, name
