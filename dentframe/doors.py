"""How ``dentframe.name`` finds its name: imported when it is first asked for.

``import dentframe`` costs little more than ``import pandas``, because no name but the accessor is
loaded with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class Package(ModuleType):
    """A package in which a public name is never hidden by the submodule of the same name.

    Python binds ``package.split`` to the module once anything imports ``package.split``; here
    it stays the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        hides = isinstance(value, ModuleType) and name in vars(self).get("PLACES", ())
        if not hides:
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # cloudpickle knows modules by their exact type only; without this no function that
        # names the package could be sent to a Dask worker.
        return import_module, (self.__name__,)


def find(package: str, places: Mapping[str, str], name: str) -> Any:
    """What a package's `name` means: a name with a place, or else a submodule.

    Raises
    ------
    AttributeError
        For a name that is neither.
    """
    if name in places:
        return getattr(import_module(places[name]), name)
    if not name.startswith("_") and find_spec(f"{package}.{name}"):
        return import_module(f"{package}.{name}")
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
