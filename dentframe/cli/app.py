"""The commands' tree: which command lives where."""

from __future__ import annotations

import warnings

import click

from dentframe.cli.account import ACCOUNT_COMMANDS, EMULATOR_COMMANDS
from dentframe.cli.data import ARCHIVE_COMMANDS, READ_COMMANDS
from dentframe.cli.money import COMMANDS
from dentframe.cli.output import told
from dentframe.errors import DentWarning


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dentframe", message="%(version)s")
def dentframe() -> None:
    """DENT PowerScout sub-meters, from the DentCloud Meter Data API.

    Try it without a key: dentframe demo

    Data goes to standard output, messages to standard error, without colours in a pipe.

    \b
    Exit status:
      0    done
      1    refused or failed; the message says why and what to do. Also: split saved a run with
           open exceptions, verify found differences
      2    a wrong call: an unknown command, option or file
      130  interrupted by Ctrl-C
    """


for command in (
    *EMULATOR_COMMANDS,
    *READ_COMMANDS,
    *ARCHIVE_COMMANDS,
    *ACCOUNT_COMMANDS,
    *COMMANDS,
):
    dentframe.add_command(command)


def run(argv: list[str]) -> int:
    """Run one command line; errors of dentframe pass through to the caller."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", DentWarning)
        warnings.showwarning = _show
        try:
            dentframe.main(argv, prog_name="dentframe", standalone_mode=False)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.exceptions.Exit as stop:
            return stop.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo(" ".join(["Aborted.", *_going_on(argv)]), err=True)
            return 130
        except BrokenPipeError:
            return 0
    return 0


def _going_on(argv: list[str]) -> list[str]:
    """What to do after an interruption, for the command that keeps what it has."""
    if argv[:1] != ["sync"]:
        return []
    return ["What was read is kept: run the same line again, it goes on where it was."]


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, DentWarning):
        click.echo(f"Warning: {told(message)}", err=True)
