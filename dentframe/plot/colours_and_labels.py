"""Colours, hatches and line styles of elements, and labels of marked points.

Elements are told apart by colour-blind readers and in grey. Labels stand in rows above the data,
and never on each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.colors import to_hex, to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
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
_PALE = 0.45
Box = tuple[float, float, float, float]


def ink() -> str:
    """The colour of text in the style that is in force."""
    return str(rcParams["text.color"])


def paper() -> str:
    """The colour behind the data in the style that is in force."""
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


def shade(colour: str, i: int) -> str:
    """A colour, then darker ones on a light page and lighter ones on a dark page."""
    share = (0.0, 0.6, 0.3)[i % 3]
    r, g, b = (
        (1 - share) * x + share * y for x, y in zip(to_rgb(colour), to_rgb(ink()), strict=True)
    )
    return to_hex((r, g, b)).upper()


def gap_patch(label: str, alpha: float = _PALE) -> Artist:
    """How a legend shows what is hatched."""
    return Patch(
        facecolor="none", edgecolor=ink(), alpha=alpha, linewidth=0.5, hatch=GAP, label=label
    )


def boxes(ax: Axes, rows: Sequence[Box], **how: Any) -> Any:
    """Draw boxes in data coordinates as one patch.

    Parameters
    ----------
    ax : Axes
        Where; its limits stay as they are.
    rows : sequence of (x, y, width, height)
        The boxes.
    **how : optional
        Of the patch: colours, ``hatch``, ``transform``, ``zorder``, ``gid``.

    Notes
    -----
    One path, because each path has its hatch drawn anew: 0.1 s for some fifty boxes.
    """
    corners = [((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)) for x, y, w, h in rows]
    box = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    path = Path(np.reshape(corners, (-1, 2)), box * len(corners))
    how.setdefault("transform", ax.transData)
    return ax.add_artist(PathPatch(path, **how))


def hatched(ax: Axes, rows: Sequence[Box], *, alpha: float = _PALE, **how: Any) -> Any:
    """Hatch boxes that hold nothing recorded, or not simply so."""
    return boxes(
        ax, rows, facecolor="none", edgecolor=ink(), alpha=alpha, linewidth=0.0, hatch=GAP, **how
    )


def percent(share: float) -> str:
    """A share as text that says 100 % only where it is exactly that."""
    shown = math.floor(share * 1000) / 10
    return "100 %" if share == 1 else "under 0.1 %" if 0 < share < 0.001 else f"{shown:.1f} %"


def amount(x: float) -> str:
    """A quantity with three or four figures."""
    places = 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 2 if abs(x) >= 1 else 3
    return f"{x:,.{places}f}"


_SIDES = (0.5, 1.0, 0.0)
"""How much of a label may stand left of its point, the best first."""
_TRIED, _BUDGET = 12, 5000
"""Up to so many labels are tried in all ways, and in so many steps."""
_ROWS = 6
"""Labels beyond so many rows are left out; their points stay marked."""
_CHAR, _LINE = 0.56, 1.5
"""Width of a character and height of a row, in sizes of the font."""


@dataclass(frozen=True)
class Mark:
    """A point with a label.

    Attributes
    ----------
    x, y : float
        In data coordinates.
    text : str
        The label.
    colour : str
        Of the marker.
    short : str
        The label where the longer ones do not all find room.
    """

    x: float
    y: float
    text: str
    colour: str
    short: str


@dataclass(frozen=True)
class Place:
    """Where a label stands, as shares of the axes' width; `at` is its point's."""

    left: float
    right: float
    at: float
    row: int


def place(wanted: Sequence[tuple[float, float]], rows: int = _ROWS) -> list[Place | None]:
    """Rows for labels, the first come first: none covers another, or a leader to its point.

    Parameters
    ----------
    wanted : sequence of (at, width)
        The points and the widths of their labels, as shares of the axes' width.
    rows : int
        How many there are; row 0 is the lowest.

    Returns
    -------
    list of Place or None
        None for a label without room.
    """
    options = [_options(at, width, rows) for at, width in wanted]
    if len(options) <= _TRIED:
        fit = _all(options, [], [_BUDGET])
        if fit is not None:
            return list(fit)
    placed: list[Place] = []
    found: list[Place | None] = []
    for of in options:
        free = next((p for p in of if not any(_clash(p, q) for q in placed)), None)
        found.append(free)
        placed += [] if free is None else [free]
    return found


def _options(at: float, width: float, rows: int) -> list[Place]:
    lefts = [min(max(at - width * x, 0.0), max(1.0 - width, 0.0)) for x in _SIDES]
    return [Place(x, x + width, at, row) for row in range(rows) for x in lefts]


def _all(
    options: Sequence[Sequence[Place]], placed: list[Place], budget: list[int]
) -> list[Place] | None:
    """Places that fit together, found by trying; None where there are none, or too many tries."""
    if len(placed) == len(options):
        return placed
    for p in options[len(placed)]:
        budget[0] -= 1
        if budget[0] < 0:
            return None
        if not any(_clash(p, q) for q in placed):
            fit = _all(options, [*placed, p], budget)
            if fit is not None:
                return fit
    return None


def _clash(p: Place, q: Place) -> bool:
    if p.row == q.row:
        return p.left < q.right and q.left < p.right
    low, high = (p, q) if p.row < q.row else (q, p)
    return low.left < high.at < low.right


def mark(ax: Axes, marks: Sequence[Mark]) -> None:
    """Mark points, and label as many as there is room for above the data.

    Parameters
    ----------
    ax : Axes
        Its x limits are set, and its y limits hold the data; the upper one is raised.
    marks : sequence of Mark
        The most important first.
    """
    if not marks:
        return
    points = FontProperties(size=ax.xaxis.label.get_fontsize()).get_size_in_points()
    size, box = 0.9 * float(points), ax.get_window_extent()
    per = size * ax.figure.dpi / 72
    (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    at = [(m.x - low) / (high - low) for m in marks]
    texts, places = _fitting(at, marks, _CHAR * per / box.width)
    rows = max((p.row + 1 for p in places if p is not None), default=0)
    share = _LINE * per / box.height  # of a row, in the height of the axes
    whole = (top - bottom) / max(1.0 - (rows + 0.6) * share, 0.3)
    ax.set_ylim(bottom, bottom + whole)
    for m, p, text in zip(marks, places, texts, strict=True):
        if p is not None:
            x = low + (p.left + p.right) / 2 * (high - low)
            y = top + 0.5 * share * whole + share * whole * p.row
            leader: dict[str, Any] = {"color": ink(), "alpha": 0.5, "linewidth": 0.7, "zorder": 4}
            ax.plot([m.x, m.x], [m.y, y], gid="leader", **leader)
            ground = {"facecolor": paper(), "edgecolor": "none", "pad": 0.8, "alpha": 0.8}
            how: dict[str, Any] = {"ha": "center", "va": "bottom", "zorder": 6, "bbox": ground}
            ax.text(x, y, text, size=size, gid="label", **how)
    dot: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "zorder": 5}
    for m in marks:
        ax.plot(m.x, m.y, color=m.colour, gid="mark", **dot, markeredgecolor=ink())


def _fitting(
    at: Sequence[float], marks: Sequence[Mark], char: float
) -> tuple[list[str], list[Place | None]]:
    """The labels, short where not all of the long ones have room, and their places."""
    texts, places = [m.text for m in marks], place([])
    for texts in ([m.text for m in marks], [m.short for m in marks]):
        widths = [(len(x) + 1) * char for x in texts]
        places = place(list(zip(at, widths, strict=True)))
        if None not in places:
            break
    return texts, places
