"""Suggestions for misspelt names, to end an error message with. Pure text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MEANT = {
    **dict.fromkeys(("sqft", "sq_ft", "square_feet", "sqm", "m2", "square_metres", "size"), "area"),
    **dict.fromkeys(("timezone", "time_zone", "zone"), "tz"),
}
"""What users write for a name that is spelt quite otherwise."""


def did_you_mean(word: object, candidates: Iterable[str]) -> str:
    """The end of a message that names the nearest candidate, or nothing.

    Parameters
    ----------
    word : object
        What the caller wrote.
    candidates : iterable of str
        What there is.

    Returns
    -------
    str
        ``": did you mean 'kWHNet'?"``, or ``""`` where nothing is near. Case is ignored.

    Examples
    --------
    >>> did_you_mean("kwhnet", ["kWHNet", "DemandkW"])
    ": did you mean 'kWHNet'?"
    >>> did_you_mean("gas", ["kWHNet", "DemandkW"])
    ''
    """
    word = MEANT.get(str(word).casefold(), word)
    by_fold = {c.casefold(): c for c in reversed(list(candidates))}
    near = difflib.get_close_matches(str(word).casefold(), list(by_fold), n=1)
    return f": did you mean {by_fold[near[0]]!r}?" if near else ""
