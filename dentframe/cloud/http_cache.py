"""The cache serves kept answers again, and knows what it holds and for how long.

The file may fail; a read must not. Where it is damaged, locked, read-only or full, every method
does what an empty cache would, and says so once.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dentframe.cloud.answers import (
    FOREVER,
    LISTS,
    NEVER,
    Notices,
    fingerprint,
    lifetime,
    prefix,
)
from dentframe.cloud.cache_file import CacheFile
from dentframe.cloud.planner import Window
from dentframe.cloud.responses import LARGEST, inflate
from dentframe.errors import RangeError
from dentframe.wire.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dentframe.cloud.answers import ApiRequest, Value
    from dentframe.cloud.cache_file import Entry

_VERSION = 1
_HEAD = 256


class Kept(NamedTuple):
    """A body from the cache; times are POSIX [s].

    `same_since` is when an answer with the same readings was read first.
    """

    body: bytes
    created: float
    same_since: float


class HttpCache:
    """The kept answers of one account.

    Parameters
    ----------
    file : CacheFile
        Where they are.
    account : str
        Whose they are.
    present : callable
        The present, aware.
    """

    def __init__(self, file: CacheFile, account: str, present: Callable[[], datetime]) -> None:
        self.file, self.account, self._present = file, account, present

    def keep_answer(self, request: ApiRequest, value: Value, body: bytes) -> None:
        """Keep an answer as long as the rule says, if at all."""
        key, now = request.key(self.account), self._present()
        if not isinstance(value, Page):
            self.keep(key, body, LISTS if value else NEVER)
            return
        seconds, same = lifetime(value, request.topics, now), ("", now.timestamp())
        if seconds != FOREVER and value.window is not None and value.window.end <= now:
            found = fingerprint(value)
            before = _same(self.file.get(key, now.timestamp()))
            same = before if before[0] == found else (found, now.timestamp())
            since = datetime.fromtimestamp(same[1], UTC)
            seconds = lifetime(value, request.topics, now, since)
        self.keep(key, body, seconds, same)

    def keep(
        self, key: str, body: bytes, seconds: float, same: tuple[str, float] | None = None
    ) -> None:
        """Keep a body so long [s], with its fingerprint and when that was read first."""
        if seconds == NEVER:
            return
        now = self.now()
        expires = None if seconds == FOREVER else now + seconds
        self.file.put(key, pack(body, same or ("", now)), now, expires)

    def body(self, key: str, *, any_age: bool = False) -> Kept | None:
        """Return a kept body; one that is damaged is forgotten."""
        found = self.file.get(key, self.now())
        if found is None or not (any_age or found[0].fresh(self.now())):
            return None
        body = unpack(found[1])
        if body is None:
            self.file.delete(key=key)
            return None
        return Kept(body, found[0].created, _same(found)[1])

    def sets(
        self, meter: str, window: Window, *, any_age: bool = False
    ) -> dict[frozenset[str], Entry]:
        """Return the sets of topics that are held for a window."""
        found = self._fresh(prefix(self.account, meter, window), any_age)
        return {entry.topics: entry for entry in found}

    def held(self, meter: str, topics: Iterable[str], *, any_age: bool = False) -> set[Window]:
        """Return the windows for which all of these topics are held."""
        wanted = frozenset(topics)
        found: dict[str, frozenset[str]] = {}
        for entry in self._fresh(prefix(self.account, meter), any_age):
            found[entry.window] = found.get(entry.window, frozenset()) | entry.topics
        windows = (name for name, held in found.items() if held >= wanted)
        return {window for name in windows if (window := _window(name)) is not None}

    def _fresh(self, start: str, any_age: bool) -> list[Entry]:
        now = self.now()
        return [e for e in self.file.entries(start) if any_age or e.fresh(now)]

    def now(self) -> float:
        """The present [s since 1970]."""
        return self._present().timestamp()


def _window(text: str) -> Window | None:
    with contextlib.suppress(RangeError):
        return Window.parse(text)
    return None


def pack(body: bytes, same: tuple[str, float]) -> bytes:
    """Make one blob of a body: a head of JSON, then the compressed bytes. Never a pickle."""
    head = {"v": _VERSION, "size": len(body), "same": same}
    return json.dumps(head).encode() + b"\n" + zlib.compress(body, 1)


def unpack(blob: Any) -> bytes | None:
    """Return the body of a blob, or None where it is damaged or of another version."""
    head = _head(blob)
    size = head.get("size")
    if head.get("v") != _VERSION or type(size) is not int or not 0 <= size <= LARGEST:
        return None
    # One byte more than it says, so that a blob that holds more is noticed.
    body, whole = inflate(blob[blob.index(b"\n") + 1 :], size + 1)
    return body if whole and len(body) == size else None


def _head(blob: Any) -> dict[str, Any]:
    if not isinstance(blob, bytes):
        return {}
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(blob[:_HEAD].partition(b"\n")[0])
        return found if isinstance(found, dict) else {}
    return {}


def _same(found: tuple[Entry, Any] | None) -> tuple[str, float]:
    """The fingerprint of a kept answer, and when it was read first [s]."""
    if found is None:
        return "", 0.0
    match _head(found[1]).get("same"):
        case [str(text), float(since)] if text and 0 <= since <= found[0].created:
            return text, since
    return "", found[0].created


def cache_folder(cache: bool | str | os.PathLike[str] = True) -> Path:
    """Where the cache is: the folder given, ``DENTCLOUD_CACHE_DIR``, or the user's cache folder."""
    if not isinstance(cache, bool):
        return Path(cache).expanduser()
    chosen = os.environ.get("DENTCLOUD_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("dentframe", appauthor=False))


def cache_info(folder: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Describe a cache folder.

    Parameters
    ----------
    folder : path-like, optional
        The folder; else the one that a client would use.

    Returns
    -------
    dict
        ``folder``, ``answers``, ``bytes`` (compressed) [B], ``accounts``, and ``meters``:
        by meter its answers and bytes.
    """
    where = cache_folder(folder if folder is not None else True)
    with _opened(where) as file:
        entries = [] if file is None else file.entries("")
    meters: dict[str, dict[str, int]] = {}
    for entry in entries:
        if entry.meter:
            seen = meters.setdefault(entry.meter, {"answers": 0, "bytes": 0})
            seen["answers"] += 1
            seen["bytes"] += entry.size
    return {
        "folder": str(where),
        "answers": len(entries),
        "bytes": sum(entry.size for entry in entries),
        "accounts": len({entry.account for entry in entries}),
        "meters": dict(sorted(meters.items())),
    }


def clear_cache(folder: str | os.PathLike[str] | None = None, meter: str | None = None) -> int:
    """Forget the kept answers of all accounts, or those of one meter.

    Parameters
    ----------
    folder : path-like, optional
        The folder; else the one that a client would use.
    meter : str, optional
        This meter's alone.

    Returns
    -------
    int
        How many answers are gone.
    """
    with _opened(cache_folder(folder if folder is not None else True)) as file:
        if file is None:
            return 0
        before = len(file.entries(""))
        for account in file.accounts():
            file.delete(prefix(account, meter))
        return before - len(file.entries(""))


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[CacheFile | None]:
    if not (folder / "answers.sqlite").exists():
        yield None
        return
    notices = Notices()
    with contextlib.closing(CacheFile(folder, notices)) as file:
        yield file
    notices.flush()
