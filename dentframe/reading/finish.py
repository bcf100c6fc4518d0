"""From a read to the frame its user gets, or the error that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dentframe.errors import ConfigError, IncompleteReadError, IncompleteReadWarning, warn
from dentframe.reading.assemble import assemble

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.errors import DentError
    from dentframe.reading.state import Progress, Reading

T = TypeVar("T")


def check_errors(errors: str) -> None:
    """Refuse an `errors` that is no choice.

    Raises
    ------
    ConfigError
        Where it is neither "raise" nor "warn".
    """
    if errors not in {"raise", "warn"}:
        raise ConfigError(
            f'Cannot read with errors={errors!r}: use "raise" (an IncompleteReadError) or "warn" '
            "(the partial frame and a warning). Silence is no choice: what fails is not zero."
        )


def bar(progress: bool | None, answers: Iterable[Any], total: int) -> Iterable[Any]:
    """The answers behind a progress bar; None: where somebody watches."""
    if progress is False or total == 0:
        return answers
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    shown = None if progress is None else False
    return tqdm(answers, total=total, unit="window", leave=False, disable=shown)


def finish(reading: Reading, errors: str, quantify: bool, progress: Progress) -> pd.DataFrame:
    """Read what is not here yet, and return the frame.

    Raises
    ------
    IncompleteReadError
        Where windows are missing and `errors` is "raise".
    """
    return finish_as(partial(assemble, quantify=quantify), reading, errors, progress)


def finish_as(make: Callable[[Reading], T], reading: Reading, errors: str, progress: Progress) -> T:
    """Read what is not here yet, and return what `make` makes of the read.

    Raises
    ------
    IncompleteReadError
        Where windows are missing and `errors` is "raise".
    """
    reading.run(progress)
    made = make(reading)
    if not reading.missing:
        return made
    if errors == "raise":
        again = partial(finish_as, make, reading, errors, progress)
        first = reading.errors[reading.missing[0]]
        raise _incomplete(reading, first, partial=made, resume=again) from first
    warn(_what_is_missing(reading), IncompleteReadWarning)
    return made


def _incomplete(reading: Reading, first: DentError, **carried: Any) -> IncompleteReadError:
    return IncompleteReadError(
        f"{_what_is_missing(reading)} What was read is in .partial; .resume() asks for the rest.",
        missing=[job.window for job in reading.missing],
        status=first.status,
        retry_after=first.retry_after,
        retryable=first.retryable,
        **carried,
    )


def _what_is_missing(reading: Reading) -> str:
    names = [f"{job.meter} {job.window}" for job in reading.missing]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    first = reading.errors[reading.missing[0]]
    return (
        f"Cannot read {len(names)} of {len(names) + len(reading.pages)} windows: {shown} "
        f"missing, and missing is not zero. {type(first).__name__}: {first}"
    )
