"""`main` starts the command line, ``dentframe demo|meters|topics|…``, or names the extra it needs.

Needs the extra ``cli``. Data goes to standard output, progress and messages to standard error.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is what ``dentframe --help`` tells."""
    from dentframe.errors import missing_extra

    for stream in (sys.stdout, sys.stderr):  # any text: in ASCII as UTF-8, else with escapes
        known = codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name
        if isinstance(stream, io.TextIOWrapper) and known != "utf-8":
            stream.reconfigure(
                encoding="utf-8" if known == "ascii" else None, errors="backslashreplace"
            )
    try:
        from dentframe.cli.commands_log_and_exit_status import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(f"Error: {missing_extra('run the command line', 'cli')}", file=sys.stderr)
        return 2
    return run(list(sys.argv[1:] if argv is None else argv))
