"""Advice in the command line's own words.

Warnings and errors advise in Python (``detail=True``); here is what the same is called as an
option. A test holds every phrase on the left to the source, so that none goes stale.
"""

from __future__ import annotations

import re

SAYINGS: tuple[tuple[str, str], ...] = (
    (r'RegisterRules\(max_kw=\{"([^"]+)": \.\.\.\}\)', r"--max-kw \1=KW, or in a file for --site"),
    (
        r'RegisterRules\(swaps=\{"([^"]+)": \.\.\.\}\)',
        r"[[elements.\1.swaps]] in a file for --site",
    ),
    (r"registers=RegisterRules\(max_kw=\.\.\.\)", "--max-kw ELEMENT=KW, or a file by --site"),
    (r'accept=\("recorded", "estimated"\)', "--accept-estimated"),
    (
        r'Read with bracket=True, [^.]*accept=\("recorded", "partial"\)\.',
        "Run it again when late readings have come; Python can fill gaps, or bill what is covered.",
    ),
    (r": read with bracket=True\.", ", and the meter has no reading right beside them."),
    (r"detail=True tells each one; min_coverage= [^.]*\.", "--detail tells each one."),
    (r"; min_coverage= [^.]*\.", "."),
    (
        r" What was read is in \.partial; \.resume\(\) asks for the rest\.",
        " What was read is in the cache: run the command again, and only the rest is asked for.",
    ),
    (r'e\.g\. elements=\["([^"]+)", "([^"]+)"\]', r"e.g. --elements \1,\2"),
    (r'elements="all"', "--elements all"),
    (
        r'declare RegisterRules\(allow_export=\{"([^"]+)": True\}, max_kw=\{"[^"]+": \.\.\.\}\)',
        r'give \1 role = "export" and max_kw in a file for --site',
    ),
    (r"inventory\(\) tells", "dentframe inventory tells"),
    (r"pass rules=SplitRules\.load\('rules\.toml'\)", "give --rules rules.toml"),
    (r"Name the folder that Run\.save wrote", "Name the folder of --out"),
)
"""Pattern of the Python advice, and what the command line calls it."""


def told(message: object) -> str:
    """A message with its advice in options instead of keywords.

    Examples
    --------
    >>> told('Accept it: accept=("recorded", "estimated").')
    'Accept it: --accept-estimated.'
    """
    text = str(message)
    for pattern, saying in SAYINGS:
        text = re.sub(pattern, saying, text)
    return text
