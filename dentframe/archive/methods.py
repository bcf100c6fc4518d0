"""How a function of an archive becomes a method of it: its module is imported on use."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive

P = ParamSpec("P")
R = TypeVar("R")


class Method(Generic[P, R]):
    """A method with the name, docstring and signature of a function of an archive.

    Parameters
    ----------
    find : callable
        Finds the function, the first time the method is looked up.
    """

    def __init__(self, find: Callable[[], Callable[Concatenate[Archive, P], R]]) -> None:
        self._find = find

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    @overload
    def __get__(
        self, archive: None, owner: type | None = None
    ) -> Callable[Concatenate[Archive, P], R]: ...
    @overload
    def __get__(self, archive: Archive, owner: type | None = None) -> Callable[P, R]: ...
    def __get__(self, archive: Archive | None, owner: type | None = None) -> Any:
        found = _method(self._find())
        setattr(self._owner, self._name, found)
        return found if archive is None else found.__get__(archive, owner)


def _method(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def call(self: Archive, /, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    own = first.replace(name="self", annotation=inspect.Parameter.empty)
    vars(call)["__signature__"] = signature.replace(parameters=[own, *others])
    return call
