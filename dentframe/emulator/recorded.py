"""Sources of what was recorded: a folder of month answers, or rows given in Python."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .source import STAMP, catalogue, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .source import Row

_NAME = re.compile(r"(?P<meter>.+)-(?P<month>\d{4}-\d{2})\.json")


class Recorded:
    """A folder of ``<meter>-<YYYY-MM>.json`` files, each a month's getData answer.

    Headers and rows keep their order and their text; what a file lacks stays lacking.

    Parameters
    ----------
    folder : path
        Where the files are; read when asked for, so that files may be added meanwhile.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"Cannot serve recorded answers: {self.folder} is not a folder. "
                "It must hold files named <meter>-<YYYY-MM>.json."
            )

    def meters(self) -> list[str]:
        """Names of the meters that have a file, sorted."""
        found = (_NAME.fullmatch(p.name) for p in self.folder.iterdir())
        return sorted({match["meter"] for match in found if match})

    def topics(self) -> list[dict[str, str]]:
        """The document's catalogue of topics."""
        return catalogue()

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers and rows in ``[start, end)``, from the file of the month of ``start``."""
        path = self.folder / f"{meter}-{start:%Y-%m}.json"
        if not path.is_file():
            return [], []
        month = _load(path, path.stat().st_mtime_ns)
        return select(month["headers"], month["topics"], start, end, topics)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Any:
    return json.loads(path.read_bytes())


class Fixed:
    """Rows given in Python, for small tests.

    Parameters
    ----------
    meters : mapping
        Meter to rows: ``{"P1": [{"date": "2023-12-12", "time": "02:02", "A/Ch/A1": "1.0"}]}``.
        Values go out as they are; a None becomes null, a number a number.
    topics : sequence of dict, optional
        Rows of getTopics; the document's by default.
    """

    def __init__(
        self,
        meters: Mapping[str, Sequence[Row]],
        topics: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        self._meters = meters
        self._topics = catalogue() if topics is None else [dict(t) for t in topics]

    def meters(self) -> list[str]:
        """Names of the meters, in the order given."""
        return list(self._meters)

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics."""
        return [dict(t) for t in self._topics]

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers, sorted, and rows in ``[start, end)``, in the order given."""
        rows = self._meters[meter]
        columns = sorted({c for row in rows for c in row} - set(STAMP))
        return select([*STAMP, *columns], rows, start, end, topics)
