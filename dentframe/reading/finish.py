"""From a read to the frame its user gets, or the error that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dentframe.errors import ConfigError, IncompleteReadError, IncompleteReadWarning, warn
from dentframe.reading.assemble import assemble

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.cloud.job import Job
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
    names, lost = _runs(reading.missing), len(reading.missing)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    first = reading.errors[reading.missing[0]]
    start, end = (f"{t:%Y-%m-%dT%H:%M}" for t in (reading.request.start, reading.request.end))
    return (
        f"Cannot read {lost} of {lost + len(reading.pages)} windows of [{start}, {end}) UTC: "
        f"{shown} missing, and missing is not zero. {type(first).__name__}: {first}"
    )


def _runs(jobs: Sequence[Job]) -> list[str]:
    """The windows by name; more than two of a kind in a row as their first and last."""
    runs: list[list[Job]] = []
    for job in jobs:
        if runs and _follows(runs[-1][-1], job):
            runs[-1].append(job)
        else:
            runs.append([job])
    return [name for run in runs for name in _named(run)]


def _follows(one: Job, other: Job) -> bool:
    same = (one.meter, one.window.kind) == (other.meter, other.window.kind)
    return same and one.window.end == other.window.start


def _named(run: list[Job]) -> list[str]:
    if len(run) > 2:
        return [f"{run[0].meter} {run[0].window} to {run[-1].window}"]
    return [f"{job.meter} {job.window}" for job in run]
