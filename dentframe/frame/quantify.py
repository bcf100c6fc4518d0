"""Columns get pint dtypes, lose them, or change their unit here, in a new frame.

The unit of floats stands in the label, the attrs or the catalogue; pint dtypes carry their own.
Values are never rounded: a round trip is bit-identical.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import KindError, UnitError, UnknownTopicError, did_you_mean, import_extra
from dentframe.wire import columns as _columns
from dentframe.wire.topics import kind_of

_KINDS = (("kW", "power"), ("kWh", "energy"), ("kVAh", "energy"), ("kvarh", "energy"))


def quantify(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every wire column a pint dtype.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns); other columns stay as they are.

    Returns
    -------
    pandas.DataFrame
        The same shape; each wire column ``pint[unit][Float64]``, NaN as NA. A unit in a
        label (``DemandkW/Elm/A [W]``) moves into the dtype. Columns in a unit that pint does
        not know (``%THD``) stay as they are, and a warning names them.

    Raises
    ------
    UnitError
        Where columns have no known unit (all are named), or two would get one label.
    MissingExtraError
        Where pint-pandas is not installed.

    Examples
    --------
    >>> str(df.dent.select(topic="kWHNet").dent.quantify().dtypes.iloc[0])
    'pint[kilowatt_hour][Float64]'
    """
    dtype = _dtype_maker()
    labels = _columns.wire_columns(frame.columns)
    unknown = [x for x in labels if _columns.unit_text(frame, x) is None]
    if unknown:
        raise UnitError(
            f"Cannot quantify {len(unknown)} of {len(labels)} columns, whose unit nothing tells: "
            f"{', '.join(unknown)}. Write the unit into the label, as in "
            f"{unknown[0] + ' [kW]'!r}, or drop them with select(topic=...)."
        )
    found = _columns.units(frame)

    def attach(label: str, series: pd.Series) -> tuple[str, Any]:
        if label not in found:
            return label, series.array
        with_unit = series if hasattr(series.dtype, "units") else series.astype(dtype(found[label]))
        return _columns.parse(label).wire, with_unit.array

    return _rebuilt(frame, attach)


def dequantify(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn pint columns into float64.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), of pint dtypes or floats.

    Returns
    -------
    pandas.DataFrame
        The same shape; pint columns as float64, NA as NaN. A label names its unit
        (``DemandkW/Elm/A [W]``) only where the bare name means another.

    Examples
    --------
    >>> registers = df.dent.select(topic="kWHNet")
    >>> registers.dent.quantify().dent.dequantify().equals(registers)
    True
    """

    def detach(label: str, series: pd.Series) -> tuple[str, Any]:
        unit = getattr(series.dtype, "units", None)
        if unit is None:
            return label, series.array
        return _columns.label_in(frame, _columns.parse(label), unit), magnitudes(series)

    return _rebuilt(frame, detach)


def convert(frame: pd.DataFrame, to: Mapping[str, Any]) -> pd.DataFrame:
    """Change the units of columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns, shape (readings, columns), of floats or pint dtypes.
    to : mapping of str to str or pint.Unit
        Unit by topic or by column label; a label goes before its topic.

    Returns
    -------
    pandas.DataFrame
        The same shape and representation: floats say a unit other than their bare name's in
        the label (``DemandkW/Elm/A [W]``), pint columns in the dtype.

    Raises
    ------
    UnknownTopicError
        Where a key is neither a topic nor a column of the frame.
    KindError
        Where the quantity is of another kind: a register in kW, kW in kVA.
    UnitError
        Where a unit is unknown or of another dimension.

    Examples
    --------
    >>> main = df.dent.select(topic="DemandkW", element="A")
    >>> main.dent.convert({"DemandkW": "W"}).columns.tolist()
    ['DemandkW/Elm/A [W]']
    """
    labels = _columns.wire_columns(frame.columns)
    parsed = [_columns.parse(label) for label in labels]
    topics = list(dict.fromkeys(c.topic for c in parsed))
    known = {*labels, *topics, *(c.wire for c in parsed)}
    for key in to:
        if key not in known:
            raise UnknownTopicError(
                f"Cannot convert {key!r}: it is neither a topic of this frame "
                f"({', '.join(topics)}) nor one of its columns{did_you_mean(key, known)}"
            )

    def change(label: str, series: pd.Series) -> tuple[str, Any]:
        column = _columns.parse(label)
        key = next((k for k in (label, column.wire, column.topic) if k in to), None)
        if key is None:
            return label, series.array
        unit = to[key]
        text = _columns.name_of(unit) if hasattr(unit, "dimensionality") else str(unit)
        target, source = _columns.parse_unit(text), _columns.unit_of(frame, label)
        _check_kind(frame, label, source, target)
        values = magnitudes(series)
        if not _columns.same_unit(source, target):
            values = _columns.registry().Quantity(values, source).to(target).magnitude
        if hasattr(series.dtype, "units"):
            return label, pd.Series(values).astype(_dtype_maker()(target)).array
        return _columns.label_in(frame, column, target), values

    return _rebuilt(frame, change)


def magnitudes(series: pd.Series) -> npt.NDArray[np.float64]:
    """The values of a float or pint column as float64, NA as NaN."""
    array: Any = series.array
    plain = pd.Series(array.data) if hasattr(series.dtype, "units") else series
    return plain.to_numpy(dtype="float64", na_value=np.nan)


def _check_kind(frame: pd.DataFrame, label: str, source: Any, target: Any) -> None:
    message = (
        f"Cannot convert {label!r} from {_columns.symbol(source)} to {_columns.symbol(target)}: "
    )
    kinds = {_columns.parse_unit(unit).dimensionality: kind for unit, kind in _KINDS}
    was, wanted = kinds.get(source.dimensionality), kinds.get(target.dimensionality)
    if (was, wanted) == ("energy", "power"):
        kind = kind_of(_columns.parse(label).topic, _columns.unit_text(frame, label))
        what = "a register, energy that counts up" if kind == "register" else "energy"
        raise KindError(
            f"{message}it is {what}, and no factor makes power of it. "
            "Use demand() for power, or energy() for the energy of a period."
        )
    if (was, wanted) == ("power", "energy"):
        raise KindError(
            f"{message}it is power, and energy needs the time it lasted. "
            "Use energy() for the energy of a period."
        )
    if source.dimensionality != target.dimensionality:
        raise UnitError(
            f"{message}{_columns.name_of(source)} and {_columns.name_of(target)} have different "
            "dimensions. Use a unit of the same quantity."
        )
    one, other = _columns.component(source), _columns.component(target)
    if was is not None and one != other:
        raise KindError(
            f"{message}{one} is not {other}; the factor between them is the power factor, which "
            "changes from reading to reading. Use power_factor(), or the topic that measures "
            "what you need."
        )


def _dtype_maker() -> Callable[[Any], Any]:
    pint_type = import_extra("pint_pandas", "attach pint units to columns", "quantify").PintType
    _columns.registry()  # kVAh has to be defined before a dtype names it
    return lambda unit: pint_type(unit, "Float64")


def _rebuilt(
    frame: pd.DataFrame, change: Callable[[str, pd.Series], tuple[str, Any]]
) -> pd.DataFrame:
    """The frame with each wire column's label and values changed, the rest as it was."""
    found = [change(x, s) if _columns.is_wire(x) else (x, s.array) for x, s in frame.items()]
    labels = [label for label, _ in found]
    twice = [x for x, n in Counter(labels).items() if n > 1 and frame.columns.is_unique]
    if twice:
        raise UnitError(
            f"Cannot change the units: {', '.join(sorted(map(str, twice)))} would be there twice, "
            "once from each unit it has now. Drop one of the two columns first."
        )
    result = pd.DataFrame(dict(enumerate(x for _, x in found)), index=frame.index, copy=True)
    same = labels == list(frame.columns)
    result.columns = frame.columns if same else pd.Index(labels, name=frame.columns.name)
    result.attrs = deepcopy(frame.attrs)
    return result
