"""The same months of a year before, for the statements of a split: where readings reach back. Pure.

A period counts for a party only where it held each of its elements over the whole of it, and
where the rules accept the figures; any other is unknown, never 0.

Earlier periods to compare with, where the data is at hand. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import CoverageError
from dentframe.metering.attrs import time_index
from dentframe.metering.registers import RegisterRules
from dentframe.money.occupancy import OWN, billed, span
from dentframe.money.pricing import Meters, check_accept
from dentframe.money.rounding import add, rounded
from dentframe.money.statement import Past
from dentframe.money.usage import scale_of
from dentframe.site.elements import stays as held
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import instant, ints, localize
from dentframe.verbs.energy import energy
from dentframe.verbs.inputs import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.components import Use
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()


def earlier(
    df: pd.DataFrame,
    end: Any,
    *,
    tz: Zone,
    months: int = 13,
    elements: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
    source: str = "auto",
    accept: Sequence[str] = ("recorded",),
    places: int | None = 2,
    interval: Any = "15min",
    demand_lag: Any = "0min",
) -> tuple[Past, ...]:
    """Energy of the months up to an instant, for a statement's comparison.

    Parameters
    ----------
    df : pandas.DataFrame
        The readings of all these months, as far as they are at hand.
    end : str, date, datetime or Timestamp
        The end of the last month, e.g. that of the billing period.
    tz : str or tzinfo
        The zone of the calendar.
    months : int
        How many: 13 show the same month a year ago.
    elements, registers, source, accept, places, interval, demand_lag : optional
        As in `bill`.

    Returns
    -------
    tuple of Past
        The oldest first; the quantity is None where it is not known well enough [kWh].

    Raises
    ------
    RangeError, KindError, UnknownMeterError, ConfigError
        As `bill`.
    """
    zone = verb_zone(time_index(df).tz, tz)
    last = instant(end, zone, "end").tz_convert(zone)
    asked = Asked(zone, None, None, registers, interval, demand_lag)
    meters = Meters(df, zone, elements, asked, source, check_accept(accept))
    walls = [last.tz_localize(None) - pd.DateOffset(months=i) for i in range(months, -1, -1)]
    edges = localize(pd.DatetimeIndex(walls).as_unit("us"), zone)
    at = ints(edges).tolist()
    return tuple(
        Past(label(edges[i], edges[i + 1]), _energy(meters, at[i], at[i + 1], places))
        for i in range(months)
    )


def label(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """What a period is called: ``2023-12`` where it is a calendar month, else its dates.

    Examples
    --------
    >>> label(pd.Timestamp("2023-11-18"), pd.Timestamp("2023-12-18"))
    '2023-11-18 to 2023-12-18'
    """
    month = start.day == end.day == 1 and start + pd.DateOffset(months=1) == end
    return f"{start:%Y-%m}" if month else f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


def _energy(meters: Meters, s: int, e: int, places: int | None) -> Any:
    try:
        used = meters.energy(s, e, None)
    except CoverageError:
        return None
    return rounded(add([p.energy for p in used.pieces]), places)


MONTHS = 12
NONE = "There is no comparison with earlier periods: "


@dataclass(frozen=True)
class Comparison:
    """The earlier periods of a split.

    Parameters
    ----------
    use : Use
        The split's figures; its readings may begin earlier than its bill.
    """

    use: Use

    def of(self, party: str) -> tuple[tuple[Past, ...], str]:
        """A party's periods, the oldest known first and the bill's own last; or why there is none.

        Parameters
        ----------
        party : str
            A tenant.

        Returns
        -------
        periods : tuple of Past
            Energy [kWh]; empty where no earlier period is known.
        note : str
            ``""``, or why it is empty.
        """
        if "energy" not in self.use.asked:
            return (), f"{NONE}nothing is shared by the energy of the whole period."
        first = time_index(self.use.of.frame).min().tz_convert(self.use.of.site.zone)
        if first > self.edges[MONTHS - 1]:
            return (), f"{NONE}the readings at hand begin on {first:%Y-%m-%d %H:%M}."
        found = [self._used(party, i) for i in range(MONTHS)]
        known = next((i for i, x in enumerate(found) if x is not None), None)
        if known is None:
            return (), f"{NONE}none was wholly {party}'s and measured well enough."
        past = [Past(self._label(i), found[i]) for i in range(known, MONTHS)]
        return (*past, Past(self._label(MONTHS), self._now(party))), ""

    @cached_property
    def edges(self) -> list[pd.Timestamp]:
        """The edges of the periods, the bill's own last."""
        of = self.use.of
        start, end = (x.tz_convert(of.site.zone) for x in span(of.site, of.bill))
        walls = [start.tz_localize(None) - pd.DateOffset(months=i) for i in range(MONTHS, 0, -1)]
        return [*localize(pd.DatetimeIndex(walls).as_unit("us"), of.site.zone), start, end]

    @cached_property
    def rows(self) -> dict[tuple[str, int], Mapping[Any, Any]]:
        """Each element's figure of each earlier period."""
        of = self.use.of
        at = {x.tz_convert("UTC"): i for i, x in enumerate(self.edges)}
        table = energy(
            of.frame, self.edges[:-1], **of.keywords, edges=of.rules.edges, detail=True
        )  # fmt: skip
        return {
            (f"{row['meter']}_{row['element']}", at[row["start"].tz_convert("UTC")]): row
            for row in table.to_dict("records")
        }

    def _label(self, i: int) -> str:
        return label(self.edges[i], self.edges[i + 1])

    def _used(self, party: str, i: int) -> Decimal | None:
        names = self._whole(party, i)
        values = [self._energy(name, i) for name in names or ()]
        return None if not names or None in values else add([v for v in values if v is not None])

    def _whole(self, party: str, i: int) -> list[str] | None:
        """The elements a party held over a whole period; None where it held one for a part."""
        s, e = self.edges[i], self.edges[i + 1]
        found = []
        for name in billed(self.use.of.site, self.use.of.bill):
            mine = [(a, b) for a, b, who in held(self.use.of.site, name) if who == party]
            inside = [(a, b) for a, b in mine if a < e and b > s]
            if any(a > s or b < e for a, b in inside):
                return None
            found += [name] * bool(inside)
        return found

    def _energy(self, name: str, i: int) -> Decimal | None:
        row, rules = self.rows.get((name, i)), self.use.of.rules
        if row is None or row["status"] not in rules.accept or np.isnan(row["energy"]):
            return None
        return rounded(float(row["energy"]), rules.places, scale=scale_of(row))

    def _now(self, party: str) -> Decimal | None:
        mine = [
            f
            for f in self.use.asked["energy"]
            if f.stay.party == party and f.stay.kind == OWN
        ]  # fmt: skip
        if not all(self.use.accepts(f) for f in mine):
            return None
        return add([f.value for f in mine if f.value is not None])
