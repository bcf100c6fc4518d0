"""Datasets whose arrays are pint quantities, and back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dentframe import units as _units
from dentframe.labelled import cf

if TYPE_CHECKING:
    import xarray as xr


def quantify(dataset: xr.Dataset) -> xr.Dataset:
    """Give every variable that says its ``units`` a pint array.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables with ``units``, as `to_xarray` gives them.

    Returns
    -------
    xarray.Dataset
        The same variables as quantities of the application's registry, computed where they
        were lazy: on Dask's arrays pint loses units in silence. Arithmetic and reductions
        keep units; `dequantify` before writing, plotting with units, or ``resample``.

    Raises
    ------
    UnitError
        Where a unit cannot be read.
    """
    ureg = _units.registry()
    made = dataset.compute()
    for name, array in made.data_vars.items():
        unit = array.attrs.get("units")
        if unit is not None and array.dtype.kind in "fiu":
            data = ureg.Quantity(array.data, _units.parse_unit(str(unit)))
            attrs = {k: v for k, v in array.attrs.items() if k != "units"}
            made[name] = (array.dims, data, attrs)
    return made


def dequantify(dataset: xr.Dataset) -> xr.Dataset:
    """Turn pint arrays into plain ones that say their ``units`` in the attrs.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables of any kind; those without a pint array stay as they are.

    Returns
    -------
    xarray.Dataset
        The same values. ``units`` is what pint said last.
    """
    made = dataset.copy()
    for name, array in dataset.data_vars.items():
        unit = getattr(array.data, "units", None)
        if unit is not None:
            told = {**array.attrs, **cf.unit_attrs(_units.name_of(unit))}
            told["wire_unit"] = _units.symbol(unit)
            made[name] = (array.dims, array.data.magnitude, told)
    return made
