"""Every picture has these: axes of local time, legends, colours, hatches, and labels of points.

The axis of time places instants in UTC and puts its ticks where a local clock has them: at local
calendar edges. The hour that comes twice has two ticks, the one that is skipped none. Elements are
told apart by colour-blind readers and in grey. Labels stand in rows above the data, and never on
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams, ticker
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.transforms import ScaledTranslation

from dentframe.times.dates_and_ranges import ints, local
from dentframe.times.periods import calendar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints

_COLUMN, _SMALL = 18, 12
"""How many entries of a legend stand below each other, and how many in letters of full size."""
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
STEPS = {
    "15min": _HOUR // 4,
    "h": _HOUR,
    "3h": 3 * _HOUR,
    "6h": 6 * _HOUR,
    "12h": 12 * _HOUR,
    "D": _DAY,
    "2D": 2 * _DAY,
    "W-MON": 7 * _DAY,
    "MS": 30 * _DAY,
    "QS": 91 * _DAY,
    "YS": 365 * _DAY,
}
"""Steps of an axis and about how long they are [us]."""
_NARROW = {"MS", "QS", "YS"}
_ROOM, _SHORT = 0.75, 0.48
"""What a label takes, and a narrow one [inch]."""
CLOCK = range(0, 25, 3), [f"{h:02d}:00" for h in range(0, 25, 3)]
"""Ticks of a day by its hours, and what they say."""
_CALENDARS = ints(pd.DatetimeIndex(["1900", "2200"], tz="UTC"))
"""Ticks lie between these [us UTC]."""

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""Okabe and Ito's colours, with grey for black, which would be lost on a dark page."""
HATCHES = ("", "....", "xxx", "oo", "++", "**")
STYLES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1, 1)), "-.", (0, (8, 2, 1, 2, 1, 2)), (0, (3, 4))
)  # fmt: skip
GAP = "////"
"""Kept for what is not recorded: no element has it."""
RECORDED, KNOWN, MISSING = "#009E73", "#E69F00", "#D55E00"
"""Of readings, of a gap whose energy a register knows, and of one that nothing knows."""
_PALE = 0.45
Box = tuple[float, float, float, float]


# --- axes and legends -------------------------------------------------------------------


def axes(ax: Axes | None, size: tuple[float, float] = (10.0, 4.5)) -> Axes:
    """The caller's axes, or those of a new figure of pyplot."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def finish(
    ax: Axes, title: str | None, handles: Sequence[Artist], *, grid: str | None = "y"
) -> Axes:
    """What every picture has: few lines, a legend, and a title where one is given.

    The legend stands right of the data; of a picture without a `grid` it stands below their right
    end, on the line of the axis' label.
    """
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if title is not None:
        ax.set_title(title, loc="left")
    how: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (1.01, 1.0),
        "ncols": 1 + (len(handles) - 1) // _COLUMN,
        "handlelength": 1.8,
        "fontsize": "small" if len(handles) > _SMALL else None,
    }
    if grid is not None:
        ax.grid(visible=True, axis=grid, color=ink(), alpha=0.15, linewidth=0.6)  # type: ignore[arg-type]
    else:
        ax.set_xlabel(ax.get_xlabel(), loc="left")
        # The line of the label is 30 points below the axis.
        down = ScaledTranslation(0, -30 / 72, ax.figure.dpi_scale_trans)
        how = {"loc": "upper right", "bbox_to_anchor": (1.0, 0.0), "ncols": len(handles)}
        how["bbox_transform"] = ax.transAxes + down
    if handles:
        ax.legend(handles=list(handles), borderaxespad=0.0, frameon=False, **how)
    return ax


# --- the axis of local time -------------------------------------------------------------


def step_of(low: int, high: int, inches: float) -> str:
    """The finest step whose labels have room on an axis of that length [us UTC]."""
    for step, length in STEPS.items():
        room = _SHORT if step in _NARROW else _ROOM
        if (high - low) / length <= max(inches / room, 2):
            return step
    return "YS"


def ticks(low: int, high: int, step: str, tz: dt.tzinfo) -> Ints:
    """The ticks of one step in ``[low, high]`` [us UTC]."""
    low, high = np.clip([low, high], *_CALENDARS).tolist()
    if low >= high:
        return np.empty(0, dtype=np.int64)
    edges = calendar("D" if step == "2D" else step, low, high + 1, tz)
    if step == "2D":
        walls = local(edges, tz).tz_localize(None).as_unit("us")
        edges = edges[walls.asi8 // _DAY % 2 == 0]
    return edges[(edges >= low) & (edges <= high)]


def texts(at: Ints, tz: dt.tzinfo) -> list[str]:
    """What ticks say, by how far apart they are.

    The first tick that begins a date tells the year, a repeated clock time its own offset.
    """
    walls = local(at, tz)
    step = int(np.median(np.diff(at))) if len(at) > 1 else _HOUR
    if step < 0.9 * _DAY:
        return list(_clock_texts(walls))
    if step >= 300 * _DAY:
        return [f"{x:%Y}" for x in walls]
    shown = [f"{x.day} {x:%b}" if step < 28 * _DAY else f"{x:%b}" for x in walls]
    new = np.diff(walls.year, prepend=0) != 0
    return [f"{x}\n{y}" if n else x for x, y, n in zip(shown, walls.year, new, strict=True)]


def _clock_texts(walls: pd.DatetimeIndex) -> Iterator[str]:
    naive = walls.tz_localize(None)
    twice, days = naive.duplicated(keep=False), naive.normalize()
    for i, x in enumerate(walls):
        text = f"{x:%H:%M}" + (f"\n{x:%Z}" if twice[i] else "")
        if i == 0 or days[i] != days[i - 1]:
            text += f"\n{x:%a} {x.day} {x:%b}"
        yield text + (f"\n{x.year}" if i == 0 else "")


def moment(us: int, tz: dt.tzinfo, *, clock: bool = True) -> str:
    """An instant as text, ``Tue 12 Dec 10:47``, or without its `clock` time."""
    x = local(np.array([us]), tz)[0]
    return f"{x:%a} {x.day} {x:%b %H:%M}" if clock else f"{x:%a} {x.day} {x:%b}"


def at(us: Ints) -> Floats:
    """Instants [us UTC] as positions on the axis [days]."""
    return np.asarray(us, dtype=np.int64) / _DAY - _epoch()


def us_of(position: Any) -> Ints:
    """Positions on the axis as instants [us UTC]."""
    days = np.asarray(position, dtype=np.float64) + _epoch()
    return np.asarray(np.rint(days * _DAY), dtype=np.int64)


def _epoch() -> float:
    """Where matplotlib's dates begin, in days after 1970; a user may have moved it."""
    return float(np.datetime64(str(rcParams["date.epoch"]), "us").astype(np.int64) / _DAY)


class LocalLocator(ticker.Locator):
    """Ticks at the calendar edges of a zone, as many as there is room for."""

    def __init__(self, tz: dt.tzinfo) -> None:
        self.tz = tz

    def __call__(self) -> Any:
        """The ticks of what is in view."""
        return self.tick_values(*sorted(self.axis.get_view_interval()))  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The ticks between two positions."""
        low, high = (int(x) for x in us_of([vmin, vmax]))
        ax: Any = self.axis.axes  # type: ignore[union-attr]
        inches = float(ax.get_window_extent().width / ax.figure.dpi)
        return at(ticks(low, high, step_of(low, high, inches), self.tz))


class LocalFormatter(ticker.Formatter):
    """What those ticks say."""

    def __init__(self, tz: dt.tzinfo) -> None:
        self.tz = tz

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002 - matplotlib's
        """One tick's text: its date and time."""
        return texts(us_of([x]), self.tz)[0]

    def format_ticks(self, values: Any) -> list[str]:
        """The texts of all ticks."""
        return texts(us_of(values), self.tz)


def local_time(ax: Axes, low: int, high: int, tz: dt.tzinfo) -> None:
    """Make the x axis one of local time, from `low` to `high` [us UTC], and name the zone."""
    ax.xaxis_date(tz)
    ax.xaxis.set_major_locator(LocalLocator(tz))
    ax.xaxis.set_major_formatter(LocalFormatter(tz))
    ax.set_xlim(*at(np.array([low, high])).tolist())
    ax.set_xlabel(zone_label(tz))


def zone_label(tz: dt.tzinfo) -> str:
    """The label of an axis of local time."""
    return f"local time ({tz})" if str(tz) != "UTC" else "time (UTC)"


# --- colours, hatches and amounts -------------------------------------------------------


def ink() -> str:
    """The colour of text in the style that is in force."""
    return str(rcParams["text.color"])


def paper() -> str:
    """The colour behind the data in the style that is in force."""
    return str(rcParams["axes.facecolor"])


def colour(i: int) -> str:
    """The colour of the i-th element; the eight come again after eight."""
    return OKABE_ITO[i % len(OKABE_ITO)]


def line(i: int) -> dict[str, Any]:
    """How the i-th element's line looks: another style for every eight."""
    return {"color": colour(i), "linestyle": STYLES[i // len(OKABE_ITO) % len(STYLES)]}


def face(i: int) -> dict[str, Any]:
    """How the i-th element's area looks: another hatch for every eight."""
    own = HATCHES[i // len(OKABE_ITO) % len(HATCHES)]
    edge = ink() if own else paper()
    return {"facecolor": colour(i), "edgecolor": edge, "linewidth": 0.3, "hatch": own or None}


def shade(colour: str, i: int) -> str:
    """A colour, then darker ones on a light page and lighter ones on a dark page."""
    share = (0.0, 0.6, 0.3)[i % 3]
    own, text = np.array([to_rgb(colour), to_rgb(ink())])
    return to_hex((1 - share) * own + share * text).upper()


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
    return ax.add_artist(PathPatch(path, **how))


def hatched(ax: Axes, rows: Sequence[Box], *, alpha: float = _PALE, **how: Any) -> Any:
    """Hatch boxes that hold nothing recorded, or not simply so."""
    return boxes(
        ax, rows, facecolor="none", edgecolor=ink(), alpha=alpha, linewidth=0.0, hatch=GAP, **how
    )


def amount(x: float) -> str:
    """A quantity with three or four figures."""
    places = 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 2 if abs(x) >= 1 else 3
    return f"{x:,.{places}f}"


# --- marks and their labels -------------------------------------------------------------

_TRIED, _BUDGET = 12, 5000
"""Up to so many labels are tried in all ways, and in so many steps."""
_CHAR, _LINE = 0.56, 1.5
"""Width of a character and height of a row, in sizes of the font."""


@dataclass(frozen=True)
class Mark:
    """A point with a label.

    Attributes
    ----------
    x, y : float
        In data coordinates.
    label, more : str
        The label; what follows it where there is room for that at all points.
    colour : str
        Of the marker; that of text by default.
    """

    x: float
    y: float
    label: str
    more: str
    colour: str = ""


@dataclass(frozen=True)
class Place:
    """Where a label stands, as shares of the axes' width; `at` is its point's."""

    left: float
    right: float
    at: float
    row: int


def place(
    wanted: Sequence[tuple[float, float]], rows: int = 6, sides: Sequence[float] = (0.5, 1.0, 0.0)
) -> list[Place | None]:
    """Rows for labels, the first come first: none covers another, or a leader to its point.

    Parameters
    ----------
    wanted : sequence of (at, width)
        The points and the widths of their labels, as shares of the axes' width.
    rows : int
        How many there are; row 0 is the lowest.
    sides : sequence of float
        How much of a label may stand left of its point, the best first; by default it stands
        in the middle above it, left of it, or right of it.

    Returns
    -------
    list of Place or None
        None for a label without room: it is left out, its point stays marked.
    """
    options: list[list[Place]] = []
    for at, width in wanted:
        lefts = [min(max(at - width * x, 0.0), max(1.0 - width, 0.0)) for x in sides]
        options.append([Place(x, x + width, at, row) for row in range(rows) for x in lefts])
    tries = iter(range(_BUDGET))

    def fits(placed: tuple[Place, ...]) -> Iterator[tuple[Place, ...]]:
        """Every way in which all labels fit beside those that are placed, found by trying."""
        if len(placed) == len(options):
            yield placed
            return
        for p in options[len(placed)]:
            if next(tries, None) is None:
                return
            if not any(_clash(p, q) for q in placed):
                yield from fits((*placed, p))

    fitting = next(fits(()), None) if len(options) <= _TRIED else None
    if fitting is not None:
        return list(fitting)
    found: list[Place | None] = []
    for of in options:
        free = (p for p in of if not any(q and _clash(p, q) for q in found))
        found.append(next(free, None))
    return found


def _clash(p: Place, q: Place) -> bool:
    if p.row == q.row:
        return p.left < q.right and q.left < p.right
    low, high = (p, q) if p.row < q.row else (q, p)
    return low.left < high.at < low.right


def mark(ax: Axes, marks: Sequence[Mark], *, around_zero: bool = False) -> None:
    """Mark points, and label as many as there is room for above the data.

    Parameters
    ----------
    ax : Axes
        Its x limits are set; its y limits become those of the data, and leave room for the labels.
    marks : sequence of Mark
        The most important first.
    around_zero : bool
        Whether the data go both ways from 0. Else the axis begins at 0 where none are below it.
    """
    ax.margins(y=0.04)
    ax.autoscale_view(scalex=False)
    if ax.dataLim.y0 >= 0 and not around_zero:
        ax.set_ylim(bottom=0)
    if not marks:
        return
    size, box = 0.9 * float(ax.xaxis.label.get_fontsize()), ax.get_window_extent()
    per = size * ax.figure.dpi / 72
    (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    at = [(m.x - low) / (high - low) for m in marks]
    for texts in ([m.label + m.more for m in marks], [m.label for m in marks]):
        widths = [(len(x) + 1) * _CHAR * per / box.width for x in texts]
        places = place(list(zip(at, widths, strict=True)))
        if None not in places:
            break
    rows = max((p.row + 1 for p in places if p is not None), default=0)
    share = _LINE * per / box.height  # of a row, in the height of the axes
    whole = (top - bottom) / max(1.0 - (rows + 0.6) * share, 0.3)
    ax.set_ylim(bottom, bottom + whole)
    dot: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "zorder": 5}
    for m, p, text in zip(marks, places, texts, strict=True):
        ax.plot(m.x, m.y, color=m.colour or ink(), gid="mark", **dot, markeredgecolor=ink())
        if p is not None:
            x = low + (p.left + p.right) / 2 * (high - low)
            y = top + 0.5 * share * whole + share * whole * p.row
            leader: dict[str, Any] = {"color": ink(), "alpha": 0.5, "linewidth": 0.7, "zorder": 4}
            ax.plot([m.x, m.x], [m.y, y], gid="leader", **leader)
            ground = {"facecolor": paper(), "edgecolor": "none", "pad": 0.8, "alpha": 0.8}
            how: dict[str, Any] = {"ha": "center", "va": "bottom", "zorder": 6, "bbox": ground}
            ax.text(x, y, text, size=size, gid="label", **how)
