"""Files and folders are written atomically here: whole or not at all, under safe names.

What is new is written beside its place, under a private name that nothing else has, put on the
disk, and renamed. Nothing is touched that was not made here, and what fails leaves nothing.
SQLite files are opened here too, for their owner alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

_TRIES, _PAUSE = 50, 0.02
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 60


def write_whole(
    path: Path, data: bytes | memoryview, mode: int = 0o600, aside: Path | None = None
) -> None:
    """Write a file whole; one that is there keeps its mode, and a link stays a link.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.
    data : bytes or memoryview
        All that it holds.
    mode : int
        The permissions of a new file, as far as the process allows them.
    aside : Path, optional
        The folder in which it is written before it takes its place; else the file's own.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # a pipe or /dev/stdout is no file that another can replace
        return
    path = path.resolve()
    old = path.stat().st_mode & 0o777 if path.exists() else None
    make_folder(path.parent)
    make_folder(aside or path.parent)
    part = (aside or path.parent) / f".{path.name[:40]}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(part, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            part.chmod(old)
        replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a private path; what the block has written there becomes the file, as `write_whole`.

    Its name has no ending, so that no writer goes by that.
    """
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "part")
        yield part
        write_whole(path, part.read_bytes(), 0o644)


def make_folder(folder: Path) -> None:
    """Make a folder that outlives a crash, and those above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def replace(source: Path, target: Path) -> None:
    """Rename over a file; on Windows a reader may hold it open for a moment."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(PermissionError):
            os.replace(source, target)  # noqa: PTH105 - the tests break it here
            return
        time.sleep(_PAUSE)
    os.replace(source, target)  # noqa: PTH105


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a private folder beside `target` that takes its place when the block has ended.

    A folder that is there gives its permissions to the new one and goes last; a link to a folder
    stays a link. Without one the new folder and its files are the owner's alone.

    Parameters
    ----------
    target : Path
        Where the folder is to be. The caller has made sure that what is there may go.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=_hidden(target), dir=target.parent))
    part = made / "new"
    try:
        part.mkdir()
        yield part
        there, old = target.exists(), made / "old" / target.name
        _settle(part, target.stat().st_mode & 0o777 if there else 0o700)
        old.parent.mkdir()
        if there:
            replace(target, old)
        try:
            replace(part, target)
        except BaseException:
            if there:  # the old folder comes back
                replace(old, target)
            raise
        sync_folder(target.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _hidden(target: Path) -> str:
    return f".{target.name[:40]}."


def put_back(folder: Path) -> None:
    """Give the folders in `folder` their place again that an ended process left without one.

    `whole_folder` renames twice: away with the old, in with the new. A process that is ended
    between the two leaves the old one in its private folder alone.
    """
    for old in folder.glob(".*.????????/old/*"):
        made, target = old.parents[1], folder / old.name
        if made.name[:-8] == _hidden(target) and not target.exists():
            with contextlib.suppress(OSError):
                old.rename(target)
                shutil.rmtree(made, ignore_errors=True)


def _settle(folder: Path, mode: int) -> None:
    """Put every file of a folder on the disk, and give all of it its permissions."""
    for at, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(at, name)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            path.chmod(mode & 0o666)
        sync_folder(Path(at))
        Path(at).chmod(mode | 0o700)


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders; its file system logs renames itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files and links of a folder by their name within it, ``record/site.toml``, sorted.

    Its own files come first. No link is followed.
    """
    for path in sorted(folder.rglob("*"), key=lambda path: (path.parent, path)):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def file_names(owners: Mapping[str, str]) -> dict[str, str]:
    """A name for the files of each owner, which every system takes and no case tells apart.

    Parameters
    ----------
    owners : mapping of str to str
        What an owner is known by, to what the files are called after.

    Returns
    -------
    dict of str to str
        Small letters, digits and hyphens. Where that is too long, a word that Windows keeps for
        itself, or the same for two owners, a few letters of a hash tell it from others.

    Examples
    --------
    >>> file_names({"Bakery & Sons": "Bakery & Sons", "CON": "CON"})
    {'Bakery & Sons': 'bakery-sons', 'CON': 'con-a3dbc4'}
    """
    short = {name: re.sub(r"[^\w]+", "-", text).strip("-").lower() for name, text in owners.items()}
    count, names = Counter(short.values()), {}
    for owner, text in short.items():
        fits = text and len(text.encode()) <= _LONGEST and not _RESERVED.fullmatch(text)
        if fits and count[text] == 1:
            names[owner] = text
        else:
            cut = text.encode()[:_LONGEST].decode(errors="ignore").rstrip("-") or "party"
            names[owner] = f"{cut}-{hashlib.sha256(owner.encode()).hexdigest()[:6]}"
    return names


SQLITE_FAILURES = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What SQLite raises; the last where a damaged name stands in its own message."""


def open_sqlite(name: str | Path, script: str, busy: float = 5) -> sqlite3.Connection:
    """Open an SQLite file, or a URI of one, wait so long for others [s], and run a script.

    A file that is missing is made, and its folder, for its owner alone.
    """
    if isinstance(name, Path):
        name.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    con = sqlite3.connect(
        name, timeout=busy, isolation_level=None, check_same_thread=False, uri=isinstance(name, str)
    )
    try:
        con.executescript(script)
    except BaseException:
        con.close()
        raise
    return con
