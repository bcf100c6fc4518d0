"""The same months of a year before, for the statements of a split: where readings reach back. Pure.

A period counts for a party only where it held each of its elements over the whole of it, and
where the rules accept the figures; any other is unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.energy import energy
from dentframe.instants import localize
from dentframe.metering.rows import time_index
from dentframe.money.lines import Past
from dentframe.money.past import label
from dentframe.money.rounding import add, rounded
from dentframe.money.stays import OWN, billed, span
from dentframe.site_checks import stays as held

if TYPE_CHECKING:
    from dentframe.money.components import Use

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
        return rounded(float(row["energy"]), rules.places)

    def _now(self, party: str) -> Decimal | None:
        mine = [
            f
            for f in self.use.asked["energy"]
            if f.stay.party == party and f.stay.kind == OWN
        ]  # fmt: skip
        if not all(self.use.accepts(f) for f in mine):
            return None
        return add([f.value for f in mine if f.value is not None])
