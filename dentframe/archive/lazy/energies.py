"""Energy of every meter of an archive, on Dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe.archive.lazy.figures import Task, figures
from dentframe.archive.lazy.rising import rising
from dentframe.archive.lazy.wanted import portfolio
from dentframe.energy import energy as of_frame
from dentframe.metering.sources import MEAN, REGISTER
from dentframe.registers import RegisterRules
from dentframe.site import apply_site

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.freq import Freq
    from dentframe.instants import Zone

_DEFAULT_RULES = RegisterRules()


def energy(
    archive: Archive,
    freq: Freq = None,
    *,
    meters: Any = None,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    schedule: Any = None,
    site: Any = None,
    detail: bool = False,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """Energy of each period and element of every meter, computed by Dask.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    freq, tz, topic, source, registers, edges, min_coverage, interval, demand_lag : optional
        As in `dentframe.energy.energy`; elements in `registers` by full ids.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range that is read, with its bracketing readings, and the span: only
        these cut a calendar period. ``end=None``: `start` names a whole period. Neither: all
        that is held of each meter, and periods from its own first to its own last reading.
    schedule, site, detail : optional
        As in `dentframe.energy.energy`.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has; by default so many that there are about 128.

    Returns
    -------
    dask.dataframe.DataFrame
        Index ``time`` (period start in `tz`), columns ``meter`` (and ``window`` with a
        `schedule`) and ``Energy/Elm/A``... [kWh]; with `detail` the rows of the verb. The
        figures of ``archive.read(...).dent.energy(...)``, a meter after the other.

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
    Workers give no CoverageWarning, since it would reach nobody: ``detail=True`` tells coverage
    and status of each figure, ``min_coverage=`` withholds. A register answers without its
    element's demand being read.
    """
    topics = _topics(topic, source)
    found = portfolio(
        archive, meters, start, end, list(topics), tz=apply_site(site, tz, registers)[0],
        bracket=True, errors=errors, strict=topic is not None,
    )  # fmt: skip
    first, last = found.wanted.span or (None, None)
    keywords = {
        "freq": freq, "tz": tz, "start": first, "end": last, "topic": topic, "source": source,
        "registers": registers, "edges": edges, "min_coverage": min_coverage,
        "interval": interval, "demand_lag": demand_lag, "schedule": schedule, "site": site,
        "detail": detail,
    }  # fmt: skip
    task = Task(of_frame, keywords, topics, either=len(topics) > 1, rows=detail, short=rising)
    return figures(found, task, batch)


def _topics(topic: str | None, source: str) -> tuple[str, ...]:
    if topic is not None:
        return (topic,)
    return {"register": (REGISTER,), "demand": (MEAN,)}.get(source, (REGISTER, MEAN))
