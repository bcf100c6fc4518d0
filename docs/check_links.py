"""Look whether every link inside the built site leads somewhere: ``python docs/check_links.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SITE = Path(__file__).parent / "_build" / "html"


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag points at, and what it can be pointed at by."""
        found = {name: value for name, value in attrs if value is not None}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        self.links += [found[name] for name in ("href", "src") if name in found]


def broken(site: Path) -> Iterator[str]:
    """Each link that leads nowhere, or out of the site by anything but https."""
    own = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in own}
    for path, page in pages.items():
        for link in page.links:
            if not _leads(link, path, pages):
                yield f"{path.relative_to(site.resolve())}: {link}"


def _leads(link: str, page: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in {"https", "data", "mailto"}
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target not in pages or not parts.fragment:
        return target.exists()
    return unquote(parts.fragment) in pages[target].anchors


if __name__ == "__main__":
    found = sorted(set(broken(SITE)))
    print("\n".join(found) or "Every link of the site leads somewhere.")
    sys.exit(bool(found))
