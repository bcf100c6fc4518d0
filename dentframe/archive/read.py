"""Reading from an archive with the reader's contract, and without a service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.archive.source import Alone
from dentframe.errors import UnknownMeterError
from dentframe.instants import time_range
from dentframe.reading import request as _request
from dentframe.reading.finish import bar, check_errors, finish
from dentframe.reading.request import Request
from dentframe.reading.state import Reading
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.instants import Zone


def read(
    archive: Archive,
    meter: Any,
    start: Any,
    end: Any,
    topics: Any,
    *,
    tz: Zone,
    bracket: bool,
    quantify: bool,
    errors: str,
) -> pd.DataFrame:
    """The frame of `Archive.read`, whose contract this is."""
    check_errors(errors)
    now = pd.Timestamp.now("UTC")
    request = resolve(archive, meter, time_range(start, end, tz, now=now), topics)
    reading = Reading(Alone(archive, now), request, bracket=bracket, now=now)
    return finish(reading, errors, quantify, partial(bar, False))


def resolve(archive: Archive, meter: Any, span: tuple[Any, Any], topics: Any) -> Request:
    """Resolve what is asked for, by what the archive has; refuse what it does not have."""
    meters = _request.parse_meters(meter)
    _check_meters(archive, list(meters))
    units = archive.units()
    everything = _request.is_everything(topics)
    known = _held_units(archive, list(meters), units) if everything else units
    keys = _request.resolve_topics(topics, known)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)


def _held_units(archive: Archive, meters: list[str], units: dict[str, str]) -> dict[str, str]:
    """The topics that the archive holds anything of, in the order of getTopics."""
    held = {t for m in meters for r in archive.records(m) for t in r.topics}
    found = {t: unit for t, unit in units.items() if t in held}
    return found or units


def _check_meters(archive: Archive, meters: list[str]) -> None:
    known = archive.meters()
    for name in meters:
        if name not in known:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the archive {archive.path} holds nothing of it"
                f"{did_you_mean(name, known) or '.'} It holds {len(known)} meter(s); sync the "
                "meter first."
            )
