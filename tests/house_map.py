"""Print the map of the package: its files, its imports, and the four journeys through it.

``make map`` prints it, and ``python -m tests.house_map --write`` writes it into CONTRIBUTING.
A journey is what one call enters of dentframe: a read from the cache, an energy, peaks, a
split. A profiler counts the files and functions.
"""

from __future__ import annotations

import ast
import io
import os
import sys
import tempfile
import threading
import tokenize
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import dentframe
from tests import split_kit

PACKAGE = Path(dentframe.__file__).parent
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
GOALS = {"read": (14, 90), "energy": (12, 75), "peaks": (14, None), "split": (20, None)}
"""How many files and functions a journey may enter."""
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE,
    tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip
_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(text: str) -> int:
    """How many lines hold code: no docstring, no comment, no blank line."""
    prose: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _BODIES) and ast.get_docstring(node) is not None:
            prose.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - prose)


def part_of(path: Path) -> str:
    """The package that a file belongs to; a file in the root stands for itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The packages of dentframe that a file imports when it runs, not for type checkers."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dentframe"):
            inner = (node.module or "").split(".")[1:]
            yield from inner[:1] or [alias.name for alias in node.names]
        todo.extend(ast.iter_child_nodes(node))


def packages() -> dict[str, tuple[int, int, list[str]]]:
    """Package to its files, lines of code, and the packages that it imports."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        files[part_of(path)].append(path)
    found = {}
    for name, paths in files.items():
        lines = sum(code_lines(path.read_text(encoding="utf-8")) for path in paths)
        wanted = {x for path in paths for x in imports(path)} & set(files) - {name}
        found[name] = (len(paths), lines, sorted(wanted))
    return found


def entered(call: Callable[[], Any]) -> list[CodeType]:
    """The functions of dentframe that a call enters, in the order of their first entry.

    Comprehensions, lambdas and class bodies are no functions of their own.
    """
    seen: dict[CodeType, None] = {}
    inside = str(PACKAGE) + os.sep
    witness = str(PACKAGE / "emulator")

    def notice(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        named = not code.co_name.startswith("<") and code.co_flags & 0x2  # no class body
        name = code.co_filename
        if event == "call" and named and name.startswith(inside) and not name.startswith(witness):
            seen.setdefault(code)

    threading.setprofile(notice)
    sys.setprofile(notice)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return list(seen)


def journeys() -> dict[str, list[CodeType]]:
    """The functions that a cached read, an energy, peaks and a split enter, second time round."""
    with tempfile.TemporaryDirectory() as folder, dentframe.emulator.serve() as cloud:
        account = {"api_key": cloud.api_key, "key_id": cloud.key_id, "base_url": cloud.url}
        with dentframe.DentCloud(**account, cache=folder) as client:
            return _journeys(client)


def _journeys(client: dentframe.DentCloud) -> dict[str, list[CodeType]]:
    tz = "America/Los_Angeles"
    topics = ["DemandkW", "kWHNet"]

    def read() -> Any:
        return dentframe.read_dentcloud(
            "P482311252", "2023-12", topics=topics, tz=tz, client=client
        )

    frame = read()
    site, bill = split_kit.site(), split_kit.bill()
    split_frame = split_kit.readings({"A": 1000, "B": 2000})
    calls: dict[str, Callable[[], Any]] = {
        "read": read,
        "energy": lambda: frame.dent.energy("D", tz=tz),
        "peaks": lambda: frame.dent.peaks("MS", tz=tz),
        "split": lambda: dentframe.split(bill, site, frame=split_frame),
    }
    found = {}
    for name, call in calls.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dentframe.errors.DentWarning)
            call()  # what is imported on first use is no part of the way
            found[name] = entered(call)
    return found


def by_file(codes: list[CodeType]) -> dict[str, list[str]]:
    """File to the functions of it that were entered, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        name = Path(code.co_filename).relative_to(PACKAGE).as_posix()
        found[name].append(code.co_qualname)
    return found


def listing() -> str:
    """Every file and what its first line says, a package after the other."""
    lines: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda p: (len(p.parts), p)):
        text = path.read_text(encoding="utf-8")
        said = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0]
        name = path.relative_to(PACKAGE).as_posix()
        if said and (path.stem != "__init__" or code_lines(text) > 0):
            lines.append(f"- `{name}`: {' '.join(said.split())}")
    return "\n".join(lines)


def ways() -> str:
    """The files of each journey in order, and their functions without an underscore."""
    lines: list[str] = []
    for name, codes in journeys().items():
        there = by_file(codes)
        lines.append(f"\n**{name}** enters {len(there)} files and {len(codes)} functions:\n")
        for file, functions in there.items():
            shown = [f"`{f.replace('.<locals>', '')}`" for f in functions if "_" not in f[0]]
            plain = [f for f in shown if "._" not in f]
            lines.append(f"- `{file}`" + (f": {', '.join(plain)}" if plain else ""))
    return "\n".join(lines).strip()


def write() -> None:
    """Put listing and journeys between their marks in CONTRIBUTING."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    for mark, said in (("listing", listing()), ("journeys", ways())):
        start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        head, _, rest = text.partition(start)
        text = f"{head}{start}{said}\n{end}{rest.partition(end)[2]}"
    CONTRIBUTING.write_text(text, encoding="utf-8")


def show() -> None:
    """Print packages and journeys; ``--functions`` names every function of a journey."""
    parts = packages()
    print(f"{'package':<12}{'files':>6}{'code lines':>12}  imports")
    for name, (files, lines, wanted) in parts.items():
        print(f"{name:<12}{files:>6}{lines:>12,}  {' '.join(wanted)}")
    files, lines = (sum(part[i] for part in parts.values()) for i in (0, 1))
    print(f"{'all':<12}{files:>6}{lines:>12,}")
    for name, codes in journeys().items():
        most, functions = GOALS[name]
        there = by_file(codes)
        goal = f"{most} files" + (f", {functions} functions" if functions else "")
        print(f"\n{name}: {len(there)} files, {len(codes)} functions (goal: {goal})")
        for file, names in there.items():
            shown = ", ".join(names) if "--functions" in sys.argv else f"{len(names)}"
            print(f"  {file:<28} {shown}")


if __name__ == "__main__":
    write() if "--write" in sys.argv else show()
