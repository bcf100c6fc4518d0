"""Demand peaks of every meter of an archive, on Dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe.archive.lazy.figures import Task, figures
from dentframe.archive.lazy.wanted import portfolio
from dentframe.metering.sources import MEAN, REGISTER
from dentframe.peaks import peaks as of_frame
from dentframe.registers import RegisterRules
from dentframe.site import apply_site

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.freq import Freq
    from dentframe.instants import Zone

_DEFAULT_RULES = RegisterRules()
_BESIDE = {"kVA": "kVAHNet", "kVAHNet": "kVAHNet"}
"""The register that knows what apparent demand leaves uncovered."""


def peaks(
    archive: Archive,
    freq: Freq = None,
    *,
    meters: Any = None,
    tz: Zone = None,
    window: Any = None,
    kind: str = "reported",
    step: Any = None,
    n: int = 1,
    per_day: bool = False,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """The highest demands of each period and element of every meter, computed by Dask.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    freq, tz, window, kind, step, n, per_day, topic, source, registers, min_coverage : optional
        As in `dentframe.peaks.peaks`; elements in `registers` by full ids.
    interval, demand_lag, site : optional
        As in `dentframe.peaks.peaks`.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range that is read, with its bracketing readings, and the span: only
        these cut a calendar period. ``end=None``: `start` names a whole period. Neither: all
        that is held of each meter, and periods from its own first to its own last reading.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has; by default so many that there are about 128.

    Returns
    -------
    dask.dataframe.DataFrame
        Rows of ``meter, period, element, rank, peak, start, end, coverage, status,
        uncovered_hours, uncovered_kw, flags``: those of ``archive.read(...).dent.peaks(...)``,
        a meter after the other.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, KindError, ConfigError
        At once, where an argument cannot be meant.
    IncompleteReadError
        When it is computed, where the archive does not hold all of the range.
    MissingExtraError
        Where Dask is not installed.

    Notes
    -----
    Workers give no CoverageWarning, since it would reach nobody: each row has its status.
    """
    answering, beside = _topics(kind, topic, source)
    found = portfolio(
        archive, meters, start, end, [*answering, *beside], tz=apply_site(site, tz, registers)[0],
        bracket=True, errors=errors, strict=False,
    )  # fmt: skip
    first, last = found.wanted.span or (None, None)
    keywords = {
        "freq": freq, "tz": tz, "window": window, "kind": kind, "step": step, "n": n,
        "per_day": per_day, "start": first, "end": last, "topic": topic, "source": source,
        "registers": registers, "min_coverage": min_coverage, "interval": interval,
        "demand_lag": demand_lag, "site": site,
    }  # fmt: skip
    return figures(found, Task(of_frame, keywords, answering, beside), batch)


def _topics(kind: str, topic: str | None, source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics that answer, and those that tell what they leave uncovered."""
    if topic is not None:
        return (topic,), (_BESIDE.get(topic, REGISTER),)
    if kind == "reported":
        return (MEAN,), (REGISTER,)
    answering = {"register": (REGISTER,), "demand": (MEAN,)}.get(source, (MEAN, REGISTER))
    return answering, (REGISTER,)
