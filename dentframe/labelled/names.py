"""Topic and scope as the name of a variable, and back. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dentframe.columns import CHANNEL, ELEMENT

TIME, METER = "time", "meter"
BOUNDS, EDGE = "time_bnds", "nv"
LOCAL_TIME = "local_time"
CHANNEL_ELEMENT = "channel_element"
DIMS = {ELEMENT: "element", CHANNEL: "channel"}
SCOPES = {dim: scope for scope, dim in DIMS.items()}
TAKEN = frozenset(
    {TIME, METER, BOUNDS, EDGE, LOCAL_TIME, CHANNEL_ELEMENT, "window", *DIMS.values()}
)
_ILLEGAL = re.compile(r"[^A-Za-z0-9_+\-.]")


@dataclass(frozen=True)
class Slot:
    """What one variable holds: a topic over its elements, its channels or what else there is."""

    topic: str
    scope: str


def clean(text: str) -> str:
    """Text as a name that netCDF and Zarr allow: ASCII, no slash, a letter or digit first."""
    name = _ILLEGAL.sub("_", text)
    return name if name[:1].isalnum() else f"x{name}"


def dim_of(scope: str) -> str:
    """The dimension that a scope's ids are laid along."""
    known = DIMS.get(scope)
    return known or free(clean(scope), TAKEN)


def variable_names(slots: Iterable[Slot]) -> dict[Slot, str]:
    """A name for each slot: the topic, with the scope only where a topic has several.

    Examples
    --------
    >>> list(variable_names([Slot("dPF", "Ch"), Slot("dPF", "Elm"), Slot("A", "Ch")]).values())
    ['dPF_ch', 'dPF_elm', 'A']
    """
    slots = list(dict.fromkeys(slots))
    of_topic = [s.topic for s in slots]
    dims = {dim_of(s.scope) for s in slots}
    names: dict[Slot, str] = {}
    for slot in slots:
        several = of_topic.count(slot.topic) > 1
        name = _suffixed(slot) if several else clean(slot.topic)
        names[slot] = free(name, TAKEN | dims | set(names.values()))
    return names


def _suffixed(slot: Slot) -> str:
    return f"{clean(slot.topic)}_{clean(slot.scope).lower()}"


def free(name: str, taken: Iterable[str]) -> str:
    """The name, with underscores after it until it is none of those taken."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def slot_of(name: str, attrs: Mapping[str, Any], dim: str) -> Slot:
    """What a variable of this name holds, laid along `dim`.

    The attrs tell, but only where they agree with the name: arithmetic keeps the attrs of
    its first operand, and a variable made of ``A`` is not ``A``.
    """
    scope = SCOPES.get(dim) or str(attrs.get("scope", dim))
    told = Slot(str(attrs.get("topic", "")), scope)
    if told.topic and name.rstrip("_") in {
        clean(told.topic).rstrip("_"),
        _suffixed(told).rstrip("_"),
    }:
        return told
    suffix = f"_{clean(scope).lower()}"
    return Slot(name.removesuffix(suffix) or name, scope)
