"""Quirks, by name, are ways in which the service may differ from what dentframe assumes.

A fault goes wrong once; a quirk is how the service is. A :class:`Quirky` source changes the rows
of another one; limits and sizes are the server's own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from dentframe.emulator.plant import Plant
from dentframe.emulator.readings import STAMP, select, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dentframe.emulator.readings import Row, Source
    from dentframe.emulator.service import Now

    Quirks = Mapping[str, Any]

_AROUND = timedelta(days=1)


class Quirk(NamedTuple):
    """What a quirk does, its usual value, and its change of rows where it makes one."""

    said: str
    value: Any = True
    change: Callable[[list[Row], Any, datetime], list[Row]] | None = None


def _when(row: Row) -> datetime:
    return datetime.fromisoformat(f"{row['date']}T{row['time']}").replace(tzinfo=UTC)


def _stamped(row: Row, when: datetime) -> Row:
    return row | {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H:%M}"}


def _local_time(rows: list[Row], zone: str, _: datetime) -> list[Row]:
    return [_stamped(r, _when(r).astimezone(ZoneInfo(zone))) for r in rows]


def _v_scope(rows: list[Row], scope: str, _: datetime) -> list[Row]:
    """The voltage of each element's first channel, under another scope."""

    def renamed(row: Row) -> Row:
        first = {c: f"V/{scope}/{c[5:-1]}" for c in row if c.startswith("V/Ch/") and c[-1] == "1"}
        return {first.get(c, c): x for c, x in row.items() if c in first or topic_of(c) != "V"}

    return [renamed(row) for row in rows]


def _cells(topic: str, change: Callable[[str, Any], str]) -> Any:
    """A change of every reading of a topic."""

    def changed(rows: list[Row], value: Any, _: datetime) -> list[Row]:
        return [
            {c: change(x, value) if x and topic_of(c) == topic else x for c, x in row.items()}
            for row in rows
        ]

    return changed


def _text(value: float) -> str:
    return repr(round(value, 3) + 0.0)


def _blanks(rows: list[Row], every: int, _: datetime) -> list[Row]:
    """Each so manieth reading, counted along its row from the row's own minute."""

    def blanked(row: Row) -> Row:
        first = int(_when(row).timestamp()) // 60
        return {c: "" if c not in STAMP and (first + i) % every == 0 else x
                for i, (c, x) in enumerate(row.items())}  # fmt: skip

    return [blanked(row) for row in rows]


def _late_backfill(rows: list[Row], hours: float, now: datetime) -> list[Row]:
    late = timedelta(hours=hours)
    return [r for r in rows if not 6 <= _when(r).hour < 12 or now - _when(r) >= late]


def _repeated_rows(rows: list[Row], hours: int, _: datetime) -> list[Row]:
    made: list[Row] = []
    for row in rows:
        out = made and 3 <= _when(row).hour < 3 + hours
        made.append(_stamped(made[-1], _when(row)) if out else row)
    return made


QUIRK_TABLE: dict[str, Quirk] = {
    "local_time": Quirk(
        "Windows, dates and times are those of a zone's wall clock, not UTC.",
        "America/Los_Angeles", _local_time,
    ),
    "no_kVAHNet": Quirk("There is no topic kVAHNet."),
    "no_V": Quirk("There is no topic V."),
    "V_scope": Quirk("V comes under this scope, one value an element.", "Elm", _v_scope),
    "block_demand": Quirk("DemandkW is the mean of the last block that closed on the clock."),
    "sliding_demand": Quirk("DemandkW is the mean of the window that ends at the poll."),
    "absolute_demand": Quirk(
        "DemandkW has no sign.", True, _cells("DemandkW", lambda x, _: x.lstrip("-"))
    ),
    "dPF_sign": Quirk(
        "dPF is negative where current lags, as by IEEE, whatever the direction of power.", True,
        _cells("dPF", lambda x, _: _text(-abs(float(x)))),
    ),
    "interval": Quirk("Rows are this many minutes apart [min].", 5),
    "coarse_register": Quirk(
        "kWHNet shows whole steps of this size [kWh].", 1.0,
        _cells("kWHNet", lambda x, step: _text(float(x) // step * step)),
    ),
    "register_unit": Quirk(
        "kWHNet counts this share of a kilowatt-hour: 0.001 is watt-hours.", 0.001,
        _cells("kWHNet", lambda x, unit: _text(float(x) / unit)),
    ),
    "register_modulus": Quirk(
        "kWHNet begins again at 0 when it reaches this [kWh].", 1000.0,
        _cells("kWHNet", lambda x, modulus: _text(float(x) % modulus)),
    ),
    "blanks": Quirk("Each so manieth reading is an empty text.", 50, _blanks),
    "late_backfill": Quirk(
        "Readings between 06:00 and 12:00 UTC come this many hours late [h].", 96, _late_backfill
    ),
    "repeated_rows": Quirk(
        "An outage from 03:00 UTC, of this many hours each day, repeats the row before it [h].",
        2, _repeated_rows,
    ),
    "small_answers": Quirk("An answer above this is refused with 413 [B].", 2_000_000),
    "tight_limits": Quirk("So many requests a second, and as many at once [1/s].", 2),
}  # fmt: skip

QUIRKS: dict[str, str] = {name: quirk.said for name, quirk in QUIRK_TABLE.items()}
"""Every quirk's name and what it does."""


def chosen(quirks: Iterable[str] | Quirks) -> Quirks:
    """Quirks and their values: the usual one for a quirk that is only named."""
    given = quirks if isinstance(quirks, Mapping) else dict.fromkeys(quirks, True)
    unknown = [name for name in given if name not in QUIRK_TABLE]
    if unknown:
        raise ValueError(
            f"Cannot serve with the quirk {unknown[0]!r}: there is none of that name. "
            f"There are: {', '.join(QUIRK_TABLE)}."
        )
    return {
        name: QUIRK_TABLE[name].value if value is True else value
        for name, value in given.items()
        if value is not False
    }


class Quirky:
    """A source whose meters or service have quirks.

    Parameters
    ----------
    source : Source
        The source behind it.
    quirks : mapping
        Quirks and their values, see :data:`QUIRKS`.
    now : callable
        The present, for what comes late and for a source that is ``live``.
    """

    def __init__(self, source: Source, quirks: Quirks, now: Now) -> None:
        self._source, self._quirks, self._now = _rebuilt(source, quirks), quirks, now

    def meters(self) -> list[str]:
        """Names of the meters."""
        return self._source.meters()

    def topics(self) -> list[dict[str, str]]:
        """The topics that are there."""
        return [t for t in self._source.topics() if f"no_{t['requestKey']}" not in self._quirks]

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers and rows of a window, after the quirks; what is not yet, is not there."""
        now = self._now()
        stop = end + _AROUND
        if getattr(self._source, "live", False):
            stop = min(stop, now + timedelta.resolution)
        _, rows = self._source.rows(meter, start - _AROUND, stop, topics)
        for name, value in self._quirks.items():
            change = QUIRK_TABLE[name].change
            rows = rows if change is None else change(rows, value, now)
        names = [*STAMP, *sorted({c for row in rows for c in row} - set(STAMP))]
        return select(names, rows, start, end, topics)


def _rebuilt(source: Source, quirks: Quirks) -> Source:
    """The plant with other meters, where a quirk is the meters' own."""
    changes = {name: quirks[name] for name in ("interval",) if name in quirks}
    for window in ("block", "sliding"):
        if f"{window}_demand" in quirks:
            changes["demand_window"] = window
    if not changes:
        return source
    if not isinstance(source, Plant):
        raise ValueError(  # noqa: TRY004 - as every quirk that cannot be had
            f"Cannot give a {type(source).__name__} another {' and '.join(changes)}: only the "
            "meters of a Plant can be changed."
        )
    made = copy.copy(source)
    made.layout = {name: replace(meter, **changes) for name, meter in source.layout.items()}
    return made
