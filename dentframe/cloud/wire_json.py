"""Bytes of an answer → parsed JSON, or the error that says what came instead. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from dentframe.cloud.wire_report import shown
from dentframe.errors import DecodeError, RequestError

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_REASON_LENGTH = 200
_SHOWN_LENGTH = 60


class Number(str):
    """The text of a JSON number, told apart from a JSON string."""

    __slots__ = ()


def load(body: bytes) -> Any:
    """Parse JSON; numbers become `Number`, so that no digit is lost.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8.
    RecursionError
        If it is nested too deeply.
    """
    return json.loads(
        body.decode(), parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def load_answer(body: bytes, what: str) -> dict[str, Any]:
    """Parse an answer and check that it is an object with which the service says yes.

    Parameters
    ----------
    body : bytes
        The whole body of the answer.
    what : str
        The name of the request, for the messages.

    Raises
    ------
    DecodeError
        If it is no JSON object.
    RequestError
        If it says ``"success": false``.
    """
    try:
        answer = load(body.removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        raise not_decoded(what, f"it is not valid JSON ({_reason(error)})", body) from None
    if not isinstance(answer, dict):
        raise not_decoded(what, "it is not a JSON object", body)
    if answer.get("success") in (False, "false"):
        raise _refused(what, answer)
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else shown(str(error))


def _refused(what: str, answer: dict[str, Any]) -> RequestError:
    said = answer.get("error") or answer.get("message") or "it gives no reason"
    text = shown(said if isinstance(said, str) else json.dumps(said), _REASON_LENGTH)
    return RequestError(
        f"Cannot {what}: the service refused the request and says {text!r}. "
        "Check the meter, the topics and the time that were asked for."
    )


def not_decoded(what: str, why: str, body: bytes) -> DecodeError:
    """Build the error for an answer that is not what the API describes."""
    return DecodeError(
        f"Cannot {what}: the answer is not what the API describes, {why}; {_came(body)}. "
        "Ask again; if it stays so, check the base URL and any proxy between.",
        retryable=True,
    )


def _came(body: bytes) -> str:
    start = body[: 4 * _SHOWN_LENGTH].removeprefix(_BOM).strip(_BLANK)
    if not start:
        return f"it is empty or blank ({len(body)} bytes)"
    text = shown(start.decode("utf-8", "replace"), _SHOWN_LENGTH)
    kind = "HTML or XML" if start.startswith(b"<") else "the body"
    return f"{kind} of {len(body)} bytes begins {text!r}"


def strings(value: object) -> list[str] | None:
    """Return the value if it is a list of strings, else None."""
    if isinstance(value, list) and all(type(item) is str for item in value):
        return value
    return None
