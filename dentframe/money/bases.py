"""Weights that need no meter: days, area, fixed shares. Pure."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from dentframe.errors import ConfigError
from dentframe.money.rounding import EXACT
from dentframe.money.stays import OWN, Stay, holder, midnights
from dentframe.site_parts import EXPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.rule import Rule
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site import Site

ZERO = Decimal(0)
_UNITS = {"days": "element-days", "area": "area-days"}


class Bases:
    """The weights of a bill's parties.

    Parameters
    ----------
    site : Site
        Who and where.
    bill : UtilityBill
        When.
    stays : sequence of Stay
        Who held what.
    """

    def __init__(self, site: Site, bill: UtilityBill, stays: Sequence[Stay]) -> None:
        self.site, self.bill = site, bill
        self.own = [s for s in stays if s.kind == OWN]

    def weights(self, rule: Rule) -> dict[str, Decimal]:
        """The weight of each party, those of 0 left out.

        Raises
        ------
        ConfigError
            Where an area that the rule needs is not stated.
        """
        found = self._stated(rule)
        return {k: w for k, w in found.items() if w}

    def unit(self, rule: Rule) -> str:
        """The unit of the weights; ``""`` where they are no quantity."""
        return _UNITS.get(rule.by, "")

    def _stated(self, rule: Rule) -> dict[str, Decimal]:
        if rule.by == "days":
            return self.element_days
        if rule.by == "area":
            return self.area_days
        if rule.by == "shares":
            return self._shares(rule)
        return {EXPORT if rule.by == EXPORT else self.site.landlord: Decimal(1)}

    @cached_property
    def holders(self) -> list[dict[str, str]]:
        """For each local day who holds each element at its start."""
        elements = list(dict.fromkeys(s.element for s in self.own))
        days = midnights(self.site, self.bill)
        return [{k: holder(self.own, k, day) for k in elements} for day in days]

    @property
    def parties(self) -> list[str]:
        """Tenants in their order, then the landlord."""
        return [*(t.name for t in self.site.tenants), self.site.landlord]

    @cached_property
    def element_days(self) -> dict[str, Decimal]:
        """Days times elements held at their start."""
        held = [party for day in self.holders for party in day.values()]
        return {p: Decimal(held.count(p)) for p in self.parties}

    @cached_property
    def area_days(self) -> dict[str, Decimal]:
        """Days times area: the tenants', and of vacant elements their own."""
        total = dict.fromkeys(self.parties, ZERO)
        for day in self.holders:
            for party in dict.fromkeys(day.values()):
                total[party] = EXACT.add(total[party], self._area(party, day))
        return total

    def _area(self, party: str, day: dict[str, str]) -> Decimal:
        if party != self.site.landlord:
            return self._of_tenant(party)
        return sum((self._of_element(k) for k, p in day.items() if p == party), ZERO)

    def _of_tenant(self, party: str) -> Decimal:
        area = next(t.area for t in self.site.tenants if t.name == party)
        if area is None:
            raise self._lacks(f"tenants.{party}", f"{party!r} holds an element")
        return area

    def _of_element(self, key: str) -> Decimal:
        area = self.site.elements[key].area
        if area is None:
            raise self._lacks(f"elements.{key}", f"{key!r} stands vacant (0 if it has none)")
        return area

    def _lacks(self, table: str, why: str) -> ConfigError:
        return ConfigError(
            f"Cannot share by area: {self.site.file}, table [{table}], has no field 'area', and "
            f"{why} in this period. State it: a missing area is not 0."
        )

    def _shares(self, rule: Rule) -> dict[str, Decimal]:
        """Fixed shares by the days a tenant is there; the landlord has the other days'."""
        days = Decimal(len(self.holders))
        present = {p: Decimal(sum(p in d.values() for d in self.holders)) for p in self.parties}
        present[self.site.landlord] = days
        total = {p: rule.shares.get(p, ZERO) * present[p] for p in self.parties}
        gone = sum((rule.shares.get(p, ZERO) * (days - present[p]) for p in self.parties), ZERO)
        total[self.site.landlord] += gone
        return total
