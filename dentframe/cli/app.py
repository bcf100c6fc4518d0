"""The commands are one tree, and every run ends with an exit status and a line in the log."""

from __future__ import annotations

import logging
import shlex
import time
import warnings
from pathlib import Path

import click

from dentframe.cli import account, data, money
from dentframe.cli.options_and_output import LOG, NEW_FILE, say
from dentframe.errors import (
    AlreadyThereError,
    CoverageError,
    DecodeError,
    DentError,
    DentWarning,
    IncompleteReadError,
    RateLimitError,
    UnavailableError,
    on_command_line,
)

STATUSES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((CoverageError,), 1),
    ((UnavailableError, RateLimitError, IncompleteReadError, DecodeError), 3),
    ((AlreadyThereError,), 4),
    ((DentError, OSError), 2),
)
"""The exit status of an error: that of the first row that has its class."""


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


def _add_log(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _add_log(inner)
    else:
        option = click.Option(
            ["--log"], type=NEW_FILE, expose_value=False,
            callback=_start_log, help="Append messages to this file, each with its time in UTC.",
        )  # fmt: skip
        command.params.append(option)


for each in (*account.COMMANDS, *data.COMMANDS, *money.COMMANDS):
    _add_log(each)
    dentframe.add_command(each)


def run(argv: list[str]) -> int:
    """Run one command line and return its exit status; logging is left as it was."""
    package, status = logging.getLogger("dentframe"), None
    handlers, level = list(package.handlers), package.level
    try:
        with warnings.catch_warnings(), on_command_line():
            warnings.simplefilter("always", DentWarning)
            warnings.showwarning = _show
            status = _status(argv)
            return status
    finally:
        ended = "none" if status is None else status
        LOG.info("dentframe %s: exit status %s", shlex.join(argv), ended)
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
        LOG.error(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        kept = " What was read is kept: run the same line again, it goes on where it was."
        say(f"Aborted.{kept if argv[:1] == ['sync'] else ''}", logging.ERROR)
        return 130
    except BrokenPipeError:
        return 0
    except (DentError, OSError) as error:
        say(f"Error: {error}", logging.ERROR)
        return next(code for kinds, code in STATUSES if isinstance(error, kinds))
    return status if isinstance(status, int) else 0


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, DentWarning):
        say(f"Warning: {message}", logging.WARNING)
