"""What a read brought, as the frame its user asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dentframe.cloud.wire import Report
from dentframe.columns import ELEMENT, ordered, parse
from dentframe.reading import frame as _frame
from dentframe.reading import notes
from dentframe.topics import kind_of

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.cloud.wire import Page
    from dentframe.reading.request import Request
    from dentframe.reading.state import Reading


def assemble(reading: Reading, *, quantify: bool) -> pd.DataFrame:
    """The frame of a read, whole or partial, with its attrs; warns of what was lost."""
    request = reading.request
    frames = {meter: _one(reading, meter) for meter in request.meters}
    tell_of_nothing(reading, {m: _any_inside(request, f) for m, f in frames.items()})
    frame = next(iter(frames.values())) if request.single else _frame.stack(frames, request.topics)
    frame.attrs["dentcloud"] = attrs_of(request, frame)
    if quantify:
        from dentframe.quantify import quantify as attach

        return attach(frame)
    return frame


def tell_of_nothing(reading: Reading, here: Mapping[str, bool]) -> None:
    """Tell which meters have no reading in the range, where all of it was read."""
    if not reading.missing:
        silent = [meter for meter, any_ in here.items() if not any_]
        notes.tell_nothing(silent, reading.request.start, reading.request.end, reading.now)


def _any_inside(request: Request, frame: pd.DataFrame) -> bool:
    """Whether any row lies in the range, which those that bracket it do not."""
    first, last = frame.index.searchsorted([request.start, request.end])
    return bool(first < last)


def attrs_of(request: Request, frame: pd.DataFrame) -> dict[str, Any]:
    """What the frame of a read says of itself."""
    here = {parse(c).topic for c in frame.columns}
    units = {k: u for k, u in request.units.items() if k in request.topics or k in here}
    info = _frame.attrs(units, dict.fromkeys(request.meters, (request.start, request.end)))
    named = {m: list(e) for m, e in request.meters.items() if e is not None}
    return {**info, "elements": named} if named else info


def _one(reading: Reading, meter: str) -> pd.DataFrame:
    request = reading.request
    pages = reading.of(meter)
    columns, dropped = _frame.wanted_columns(pages, request.topics, everything=request.all_topics)
    chosen = of_elements(columns, request.meters[meter], request.topics)
    joined = _frame.join(pages, chosen)
    table = _frame.clip(joined, request.start, request.end, bracket=reading.bracket)
    tell_of(request, meter, pages, columns, dropped, joined.conflicts)
    return _frame.to_frame(table, shared=bool(reading.missing))  # a resume takes them again


def of_elements(
    columns: list[str], elements: tuple[str, ...] | None, topics: tuple[str, ...]
) -> list[str]:
    """The columns of the elements asked for; one that returned nothing is a column of NaN."""
    if elements is None:
        return columns
    kept = [c for c in columns if parse(c).element in elements]
    here = {parse(c).element for c in kept}
    scoped = dict.fromkeys(parse(c).topic for c in columns if parse(c).scope == ELEMENT)
    scoped |= {t: None for t in topics if kind_of(t) in {"register", "interval_mean"}}
    lost = [f"{t}/{ELEMENT}/{e}" for t in scoped for e in elements if e not in here]
    return ordered([*kept, *lost], topics)


def tell_of(
    request: Request,
    meter: str,
    pages: list[Page],
    columns: list[str],
    dropped: list[str],
    conflicts: int,
) -> None:
    """Tell of what one meter's pages met."""
    report = sum((p.report for p in pages), Report.zero())
    here = {parse(c).topic for c in columns}
    silent = [t for t in request.topics if t not in here]
    asked = report.rows > 0 and not request.all_topics
    notes.tell(
        meter,
        report,
        columns=columns,
        dropped=dropped,
        conflicts=conflicts + sum(n for c, n in report.conflicts.items() if c in columns),
        silent_topics=silent if asked else (),
        absent_elements=_absent(columns, request.meters[meter]) if report.rows else (),
    )


def _absent(columns: list[str], elements: tuple[str, ...] | None) -> Iterator[str]:
    here = {parse(c).element for c in columns}
    return (e for e in elements or () if e not in here)
