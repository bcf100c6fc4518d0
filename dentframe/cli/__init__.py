"""The command line is run here: ``dentframe demo|meters|topics|inventory|plan|read|energy|…``.

Needs the extra ``cli``. Data goes to standard output, progress and messages to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is what ``dentframe --help`` tells."""
    from dentframe.errors import missing_extra

    try:
        from dentframe.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        print(f"Error: {missing_extra('run the command line', 'cli')}", file=sys.stderr)
        return 2
    return run(list(sys.argv[1:] if argv is None else argv))
