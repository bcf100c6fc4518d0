"""How a function of a frame becomes a method of an accessor: typed, documented, one line."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")


class HasFrame(Protocol):
    """What the methods are called on."""

    _frame: pd.DataFrame


def verb(
    function: Callable[Concatenate[pd.DataFrame, P], R],
) -> Callable[Concatenate[HasFrame, P], R]:
    """The method that calls `function` on the accessor's frame.

    It has the function's docstring and signature, without the frame.
    """

    @functools.wraps(function)
    def method(self: HasFrame, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._frame, *args, **kwargs)

    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    own = first.replace(name="self", annotation=inspect.Parameter.empty)
    method.__signature__ = signature.replace(parameters=[own, *others])  # type: ignore[attr-defined]
    return method
