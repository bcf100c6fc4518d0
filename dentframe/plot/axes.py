"""Every picture has these: its axes, a legend, and an axis of local time.

The axis of time places instants in UTC and puts its ticks where a local clock has them: at local
calendar edges. The hour that comes twice has two ticks, the one that is skipped none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams, ticker
from matplotlib.transforms import ScaledTranslation

from dentframe.plot.colours_and_labels import ink
from dentframe.times.dates_and_ranges import ints, local, stamp
from dentframe.times.periods import calendar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints

_COLUMN, _SMALL = 18, 12
"""How many entries of a legend stand below each other, and how many in letters of full size."""
_BELOW = 30
"""From the axis down to the line of its label [points]."""
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


def axes(ax: Axes | None, size: tuple[float, float] = (10.0, 4.5)) -> Axes:
    """The caller's axes, or those of a new figure of pyplot."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


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
            fontsize="small" if len(handles) > _SMALL else None,
        )


def legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """A legend under the right end of the axis of time, on the line of its label."""
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
    twice, days = naive.duplicated(keep=False), naive.normalize()
    found = []
    for i, x in enumerate(walls):
        text = f"{x:%H:%M}" + (f"\n{x:%Z}" if twice[i] else "")
        if i == 0 or days[i] != days[i - 1]:
            text += "\n" + _text(x, "%a %-d %b")
        found.append(text + (f"\n{x.year}" if i == 0 else ""))
    return found


def moment(us: int, tz: dt.tzinfo) -> str:
    """An instant as text, ``Tue 12 Dec 10:47``."""
    return _text(local(np.array([us]), tz)[0], "%a %-d %b %H:%M")


def date(us: int, tz: dt.tzinfo) -> str:
    """A local date as text, ``Tue 12 Dec``."""
    return _text(local(np.array([us]), tz)[0], "%a %-d %b")


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
    left, right = at(np.array([low, high], dtype=np.int64))
    ax.set_xlim(float(left), float(right))
    ax.set_xlabel(zone_label(tz))


def zone_label(tz: dt.tzinfo) -> str:
    """The label of an axis of local time."""
    return f"local time ({tz})" if str(tz) != "UTC" else "time (UTC)"
