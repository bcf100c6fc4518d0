"""What a variable says of itself: units, CF attributes, topic and kind. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe import units as _units
from dentframe.errors import UnitError
from dentframe.topics import kind_of

if TYPE_CHECKING:
    from dentframe.labelled.names import Slot

CONVENTIONS = "CF-1.11"
CELL_METHODS = {
    "interval_mean": "time: mean",
    "sample": "time: point",
    "ratio": "time: point",
    "register": "time: point",
    "interval_energy": "time: sum",
}
LONG_NAMES = {
    "kVAHNet": "net apparent energy register",
    "kWHNet": "net active energy register",
    "kVARHNet": "net reactive energy register",
    "kWH+": "imported active energy register",
    "kWH-": "exported active energy register",
    "DemandkW": "active power demand",
    "DemandkVA": "apparent power demand",
    "DemandkWMax": "greatest active power demand",
    "A": "current",
    "V": "voltage",
    "dPF": "displacement power factor",
    "aPF": "apparent power factor",
    "kW": "active power",
    "kVA": "apparent power",
    "kVAR": "reactive power",
    "Frequency": "line frequency",
    "Energy": "active energy",
    "ApparentEnergy": "apparent energy",
    "ReactiveEnergy": "reactive energy",
    "Demand": "mean active power",
    "ApparentDemand": "mean apparent power",
}
"""Plain names for axes; no quantity of a meter has a CF standard name."""


def variable_attrs(slot: Slot, unit: str | None) -> dict[str, str]:
    """The attrs of a variable whose unit is written `unit`, as the wire or a label spells it."""
    kind = kind_of(slot.topic, unit)
    attrs = {"long_name": LONG_NAMES.get(slot.topic, slot.topic), **unit_attrs(unit)}
    if kind in CELL_METHODS:
        attrs["cell_methods"] = CELL_METHODS[kind]
    return {**attrs, "topic": slot.topic, "scope": slot.scope, "kind": kind}


def unit_attrs(unit: str | None) -> dict[str, str]:
    """``units`` as pint parses it, and ``wire_unit`` as it came; neither where nothing tells.

    A unit that pint does not know stays in ``wire_unit`` alone: in ``units`` it would stop
    ``.pint.quantify()`` for the whole Dataset.
    """
    if unit is None:
        return {}
    name = pint_name(unit)
    return {"wire_unit": unit} if name is None else {"units": name, "wire_unit": unit}


def pint_name(unit: str) -> str | None:
    """The long name by which pint knows a unit, or None."""
    try:
        return _units.name_of(_units.parse_unit(unit))
    except UnitError:
        return None


def unit_in(attrs: dict[str, Any], data: Any) -> str | None:
    """The unit of a variable as a label would spell it; ``units`` goes before ``wire_unit``.

    Raises
    ------
    UnitError
        Where ``units`` is gone and ``wire_unit`` is not: pint took it away, and may have
        changed the values before it was lost.
    """
    wire, held = attrs.get("wire_unit"), getattr(data, "units", None)
    told = attrs.get("units") if held is None else held
    if told is None:
        return _without_units(wire)
    if wire is not None and _units.same_unit(str(wire), told):
        return str(wire)
    return str(told) if isinstance(told, str) else _units.symbol(told)


def _without_units(wire: Any) -> str | None:
    if wire is None or pint_name(str(wire)) is None:
        return None if wire is None else str(wire)
    raise UnitError(
        f"Cannot tell the unit of a variable that came in {wire}: its 'units' are gone, as pint "
        "loses them on Dask-backed data. Set attrs['units'] to what the values are in now."
    )
