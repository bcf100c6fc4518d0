"""What the tests of pictures share: frames made by hand, and figures that are closed again."""

from __future__ import annotations

import numpy as np
import pandas as pd

LA = "America/Los_Angeles"


def means(start, end, tz=LA, **columns):
    """Interval means of 15 minutes whose labels close each interval of ``[start, end)``."""
    low, high = (pd.Timestamp(x, tz=tz).tz_convert("UTC") for x in (start, end))
    t = pd.date_range(low, high, freq="15min", inclusive="right", name="time")
    data = {
        f"DemandkW/Elm/{k}": np.broadcast_to(v, len(t)).astype(float) for k, v in columns.items()
    }
    return pd.DataFrame(data, index=t)


def utc_days(*stamps, tz=LA):
    """Instants as days since 1970, which is how matplotlib places them."""
    aware = [x if isinstance(x, pd.Timestamp) else pd.Timestamp(x, tz=tz) for x in stamps]
    return [x.timestamp() / 86400 for x in aware]


def boxes(artist):
    """(x, y, width, height) of each box of a patch of boxes."""
    corners = artist.get_path().vertices.reshape(-1, 5, 2)
    low, high = corners[:, 0], corners[:, 2]
    return [tuple(np.round(x, 9)) for x in np.hstack((low, high - low)).tolist()]


def by_gid(ax, gid):
    """The artists of an axes with a gid."""
    return [x for x in ax.get_children() if x.get_gid() == gid]


def words(ax):
    """The texts of its legend."""
    legend = ax.get_legend()
    return [] if legend is None else [x.get_text() for x in legend.get_texts()]
