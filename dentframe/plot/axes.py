"""The axes that a picture is drawn on, their legend, and what every picture has.

Where an axis of local time has its ticks, and what they say. Pure.

Ticks are local calendar edges as UTC instants: the hour that comes twice has two, the one that
is skipped none.

An axis of UTC instants with the ticks of a local clock. Imports matplotlib: import on use.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams, ticker

from dentframe.errors import ConfigError, missing_extra
from dentframe.plot.marks import GAP, ink
from dentframe.times.periods import calendar
from dentframe.times.ranges import ints, local, stamp

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints


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
_FIRST, _LAST = pd.Timestamp("1900", tz="UTC"), pd.Timestamp("2200", tz="UTC")


def step_of(low: int, high: int, inches: float) -> str:
    """The finest step whose labels have room on an axis of that length [us UTC]."""
    for step, length in STEPS.items():
        room = _SHORT if step in _NARROW else _ROOM
        if (high - low) / length <= max(inches / room, 2):
            return step
    return "YS"


def ticks(low: int, high: int, step: str, tz: dt.tzinfo) -> Ints:
    """The ticks of one step in ``[low, high]`` [us UTC]."""
    low, high = (int(np.clip(x, *ints(pd.DatetimeIndex([_FIRST, _LAST])))) for x in (low, high))
    if low >= high:
        return np.empty(0, dtype=np.int64)
    first, last = (stamp(x).tz_convert(tz) for x in (low, high + 1))
    edges = ints(calendar("D" if step == "2D" else step, first, last, tz))
    if step == "2D":
        walls = local(edges, tz).tz_localize(None).as_unit("us")
        edges = edges[walls.asi8 // _DAY % 2 == 0]
    return edges[(edges >= low) & (edges <= high)]


def texts(at: Ints, tz: dt.tzinfo) -> list[str]:
    """What ticks say, by how far apart they are.

    The first tick that begins a date tells the year, a repeated clock time its own offset.
    """
    if len(at) == 0:
        return []
    walls = local(at, tz)
    step = int(np.median(np.diff(at))) if len(at) > 1 else _HOUR
    if step < 0.9 * _DAY:
        return _clock(walls)
    plain = "%-d %b" if step < 28 * _DAY else "%b" if step < 300 * _DAY else "%Y"
    shown = [_text(x, plain) for x in walls]
    if plain == "%Y":
        return shown
    years = [x.year for x in walls]
    new = [i == 0 or years[i] != years[i - 1] for i in range(len(years))]
    return [f"{x}\n{y}" if n else x for x, y, n in zip(shown, years, new, strict=True)]


def _text(x: pd.Timestamp, how: str) -> str:
    # Windows has no %-d.
    return x.strftime(how.replace("%-d", str(x.day)))


def _clock(walls: pd.DatetimeIndex) -> list[str]:
    naive = walls.tz_localize(None)
    twice = naive.duplicated(keep=False)
    days = naive.normalize()
    found = []
    for i, x in enumerate(walls):
        text = f"{x:%H:%M}" + (f"\n{x:%Z}" if twice[i] else "")
        if i == 0:
            text += "\n" + _text(x, "%a %-d %b") + f"\n{x.year}"
        elif days[i] != days[i - 1]:
            text += "\n" + _text(x, "%a %-d %b")
        found.append(text)
    return found


def moment(us: int, tz: dt.tzinfo) -> str:
    """An instant as text, ``Tue 12 Dec 10:47``."""
    return _text(local(np.array([us], dtype=np.int64), tz)[0], "%a %-d %b %H:%M")


def date(us: int, tz: dt.tzinfo) -> str:
    """A local date as text, ``Tue 12 Dec``."""
    return _text(local(np.array([us], dtype=np.int64), tz)[0], "%a %-d %b")


def amount(x: float) -> str:
    """A quantity with three or four figures."""
    places = 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 2 if abs(x) >= 1 else 3
    return f"{x:,.{places}f}"


_DAY_IN_DAYS = 86_400_000_000


def at(us: Ints) -> Floats:
    """Instants [us UTC] as positions on the axis [days]."""
    return np.asarray(us, dtype=np.int64) / _DAY_IN_DAYS - _epoch()


def us_of(position: Any) -> Ints:
    """Positions on the axis as instants [us UTC]."""
    days = np.asarray(position, dtype=np.float64) + _epoch()
    return np.asarray(np.rint(days * _DAY_IN_DAYS), dtype=np.int64)


def _epoch() -> float:
    """Where matplotlib's dates begin, in days after 1970; a user may have moved it."""
    return float(np.datetime64(str(rcParams["date.epoch"]), "us").astype(np.int64) / _DAY_IN_DAYS)


class LocalLocator(ticker.Locator):
    """Ticks at the calendar edges of a zone, as many as there is room for."""

    def __init__(self, tz: dt.tzinfo) -> None:
        self.tz = tz

    def __call__(self) -> Any:
        """The ticks of what is in view."""
        low, high = sorted(self.axis.get_view_interval())  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The ticks between two positions."""
        low, high = (int(x) for x in us_of([vmin, vmax]))
        return at(ticks(low, high, step_of(low, high, self._inches()), self.tz))

    def _inches(self) -> float:
        ax = self.axis.axes  # type: ignore[union-attr]
        return float(ax.get_window_extent().width / ax.figure.dpi)


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
    left, right = at(np.array([low, high], dtype=np.int64))
    ax.set_xlim(float(left), float(right))
    ax.set_xlabel(zone_label(tz))


def zone_label(tz: dt.tzinfo) -> str:
    """The label of an axis of local time."""
    return f"local time ({tz})" if str(tz) != "UTC" else "time (UTC)"


_COLUMN, _MANY = 18, 12
"""How many entries of a legend stand below each other, and how many in letters of full size."""
_PALE = 0.45
Box = tuple[float, float, float, float]
_BELOW = 30
"""From the axis down to the line of its label [points]."""


def axes(ax: Axes | None, size: tuple[float, float] = (10.0, 4.5)) -> Axes:
    """The caller's axes, or those of a new figure of pyplot."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def check(ax: Any) -> None:
    """Refuse what cannot be drawn on, before anything is computed.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    ConfigError
        For an `ax` that is no Axes.
    """
    try:
        from matplotlib.axes import Axes
    except ImportError:
        raise missing_extra("draw a picture", "plot") from None
    if ax is not None and not isinstance(ax, Axes):
        raise ConfigError(
            f"Cannot draw on ax={ax!r}: it is no matplotlib Axes. Give one, e.g. "
            "ax=figure.subplots(), or ax=axes[0] of several."
        )


def dress(ax: Axes, title: str | None, *, grid: str | None = "y") -> None:
    """What every picture has: few lines, a title only where one is given."""
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(visible=True, axis=grid, color=ink(), alpha=0.15, linewidth=0.6)  # type: ignore[arg-type]
    ax.spines[["top", "right"]].set_visible(False)
    if title is not None:
        ax.set_title(title, loc="left")


def legend(ax: Axes, handles: Sequence[Artist]) -> None:
    """A legend to the right of the data."""
    if handles:
        ax.legend(
            handles=list(handles),
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            frameon=False,
            ncols=1 + (len(handles) - 1) // _COLUMN,
            handlelength=1.8,
            fontsize="small" if len(handles) > _MANY else None,
        )


def legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """A legend under the right end of the axis of time, on the line of its label."""
    from matplotlib.transforms import ScaledTranslation

    ax.set_xlabel(ax.get_xlabel(), loc="left")
    if handles:
        down = ScaledTranslation(0, -_BELOW / 72, ax.figure.dpi_scale_trans)
        ax.legend(
            handles=list(handles),
            loc="upper right",
            bbox_to_anchor=(1.0, 0.0),
            bbox_transform=ax.transAxes + down,
            borderaxespad=0.0,
            frameon=False,
            ncols=len(handles),
        )


def gap_patch(label: str, alpha: float = _PALE) -> Artist:
    """How a legend shows what is hatched."""
    from matplotlib.patches import Patch

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
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)) for x, y, w, h in rows]
    box = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    path = Path(np.reshape(corners, (-1, 2)), box * len(corners))
    how.setdefault("transform", ax.transData)
    return ax.add_artist(PathPatch(path, **how))


def hatched(ax: Axes, rows: Sequence[Box], *, alpha: float = _PALE, **how: Any) -> Any:
    """Hatch boxes that hold nothing recorded, or not simply so."""
    return boxes(
        ax,
        rows,
        facecolor="none",
        edgecolor=ink(),
        alpha=alpha,
        linewidth=0.0,
        hatch=GAP,
        **how,
    )


def covered(some: int, of: int) -> str:
    """How a legend says that not all was covered; nothing where all was."""
    if some == of:
        return ""
    return ", no reading" if some <= 0 else f", {percent(some / of)} covered"


def percent(share: float) -> str:
    """A share as text that says 100 % only where it is exactly that."""
    shown = math.floor(share * 1000) / 10
    return "100 %" if share == 1 else "under 0.1 %" if 0 < share < 0.001 else f"{shown:.1f} %"
