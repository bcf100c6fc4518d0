"""Every picture has these: its axes and legend, its colours, and boxes that are hatched.

Colours, hatches and line styles are told apart by colour-blind readers and in grey.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.transforms import ScaledTranslation

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist

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


def amount(x: float) -> str:
    """A quantity with three or four figures."""
    places = 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 2 if abs(x) >= 1 else 3
    return f"{x:,.{places}f}"


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
    ConfigError
        For an `ax` that is no Axes.
    """
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


def covered(some: int, of: int) -> str:
    """How a legend says that not all was covered; nothing where all was."""
    if some == of:
        return ""
    return ", no reading" if some <= 0 else f", {percent(some / of)} covered"


def percent(share: float) -> str:
    """A share as text that says 100 % only where it is exactly that."""
    shown = math.floor(share * 1000) / 10
    return "100 %" if share == 1 else "under 0.1 %" if 0 < share < 0.001 else f"{shown:.1f} %"
