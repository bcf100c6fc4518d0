"""Draw the pictures of ``guide/plots.md`` anew: ``python docs/make_plots.py``.

Runs the page's own blocks against the emulator and saves what each draws under the names of
the images that follow it.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from pathlib import Path

import matplotlib as mpl

from dentframe import emulator
from dentframe.errors import DentWarning

HERE = Path(__file__).parent
PAGE, TARGET = HERE / "guide" / "plots.md", HERE / "_static" / "plots"
PART = re.compile(
    r"^```python\n(?P<code>.*?)^```$|\]\(\.\./_static/plots/(?P<image>[\w-]+\.png)\)",
    re.MULTILINE | re.DOTALL,
)


def draw() -> None:
    """Run every block that raises nothing; save the figures it leaves."""
    from matplotlib import pyplot as plt

    names: dict[str, object] = {}
    waiting: list[int] = []
    for part in PART.finditer(PAGE.read_text(encoding="utf-8")):
        code, image = part["code"], part["image"]
        if code and not code.startswith("# "):
            plt.close("all")
            exec(code, names)  # noqa: S102 - our own page
            waiting = plt.get_fignums()
        if image:
            plt.figure(waiting.pop(0)).savefig(TARGET / image, dpi=90)


def main() -> None:
    """Serve the emulator and draw."""
    mpl.use("Agg")
    warnings.simplefilter("ignore", DentWarning)
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        emulator.serve(rate=None, concurrency=None) as cloud,
        tempfile.TemporaryDirectory() as cache,
    ):
        os.chdir(cache)
        os.environ |= {
            "DENTCLOUD_BASE_URL": cloud.url,
            "DENTCLOUD_API_KEY": cloud.api_key,
            "DENTCLOUD_KEY_ID": cloud.key_id,
            "DENTCLOUD_CACHE_DIR": cache,
        }
        draw()


if __name__ == "__main__":
    main()
