"""One sync at a time: a lock that the operating system frees when its process ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["lock"]

_FAR = 1 << 30
"""Windows locks bytes against reading too, so the byte that is locked is none of the text."""
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextlib.contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file; killed or not, the process that ends frees it.

    Parameters
    ----------
    path : pathlib.Path
        The file; it stays, and says who held it last.
    what : str
        What is locked, for the error.

    Raises
    ------
    ConfigError
        Where another process, or another thread of this one, holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _take(file, path, what)
        try:
            _write(file, _me())
            yield
        finally:
            _write(file, {})
            _free(file)


def _take(file: IO[str], path: Path, what: str) -> None:
    try:
        _system_lock(file)
    except OSError as error:
        if error.errno in _BUSY:
            raise _taken(path, what) from None
        raise ConfigError(
            f"Cannot lock {what}: the file system of {path} has no locks ({error.strerror}). "
            "Put the archive on a local disk, or on a share that has them."
        ) from error


def _taken(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"Cannot sync into {what}: {_holder(path)} is syncing into it. Wait until it ends, or "
        "end it: what it has read is kept, and the lock goes with its process. "
        "Reading the archive needs no lock.",
        retryable=True,
    )


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']}, since {said['since']},"
    return "another process"


def _me() -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _write(file: IO[str], said: dict[str, object]) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(said) if said else "")
    file.flush()


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _system_lock(file: IO[str]) -> None:
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _free(file: IO[str]) -> None:
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _system_lock(file: IO[str]) -> None:
        # flock, not lockf: it keeps two threads of one process apart as well.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _free(file: IO[str]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
