"""Write the reference pages that come from the code: ``python docs/make_reference.py``.

A test compares the pages with what this writes, so that they cannot drift.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from dentframe import errors
from dentframe.topics import TOPICS

HERE = Path(__file__).parent / "reference"


def errors_page() -> str:
    """Every error and warning, with what its three fields default to."""
    tree = inspect.getdoc(errors) or ""
    head, _, rest = tree.partition("::\n")
    parts = [f"# Errors and warnings\n\n{head.splitlines()[-1]}:\n"]
    parts.append("```\n" + inspect.cleandoc(rest.split("\n\nEvery error has")[0]) + "\n```\n")
    parts.append("Every error has" + rest.split("Every error has")[1].replace("``", "`") + "\n")
    parts.append("| name | retryable by default | what it means |\n|---|---|---|")
    parts += [_row(cls) for cls in _classes()]
    return "\n".join(parts) + "\n"


def _classes() -> list[type]:
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    return sorted(
        (c for c in found if issubclass(c, errors.DentError | errors.DentWarning)),
        key=lambda c: (issubclass(c, errors.DentWarning), c.__name__),
    )


def _row(cls: type) -> str:
    retryable = getattr(cls, "retryable", None)
    told = {True: "yes", False: "no", None: "a warning"}[retryable]
    meaning = (inspect.getdoc(cls) or "").splitlines()[0].replace("``", "`")
    return f"| `{cls.__name__}` | {told} | {meaning} |"


def topics_page() -> str:
    """Every topic that is known, with kind and unit."""
    lines = [
        "# Topics",
        "",
        "What dentframe knows by name. Any other topic is read and kept; its unit tells its kind.",
        "",
        "| topic | kind | unit | offered by the API | what it is |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{t.key}` | {t.kind.replace('_', ' ')} | {t.unit} | "
        f"{'yes' if t.served else 'no'} | {t.description} |"
        for t in TOPICS.values()
    ]
    return "\n".join(lines) + "\n"


PAGES = {"errors.md": errors_page, "topics.md": topics_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
