"""The font of a PDF is the built-in one where its letters do, else one found on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from dentframe.errors import ConfigError

Font: TypeAlias = "str | Path | Sequence[str | Path] | None"
BUILT_IN = "cp1252"
"""What the built-in Helvetica of every PDF reader can write: Western European letters."""
_NAMES = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "segoeui.ttf",
    "arial.ttf", "Arial.ttf", "Arial Unicode.ttf", "arialuni.ttf", "malgun.ttf",
    "simhei.ttf", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "ipag.ttf", "ipaexg.ttf",
)  # fmt: skip
_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "/System/Library/Fonts/Supplemental", "/Library/Fonts", "~/Library/Fonts",
    "%WINDIR%/Fonts", "%LOCALAPPDATA%/Microsoft/Windows/Fonts",
)  # fmt: skip


def plain(texts: Sequence[str]) -> bool:
    """Whether the built-in font can write some texts."""
    return not _beyond(texts)


def _beyond(texts: Sequence[str]) -> set[str]:
    return {c for c in set("".join(texts)) if not c.encode(BUILT_IN, "ignore")}


def chosen(texts: Sequence[str], font: Font = None) -> list[Path]:
    """The TrueType files that together can write some texts, the main one first.

    Parameters
    ----------
    texts : sequence of str
        All that is to be written.
    font : str, Path, or sequence of them, optional
        The user's choice; None looks among the common fonts of this machine.

    Returns
    -------
    list of Path
        Empty where the built-in font will do.

    Raises
    ------
    ConfigError
        For a file that is no font, or letters that no font here has.
    """
    if font is None and plain(texts):
        return []
    if font is None:
        return _least(_at_hand(), _needed(texts))
    files = [Path(x) for x in ([font] if isinstance(font, str | Path) else font)]
    return _least(files, _needed(texts), everything=True)


def _needed(texts: Sequence[str]) -> set[int]:
    return {ord(c) for c in set("".join(texts)) if not c.isspace()}


def _least(files: Sequence[Path], needed: set[int], *, everything: bool = False) -> list[Path]:
    """The main font and those that add a letter to it; all of the user's own."""
    taken: list[Path] = []
    for file in files:
        have = letters(str(file))
        if everything or needed & have:
            taken.append(file)
            needed = needed - have
        if not needed:
            break
    if needed:
        raise ConfigError(_lacking(needed, everything=everything))
    return list(files) if everything else taken


def _lacking(needed: set[int], *, everything: bool) -> str:
    letters_needed = "".join(map(chr, sorted(needed)))
    told = "".join(sorted(_beyond([letters_needed])))[:20] or letters_needed[:20]
    whose = "the fonts of font=" if everything else "the fonts found on this machine"
    return (
        f"Cannot write {told!r} in a PDF: neither the built-in font nor {whose} have these "
        "letters. Pass font= with a TrueType file that has them (or several, e.g. "
        "font=['DejaVuSans.ttf', 'NotoSansJP-Regular.ttf']), or print to_html() from a browser."
    )


def _at_hand() -> list[Path]:
    """The common fonts that are installed, matplotlib's own first: it is the same everywhere."""
    found = {p.name: p for p in reversed([*_files()])}
    own = _matplotlib()
    return [*([own] if own else []), *(found[n] for n in _NAMES if n in found)]


def _matplotlib() -> Path | None:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return file if file.is_file() else None


def _files() -> Iterator[Path]:
    for folder in _FOLDERS:
        at = Path(os.path.expandvars(folder)).expanduser()
        if at.is_dir():
            yield from (p for p in at.rglob("*.ttf") if p.name in _NAMES)


@lru_cache(maxsize=64)
def letters(file: str) -> frozenset[int]:
    """The code points that a font can write.

    Raises
    ------
    ConfigError
        For a file that is not there, or is no TrueType font.
    """
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(file, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError) as e:
        raise ConfigError(
            f"Cannot use the font {file!r}: {e}. Name a TrueType file (.ttf)."
        ) from None


def bold(file: Path) -> Path:
    """The bold face beside a font, else the font itself."""
    beside = [f"{file.stem}-Bold", file.stem.replace("-Regular", "-Bold"), f"{file.stem}bd"]
    names = [file.with_name(f"{n}{file.suffix}") for n in beside if n != file.stem]
    return next((p for p in names if p.is_file()), file)
