"""What a tariff needs before a bill can be read: topics, and a period that it can price. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.instants import ints, zone
from dentframe.metering.sources import MEAN, REGISTER
from dentframe.metering.study import Asked
from dentframe.money.case import Case
from dentframe.money.charges.reactive import KVAH, KVARH, Reactive
from dentframe.money.meters import Meters

if TYPE_CHECKING:
    from dentframe.instants import Zone
    from dentframe.money.tariff import Tariff


def topics(tariff: Tariff) -> list[str]:
    """The topics that a tariff's charges read, each once; those of its energy first.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.

    Returns
    -------
    list of str
        ``kVARHNet`` is among them where a charge takes it if it is there.

    Examples
    --------
    >>> from dentframe.money import Energy, Tariff
    >>> topics(Tariff("Flat", [Energy("Energy", "0.12")]))
    ['kWHNet', 'DemandkW']
    """
    own = [x for charge in tariff.charges for x in _of(charge)]
    return list(dict.fromkeys([REGISTER, MEAN, *own]))


def _of(charge: Any) -> list[str]:
    own = [charge.topic] if getattr(charge, "topic", None) else []
    target = getattr(charge, "target_power_factor", None)
    if isinstance(charge, Reactive):
        return [KVAH] if target is not None else [KVAH, KVARH]
    return own if target is None else [*own, KVAH]


def check_period(tariff: Tariff, start: Any, end: Any, tz: Zone) -> None:
    """Refuse a period that a charge per month cannot be priced for, before it is read.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.
    start, end : Timestamp
        The period ``[start, end)``.
    tz : str or tzinfo
        The zone of the calendar.

    Raises
    ------
    ConfigError
        Naming the charge, the days and what to state.
    """
    s, e = ints(pd.DatetimeIndex([start, end]).tz_convert("UTC").as_unit("us")).tolist()
    nothing = Meters(pd.DataFrame(), zone(tz), None, Asked(tz), "auto", ())
    case = Case(nothing, s, e, tariff.holidays, None, None, "half-up", None, tariff.currency)
    for charge in tariff.charges:
        span = case.valid(charge)
        if span is not None and getattr(charge, "per", "") == "month":
            case.months(charge, charge.proration, *span)
