"""Tests of behaviour use what a package shows, so that moving code moves no test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parents[1]
FACES = (
    "dentframe", "dentframe.archive", "dentframe.cli", "dentframe.cloud", "dentframe.datasets",
    "dentframe.documents", "dentframe.emulator", "dentframe.errors", "dentframe.money",
    "dentframe.plot", "dentframe.read_plan_and_inventory",
)  # fmt: skip
INSIDE = {
    "benchmarks/*": "they measure one stage at a time",
    "*_kit.py": "what a kit makes by hand, a user gets from the service",
    "golden/test_*": "the sums of a spec are of one function, and columns have one order",
    "properties/test_*": "a law of bytes, windows, periods or shares is of one function",
    "contracts/test_cli_examples.py": "click's own runner takes the tree of commands",
    "contracts/test_secrets.py": "a key could leak from any part of the client",
    "integration/test_*": "faults are struck at one stage, locks are held from outside",
    "unit/test_archive*.py": "the archive holds answers and locks that users never meet",
    "unit/test_attrs.py": "the runs of a frame's attrs are numbers alone",
    "unit/test_c[alr]*.py": "cache, cards, client and credentials are parts of the pipe",
    "unit/test_coincident.py": "an element without a site",
    "unit/test_columns.py": "the grammar of names",
    "unit/test_correct*.py": "corrections that replace each other; a page before it is laid out",
    "unit/test_cumulative.py": "the one idea under all energy, numbers alone",
    "unit/test_datasets.py": "units of a Dataset's variables",
    "unit/test_emulator_limits.py": "the token bucket by its own clock",
    "unit/test_explanations.py": "every flag has a sentence",
    "unit/test_fees.py": "a fee by itself",
    "unit/test_files.py": "every way in which a file goes wrong",
    "unit/test_sync_*.py": "the plan, the lock and the bar of a sync",
    "unit/test_frame.py": "pages become a frame",
    "unit/test_first_page.py": "what a page says, before it is laid out",
    "unit/test_instants.py": "dates and ranges",
    "unit/test_dask_*.py": "what a partition asks of a file",
    "unit/test_journal.py": "recipes for ledgers by themselves",
    "unit/test_money_*.py": "rounding and tiers, numbers alone",
    "unit/test_needs.py": "what a tariff needs to read",
    "unit/test_pacer.py": "the limiter by its own clock",
    "unit/test_page_by_hand.py": "a page of any statement, before it is a file",
    "unit/test_periods.py": "calendar periods",
    "unit/test_plot_*.py": "ticks, labels and layers, numbers alone",
    "unit/test_quantify.py": "units of columns",
    "unit/test_record.py": "every way in which a record goes wrong",
    "unit/test_registers.py": "rules by element",
    "unit/test_request.py": "what a read asks for",
    "unit/test_res*.py": "the way back from a reshaped frame; the table of columns",
    "unit/test_schedule.py": "hours of a clock",
    "unit/test_site*.py": "roles and rules of a site",
    "unit/test_s[eh]*.py": "the session, series, cards and shares: parts of other things",
    "unit/test_split_*.py": "rules and parts of a split",
    "unit/test_statement_*.py": "what a paper says, before it is laid out",
    "unit/test_t[ao]*.py": "spreadsheet cells; the table of topics",
    "unit/test_units.py": "units of columns",
    "unit/test_utility_bill.py": "a line by itself",
    "unit/test_windows.py": "the tree of windows",
    "unit/test_wi*.py": "bytes become columns",
    "unit/test_wording.py": "what the command line calls Python's advice",
    "unit/test_xarray_*.py": "what the engine asks, and the way back from a Dataset",
}
"""Test modules that may reach inside, and why."""
NAMES = {"COLUMNS", "FLAGS", "SEVERITIES", "SIGNATURES", "STATUSES"}
"""Tables of words that results use; they may be compared from anywhere."""


def inner(path: Path) -> Iterator[str]:
    """What a file imports of dentframe that no package shows; a verb's function is public."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("dentframe"):
            continue
        module = import_module(str(node.module))
        shown = getattr(module, "__all__", dir(module)) if node.module in FACES else ()
        for name in (alias.name for alias in node.names):
            verb = str(node.module).startswith("dentframe.verbs.") and name[0].islower()
            package = f"{node.module}.{name}" in FACES
            if name not in shown and name not in NAMES and not (verb or package):
                yield f"{node.module}.{name}"


def test_only_the_listed_modules_reach_inside():
    """A new test of behaviour finds what it needs in a package's own names."""
    found = {}
    for path in sorted(TESTS.rglob("*.py")):
        name = path.relative_to(TESTS).as_posix()
        if not any(fnmatch(name, pattern) for pattern in INSIDE):
            found[name] = list(inner(path))
    assert {name: names for name, names in found.items() if names} == {}


def test_the_list_names_only_what_is_there():
    """A reason without a module is out of date."""
    names = [p.relative_to(TESTS).as_posix() for p in TESTS.rglob("*.py")]
    assert [x for x in INSIDE if not any(fnmatch(name, x) for name in names)] == []
