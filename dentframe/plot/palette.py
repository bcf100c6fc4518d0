"""Colours, hatches and line styles that are told apart by colour-blind readers and in grey."""

from __future__ import annotations

from typing import Any

OKABE_ITO = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
)
"""Okabe and Ito's colours, with grey for black, which would be lost on a dark page."""
HATCHES = ("", "....", "xxx", "oo", "++", "**")
STYLES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    "-.",
    (0, (8, 2, 1, 2, 1, 2)),
    (0, (3, 4)),
)
GAP = "////"
"""Kept for what is not recorded: no element has it."""
RECORDED, KNOWN, MISSING = "#009E73", "#E69F00", "#D55E00"
"""Of readings, of a gap whose energy a register knows, and of one that nothing knows."""


def ink() -> str:
    """The colour of text in the style that is in force."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def paper() -> str:
    """The colour behind the data in the style that is in force."""
    from matplotlib import rcParams

    return str(rcParams["axes.facecolor"])


def colour(i: int) -> str:
    """The colour of the i-th element; the eight come again after eight."""
    return OKABE_ITO[i % len(OKABE_ITO)]


def hatch(i: int) -> str:
    """The hatch of the i-th element's area: another for every eight."""
    return HATCHES[i // len(OKABE_ITO) % len(HATCHES)]


def style(i: int) -> Any:
    """The style of the i-th element's line: another for every eight."""
    return STYLES[i // len(OKABE_ITO) % len(STYLES)]
