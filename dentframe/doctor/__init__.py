"""The doctor holds what a service does against every assumption made here, with few requests.

Its report is a screen of findings, and JSON that can be sent to the maintainers.
"""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import pandas as pd

from dentframe.cloud.credentials import load
from dentframe.doctor import assumptions
from dentframe.doctor.asking import MOST, Asker, gather
from dentframe.doctor.assumptions import Finding
from dentframe.errors import ConfigError

__all__ = ["Finding", "Report", "examine"]
MARKS = {"yes": "✓", "no": "✗", "unknown": "?"}


@dataclass(frozen=True)
class Report:
    """What was found about a service.

    Attributes
    ----------
    findings : tuple of Finding
        One an assumption: yes, no or unknown, and the evidence.
    requests : int
        How many requests were sent.
    made : datetime
        When, in UTC.
    rows : dict
        Meter by number to UTC day to rows, to compare with at a later time.
    """

    findings: tuple[Finding, ...]
    requests: int
    made: dt.datetime
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Finding]:
        """The assumptions that do not hold."""
        return [f for f in self.findings if f.verdict == "no"]

    def to_json(self) -> str:
        """The report without keys, names of meters or sites, or readings."""
        whole = {"schema": 1, "dentframe": version("dentframe"), **asdict(self)}
        return json.dumps({**whole, "made": self.made.isoformat()}, indent=2)

    def __str__(self) -> str:
        marks = [MARKS[f.verdict] for f in self.findings]
        counts = ", ".join(f"{marks.count(m)} {m}" for m in MARKS.values())
        lines = [f"{self.requests} requests of at most {MOST}; {counts}"]
        for mark, found in zip(marks, self.findings, strict=True):
            lines += [
                f"{mark} {found.assumption}",
                *(f"    {line}" for line in textwrap.wrap(found.evidence, 72)),
            ]
        return "\n".join(lines)


def examine(
    api_key: str | None = None,
    key_id: str | None = None,
    *,
    base_url: str | None = None,
    now: dt.datetime | None = None,
    earlier: str | bytes | None = None,
) -> Report:
    """Hold a service against what dentframe assumes about it, with at most 30 requests.

    Parameters
    ----------
    api_key, key_id, base_url : str, optional
        As `dentframe.DentCloud` takes them. Nothing is kept in the cache or taken from it.
    now : datetime, optional
        The present, aware; the machine's by default.
    earlier : str or bytes, optional
        An earlier report's JSON about the same account, to tell which rows came late.

    Returns
    -------
    Report
        ``str(report)`` is a screen, ``report.to_json()`` names no meter, site, key or reading.

    Raises
    ------
    AuthError
        Where there is no key, or the service refuses it.
    ConfigError
        Where `earlier` is no report.
    UnavailableError, RequestError
        Where the service lists neither meters nor topics.
    """
    before = None if earlier is None else _read(earlier)
    present = now or dt.datetime.now(dt.UTC)
    asker = Asker(load(api_key, key_id, base_url), lambda: present)
    try:
        evidence = gather(asker, present)
    finally:
        asker.close()
    found = [finding for find in assumptions.ALL for finding in find(evidence)]
    found.append(assumptions.backfill(evidence, before))
    return Report(tuple(found), asker.sent, present, assumptions.rows_a_day(evidence))


def _read(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
        made = pd.Timestamp(found["made"])
        counts = [n for days in found["rows"].values() for n in days.values()]
        pd.DatetimeIndex([day for days in found["rows"].values() for day in days])
        if found["schema"] == 1 and made.tzinfo and all(isinstance(n, int) for n in counts):
            return {**found, "made": made}
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise ConfigError(
        "Cannot compare with this report: it is none that `dentframe doctor` wrote. "
        "Name the JSON file of an earlier run."
    )
