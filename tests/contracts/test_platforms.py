"""What other machines lack or do otherwise: POSIX modules, UTF-8 as the default."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

POSIX = ("fcntl", "grp", "pwd", "resource", "termios")
IMPORT_ALL = f"""
import importlib, pkgutil, sys
for name in {POSIX}:
    sys.modules[name] = None
import dentframe
for module in pkgutil.walk_packages(dentframe.__path__, "dentframe."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def run(*command, **environment):
    """A Python of its own, in English and ASCII where the environment says so."""
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        check=False,
        timeout=100,
        env=os.environ | environment,
    )


def test_every_module_imports_without_posix():
    """No module needs fcntl, pwd or their kin before it is used."""
    pytest.importorskip("dask")
    done = run("-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no C locale")
def test_the_command_line_speaks_utf8_where_the_locale_is_c(tmp_path):
    """A cron job has LC_ALL=C: nothing is lost and nothing breaks."""
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("-m", "dentframe", "demo", "--out", str(tmp_path / "demo.png"), **ascii_alone)
    assert done.returncode == 0, done.stderr.decode()
    assert "readings × 14 columns" in done.stdout.decode("utf-8")
    assert (tmp_path / "demo.png").exists()
