"""Marked points get labels in rows above the data, which never stand on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.font_manager import FontProperties

from dentframe.plot.axes import ink, paper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

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


def draw(ax: Axes, marks: Sequence[Mark]) -> None:
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
    size = _size(ax)
    low, high = ax.get_xlim()
    box = ax.get_window_extent()
    per = size * ax.figure.dpi / 72
    at = [(m.x - low) / (high - low) for m in marks]
    texts, places = _fitting(at, marks, _CHAR * per / box.width)
    used = max((p.row + 1 for p in places if p is not None), default=0)
    base, step = _raise(ax, used, _LINE * per / box.height)
    for m, p, text in zip(marks, places, texts, strict=True):
        if p is not None:
            _label(ax, m, p, base + step * p.row, text, size)
    for m in marks:
        ax.plot(m.x, m.y, color=m.colour, gid="mark", **_DOT, markeredgecolor=ink())


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


_DOT: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "zorder": 5}


def _size(ax: Axes) -> float:
    return 0.9 * float(FontProperties(size=ax.xaxis.label.get_fontsize()).get_size_in_points())


def _raise(ax: Axes, rows: int, share: float) -> tuple[float, float]:
    """Make room above the data; the height of the first row and of each, in data units."""
    bottom, top = ax.get_ylim()
    free = max(1.0 - (rows + 0.6) * share, 0.3)
    whole = (top - bottom) / free
    ax.set_ylim(bottom, bottom + whole)
    return top + 0.5 * share * whole, share * whole


def _label(ax: Axes, m: Mark, p: Place, y: float, text: str, size: float) -> None:
    middle = (p.left + p.right) / 2
    low, high = ax.get_xlim()
    ax.plot([m.x, m.x], [m.y, y], color=ink(), alpha=0.5, linewidth=0.7, zorder=4, gid="leader")
    ax.text(
        low + middle * (high - low),
        y,
        text,
        size=size,
        ha="center",
        va="bottom",
        zorder=6,
        bbox={"facecolor": paper(), "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
        gid="label",
    )
