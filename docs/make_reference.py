"""Write the reference pages that come from the code: ``python docs/make_reference.py``.

A test compares the pages with what this writes, so that they cannot drift.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dentframe import errors
from dentframe.wire.topics import TOPICS

Things = tuple[tuple[str, str], ...]
"""Directives of autodoc, each with what it shows."""

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


def _functions(where: str, *names: str) -> Things:
    return tuple(("autofunction", f"{where}.{name}") for name in names)


def _methods(*names: str) -> Things:
    return tuple(("automethod", f"dentframe.DentAccessor.{name}") for name in names)


def _classes_of(*names: str) -> Things:
    return tuple(("autoclass", f"dentframe.{name}") for name in names)


API: dict[str, tuple[str, str, Things]] = {
    "reading.md": (
        "Reading",
        "From the service, or from its archive, to a frame.",
        _functions(
            "dentframe", "read_dentcloud", "plan_dentcloud", "concat", "get_meters", "get_topics"
        )
        + _functions("dentframe", "inventory")
        + _classes_of("DentCloud", "Plan", "DentFrame"),
    ),
    "frame.md": (
        "The frame: `df.dent`",
        "Units, names and shapes. Every method is a function of the same name.",
        _classes_of("DentAccessor")
        + _functions("dentframe", "define_units")
        + tuple(
            ("autoproperty", f"dentframe.DentAccessor.{name}")
            for name in ("units", "topics", "elements", "channels", "columns")
        )
        + _methods("select", "by_element", "by_channel", "to_long", "to_xarray")
        + _methods("to_csv", "to_excel", "quantify", "dequantify", "convert"),
    ),
    "energy.md": (
        "Energy",
        "Methods of `df.dent` that answer in kWh, and what they take.",
        _methods("energy", "intervals", "virtual", "reconcile", "check_demand_window", "estimate")
        + _classes_of("RegisterRules", "Monthly", "Schedule", "Window"),
    ),
    "demand.md": (
        "Demand and load study",
        "Methods of `df.dent` that answer in kW, and those that study the shape of a load.",
        _methods("demand", "apparent_demand", "peaks", "coincident", "load_factor")
        + _methods("power_factor", "duration", "stats", "profile", "baseload", "unusual")
        + _functions("dentframe", "ratchet", "adjusted_demand"),
    ),
    "quality.md": (
        "Quality",
        "Methods of `df.dent` that say what is missing, and what looks wrong.",
        _methods("coverage", "gaps", "quality"),
    ),
    "plot.md": (
        "Pictures: `df.dent.plot`",
        "matplotlib Axes in and out; extra `plot`.",
        tuple(
            ("automethod", f"dentframe.plot.Pictures.{name}")
            for name in ("heatmap", "stack", "duration", "peaks", "profile", "nights", "coverage")
        ),
    ),
    "money.md": (
        "Money",
        "From kilowatt-hours to statements.",
        _functions(
            "dentframe",
            "bill",
            "split",
            "rebill",
            "verify",
            "records",
            "allocate",
            "report",
            "to_portfolio_manager",
        )
        + _classes_of(
            "Site",
            "Correction",
            "UtilityBill",
            "SplitRules",
            "Tariff",
            "Statement",
            "Run",
            "Record",
        ),
    ),
    "doctor.md": (
        "The doctor",
        "What a service does, against what dentframe assumes.",
        _functions("dentframe.doctor", "examine") + _classes_of("doctor.Report", "doctor.Finding"),
    ),
    "archive.md": (
        "Archive and fleet",
        "Parquet by meter and year; extras `archive` and `dask`.",
        _functions("dentframe", "sync") + _classes_of("SyncReport", "Archive"),
    ),
    "xarray.md": (
        "xarray",
        "Labelled Datasets from the cloud, an archive or a frame.",
        _functions("dentframe", "open_dataset") + _classes_of("datasets.DatasetAccessor"),
    ),
    "emulator.md": (
        "Emulator",
        "A strict DentCloud on loopback, for your own tests.",
        _functions("dentframe.emulator", "serve")
        + tuple(("autoclass", f"dentframe.emulator.{n}") for n in ("Plant", "Recorded", "Fixed"))
        + (("autoclass", "dentframe.emulator.Fault"),),
    ),
}
MEMBERS = {"autoclass": "   :members:\n"}


def api_page(name: str) -> str:
    """A page of the reference: its names, shown by autodoc from the docstrings."""
    title, about, things = API[name]
    parts = [f"# {title}\n\n{about}\n"]
    for directive, target in things:
        options = "" if target.endswith("DentAccessor") else MEMBERS.get(directive, "")
        parts.append(f"```{{eval-rst}}\n.. {directive}:: {target}\n{options}```\n")
    return "\n".join(parts)


def commands_page() -> str:
    """Every command with its help."""
    import click

    from dentframe.cli.commands_log_and_exit_status import dentframe as root

    parts = [
        "# Commands\n",
        'Extra `cli`: `pip install "dentframe[cli]"`.',
        "Data goes to standard output, progress and messages to standard error.\n",
    ]
    top = click.Context(root, info_name="dentframe", terminal_width=90, **root.context_settings)
    for name, command in sorted(root.commands.items()):
        context = click.Context(command, parent=top, info_name=name)
        parts.append(f"## {name}\n\n```console\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "errors.md": errors_page,
    "topics.md": topics_page,
    "commands.md": commands_page,
    **{name: partial(api_page, name) for name in API},
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
