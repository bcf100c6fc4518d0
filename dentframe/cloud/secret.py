"""A key that shows itself to nobody: not to ``repr``, ``vars``, ``pickle`` or a traceback."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NoReturn

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_USABLE = re.compile(r"[\x21-\x7e]{1,512}")


class Secret:
    """A text that only :attr:`reveal` gives away.

    Making one never fails, so that no traceback holds the bare text; ask :attr:`usable`.

    Parameters
    ----------
    value : str
        The key, as it goes into the header.
    """

    __slots__ = ("digest", "reveal", "usable")
    reveal: Callable[[], str]

    def __init__(self, value: object) -> None:
        clean = value.strip() if isinstance(value, str) else ""
        self.usable = _USABLE.fullmatch(clean) is not None
        self.digest = hashlib.sha256(clean.encode("utf-8", "replace")).hexdigest()
        # A closure: there is no attribute for vars(), a debugger or a traceback to walk into.
        self.reveal = lambda: clean

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __copy__(self) -> NoReturn:
        refuse("copy a key")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        refuse("copy a key")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse("pickle a key")


def secret(value: object) -> Secret | None:
    """Wrap a key, where there is one. Never fails."""
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value)


def usable(key: Secret | None, name: str) -> Secret | None:
    """Return the key, or raise where it cannot be a header value.

    Raises
    ------
    ConfigError
        If it is empty, or holds a blank or a character that a header cannot carry.
    """
    if key is None or key.usable:
        return key
    raise ConfigError(
        f"Cannot use this {name}: it is empty, or holds a blank or a character that a header "
        "cannot carry (the value is not shown). Copy it again from your account."
    )


def refuse(what: str) -> NoReturn:
    """Raise: keys stay in the process that loaded them."""
    raise ConfigError(
        f"Cannot {what}: keys stay in the process that loaded them. Make a DentCloud where it "
        "is needed; there it finds its own credentials (DENTCLOUD_API_KEY, DENTCLOUD_KEY_ID)."
    )
