"""The command line runs here: the tree of commands, its small ones, the log and exit statuses.

The commands of this file are `login`, `cache`, `doctor` and `emulate`; those for readings, the
archive, with the demo, and those for money have files of their own. Every run ends with an exit
status and a line in the log.
"""

from __future__ import annotations

import logging
import shlex
import time
import warnings
from pathlib import Path
from threading import Event
from typing import Any

import click

from dentframe import emulator, errors
from dentframe.atomic_files import write_whole
from dentframe.cli import money, readings_and_archive
from dentframe.cli import options_and_output as cli
from dentframe.cloud.credentials import save_profile
from dentframe.cloud.http_cache import cache_info, clear_cache

STATUSES: dict[type[Exception], int] = {
    errors.CoverageError: 1,
    errors.UnavailableError: 3,
    errors.RateLimitError: 3,
    errors.IncompleteReadError: 3,
    errors.DecodeError: 3,
    errors.AlreadyThereError: 4,
}
"""The exit status of these errors; it is 2 for every other."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dentframe", message="%(version)s")
def dentframe() -> None:
    """DENT PowerScout sub-meters, from the DentCloud Meter Data API.

    Try it without a key: dentframe demo

    Data goes to standard output, messages to standard error, without colours in a pipe.

    \b
    Exit status:
      0    done
      1    something is open: a split saved with exceptions, a figure that a bill refuses,
           differences that verify found, a silent meter that status found, an assumption
           that does not hold by doctor
      2    wrong use: a command, option, name, key, setting or file; the message says what to do
      3    the service or the network failed: try again
      4    nothing to do: it is there already
      130  interrupted by Ctrl-C
    """


@click.command()
@click.option("--base-url", help="Another service than https://api.dentcloud.io/v1.")
def login(base_url: str | None) -> None:
    """Keep the key and key id in a profile only you can read (0600).

    \b
    Example:
      dentframe login
      dentframe login --base-url https://dentcloud.example/v1
    """
    api_key = click.prompt("API key (x-api-key)", hide_input=True)
    key_id = click.prompt("Key id (x-key-id)", hide_input=True)
    path = save_profile(api_key, key_id, base_url=base_url)
    cli.say(f"Saved to {path}, readable by you alone.")


@click.group()
def cache() -> None:
    """The cache of answers on this machine."""


@cache.command("info")
@cli.json_option
def info(as_json: bool) -> None:
    """What the cache holds.

    \b
    Example:
      dentframe cache info
      dentframe cache info --json
    """
    found = cache_info()
    cli.print_json_or_text(as_json, found, "\n".join(f"{k:<12} {v}" for k, v in found.items()))


@cache.command("clear")
@click.option("--meter", help="Only this meter's answers.")
def clear(meter: str | None) -> None:
    """Delete what the cache holds.

    \b
    Example:
      dentframe cache clear --meter P482311252
    """
    cli.say(f"Removed {clear_cache(meter=meter)} answer(s).")


@click.command()
@cli.out_option(
    "dentframe-doctor.json",
    "Where the report goes: JSON without keys, names of meters or sites, or readings.",
)
@cli.file_option("--compare", help="An earlier report, to tell which rows came late.")
def doctor(out: Path, compare: Path | None) -> None:
    """Hold the service against every assumption made here, with at most 30 requests.

    Prints each assumption with ✓ (it holds), ✗ (it does not) or ? (nothing tells), and the
    evidence. Run it again with --compare two days later to see whether rows come late. The exit
    status is 0 once the report is written; its `verdict`s are for scripts.

    \b
    Example:
      dentframe doctor
      dentframe doctor --compare dentframe-doctor.json --out later.json
    """
    from dentframe.doctor import examine

    report = examine(earlier=None if compare is None else compare.read_bytes())
    click.echo(str(report))
    write_whole(out, f"{report.to_json()}\n".encode(), mode=0o644)
    cli.say(f"Report: {out}. It holds no key, no name and no reading: send it to the maintainers.")


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve a folder of recorded month answers (METER-YYYY-MM.json).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the invented building.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8780, show_default=True,
    help="Port on loopback; 0 finds one.",
)  # fmt: skip
@click.option("--fast", is_flag=True, help="Without the service's limits of 5 a second, 5 at once.")
def emulate(data: Path | None, seed: int, port: int, fast: bool) -> None:
    """Serve a strict stand-in for DentCloud on loopback until Ctrl-C.

    \b
    Example:
      dentframe emulate
      dentframe emulate --seed 7 --port 0 --fast
      dentframe emulate --data recorded --port 0
    """
    source = emulator.Recorded(data) if data else emulator.Plant(seed=seed)
    limits: dict[str, Any] = {"rate": None, "concurrency": None} if fast else {}
    with emulator.serve(source, port=port, log=cli.say, **limits) as cloud:
        click.echo(f"DentCloud stand-in with {', '.join(source.meters())}. In another terminal:")
        click.echo(f"  export DENTCLOUD_BASE_URL={cloud.url}")
        click.echo(f"  export DENTCLOUD_API_KEY={cloud.api_key} DENTCLOUD_KEY_ID={cloud.key_id}")
        click.echo("  dentframe meters")
        Event().wait()


# --- how a command runs ---


def _start_log(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Write what is said and done to a file as well, each line with its time."""
    if path is None:
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {path}: {error.strerror}.", context) from None
    form = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    package = logging.getLogger("dentframe")
    package.addHandler(handler)
    package.setLevel(min(package.level or logging.INFO, logging.INFO))


_LOG_OPTION = click.Option(
    ["--log"], type=cli.NEW_FILE, expose_value=False,
    callback=_start_log, help="Append messages to this file, each with its time in UTC.",
)  # fmt: skip
for each in (login, cache, doctor, emulate, *readings_and_archive.COMMANDS, *money.COMMANDS):
    dentframe.add_command(each)
    for command in each.commands.values() if isinstance(each, click.Group) else [each]:
        command.params.append(_LOG_OPTION)


def run(argv: list[str]) -> int:
    """Run one command line and return its exit status; logging is left as it was."""
    package, status = logging.getLogger("dentframe"), None
    handlers, level = list(package.handlers), package.level
    try:
        with warnings.catch_warnings(), errors.on_command_line():
            warnings.simplefilter("always", errors.DentWarning)
            warnings.showwarning = _show
            status = _status(argv)
            return status
    finally:
        ended = "none" if status is None else status
        cli.LOG.info("dentframe %s: exit status %s", shlex.join(argv), ended)
        for handler in [x for x in package.handlers if x not in handlers]:
            package.removeHandler(handler)
            handler.close()
        package.setLevel(level)


def _status(argv: list[str]) -> int:
    try:
        # Without standalone_mode click returns the status of an Exit.
        status = dentframe.main(argv, prog_name="dentframe", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        cli.LOG.error(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        kept = " What was read is kept: run the same line again, it goes on where it was."
        cli.say(f"Aborted.{kept if argv[:1] == ['sync'] else ''}", logging.ERROR)
        return 130
    except BrokenPipeError:
        return 0
    except (errors.DentError, OSError) as error:
        cli.say(f"Error: {error}", logging.ERROR)
        return next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 2)
    return status if isinstance(status, int) else 0


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, errors.DentWarning):
        cli.say(f"Warning: {message}", logging.WARNING)
