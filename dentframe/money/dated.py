"""Lines with dates of their own: each rests on the use of its own dates. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money.components import Use
from dentframe.money.stays import span, stays
from dentframe.money.usage import Study, study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dentframe.money.rules import SplitRules
    from dentframe.money.utility_bill import BillLine, UtilityBill
    from dentframe.site import Site

Span: TypeAlias = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Uses:
    """What the lines of a bill rest on.

    Attributes
    ----------
    whole : Use
        The use of the bill's period.
    dated : mapping of str to Use
        The use of a line's own dates, by the line's name.
    """

    whole: Use
    dated: Mapping[str, Use]

    def of(self, line: str) -> Use:
        """What a line rests on; the whole period for what is no line of the bill."""
        return self.dated.get(line, self.whole)

    @property
    def every(self) -> list[Use]:
        """Each use once, the whole period first."""
        return [self.whole, *dict.fromkeys(self.dated.values())]


def uses(frame: pd.DataFrame, site: Site, bill: UtilityBill, rules: SplitRules) -> Uses:
    """What was used over the bill's period, and over the dates of lines that have their own.

    Raises
    ------
    ConfigError
        For dates that are reversed, or an energy line whose dates have no kWh of the utility.
    """
    whole = study(frame, site, bill, rules)
    apart = _apart(site, bill)
    dated = {x.name: use for lines in apart for use in [_use(whole, lines)] for x in lines}
    return Uses(Use(whole), dated)


def check_lines(site: Site, bill: UtilityBill, rules: SplitRules) -> None:
    """Refuse what the lines lack before anything is read.

    Raises
    ------
    ConfigError
        As `uses`, and for a line without a rule.
    """
    for line in bill.lines:
        rules.of(line)
    for lines in _apart(site, bill):
        _kwh(bill, rules, lines)


def _apart(site: Site, bill: UtilityBill) -> list[list[BillLine]]:
    """The lines with dates of their own, by their dates."""
    found: dict[Span, list[BillLine]] = {}
    for line in bill.lines:
        at = dates(site, bill, line)
        if at != span(site, bill):
            found.setdefault(at, []).append(line)
    return list(found.values())


def dates(site: Site, bill: UtilityBill, line: BillLine) -> Span:
    """The period of a line as UTC instants: its own dates, else the bill's.

    Raises
    ------
    ConfigError
        Where it ends before it starts.
    """
    first, last = span(site, bill)
    start = first if line.start is None else site.instant(line.start)
    end = last if line.end is None else site.instant(line.end)
    if not start < end:
        raise ConfigError(
            f"Cannot use {bill.file}: line {line.name!r} is from {line.start or bill.start} to "
            f"{line.end or bill.end}: its end is not after its start. The end is exclusive."
        )
    return start, end


def reach(site: Site, bill: UtilityBill) -> Span:
    """The least period that holds the bill's and those of all its lines."""
    found = [span(site, bill), *(dates(site, bill, x) for x in bill.lines)]
    return min(s for s, _ in found), max(e for _, e in found)


def _use(whole: Study, lines: Sequence[BillLine]) -> Use:
    bill, first = whole.bill, lines[0]
    part = replace(
        bill,
        start=bill.start if first.start is None else first.start,
        end=bill.end if first.end is None else first.end,
        kwh=_kwh(bill, whole.rules, lines),
        days=None,
        total=None,
    )
    return Use(
        Study(whole.frame, whole.site, part, whole.rules, stays(whole.site, part)),
        dated=f" from {part.start} to {part.end}",
    )


def _kwh(bill: UtilityBill, rules: SplitRules, lines: Sequence[BillLine]) -> Decimal | None:
    """The utility's energy over some lines' dates, as the lines state it [kWh]."""
    told = [x.metered_kwh for x in lines if x.metered_kwh is not None]
    found = dict.fromkeys(told or [x.kwh for x in lines if x.kwh is not None])
    if len(found) == 1 or all(rules.of(x).by != "energy" for x in lines):
        return next(iter(found), None)
    stated = f"they state {' and '.join(map(str, found))} kWh" if found else "they state no kWh"
    raise ConfigError(
        f"Cannot share line {lines[0].name!r} of {bill.file} by the energy of its own "
        f"dates, {lines[0].start or bill.start} to {lines[0].end or bill.end}: of the "
        f"lines with these dates, {stated}. Give the line the field 'kwh', or 'metered_kwh' where "
        "it prices only a part: the energy that the utility metered over those dates."
    )
