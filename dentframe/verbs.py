"""How a function of a frame becomes a method of an accessor: typed, documented, one line.

The function's module is imported when the method is first looked up, not with the accessor.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.dent_frame import DentFrame

P = ParamSpec("P")
R = TypeVar("R")


class HasFrame(Protocol):
    """What the methods are called on."""

    @property
    def _frame(self) -> pd.DataFrame: ...


class Verb(Generic[P, R]):
    """The method of an accessor that calls a function on the accessor's frame.

    Looked up once, on the class or on an accessor, it takes the function's name, docstring
    and signature (without the frame), and its own place in the class.
    """

    def __init__(
        self,
        find: Callable[[], Callable[Concatenate[pd.DataFrame, P], Any]],
        make: Callable[[Callable[Concatenate[pd.DataFrame, P], Any]], Any] | None = None,
    ) -> None:
        self._find, self._make = find, make

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    @overload
    def __get__(
        self, accessor: None, owner: type | None = None
    ) -> Callable[Concatenate[HasFrame, P], R]: ...
    @overload
    def __get__(self, accessor: HasFrame, owner: type | None = None) -> Callable[P, R]: ...
    def __get__(self, accessor: HasFrame | None, owner: type | None = None) -> Any:
        found = (self._make or method)(self._find())
        setattr(self._owner, self._name, found)
        return found if accessor is None else found.__get__(accessor, owner)


def verb(find: Callable[[], Callable[Concatenate[pd.DataFrame, P], R]]) -> Verb[P, R]:
    """A method by the function that `find` finds: ``verb(lambda: dentframe.peaks.peaks)``.

    `find` runs when the method is first looked up.
    """
    return Verb(find)


def frame_verb(
    find: Callable[[], Callable[Concatenate[pd.DataFrame, P], pd.DataFrame]],
) -> Verb[P, DentFrame]:
    """As `verb`, for a function whose result is a frame of the same grammar."""
    return Verb(find)


def method(function: Callable[Concatenate[pd.DataFrame, P], R]) -> Any:
    """`function` with an accessor in place of its frame."""

    @functools.wraps(function)
    def call(self: HasFrame, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._frame, *args, **kwargs)

    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    own = first.replace(name="self", annotation=inspect.Parameter.empty)
    vars(call)["__signature__"] = signature.replace(parameters=[own, *others])
    return call
