"""``dentcloud://P482311252``: meters as an address that xarray's `open_dataset` takes. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from dentframe.errors import ConfigError

SCHEME = "dentcloud://"


class Address(os.PathLike[str]):
    """An address that is new each time it is made, for Dask.

    xarray names the chunks of two Datasets alike where their arguments are. On a cluster that
    keeps the chunks of one, the other would get those, though readings came in between.

    Parameters
    ----------
    text : str
        ``dentcloud://P482311252``.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._made = uuid4().hex

    def __fspath__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def __dask_tokenize__(self) -> tuple[str, str]:
        return self._text, self._made


def is_address(target: object) -> bool:
    """Whether xarray's first argument names meters of DentCloud."""
    return isinstance(target, str | os.PathLike) and str(os.fspath(target)).startswith(SCHEME)


def address_of(meter: Any) -> Any:
    """The address of the reader's `meter`: a name, or a list even of one.

    Examples
    --------
    >>> address_of(["P482311252", "P482102272_A"])
    dentcloud://P482311252,P482102272_A
    >>> address_of(["P482311252"])
    dentcloud://P482311252,
    """
    if isinstance(meter, str) and not is_address(meter):
        return Address(SCHEME + meter.strip())
    if _is_list(meter) and all(isinstance(name, str) for name in meter):
        names = [name.strip() for name in meter]
        return Address(SCHEME + ",".join(names) + ("," if len(names) == 1 else ""))
    return meter


def meters_of(target: Any) -> str | list[str]:
    """The reader's `meter` of an address or a list of meters; `address_of` backwards.

    Raises
    ------
    ConfigError
        Where it is neither.
    """
    if _is_list(target):
        return [name.removeprefix(SCHEME) if isinstance(name, str) else name for name in target]
    if not is_address(target):
        raise ConfigError(
            f"Cannot open {target!r} with the engine dentcloud: it is no meter's address. "
            'Use "dentcloud://P482311252", several as "dentcloud://P482311252,P482102272", '
            "or a list of meters."
        )
    names = str(os.fspath(target)).removeprefix(SCHEME).strip("/")
    if "," not in names:
        return names
    return [name.strip() for name in names.split(",") if name.strip()]


def _is_list(value: object) -> bool:
    if isinstance(value, str | bytes):
        return False
    return isinstance(value, Sequence | set | frozenset) or hasattr(value, "tolist")
