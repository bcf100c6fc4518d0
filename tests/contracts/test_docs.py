"""Every Python block of README and docs runs, and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

from dentframe import emulator
from dentframe.errors import DentError, DentWarning

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"(?P<skip><!-- not run: .+? -->\n)?^```(?P<lang>[a-z]+)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(code, output it must print or "") of each block that runs."""
    found = list(FENCE.finditer(page.read_text(encoding="utf-8")))
    result = []
    for i, match in enumerate(found):
        if match["lang"] != "python" or match["skip"]:
            continue
        after = found[i + 1] if i + 1 < len(found) else None
        result.append((match["code"], after["code"] if after and after["lang"] == "text" else ""))
    return result


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page, monkeypatch, tmp_path):
    """A page's Python blocks run top to bottom and print the text block that follows them."""
    if not blocks(page):
        return
    monkeypatch.chdir(tmp_path)
    with emulator.serve(rate=None, concurrency=None) as cloud:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)
        _run(page)


PRELUDE = """
import pandas as pd
from dentframe import *
LA = "America/Los_Angeles"
df = read_dentcloud("P482311252", "2023-12", tz=LA, bracket=True)
"""
"""What a guide takes for granted, and says so at its top."""


def _run(page: Path) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    if page.parent != ROOT:
        exec(PRELUDE, namespace)  # noqa: S102 - our own text
    for code, expected in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore", DentWarning)
            _exec(code, page, namespace)
        if expected:
            assert _trim(printed.getvalue()) == _trim(expected), code


def _exec(code: str, page: Path, namespace: dict[str, object]) -> None:
    """Run a block; a comment `# KindError: …` at a line's start says what it raises."""
    raised = re.search(r"^# (\w+Error): ", code, re.MULTILINE)
    compiled = compile(code, str(page), "exec")
    if raised is None:
        exec(compiled, namespace)  # noqa: S102 - our own pages
        return
    with pytest.raises(DentError) as caught:
        exec(compiled, namespace)  # noqa: S102 - our own pages
    assert type(caught.value).__name__ == raised[1]


def _trim(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_the_commands_of_the_readme_exist():
    """The README names the two commands that do all the set-up, and the Makefile has them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
