"""What an opening is asked for, and what of it is not to be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dentframe.reading.request import Without

if TYPE_CHECKING:
    from dentframe.instants import Zone

_SCOPES = ("_ch", "_elm")


@dataclass(frozen=True)
class Wanted:
    """One opening: the reader's arguments, and those of the conversion.

    Attributes
    ----------
    meter : str or list of str
        As `read_dentcloud` takes it.
    start, end, topics, tz, bracket, errors
        As `read_dentcloud` takes them.
    interval, demand_lag
        As `to_xarray` takes them.
    dropped : frozenset of str
        The variables to leave out.
    """

    meter: str | list[str]
    start: Any
    end: Any
    topics: Any
    tz: Zone
    bracket: bool
    errors: str
    interval: Any
    demand_lag: Any
    dropped: frozenset[str]


def dropped_names(drop_variables: str | Iterable[str] | None) -> frozenset[str]:
    """The names in xarray's `drop_variables`: one, several or none."""
    if drop_variables is None:
        return frozenset()
    return frozenset([drop_variables] if isinstance(drop_variables, str) else drop_variables)


def topics_without(topics: Any, dropped: frozenset[str]) -> Any:
    """The topics to ask for, so that those of dropped variables are not.

    A topic with a variable over elements and one over channels goes when both are dropped.
    """
    bases = {name.removesuffix(_SCOPES[0]) for name in dropped if name.endswith(_SCOPES[0])}
    both = {base for base in bases if {base + scope for scope in _SCOPES} <= dropped}
    return Without(topics, dropped | both) if dropped else topics
