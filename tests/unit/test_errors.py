"""The tree of errors and warnings."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings

import pytest

from dentframe import errors as e

CLASSES = [
    x
    for x in vars(e).values()
    if inspect.isclass(x) and issubclass(x, (e.DentError, e.DentWarning))
]
ERRORS = [x for x in CLASSES if issubclass(x, e.DentError)]


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    """Nobody maintains a picture by hand for long."""
    drawn = re.findall(r"^\s*(?:[├└]── )?(\w+(?:Error|Warning)) ", e.__doc__, re.MULTILINE)
    assert drawn == [x.__name__ for x in CLASSES]


@pytest.mark.parametrize("error", CLASSES)
def test_every_class_says_what_it_is(error):
    """One sentence at least."""
    assert error.__doc__
    assert error.__doc__.strip()


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_the_three_fields_and_survives_pickling(error):
    """Errors come back from worker processes whole."""
    raised = error("Cannot do it.", retryable=True, status=503, retry_after=2.5)
    for twin in (raised, pickle.loads(pickle.dumps(raised)), copy.copy(raised)):  # noqa: S301
        assert type(twin) is error
        assert str(twin) == "Cannot do it."
        assert (twin.retryable, twin.status, twin.retry_after) == (True, 503, 2.5)


@pytest.mark.parametrize("error", ERRORS)
def test_the_defaults_say_whether_to_try_again(error):
    """Only what time can heal is retryable."""
    raised = error("Cannot do it.")
    healing = {"RateLimitError", "UnavailableError", "IncompleteReadError"}
    assert raised.retryable is (error.__name__ in healing)
    assert raised.status is None
    assert raised.retry_after is None


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (e.RangeError, ValueError),
        (e.UnitError, ValueError),
        (e.UnknownTopicError, ValueError),
        (e.KindError, TypeError),
        (e.MissingExtraError, ImportError),
        (e.DentWarning, UserWarning),
    ],
)
def test_python_own_classes_catch_them_too(error, builtin):
    """A caller need not know ours."""
    assert issubclass(error, builtin)


def test_an_incomplete_read_keeps_what_it_has_through_pickling():
    """But not the client, so it cannot resume."""
    error = e.IncompleteReadError("Cannot read all.")
    error.partial, error.missing, error._resume = [1], ["2023-12"], lambda: "whole"
    assert error.resume() == "whole"
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (twin.partial, twin.missing) == ([1], ["2023-12"])
    with pytest.raises(e.ConfigError, match="Cannot resume"):
        twin.resume()


def test_a_warning_points_at_the_callers_line():
    """The first line outside dentframe, however deep the call was."""
    code = "def inner():\n    warn('Look.', CoverageWarning)\ndef outer():\n    inner()\n"
    inside = {"warn": e.warn, "CoverageWarning": e.CoverageWarning}
    exec(compile(code, e._PACKAGE + "deep.py", "exec"), inside)  # noqa: S102
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inside["outer"]()
        line = inspect.currentframe().f_lineno - 1
    assert caught[0].filename == __file__
    assert caught[0].lineno == line


def test_a_missing_extra_says_how_to_install_it():
    """The message is the remedy."""
    error = e.missing_extra("draw", "plot")
    assert isinstance(error, e.MissingExtraError)
    assert str(error).startswith("Cannot draw:")
    assert 'pip install "dentframe[plot]"' in str(error)
