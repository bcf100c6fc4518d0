"""Whether the elements of a site are on its meters: a mistyped one is an error. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.columns import ELEMENT, parse, split_element, wire_columns
from dentframe.errors import UnknownMeterError
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.site import Site


def check_present(site: Site, names: Iterable[str], frame: pd.DataFrame, meter: str) -> None:
    """Refuse elements of one meter that its readings have no column for.

    An element with a column of blanks is there: its figures are ``missing``. A meter without a
    reading or a column tells nothing about its elements.

    Parameters
    ----------
    site : Site
        Whose file is wrong.
    names : iterable of str
        Ids of elements; those of other meters are passed over.
    frame : pandas.DataFrame
        What the whole meter returned, over time.
    meter : str
        The meter.

    Raises
    ------
    UnknownMeterError
        Naming file, table and the likely element.
    """
    have = _elements(frame)
    for name in names:
        of, element = split_element(name)
        if element is not None and of == meter and have and element not in have:
            near = did_you_mean(element, have) or "."
            raise UnknownMeterError(
                f"Cannot use {site.file}: table [elements.{name}]: meter {meter} has no element "
                f"{element!r}{near} It has {', '.join(have)}. Correct the id here and wherever "
                "tenants, parents and bills name it."
            )


def _elements(frame: pd.DataFrame) -> list[str]:
    if not len(frame):
        return []
    columns: list[Any] = [parse(x) for x in wire_columns(frame.columns)]
    return sorted({c.id for c in columns if c.scope == ELEMENT})


def check_frame(site: Site, names: Iterable[str], frame: pd.DataFrame) -> None:
    """The same for a frame that was given, where one meter's columns tell them apart."""
    wanted = list(names)
    meters = {str(split_element(x)[0]) for x in wanted}
    several = isinstance(frame.index, pd.MultiIndex)
    there = set(frame.index.get_level_values(0).astype(str)) if several else meters
    for meter in sorted(meters & there):
        check_present(site, wanted, frame, meter)


def blank(frame: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """The elements of which a read brought no value at all: blank, or not there."""
    found = []
    for name in names:
        meter, element = split_element(name)
        rows = frame
        if isinstance(frame.index, pd.MultiIndex):
            rows = frame[frame.index.get_level_values(0) == meter]
        mine = [x for x in wire_columns(frame.columns) if _of(x, element)]
        if len(rows) and not rows[mine].notna().to_numpy().any():
            found.append(name)
    return found


def _of(label: Any, element: str | None) -> bool:
    column = parse(label)
    return column.scope == ELEMENT and column.id == element
