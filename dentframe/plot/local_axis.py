"""An axis of UTC instants with the ticks of a local clock. Imports matplotlib: import on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams, ticker

from dentframe.plot.ticks import step_of, texts, ticks

if TYPE_CHECKING:
    import datetime as dt

    from matplotlib.axes import Axes

    from dentframe.metering.rows import Floats, Ints

_DAY = 86_400_000_000


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
