"""Files that are there whole or not at all, and on the disk when the call returns."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_TRIES = 50
_PAUSE = 0.02


def write(path: Path, data: bytes | memoryview, aside: Path) -> None:
    """Write a file aside, sync it, and put it in its place, and sync that too."""
    make_folder(aside.parent)
    make_folder(path.parent)
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    moved(aside, path)
    sync_folder(path.parent)


def moved(source: Path, target: Path) -> None:
    """Rename over a file; on Windows a reader may hold it open for a moment."""
    for left in reversed(range(_TRIES)):
        try:
            os.replace(source, target)  # noqa: PTH105 - the tests break it here
        except PermissionError:
            if not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def make_folder(folder: Path) -> None:
    """Make a folder that outlives a crash, and those above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders; its file system logs renames itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
