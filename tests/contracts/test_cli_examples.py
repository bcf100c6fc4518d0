"""Every option of every command is in an example of its help, and every example runs."""

from __future__ import annotations

import io
import json
import logging
import shlex
import warnings

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from dentframe import emulator
from dentframe.cli import commands_log_and_exit_status as app
from dentframe.cli.commands_log_and_exit_status import dentframe
from dentframe.errors import DentWarning

METER = "P482311252"
FILES = {
    "flat.toml": """
name = "Flat"
currency = "USD"
[[charges]]
kind = "energy"
name = "Energy"
rate = "0.20"
""",
    "ratchet.toml": """
name = "Ratchet"
currency = "USD"
[[charges]]
kind = "demand"
name = "Demand"
rate = "9.50"
ratchet = { percent = 80, lookback = 11 }
""",
    "peaks.csv": "period,element,peak\n2023-10-01,B,41.5\n2023-11-01,B,39.0\n",
    "rate.json": '{"name": "Flat", "energyratestructure": [[{"rate": 0.1}]]}',
    "site.toml": f"""
name = "Market Street 12"
tz = "America/Los_Angeles"
currency = "USD"
[elements.{METER}_B]
label = "Bakery"
cts = [100, 100, 100]
volts = 277
[elements.{METER}_C]
label = "Office"
cts = [100, 100]
volts = 277
[[tenants]]
name = "Bakery"
elements = ["{METER}_B"]
[[tenants]]
name = "Office"
elements = ["{METER}_C"]
[split]
agree = 3.0
[split.lines]
energy = "energy"
[split.loss]
by = "energy"
rest = true
""",
    "bill.toml": """
name = "2023-12"
start = 2023-12-01
end = 2024-01-01
kwh = 8730
total = 1746.00
[[lines]]
name = "Energy"
kind = "energy"
amount = 1746.00
""",
    "corrections.toml": f"""
[[corrections]]
kind = "factor"
element = "{METER}_B"
id = "ct-b"
reason = "The CT is 99:5, not 100:5"
on = 2024-02-01
from = 2023-12-12
factor = 0.99
[rebill]
others = "landlord"
""",
    "rules.toml": """
agree = 3.0
loss = { by = "landlord", rest = true }
lines = { energy = "energy" }
""",
}
TABLES = {"topics", "inventory", "read", "energy", "peaks", "bill"}


def leaves(command, path=()):
    """Every command that is no group, with its words."""
    for name, inside in command.commands.items():
        words = (*path, name)
        yield from leaves(inside, words) if isinstance(inside, click.Group) else [(words, inside)]


COMMANDS = dict(leaves(dentframe))


def examples(command):
    """The command lines after ``Example:``; a line that goes on is indented further."""
    found = []
    for line in (command.help or "").partition("Example:")[2].splitlines():
        if line.strip().startswith("dentframe "):
            found.append(line.strip())
        elif line.strip() and found:
            found[-1] += f" {line.strip()}"
    return [shlex.split(x)[1:] for x in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the examples name."""
    here = tmp_path_factory.mktemp("examples")
    for name, text in FILES.items():
        (here / name).write_text(text)
    (here / "recorded").mkdir()
    answer = {"success": True, "topics": ["kWHNet"], "meter": METER, "headers": [], "data": []}
    (here / "recorded" / f"{METER}-2023-12.json").write_text(json.dumps(answer))
    return here


@pytest.fixture(scope="module")
def served():
    """One emulator for all examples."""
    with emulator.serve(rate=None, concurrency=None) as cloud:
        yield cloud


@pytest.fixture
def call(served, folder, monkeypatch):
    """Run one command line as a pipe does."""
    monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
    monkeypatch.chdir(folder)
    stop = type("Stop", (), {"wait": lambda self: None})
    monkeypatch.setattr(app, "Event", stop)

    def run(argv):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DentWarning)
            return CliRunner().invoke(dentframe, argv, input="key\nid\n", catch_exceptions=False)

    # The commands are called without `cli.main`, which closes the file of --log.
    package = logging.getLogger("dentframe")
    before, level = list(package.handlers), package.level
    yield run
    for handler in [x for x in package.handlers if x not in before]:
        package.removeHandler(handler)
        handler.close()
    package.setLevel(level)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_in_an_example(words):
    """What no example shows nobody finds; --log, which all have, is shown by one."""
    command = COMMANDS[words]
    shown = {x for argv in examples(command) for x in argv}
    assert shown, f"dentframe {' '.join(words)} has no Example: in its help"
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "log"]
    hidden = [p.opts[0] for p in options if not shown & {*p.opts, *p.secondary_opts}]
    assert hidden == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_runs(words, call, folder):
    """Exit status 0 (4: it is there already), data alone on stdout, and the file of --out."""
    if words in {("verify",), ("rebill",)} and not (folder / "2023-12").exists():
        call(examples(COMMANDS["split",])[0])
    for argv in examples(COMMANDS[words]):
        done = call(argv)
        # The emulated meters have been silent: for such things there is status 1.
        allowed = {0, 1} if words == ("status",) else {0, 4}
        assert done.exit_code in allowed, f"{argv}: {done.output}"
        check(words, argv, done.stdout, folder)


def check(words, argv, stdout, folder):
    """What came out is what the options promise."""
    assert "\x1b" not in stdout
    if "--out" in argv:
        assert (folder / argv[argv.index("--out") + 1]).exists()
    elif "--json" in argv:
        assert json.loads(stdout) is not None
    elif words[0] in TABLES:
        rows = pd.read_csv(io.StringIO(stdout))
        assert len(rows) > 0
        assert "('" not in stdout, "a Python tuple is no data"


def test_help_tells_the_exit_status(call):
    """`dentframe --help` says what a script may rely on."""
    told = call(["--help"]).stdout
    assert "Exit status:" in told
    assert all(word in told for word in ("0 ", "1 ", "2 ", "130 "))
