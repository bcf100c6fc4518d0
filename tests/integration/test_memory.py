"""What decoding holds at its peak, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

DECODE = """
import sys
from pathlib import Path
from dentframe.cloud import Window
from dentframe.wire.decode import decode
from tests.benchmarks.high_water import high_water
body, window = Path(sys.argv[1]).read_bytes(), Window(2023, 1)
decode(b'{"headers":["date","time"],"topics":[]}', window)
before = high_water()
page = decode(body, window)
print(page.values.shape, (high_water() - before) / page.values.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the high-water mark is inherited")
def test_a_month_is_decoded_into_its_place(tmp_path):
    """A month of 144 columns holds little beside its own readings: no row is there twice.

    Five-minute readings make 10 MB, beside which the interpreter's own pages are few.
    """
    columns = [f"A/Ch/{e}{i}" for e in "ABCDEFGHIJKLMNOPQRSTUVWX" for i in range(1, 7)]
    cells = ",".join(f'"{c}":"{i}.{i:03d}"' for i, c in enumerate(columns))
    clock = ((day, q // 12, q % 12 * 5) for day in range(1, 32) for q in range(288))
    rows = (f'{{"date":"2023-01-{d:02d}","time":"{h:02d}:{m:02d}",{cells}}}' for d, h, m in clock)
    head = json.dumps({"headers": ["date", "time", *columns]})[:-1]
    (tmp_path / "body").write_text(f'{head}, "topics":[{",".join(rows)}]}}')
    args = [sys.executable, "-c", DECODE, str(tmp_path / "body")]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=True)
    shape, ratio = done.stdout.rsplit(" ", 1)
    assert shape == "(8928, 144)"
    assert float(ratio) <= 1.8
