"""The doors to the cloud: read, plan, list. Each is a few steps over pure parts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from dentframe.cloud.default import default_client
from dentframe.instants import Zone, time_range
from dentframe.reading import request as _request
from dentframe.reading.finish import bar, check_errors, finish
from dentframe.reading.plan import Plan
from dentframe.reading.request import Request
from dentframe.reading.source import resolve
from dentframe.reading.state import Reading, planned

if TYPE_CHECKING:
    from dentframe.cloud.client import DentCloud
    from dentframe.dent_frame import DentFrame
    from dentframe.reading.source import Source


def read_dentcloud(
    meter: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    tz: Zone = "UTC",
    bracket: bool = False,
    quantify: bool = False,
    errors: str = "raise",
    client: DentCloud | None = None,
    archive: Any = None,
    progress: bool | None = None,
) -> DentFrame:
    """Read meter data as one frame.

    Parameters
    ----------
    meter : str or list of str
        A meter, ``"P482311252"``, or one element of it, ``"P482311252_A"``. A list gives
        rows under an index ``meter, time``, even for one meter.
    start, end : str, date, datetime, Timestamp or Period
        The half-open range ``[start, end)``. A naive value is wall time in `tz`.
        ``end=None``: `start` names a whole year, month or day; ``end="now"``: up to now.
    topics : str or list of str, optional
        Request keys (``"DemandkW"``), or units where no key matches (``"kW"``). None: all.
    tz : str or tzinfo
        The zone of naive bounds.
    bracket : bool
        Also read the last reading before `start` and the first at or after `end`, so that
        the energy of the first and last minutes is known.
    quantify : bool
        Give every column a pint dtype (needs the extra ``quantify``).
    errors : {"raise", "warn"}
        What to do where windows cannot be read.
    client : DentCloud, optional
        The client; by default one per process from the environment or the profile.
    archive : Archive or path, optional
        Take from this archive what it holds for good, and ask the client for the rest only;
        where it holds all, neither a key nor a network is needed. Nothing is written into
        it: `sync` does that.
    progress : bool, optional
        Show a progress bar; None: in a terminal or a notebook.

    Returns
    -------
    pandas.DataFrame
        Shape (readings, columns). Index ``time``, UTC, sorted, unique. Columns are wire names
        (``DemandkW/Elm/A``) of float64 in the units of getTopics, which
        ``.attrs["dentcloud"]`` and ``.dent.units`` tell. What is absent, blank or no
        number is NaN, never 0.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    AuthError
        Where the service refuses the key.
    IncompleteReadError
        Where windows are missing: it has ``.partial``, ``.missing`` and ``.resume()``.

    Examples
    --------
    >>> df = read_dentcloud("P482311252_B", "2023-12", topics="kWHNet", tz=LA, bracket=True)
    >>> df.columns.tolist()
    ['kWHNet/Elm/B']
    >>> str(df.index.dtype)
    'datetime64[us, UTC]'
    """
    check_errors(errors)
    now = pd.Timestamp.now("UTC")
    source = (client or default_client()) if archive is None else _first(archive, client, now)
    request = resolve(source, meter, time_range(start, end, tz, now=now), topics)
    reading = Reading(source, request, bracket=bracket, now=now)
    return cast("DentFrame", finish(reading, errors, quantify, partial(bar, progress)))


def _first(archive: Any, client: DentCloud | None, now: pd.Timestamp) -> Source:
    from dentframe.archive.archive import opened
    from dentframe.archive.source import First

    return First(opened(archive), lambda: client or default_client(), now)


def plan_dentcloud(
    meter: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    tz: Zone = "UTC",
    bracket: bool = False,
    client: DentCloud | None = None,
) -> Plan:
    """What `read_dentcloud` with the same arguments would ask for; asks nothing.

    Topics come from the kept getTopics, else from the built-in catalogue. With `bracket`,
    a bracketing reading that is not in its neighbouring hour costs a request more each.

    Returns
    -------
    Plan
        A sized iterable of windows with ``.requests``, ``.cached`` and ``.seconds``.

    Examples
    --------
    >>> plan = plan_dentcloud("P482311252", "2022", topics=["kWHNet"], tz=LA)
    >>> len(plan), plan.cached
    (13, 0)
    """
    client = client or default_client()
    now = pd.Timestamp.now("UTC")
    kept = client.kept_topics()
    units = _request.builtin_units() if kept is None else _request.topic_units(kept)
    keys = _request.resolve_topics(topics, units)
    meters = _request.parse_meters(meter)
    request = Request(meters, isinstance(meter, str), *time_range(start, end, tz, now=now), keys)
    plans = {m: planned(client, request, m, bracket=bracket, now=now) for m in meters}
    return Plan(
        windows={m: tuple(windows) for m, (windows, _) in plans.items()},
        held={m: frozenset(held) for m, (_, held) in plans.items()},
        topics=keys,
        topics_from="built-in catalogue" if kept is None else "kept getTopics",
        rate=client.rate,
    )


def get_meters(client: DentCloud | None = None) -> list[str]:
    """The meters of the account.

    Returns
    -------
    list of str
        As getMeters lists them; kept a day.

    Examples
    --------
    >>> get_meters()
    ['P482311252', 'P482102272', 'P482102270']
    """
    return list((client or default_client()).get_meters())


def get_topics(client: DentCloud | None = None) -> pd.DataFrame:
    """The topics of the service.

    Returns
    -------
    pandas.DataFrame
        Index ``topic`` (the request key); columns ``unit``, ``description``, ``kind`` and
        ``pint unit`` (None where the unit is not known).

    Examples
    --------
    >>> get_topics().loc["kWHNet", ["unit", "kind"]].tolist()
    ['kWh', 'register']
    """
    from dentframe.topics import kind_of
    from dentframe.units import known_unit

    catalogue = (client or default_client()).get_topics()
    rows = [
        (t["unit"], t["description"], kind_of(t["requestKey"], t["unit"]), known_unit(t["unit"]))
        for t in catalogue
    ]
    index = pd.Index([t["requestKey"] for t in catalogue], name="topic")
    return pd.DataFrame(rows, index=index, columns=["unit", "description", "kind", "pint unit"])
