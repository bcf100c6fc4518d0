"""Files and folders written whole: what is there stays, what fails leaves nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys

import pytest

from dentframe import atomic_files as files

posix = pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")


def names(folder):
    """Everything in a folder, hidden things too."""
    return sorted(p.name for p in folder.iterdir())


def mode(path):
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def fill(target, text="new"):
    """A folder with one file in it."""
    with files.whole_folder(target) as part:
        (part / "in").mkdir()
        (part / "in/a.txt").write_text(text)


@posix
def test_a_new_folder_is_the_owners_alone(tmp_path):
    """0700 and 0600; a folder that is there says otherwise, and keeps it."""
    fill(tmp_path / "out")
    assert [mode(tmp_path / x) for x in ("out", "out/in", "out/in/a.txt")] == [0o700, 0o700, 0o600]
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    fill(tmp_path / "shared")
    shared = [mode(tmp_path / x) for x in ("shared", "shared/in", "shared/in/a.txt")]
    assert shared == [0o750, 0o750, 0o640]


def test_neighbours_with_likely_names_stay(tmp_path):
    """Nothing beside the folder is touched, whatever it is called."""
    for name in ("out.old", "out.part", "out.tmp", ".out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text(name)
    fill(tmp_path / "out", "one")
    fill(tmp_path / "out", "two")
    assert names(tmp_path) == [".out", "out", "out.old", "out.part", "out.tmp"]
    assert (tmp_path / "out.old/mine").read_text() == "out.old"
    assert (tmp_path / "out/in/a.txt").read_text() == "two"


@posix
def test_a_link_stays_a_link(tmp_path):
    """What it points to is written, for a folder and for a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    fill(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real/in/a.txt").read_text() == "new"
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    files.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_fails_leaves_the_old_and_nothing_else(tmp_path):
    """An error in the block, or in the second rename, brings the old folder back."""
    fill(tmp_path / "out", "old")
    with contextlib.suppress(ZeroDivisionError), files.whole_folder(tmp_path / "out") as part:
        (part / "half").write_text("x")
        _ = 1 / 0
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out/in/a.txt").read_text() == "old"


def test_a_rename_that_fails_brings_the_old_back(tmp_path, monkeypatch):
    """The first rename is taken back."""
    fill(tmp_path / "out", "old")
    real, calls = os.replace, []

    def second_fails(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "no")
        real(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="no"):
        fill(tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out/in/a.txt").read_text() == "old"


@posix
def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    """A new one is private, an old one keeps its permissions; a full disk leaves the old."""
    path = tmp_path / "a"
    files.write_whole(path, b"one")
    assert mode(path) == 0o600
    path.chmod(0o644)
    files.write_whole(path, b"two")
    assert (mode(path), path.read_bytes()) == (0o644, b"two")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"three")
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["a"]


def test_a_reader_on_windows_is_waited_for(tmp_path, monkeypatch):
    """A rename that is refused for a moment is tried again, for ever it is an error."""
    real, refusals = os.replace, [PermissionError("busy")] * 2

    def busy(source, target):
        if refusals:
            raise refusals.pop()
        real(source, target)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(files.time, "sleep", lambda _: None)
    files.write_whole(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    refusals += [PermissionError("busy")] * 99
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "a", b"y")
    assert names(tmp_path) == ["a"]


def test_windows_opens_no_folder(tmp_path, monkeypatch):
    """There its file system sees to it."""
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with monkeypatch.context() as there:
        there.setattr(files.os, "name", "nt")
        files.sync_folder(tmp_path)


@posix
def test_links_are_listed_and_not_followed(tmp_path):
    """A link to a folder is one name."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x/inside").write_text("")
    (tmp_path / "x/up").symlink_to(tmp_path)
    assert [name for name, _ in files.files_in(tmp_path / "x")] == ["inside", "up"]


def test_names_that_every_system_takes():
    """By what they are called after, with a mark only where two would be the same."""
    given = {"A & B": "A & B", "a-b": "a-b", "CON": "con", "Lpt1": "LPT1", "!": "!", "京": "京"}
    made = files.file_names(given | {"long": "x" * 300, "4711": "4711"})
    assert made["京"] == "京"
    assert made["4711"] == "4711"
    assert made["A & B"].startswith("a-b-")
    assert made["A & B"] != made["a-b"]
    assert made["CON"].startswith("con-")
    assert made["Lpt1"].startswith("lpt1-")
    assert made["!"].startswith("party-")
    assert max(map(len, made.values())) < 70
    assert len({x.casefold() for x in made.values()}) == len(made)
    assert files.file_names({"CON": "con"})["CON"] == made["CON"]


def killed(target):
    """A save whose process ends between its two renames: nothing of it runs after that."""
    code = (
        "import os, sys; from pathlib import Path; from dentframe import atomic_files as files\n"
        "real, calls = os.replace, []\n"
        "def replace(*paths):\n"
        "    calls.append(1); os._exit(9) if len(calls) == 2 else real(*paths)\n"
        "os.replace = replace\n"
        "with files.whole_folder(Path(sys.argv[1])) as part: (part / 'a').write_text('new')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == 9


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    """The old folder is put back, by its own name; what is there, or is another's, stays."""
    for name in ("out", "x" * 45 + "1", "x" * 45 + "2"):
        fill(tmp_path / name, name)
        killed(tmp_path / name)
        assert not (tmp_path / name).exists()
    fill(tmp_path / "kept", "one")
    killed(tmp_path / "kept")
    fill(tmp_path / "kept", "two")
    (tmp_path / ".mine.abcdefgh/old/note").mkdir(parents=True)
    files.put_back(tmp_path)
    for name in ("out", "x" * 45 + "1", "x" * 45 + "2"):
        assert (tmp_path / name / "in/a.txt").read_text() == name
    assert (tmp_path / "kept/in/a.txt").read_text() == "two"
    assert (tmp_path / ".mine.abcdefgh/old/note").is_dir()
