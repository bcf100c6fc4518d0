"""What a statement's statuses and flags mean, in words for those who pay. Pure.

The one table of these words: page, PDF, workbook and CSV take them from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.statement import Line, Reading, Statement


class Word(NamedTuple):
    """What a flag is called on a statement, and what that means."""

    name: str
    meaning: str


STATUSES = {
    "estimated": "A part of the figure could not be measured and is an estimate. The reason is "
    "given with the figure; where readings set limits to it, they are printed as 'at least' and "
    "'at most'.",
    "partial": "Readings are missing for a part of the time. The figure is what was measured in "
    "the rest of it; nothing was added for the missing part.",
    "missing": "There is no reading of the time, so there is no figure. It was not taken as zero.",
}
TERMS = {
    "technical loss": "Energy that the utility's meter counted and no meter of a tenant or common "
    "area did: lines and transformers turn a little of it into heat. The building's rules say how "
    "it is shared.",
    "meter tolerance": "Every meter may be a little off. This is the energy that is put down to "
    "that, shared by the building's rules.",
    "common areas": "What nobody rents, such as hallways and lighting outside. What it uses is "
    "shared by the building's rules.",
    "element-days": "One meter of yours on one day. A tenant with two meters has 62 in a month "
    "of 31 days; a day counts for whoever has the meter at its beginning.",
    "area-days": "The area that is rented, times the days on which it is.",
}
"""By the unit of a line, or the part of the energy that its name ends with."""
FLAGS: dict[str, Word] = {
    "ambiguous_fall": Word(
        "display went down",
        "The meter's display went down once. Energy may have been fed back, or the display may "
        "have been cleared: the readings cannot tell, so the figure is an estimate.",
    ),
    "conflicting_duplicate": Word(
        "two values for one time",
        "Two different values arrived for the same time. Neither was used.",
    ),
    "decrease_unclassified": Word(
        "display went down",
        "The meter's display went down and the reason is not known. The energy of that stretch "
        "is not counted.",
    ),
    "duplicate_dropped": Word(
        "reading sent twice",
        "A reading arrived twice. It was used once, and no figure changes by it.",
    ),
    "edge_in_gap": Word(
        "no reading near the beginning or end",
        "The meter sent no reading near the beginning or the end of the period. The display "
        "before and after shows what was used in that whole time; the share of this period was "
        "taken by time. The true share lies between the limits 'at least' and 'at most'.",
    ),
    "edge_interpolated": Word(
        "begins or ends between two readings",
        "The period begins or ends between two readings of the meter. What was used between "
        "these two readings was divided at that moment in proportion to time.",
    ),
    "export": Word(
        "energy fed back",
        "Energy also flowed in the other direction, e.g. from solar panels. The figure is what "
        "was taken less what was fed back.",
    ),
    "gap_bridged": Word(
        "readings in between missing",
        "Some readings within the period are missing. The meter went on counting, so what was "
        "used in that time is measured; only at which hours it was used is not known.",
    ),
    "glitch": Word(
        "wrong reading left out",
        "The display jumped to a wrong value and came back. The wrong readings were left out; "
        "the good readings before and after them give the figure.",
    ),
    "meter_swap": Word(
        "meter exchanged",
        "The meter was exchanged or its display set. The last reading before and the first "
        "reading after were noted, and both stretches are counted.",
    ),
    "missing_value": Word(
        "reading without a value",
        "The meter sent a reading without a value. It was not taken as zero.",
    ),
    "negative_residual": Word(
        "parts exceed the whole",
        "The meters of the parts show more than the meter of the whole. The difference is shown "
        "as it is.",
    ),
    "reblocked": Word(
        "demand by the clock",
        "The meter is read at other minutes than those on which demand is reckoned. Demand was "
        "worked out from its readings; a short peak may come out lower than it was.",
    ),
    "reset": Word(
        "display cleared",
        "The meter's display was cleared and began again. What was used between the last "
        "reading before and the clearing is not known and not counted: the figure is an estimate.",
    ),
    "rollover": Word(
        "display began again at zero",
        "The display reached its highest number and went on from zero, as it must. That is "
        "counted.",
    ),
    "unexplained_decrease": Word(
        "display went down",
        "The meter's display went down and nothing explains it. The energy of that stretch is "
        "not counted.",
    ),
    "unexplained_jump": Word(
        "display jumped up",
        "The display rose by more than can have been used. The energy of that stretch is not "
        "counted.",
    ),
}
"""By flag."""


def label(flag: str) -> str:
    """What a flag is called on a statement.

    Examples
    --------
    >>> label("gap_bridged")
    'readings in between missing'
    """
    return FLAGS[flag].name if flag in FLAGS else flag.replace("_", " ")


def labels(flags: Sequence[str]) -> str:
    """What some flags are called, each once."""
    return "; ".join(dict.fromkeys(label(f) for f in flags))


def explained(of: Statement) -> list[tuple[str, str]]:
    """Each status, term and flag of a statement, with what it means; ``recorded`` needs no words.

    Parameters
    ----------
    of : Statement
        The statement.

    Returns
    -------
    list of (str, str)
        What it is called, what it means.
    """
    parts: list[Line | Reading] = [*of.lines, *of.readings]
    statuses, flags = {p.status for p in parts}, {f for p in parts for f in p.flags}
    found = [(k, v) for k, v in STATUSES.items() if k in statuses]
    said = {x for line in of.lines for x in (line.unit, line.name.rpartition(": ")[2])}
    said |= {x for x in TERMS if any(line.basis and x in line.note for line in of.lines)}
    found += [(k, v) for k, v in TERMS.items() if k in said]
    return [*found, *(FLAGS.get(f, Word(label(f), _UNKNOWN)) for f in sorted(flags))]


_UNKNOWN = "The readings carry this mark. Ask whoever sent the statement what it means."
