"""The table of topics says what each topic is, and its unit.

Add a topic by adding a row; every verb follows the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["register", "interval_mean", "sample", "ratio", "interval_energy", "unknown"]


@dataclass(frozen=True)
class Topic:
    """One topic of the DentCloud service or of a dentframe result.

    Attributes
    ----------
    key : str
        The request key, which is also the prefix of its columns.
    kind : str
        How readings accumulate: ``register`` (difference them), ``interval_mean``
        (integrate as right-labelled steps), ``sample`` (time-weighted mean), ``ratio``
        (weighted mean only), ``interval_energy`` (may be summed) or ``unknown``.
    unit : str
        The unit as the wire spells it.
    description : str
        What it measures.
    served : bool
        Whether the documented service offers it.
    """

    key: str
    kind: Kind
    unit: str
    description: str
    served: bool = False


TOPICS: dict[str, Topic] = {
    t.key: t
    for t in (
        Topic("kVAHNet", "register", "kVAh", "Net Kilovolt Ampere Hours.", served=True),
        Topic("kWHNet", "register", "kWh", "Power. Net Kilowatt Hours.", served=True),
        Topic("DemandkW", "interval_mean", "kW", "Power. Demand Kilowatts.", served=True),
        Topic("A", "sample", "A", "Current. Amperes.", served=True),
        Topic(
            "dPF", "ratio", "dPF", "Displacement Power Factor. Power usage Efficiency.", served=True
        ),
        Topic("V", "sample", "V", "Voltage.", served=True),
        # On the hardware (PowerScout registers 4000-4082, 7000-7082); not offered by the API yet.
        Topic("kVARHNet", "register", "kvarh", "Net reactive energy register."),
        Topic("kWH+", "register", "kWh", "Imported active energy register."),
        Topic("kWH-", "register", "kWh", "Exported active energy register."),
        Topic("DemandkVA", "interval_mean", "kVA", "Apparent power demand."),
        Topic("DemandkWMax", "sample", "kW", "Greatest active power demand since the last clear."),
        Topic("kW", "sample", "kW", "Instantaneous active power."),
        Topic("kVA", "sample", "kVA", "Instantaneous apparent power."),
        Topic("kVAR", "sample", "kvar", "Instantaneous reactive power."),
        Topic("aPF", "ratio", "aPF", "Apparent power factor."),
        Topic("Frequency", "sample", "Hz", "Line frequency."),
        # Results of dentframe's own verbs.
        Topic("Energy", "interval_energy", "kWh", "Active energy of a period."),
        Topic("ApparentEnergy", "interval_energy", "kVAh", "Apparent energy of a period."),
        Topic("ReactiveEnergy", "interval_energy", "kvarh", "Reactive energy of a period."),
        Topic("Demand", "interval_mean", "kW", "Mean active power of a block or window."),
        Topic("ApparentDemand", "interval_mean", "kVA", "Mean apparent power of a block."),
    )
}

RESULTS = frozenset({"Energy", "ApparentEnergy", "ReactiveEnergy", "Demand", "ApparentDemand"})
"""The topics of what dentframe's own verbs compute."""
SERVED: tuple[str, ...] = tuple(t.key for t in TOPICS.values() if t.served)

_SAMPLES = frozenset({"A", "V", "Hz", "kW", "W", "kVA", "VA", "kvar", "kVAR"})
_RATIOS = frozenset({"dPF", "aPF", "PF"})


def kind_of(topic: str, unit: str | None = None) -> Kind:
    """The kind of a topic: from the table, else from its unit, else ``unknown``.

    An unknown topic in an energy unit stays ``unknown``: nothing tells a register from
    the energy of an interval, and taking one for the other would bill a whole register.
    """
    known = TOPICS.get(topic)
    if known is not None:
        return known.kind
    return "sample" if unit in _SAMPLES else "ratio" if unit in _RATIOS else "unknown"
