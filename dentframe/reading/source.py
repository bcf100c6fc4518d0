"""Where a read gets its windows from: a client, an archive, or one before the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dentframe.errors import OfflineError, RequestError, UnknownMeterError, UnknownTopicError
from dentframe.reading import request as _request
from dentframe.reading.request import Request

if TYPE_CHECKING:
    from dentframe.cloud.job import Answer, Job
    from dentframe.cloud.windows import Window


class Lists(Protocol):
    """What a request is resolved with; a `DentCloud` is one."""

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """The meters there are; with `refresh` those there are today."""
        ...

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """The topics there are; with `refresh` those there are today."""
        ...


class Source(Lists, Protocol):
    """What a read needs to know of where its windows come from; a `DentCloud` is one."""

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that cost nothing."""
        ...

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is, where that is known [B/h]."""
        ...

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """Each job's answer as it comes; what cannot be read is an answer with its error."""
        ...


def resolve(client: Lists, meter: Any, span: tuple[Any, Any], topics: Any) -> Request:
    """Resolve what is asked for, by what the service has; refuse what it does not have."""
    meters = _request.parse_meters(meter)
    units = _request.topic_units(client.get_topics())
    try:
        keys = _request.resolve_topics(topics, units)
    except UnknownTopicError:
        units = _request.topic_units(client.get_topics(refresh=True))
        keys = _request.resolve_topics(topics, units)
    _check_meters(client, list(meters))
    everything = _request.is_everything(topics)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)


def _check_meters(client: Lists, meters: list[str]) -> None:
    """Refuse unknown meters; a service that will not list its meters is asked all the same."""
    try:
        try:
            _request.check_meters(meters, client.get_meters())
        except UnknownMeterError:
            _request.check_meters(meters, client.get_meters(refresh=True))
    except (OfflineError, RequestError):
        return
