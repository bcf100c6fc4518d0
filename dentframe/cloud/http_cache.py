"""The kept answers: where they are, how they are packed, what is held. Knows no HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.cloud.answers import Notices, prefix, quoted, topics_in, window_in
from dentframe.cloud.cache_file import Store, sizes
from dentframe.cloud.planner import Window
from dentframe.errors import RangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from dentframe.cloud.cache_file import Entry


_VERSION = 1
_ROOM = 1 << 26


class Shelf:
    """The kept answers of one account.

    Parameters
    ----------
    store : Store
        Where they are.
    account : str
        Whose they are.
    now : callable
        The present, aware.
    """

    def __init__(self, store: Store, account: str, now: Callable[[], datetime]) -> None:
        self.store, self.account, self._now = store, account, now

    def keep(self, key: str, body: bytes, seconds: float | None) -> None:
        """Keep a body so long [s]; None is for ever."""
        now = self.now()
        self.store.put(key, pack(body), now, None if seconds is None else now + seconds)

    def body(self, key: str, *, any_age: bool = False) -> tuple[bytes, Entry] | None:
        """Return a kept body; one that is damaged is forgotten."""
        found = self.store.get(key, self.now())
        if found is None or not (any_age or found[0].fresh(self.now())):
            return None
        body = unpack(found[1])
        if body is None:
            self.forget(key)
            return None
        return body, found[0]

    def forget(self, key: str) -> None:
        """Forget one answer."""
        self.store.delete(key=key)

    def sets(
        self, meter: str, window: Window, *, any_age: bool = False
    ) -> dict[frozenset[str], Entry]:
        """Return the sets of topics that are held for a window."""
        now = self.now()
        entries = self.store.entries(prefix(self.account, meter, window))
        return {topics_in(e.key): e for e in entries if any_age or e.fresh(now)}

    def held(self, meter: str, topics: Iterable[str], *, any_age: bool = False) -> set[Window]:
        """Return the windows for which all of these topics are held."""
        now, wanted = self.now(), quoted(tuple(topics))
        found: dict[str, frozenset[str]] = {}
        for entry in self.store.entries(prefix(self.account, meter)):
            if any_age or entry.fresh(now):
                name = window_in(entry.key)
                found[name] = found.get(name, frozenset()) | topics_in(entry.key)
        return {w for name, held in found.items() if held >= wanted and (w := _window_of_key(name))}

    def now(self) -> float:
        """The present [s since 1970]."""
        return self._now().timestamp()


def _window_of_key(text: str) -> Window | None:
    with contextlib.suppress(RangeError):
        return Window.parse(text)
    return None


def pack(body: bytes) -> bytes:
    """Make one blob of a body: a head of JSON, then the compressed bytes. Never a pickle."""
    head = {"v": _VERSION, "size": len(body)}
    return json.dumps(head).encode() + b"\n" + zlib.compress(body, 1)


def unpack(blob: bytes) -> bytes | None:
    """Return the body of a blob, or None where it is damaged or of another version."""
    with contextlib.suppress(ValueError, zlib.error, TypeError, AttributeError, LookupError):
        head, _, packed = blob.partition(b"\n")
        said = json.loads(head)
        room = max(1, min(int(said["size"]) + 1, _ROOM))
        body = zlib.decompress(packed, bufsize=room)
        if said["v"] == _VERSION and len(body) == said["size"]:
            return body
    return None


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
    entries = _entries(where)
    meters: dict[str, dict[str, int]] = {}
    for entry in entries:
        meter = entry.key.split("/")[1]
        seen = meters.setdefault(meter, {"answers": 0, "bytes": 0}) if meter else {}
        seen |= {"answers": seen.get("answers", 0) + 1, "bytes": seen.get("bytes", 0) + entry.size}
    return {
        "folder": str(where),
        "answers": len(entries),
        "bytes": sizes(entries),
        "accounts": len({entry.key.partition("/")[0] for entry in entries}),
        "meters": dict(sorted(meters.items())),
    }


def _entries(folder: Path) -> list[Entry]:
    if not (folder / "answers.sqlite").exists():
        return []
    notices = Notices()
    with contextlib.closing(Store(folder, notices)) as store:
        entries = store.entries("")
    notices.flush()
    return entries


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
    where = cache_folder(folder if folder is not None else True)
    before = len(_entries(where))
    if not before:
        return 0
    notices = Notices()
    with contextlib.closing(Store(where, notices)) as store:
        for account in store.accounts():
            store.delete(prefix(account, meter))
        left = len(store.entries(""))
    notices.flush()
    return before - left
