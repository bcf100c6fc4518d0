"""Frames as labelled Datasets of xarray, and back. Nothing is read from disk or written here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe import columns as _columns
from dentframe.labelled import build, results, unbuild

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def to_xarray(
    frame: pd.DataFrame, *, interval: Any = "15min", demand_lag: Any = "0min"
) -> xr.Dataset:
    """A frame, or a result of the verbs, as a labelled Dataset.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns): readings, or
        a wide result such as that of `energy`. Or the rows of a result: of
        ``energy(..., detail=True)``, of `peaks`.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``: that is what
        ``time_bnds`` says.

    Returns
    -------
    xarray.Dataset
        One variable a topic: over (time, element) or (time, channel), with ``_elm`` or ``_ch``
        after its name where a topic has both; over (meter, time, ...) where the frame has
        several meters. Each says its ``units`` (as pint parses them), ``wire_unit``,
        ``long_name``, CF ``cell_methods``, ``topic``, ``scope`` and ``kind``. Cells that are
        no column of the frame are NaN.

        Times are naive UTC, with the frame's zone in ``time.attrs["timezone"]``; where that is
        not UTC, ``local_time`` lies along time. ``time_bnds`` holds the spans of interval means,
        or of the periods of energy. Other columns of numbers, truth values or text lie along
        time too. `to_frame` goes back.

        Rows become variables over (period, element), those of `peaks` over (period, element,
        rank); flags are text, joined by blanks.

    Raises
    ------
    RangeError
        For a naive index, or meters whose times differ: those are converted one by one,
        ``df.loc[meter].dent.to_xarray()``.
    UnitError
        Where the columns of one topic are in different units.
    DecodeError
        Where a wire-named column holds something else than numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01", periods=2, freq="15min", tz="UTC", name="time")
    >>> readings = pd.DataFrame({"DemandkW/Elm/A": [1.0, 2.0]}, index=t)
    >>> to_xarray(readings)["DemandkW"].dims
    ('time', 'element')
    """
    import dentframe.xarray_accessor  # noqa: F401 - registers Dataset.dent

    if _columns.wire_columns(frame.columns) or not frame.columns.size:
        whole = results.completed(frame)
        return build.to_dataset(whole, interval=interval, demand_lag=demand_lag)
    if results.is_rows(frame):
        return results.rows_dataset(frame)
    return results.figures_dataset(frame, "value")


def to_frame(dataset: xr.Dataset) -> pd.DataFrame:
    """The frame of a Dataset: the way back from `to_xarray`, also through netCDF and Zarr.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables over time (and meter) and elements or channels; variables that have no time,
        or hold something else, are ignored. Dask-backed variables are computed, all at once.

    Returns
    -------
    pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns), in the zone
        of ``time.attrs["timezone"]``; labels, their order, dtypes and attrs are those of the
        frame that the Dataset came from, as far as its own attrs still tell. A variable in
        another unit than its topic's says so in the label, ``DemandkW/Elm/A [W]``.

    Raises
    ------
    RangeError
        Where readings have no times.
    UnitError
        Where pint has taken a variable's units away and they were lost.
    MissingExtraError
        Where columns had pint dtypes and pint-pandas is not installed.
    """
    return unbuild.to_frame(dataset)
