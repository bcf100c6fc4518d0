"""Keywords that name meters and elements, cut to what one meter's frame has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from dentframe.columns import ELEMENT, parse, split_element
from dentframe.registers import RegisterRules, check_elements
from dentframe.site import apply_site

if TYPE_CHECKING:
    import pandas as pd

_DEFAULTS = {"interval": "15min", "demand_lag": "0min"}
_NO_RULES = RegisterRules()


def for_meters(
    keywords: Mapping[str, Any], frame: pd.DataFrame, meters: Iterable[str]
) -> dict[str, Any]:
    """The keywords with what a site gives them, checked before anything is computed.

    Raises
    ------
    UnknownMeterError, ConfigError
        As the verb would for a frame of all these meters.
    """
    site, known = keywords["site"], list(meters)
    tz, rules, _ = apply_site(site, keywords["tz"], keywords["registers"], frame=frame)
    keys = (k for f in fields(rules) for k in _table(getattr(rules, f.name)))
    asked, letters = {split_element(str(k))[0] for k in keys}, sorted(_letters(frame))
    of = dict.fromkeys([*(m for m in known if m in asked), *known[:2]])
    check_elements(rules, [(m, e) for m in of for e in letters])
    return {**keywords, "tz": tz, "registers": rules, "site": None}


def for_meter(keywords: Mapping[str, Any], frame: pd.DataFrame, meter: str) -> dict[str, Any]:
    """The keywords with those alone that concern the frame of one meter."""
    rules, letters = keywords["registers"], _letters(frame)
    found = {
        f.name: _cut(value, meter, letters, getattr(_NO_RULES, f.name))
        for f in fields(rules)
        if isinstance(value := getattr(rules, f.name), Mapping)
    }
    own = {
        name: value.get(meter, default)
        for name, default in _DEFAULTS.items()
        if isinstance(value := keywords[name], Mapping)
    }
    return {**keywords, **own, "registers": replace(rules, **found)}


def _cut(table: Mapping[Any, Any], meter: str, letters: set[str], default: Any) -> Any:
    return {k: v for k, v in table.items() if _concerns(str(k), meter, letters)} or default


def _concerns(key: str, meter: str, letters: set[str]) -> bool:
    whose, element = split_element(key)
    return key in letters if element is None else (whose == meter and element in letters)


def _letters(frame: pd.DataFrame) -> set[str]:
    return {parse(c).id for c in frame.columns if parse(c).scope == ELEMENT}


def _table(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Mapping) else ()
