"""Every error and warning of dentframe is a class of this module.

Every error says what could not be done, with which value, why, and what to do::

    DentError                   the base of all
    ├── AuthError               the service refused the key
    ├── RateLimitError          too many requests, or the account's quota is used up
    ├── UnavailableError        the service did not answer, or not in time
    ├── RequestError            the service said no (success:false, 404, a redirect)
    ├── DecodeError             the answer is not what the API describes
    ├── IncompleteReadError     some windows of a read are missing (.partial, .missing, .resume())
    ├── OfflineError            offline=True and the cache lacks something
    ├── RangeError              a time range or period that cannot be meant
    ├── UnknownTopicError       a topic the service does not have
    ├── UnknownMeterError       a meter or element the account does not have
    ├── UnitError               a unit unknown, or one that does not fit
    ├── KindError               a verb that makes no sense for this kind of quantity
    ├── CoverageError           a figure that money refuses
    ├── ConfigError             a setting, a credential or a file that cannot be used
    ├── AlreadyThereError       a ConfigError: what was to be made is there already
    └── MissingExtraError       an optional package is not installed

    DentWarning                 the base of all warnings
    ├── CoverageWarning         figures that are not wholly recorded
    ├── IncompleteReadWarning   windows missing from a read with errors="warn"
    ├── ReadingWarning          readings that could not be used as they came
    ├── StaleDataWarning        an outdated answer was served because the service failed
    └── CacheWarning            the cache cannot be used; reads go on without it

Every error has three fields to branch on: ``retryable`` (may the same call work later?),
``status`` (the HTTP status, or None) and ``retry_after`` (seconds, or None).

The functions below them warn from the caller's line, and end a message about a misspelt name
with the nearest one that there is.
"""

from __future__ import annotations

import difflib
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

_COMMAND_LINE: ContextVar[bool] = ContextVar("command line", default=False)


@contextmanager
def on_command_line() -> Iterator[None]:
    """Let messages that are made inside name options of the command line."""
    before = _COMMAND_LINE.set(True)
    try:
        yield
    finally:
        _COMMAND_LINE.reset(before)


def by(python: str, command: str) -> str:
    """How something is asked for: in Python, or as an option where the command line runs.

    Examples
    --------
    >>> by("elements='all'", "--elements all")
    "elements='all'"
    >>> with on_command_line():
    ...     by("elements='all'", "--elements all")
    '--elements all'
    """
    return command if _COMMAND_LINE.get() else python


_PACKAGE = str(pathlib.Path(__file__).parent) + os.sep


class DentError(Exception):
    """The base of all dentframe errors.

    Parameters
    ----------
    message : str
        What could not be done, with which value, why, and what to do.
    retryable : bool, optional
        Whether the same call may work later; each class has its own default.
    status : int, optional
        The HTTP status behind the error.
    retry_after : float, optional
        How long the service asked to wait [s].
    """

    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        retryable: bool | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class AuthError(DentError):
    """The service refused the key, or there is no usable key."""


class RateLimitError(DentError):
    """Too many requests (retryable), or the account's quota is used up (not)."""

    retryable = True


class UnavailableError(DentError):
    """The service did not answer, answered with a server error, or too late."""

    retryable = True


class RequestError(DentError):
    """The service understood and said no: ``success:false``, 404, a redirect."""


class DecodeError(DentError):
    """The answer is not what the API describes; it is never half used."""


class IncompleteReadError(DentError):
    """Some windows of a read are missing.

    Attributes
    ----------
    partial : pandas.DataFrame
        What was read, in the form the whole read would have had.
    missing : list
        The windows that are missing.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        partial: Any = None,
        missing: Sequence[Any] = (),
        resume: Callable[[], Any] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.partial = partial
        self.missing = list(missing)
        self._resume = resume

    def resume(self) -> Any:
        """Read what is missing and return the whole frame, or raise again."""
        if self._resume is None:
            raise ConfigError(
                "Cannot resume this read: the error was copied or unpickled and has no client. "
                "Call read_dentcloud again; what was read is in the cache."
            )
        return self._resume()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {**self.__dict__, "_resume": None}


class OfflineError(DentError):
    """``offline=True``, and the cache lacks something."""


class RangeError(DentError, ValueError):
    """A time range, bound or period that cannot be meant."""


class UnknownTopicError(DentError, ValueError):
    """A topic that the service does not have."""


class UnknownMeterError(DentError, ValueError):
    """A meter or element that is not there."""


class UnitError(DentError, ValueError):
    """A unit that is unknown, or does not fit the quantity."""


class KindError(DentError, TypeError):
    """A verb that makes no sense for this kind of quantity."""


class CoverageError(DentError, ValueError):
    """A figure whose status money refuses."""


class ConfigError(DentError, ValueError):
    """A setting, a credential or a file that cannot be used."""


class AlreadyThereError(ConfigError):
    """What was to be made is there already, finished; it stays as it is."""


class MissingExtraError(DentError, ImportError):
    """An optional package is not installed."""


class DentWarning(UserWarning):
    """The base of all dentframe warnings."""


class CoverageWarning(DentWarning):
    """Some figures are not wholly recorded."""


class IncompleteReadWarning(DentWarning):
    """A read with ``errors="warn"`` lacks windows."""


class ReadingWarning(DentWarning):
    """Readings that could not be used as they came (text, conflicts)."""


class StaleDataWarning(DentWarning):
    """An outdated answer was served because the service failed."""


class CacheWarning(DentWarning):
    """The cache cannot be used as it should; reads go on without it."""


def warn(message: str, category: type[DentWarning]) -> None:
    """Warn from the caller's line: the first frame outside dentframe."""
    # Code that is not the caller's lies here, and in xarray, which calls our engine.
    xarray = getattr(sys.modules.get("xarray"), "__file__", None)
    homes = (_PACKAGE, *([] if xarray is None else [str(pathlib.Path(xarray).parent) + os.sep]))
    level, frame = 2, sys._getframe(1)  # noqa: SLF001 - before Python 3.12
    while frame.f_back is not None and frame.f_code.co_filename.startswith(homes):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def import_extra(module: str, what: str, extra: str) -> Any:
    """An optional module, or the error that names the extra that it comes with."""
    try:
        return import_module(module)
    except ImportError:
        raise missing_extra(what, extra) from None


def missing_extra(what: str, extra: str) -> MissingExtraError:
    """The error for an optional package that is not installed."""
    return MissingExtraError(
        f"Cannot {what}: an optional package is not installed. "
        f'Install it with: pip install "dentframe[{extra}]"'
    )


MEANT = {
    **dict.fromkeys(("sqft", "sq_ft", "square_feet", "sqm", "m2", "square_metres", "size"), "area"),
    **dict.fromkeys(("timezone", "time_zone", "zone"), "tz"),
}
"""What users write for a name that is spelt quite otherwise."""


def first_of(names: Iterable[object], most: int) -> str:
    """The first of some names, and how many more there are.

    Examples
    --------
    >>> first_of(["A", "B", "C"], 2)
    'A, B and 1 more'
    """
    texts = list(map(str, names))
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" * (len(texts) > most))


def did_you_mean(word: object, candidates: Iterable[str]) -> str:
    """The end of a message that names the nearest candidate, or nothing.

    Parameters
    ----------
    word : object
        What the caller wrote.
    candidates : iterable of str
        What there is.

    Returns
    -------
    str
        ``": did you mean 'kWHNet'?"``, or ``""`` where nothing is near. Case is ignored.

    Examples
    --------
    >>> did_you_mean("kwhnet", ["kWHNet", "DemandkW"])
    ": did you mean 'kWHNet'?"
    >>> did_you_mean("gas", ["kWHNet", "DemandkW"])
    ''
    """
    word = MEANT.get(str(word).casefold(), word)
    by_fold = {c.casefold(): c for c in reversed(list(candidates))}
    near = difflib.get_close_matches(str(word).casefold(), list(by_fold), n=1)
    return f": did you mean {by_fold[near[0]]!r}?" if near else ""
