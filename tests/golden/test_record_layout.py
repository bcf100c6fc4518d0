"""A record of layout 2, made of the emulator's building: later versions read and check it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from dentframe import Record, records, verify

GOLDEN = Path(__file__).parent / "record-2"


def test_an_old_record_is_read_and_checked(tmp_path):
    """Its tables, its corrections, its figures by `verify` and by its own program."""
    folder = tmp_path / "2023-12-12"
    shutil.copytree(GOLDEN, folder)
    record = Record.load(folder)
    assert record.control["utility"] == Decimal("74.00")
    assert record.site.corrections[0].factor == Decimal("0.9")
    assert record.statements["Bakery"].total == Decimal("46.67")
    assert records(tmp_path)["amount"].sum() == Decimal("74.00")
    assert verify(folder).differences == ()
    program = [sys.executable, "-I", "-S", str(folder / "record/check.py")]
    assert subprocess.run(program, check=False, capture_output=True).returncode == 0
