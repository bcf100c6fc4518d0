"""Where a read gets its windows from: a client, an archive, or one before the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

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
