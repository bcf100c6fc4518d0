"""The doors to the cloud: read, plan, list. Each is a few steps over pure parts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import pandas as pd

from dentframe.cloud.client import DentCloud, default_client
from dentframe.errors import (
    ConfigError,
    DentError,
    IncompleteReadError,
    IncompleteReadWarning,
    OfflineError,
    RequestError,
    UnknownMeterError,
    UnknownTopicError,
    warn,
)
from dentframe.instants import Zone, time_range
from dentframe.reading import request as _request
from dentframe.reading.assemble import assemble
from dentframe.reading.plan import Plan
from dentframe.reading.request import Request
from dentframe.reading.state import Reading, planned


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
) -> pd.DataFrame:
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
    archive : None
        Reserved for reading from an archive.
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
    """
    _check_options(errors, archive)
    client = client or default_client()
    now = pd.Timestamp.now("UTC")
    request = _resolve(client, meter, time_range(start, end, tz, now=now), topics)
    reading = Reading(client, request, bracket=bracket, now=now)
    return _finish(reading, errors, quantify, partial(_bar, progress))


def _check_options(errors: str, archive: Any) -> None:
    if errors not in {"raise", "warn"}:
        raise ConfigError(
            f'Cannot read with errors={errors!r}: use "raise" (an IncompleteReadError) or "warn" '
            "(the partial frame and a warning). Silence is no choice: what fails is not zero."
        )
    if archive is not None:
        raise ConfigError(
            f"Cannot read from archive={archive!r}: this version of dentframe has no archive yet. "
            "Leave it out to read from the cloud and its cache."
        )


# --- resolving the request ---------------------------------------------------------------


def _resolve(client: DentCloud, meter: Any, span: tuple[Any, Any], topics: Any) -> Request:
    meters = _request.parse_meters(meter)
    units = _request.topic_units(client.get_topics())
    try:
        keys = _request.resolve_topics(topics, units)
    except UnknownTopicError:
        units = _request.topic_units(client.get_topics(refresh=True))
        keys = _request.resolve_topics(topics, units)
    _check_meters(client, list(meters))
    return Request(meters, isinstance(meter, str), *span, keys, topics is None, units)


def _check_meters(client: DentCloud, meters: list[str]) -> None:
    """Refuse unknown meters; a service that will not list its meters is asked all the same."""
    try:
        try:
            _request.check_meters(meters, client.get_meters())
        except UnknownMeterError:
            _request.check_meters(meters, client.get_meters(refresh=True))
    except (OfflineError, RequestError):
        return


# --- fetching and assembling -------------------------------------------------------------


def _bar(progress: bool | None, answers: Iterable[Any], total: int) -> Iterable[Any]:
    if progress is False or total == 0:
        return answers
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    shown = None if progress is None else False
    return tqdm(answers, total=total, unit="window", leave=False, disable=shown)


def _finish(reading: Reading, errors: str, quantify: bool, progress: Any) -> pd.DataFrame:
    reading.run(progress)
    frame = assemble(reading, quantify=quantify)
    if not reading.missing:
        return frame
    if errors == "raise":
        again = partial(_finish, reading, errors, quantify, progress)
        first = reading.errors[reading.missing[0]]
        raise _incomplete(reading, first, partial=frame, resume=again) from first
    warn(_what_is_missing(reading), IncompleteReadWarning)
    return frame


def _incomplete(reading: Reading, first: DentError, **carried: Any) -> IncompleteReadError:
    return IncompleteReadError(
        f"{_what_is_missing(reading)} What was read is in .partial; .resume() asks for the rest.",
        missing=[job.window for job in reading.missing],
        status=first.status,
        retry_after=first.retry_after,
        retryable=first.retryable,
        **carried,
    )


def _what_is_missing(reading: Reading) -> str:
    names = [f"{job.meter} {job.window}" for job in reading.missing]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    first = reading.errors[reading.missing[0]]
    return (
        f"Cannot read {len(names)} of {len(names) + len(reading.pages)} windows: {shown} "
        f"missing, and missing is not zero. {type(first).__name__}: {first}"
    )


# --- the other doors ---------------------------------------------------------------------


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
    """
    return list((client or default_client()).get_meters())


def get_topics(client: DentCloud | None = None) -> pd.DataFrame:
    """The topics of the service.

    Returns
    -------
    pandas.DataFrame
        Index ``topic`` (the request key); columns ``unit``, ``description``, ``kind`` and
        ``pint unit`` (None where the unit is not known).
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
