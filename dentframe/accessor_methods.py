"""A function of a frame becomes a method of an accessor here, typed and documented.

The keywords that many functions take are written once, and every signature shows them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import pandas as pd

from dentframe.errors import did_you_mean
from dentframe.wire.columns import ATTRS, wire_columns

if TYPE_CHECKING:
    from dentframe.accessor import DentAccessor

    class DentFrame(pd.DataFrame):
        """A DataFrame whose ``dent`` is known to editors and type checkers.

        It exists for annotations: ``def december(df: DentFrame) -> None``. When the program
        runs it is `pandas.DataFrame`, and every reader returns just that.
        """

        @property
        def dent(self) -> DentAccessor:
            """The verbs."""
            raise NotImplementedError
else:
    DentFrame = pd.DataFrame

P = ParamSpec("P")
R = TypeVar("R")


class HasFrame(Protocol):
    """What the methods are called on."""

    @property
    def _frame(self) -> pd.DataFrame: ...


def method(
    function: Callable[Concatenate[pd.DataFrame, P], R],
) -> Callable[Concatenate[HasFrame, P], R]:
    """`function` with an accessor in place of its frame; name, signature and docstring stay."""
    known = inspect.signature(function).parameters.keys()

    @functools.wraps(function)
    def call(self: HasFrame, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= known:
            check_words(function, kwargs)
        found = function(self._frame, *args, **kwargs)
        if isinstance(found, pd.DataFrame) and not wire_columns(found.columns):
            # A table has .dent as well, for to_csv and to_excel.
            found.attrs.setdefault(ATTRS, {"schema": 1, "units": {}})
        return found

    sign_as_method(call, function)
    return call


def with_keywords(
    shared: type, defaults: Mapping[str, Any], without: Collection[str] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Write the keywords of a `TypedDict` into the signatures of functions, and refuse others.

    Parameters
    ----------
    shared : type
        The TypedDict. A function takes its keywords as ``**keywords: Unpack[shared]``.
    defaults : mapping
        What the signature shows of each keyword; None where there is no entry.
    without : collection of str, optional
        Keywords that these functions do not take.
    """

    def write(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()
        more = (
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(name),
                annotation=getattr(hint, "__forward_arg__", hint),
            )
            for name, hint in shared.__annotations__.items()
            if name not in without
        )

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R:
            if not keywords.keys() <= known:
                check_words(call, keywords)
            return function(*args, **keywords)

        whole = signature.replace(parameters=[*own, *more])
        known, vars(call)["__signature__"] = whole.parameters.keys(), whole
        return call

    return write


def check_words(function: Callable[..., Any], given: Iterable[str]) -> None:
    """Refuse a keyword that a function does not have, and suggest the one that may be meant."""
    known = inspect.signature(function).parameters
    for word in given:
        if word not in known and not any(x.kind is x.VAR_KEYWORD for x in known.values()):
            raise TypeError(
                f"{function.__name__}() has no argument {word!r}{did_you_mean(word, known)}"
            )


def frame_method(
    function: Callable[Concatenate[pd.DataFrame, P], pd.DataFrame],
) -> Callable[Concatenate[HasFrame, P], DentFrame]:
    """As `method`, for a function whose result is a frame with the same kinds of columns."""
    return cast("Callable[Concatenate[HasFrame, P], DentFrame]", method(function))


def sign_as_method(call: Callable[..., Any], function: Callable[..., Any], **more: Any) -> None:
    """Give `call` the signature of `function`, with ``self`` in place of the frame."""
    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    own = first.replace(name="self", annotation=inspect.Parameter.empty)
    vars(call)["__signature__"] = signature.replace(parameters=[own, *others], **more)
