"""Draw the picture of a bill for ``guide/split-the-bill.md`` anew: ``python docs/make_paper.py``.

Runs the page's own blocks against the emulator; a headless Chromium looks at the Office's bill.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from dentframe import emulator
from dentframe.errors import DentWarning

HERE = Path(__file__).parent
PAGE, TARGET = HERE / "guide" / "split-the-bill.md", HERE / "_static" / "paper.png"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--hide-scrollbars", "--window-size=860,1440",
)  # fmt: skip


def main() -> None:
    """Serve the emulator, split the page's bill, and take the picture."""
    warnings.simplefilter("ignore", DentWarning)
    names: dict[str, Any] = {}
    with (
        emulator.serve(rate=None, concurrency=None) as cloud,
        tempfile.TemporaryDirectory() as folder,
    ):
        os.chdir(folder)
        os.environ |= {
            "DENTCLOUD_BASE_URL": cloud.url,
            "DENTCLOUD_API_KEY": cloud.api_key,
            "DENTCLOUD_KEY_ID": cloud.key_id,
            "DENTCLOUD_CACHE_DIR": folder,
        }
        for code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            exec(code, names)  # noqa: S102 - our own page
        page = Path(folder) / "bill.html"
        names["run"].statements["Office"].to_html(page)
        subprocess.run(  # noqa: S603 - our own page
            ["chromium", *OPTIONS, f"--user-data-dir={folder}/profile",  # noqa: S607
             f"--screenshot={TARGET}", page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    smaller()


def smaller() -> None:
    """Keep the picture in 32 colours: a bill has few."""
    from PIL import Image

    Image.open(TARGET).convert("RGB").quantize(32).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
