"""The readings of an archive are Dask frames here, partitioned by meter.

What is asked for is resolved from names and footers alone. `read_meter` reads some columns of one
meter, with or without a range, for a Dask worker.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import file_names_and_metadata as layout
from dentframe.archive import merge_and_monthly_coverage as merge
from dentframe.archive import parquet
from dentframe.archive.keep_settle_and_mend import resolve
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    RangeError,
    did_you_mean,
    first_of,
    import_extra,
    warn,
)
from dentframe.frame import assemble as _frame
from dentframe.frame.assemble import note
from dentframe.frame.read_job_and_warnings import came_twice, check_errors, of_elements
from dentframe.times.dates_and_ranges import instant, time_range
from dentframe.wire.columns import ordered, parse

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.archive.file_names_and_metadata import Record
    from dentframe.archive.merge_and_monthly_coverage import Mask
    from dentframe.cloud.planner import Window
    from dentframe.times.dates_and_ranges import Zone
    from dentframe.wire.pages_and_bad_cells import Page

    Elements = tuple[str, ...] | None
    Batch = tuple[tuple[str, Elements, int], ...]

METER = "meter"

_INSTANT = pd.Timedelta(1, "us")


@dataclass(frozen=True)
class Selection:
    """What is read of each meter; it travels to the workers as a path, names and times.

    Attributes
    ----------
    archive : Archive
        Where it is, by an absolute path.
    topics : tuple of str
        Request keys, in order.
    strict : bool
        Whether a meter must hold every topic, or those it has anything of.
    span : tuple of pandas.Timestamp, or None
        The half-open range, UTC; None is all that is held of each meter.
    bracket : bool
        Whether the readings around the range are wanted too.
    errors : str
        ``"raise"`` or ``"warn"``, where a meter does not hold all of the range.
    """

    archive: Archive
    topics: tuple[str, ...]
    strict: bool
    span: tuple[pd.Timestamp, pd.Timestamp] | None
    bracket: bool
    errors: str


def select(
    archive: Archive, meters: Any, start: Any, end: Any, topics: Any, *, tz: Zone, strict: bool,
    bracket: bool, errors: str,
) -> tuple[Selection, dict[str, Elements], list[str]]:  # fmt: skip
    """What is read of each meter, the meters with their elements, and the columns of all of them.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    MissingExtraError
        Where pyarrow is not installed.
    """
    check_errors(errors)
    parquet.pyarrow("read an archive")
    span = _span(start, end, tz)
    names = archive.meters() if meters is None else [meters] if isinstance(meters, str) else meters
    if meters is None and not names:
        raise ConfigError(
            f"Cannot compute from the archive {archive.path}: it holds nothing. Fill it with "
            "dentframe.sync first."
        )
    keys = list(archive.units()) if topics is None else topics
    request = resolve(archive, names, span or (pd.NaT, pd.NaT), keys)
    found = dict(sorted(request.meters.items()))
    here = type(archive)(archive.path.absolute())
    labels = _labels(here, found, every=meters is None)
    kept = [c for c in labels if topics is None or parse(c).topic in request.topics]
    asked = (
        c for elements in {*found.values()} for c in of_elements(kept, elements, request.topics)
    )
    columns = ordered(dict.fromkeys(asked), request.topics)
    return Selection(here, request.topics, strict, span, bracket, errors), found, columns


def _span(start: Any, end: Any, tz: Zone) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    if start is not None:
        if tz is None:  # nothing says what a naive bound means
            for name, bound in (("start", start), ("end", end)):
                if bound is not None and bound != "now":
                    instant(bound, None, name)
        return time_range(start, end, tz or "UTC", now=pd.Timestamp.now("UTC"))
    if end is not None:
        raise RangeError(
            f"Cannot use end={end!r} without a start: give both, or neither for all that the "
            "archive holds."
        )
    return None


def _labels(archive: Archive, meters: Collection[str], *, every: bool) -> list[str]:
    """The columns of meters by the footers of their files; of every one, by the archive's own."""
    pending = {f.name for f in layout.listed(layout.pending_folder(archive.path), "")}
    held = [archive.meter(m) for m in meters if not every or layout.folder_name(m) in pending]
    waiting = (path for meter in held for path in chain(*meter.waiting.values()))
    found = [parquet.columns_of(path) for path in waiting]
    # Afterwards, so that what is settled meanwhile is found here.
    shown = parquet.columns_of(layout.columns_file(archive.path)) if every else ()
    settled = () if shown else (p for m in meters for p in archive.meter(m).settled())
    return list(dict.fromkeys(chain(shown, *found, *map(parquet.columns_of, settled))))


def read_meter(
    selection: Selection, name: str, elements: Elements, columns: Collection[str]
) -> tuple[pd.DataFrame, set[str]]:
    """Some columns of a meter, of the elements asked for, and all that its files have of these.

    The frame has the attrs of a read. Without a range they name the meter, and no range.

    Parameters
    ----------
    selection : Selection
        The archive, the topics, the range.
    name : str
        The meter.
    elements : tuple of str or None
        The elements asked for; None for all.
    columns : collection of str
        The columns to read; the meter may have fewer. The rows do not depend on them.

    Raises
    ------
    IncompleteReadError
        Where the archive does not hold all of the range, and that is not to be warned of.
    """
    meter = selection.archive.meter(name)
    pages: list[Page] = []
    known: set[str] = set()
    missing: list[Window] = []
    years: Iterable[int]
    if selection.span is None:
        years = meter.years()
    else:
        start, end = selection.span
        # A year that is not asked for is not opened: its file may be damaged.
        first, last = (start - _INSTANT, end) if selection.bracket else (start, end - _INSTANT)
        years = range(first.year, last.year + 1)
    for year in years:
        with meter.of_year(year) as held:
            topics = selection.topics
            if not selection.strict:
                here = {t for r in held.records for t in (*r.topics, *layout.unasked(r))}
                topics = tuple(t for t in topics if t in here) or topics
            asked, lost = _hours(selection, year, held.records, topics)
            missing += sorted(merge.windows(lost, year))
            page, there = merge.page(year, held, asked, topics, _of_elements(columns, elements))
        known |= _of_elements(there, elements)
        pages += [] if page is None else [page]
    if missing:
        _tell_of_missing(selection, name, missing)
    names = dict.fromkeys(c for page in pages for c in page.columns)
    table = _frame.join(pages, ordered(names, selection.topics))
    if selection.span is not None:
        table = _frame.clip(table, *selection.span, bracket=selection.bracket)
    ranges: Any = {name: selection.span or (None, None)}
    doubled = {what: {name: found} for what, found in came_twice(table, pages).items()}
    frame = _frame.to_frame(table, shared=False)
    frame.attrs["dentcloud"] = note({}, ranges, frame, elements={name: elements}, **doubled)
    return frame, known


def _of_elements(columns: Iterable[str], elements: Elements) -> set[str]:
    return {c for c in columns if elements is None or parse(c).element in elements}


def _hours(
    selection: Selection, year: int, records: Sequence[Record], topics: tuple[str, ...]
) -> tuple[Mask, Mask]:
    """The hours of a year to read, and those of the range that are missing.

    Bracketing readings are looked for in the UTC days around the range; they may be missing.
    """
    here = merge.hours_of(year)
    if selection.span is None:
        return np.ones(len(here), np.bool_), np.zeros(len(here), np.bool_)
    hours = np.arange(here.start, here.stop)
    now, (start, end) = pd.Timestamp.now("UTC"), selection.span
    held = merge.held(records, topics, year, now=now, stale=True)
    inside = near = (hours >= _hour(start)) & (hours <= _hour(end - _INSTANT))
    if selection.bracket:
        first, last = _hour(start - _INSTANT) // 24 * 24, _hour(end) // 24 * 24 + 23
        near = (hours >= first) & (hours <= last)
    return held & near, inside & ~held & (hours <= _hour(now))


def _hour(instant: pd.Timestamp) -> int:
    return int(instant.timestamp() // 3600)


def _tell_of_missing(selection: Selection, meter: str, missing: list[Window]) -> None:
    text = (
        f"Cannot read all of {meter} from the archive {selection.archive.path}: it does "
        f"not hold {first_of(missing, 6)} of {', '.join(selection.topics)}, and missing is not "
        'zero. Sync it (dentframe.sync), or take what there is with errors="warn".'
    )
    if selection.errors == "raise":
        raise IncompleteReadError(text, missing=missing)
    warn(text, IncompleteReadWarning)


# --- parts of a Dask frame ----------------------------------------------------------------


def on_dask(
    selection: Selection, meters: Mapping[str, Elements], make: Callable[[Batch], pd.DataFrame],
    form: pd.DataFrame, batch: int | None, usual: int,
) -> Any:  # fmt: skip
    """A Dask frame of this form: parts of at most `batch` meters, without it `usual` parts.

    Parts have the same number of meters, or one less, so that no worker waits for another.

    Raises
    ------
    ConfigError
        For a `batch` that is no whole number from 1.
    """
    import dask.config
    import dask.dataframe

    if batch is not None and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 1):
        raise ConfigError(
            f"Cannot use batch={batch!r}: it is how many meters a partition has, a whole number "
            "from 1."
        )
    stamped = []
    root = selection.archive.path
    places = root, layout.pending_folder(root)
    for name, elements in meters.items():  # when it last changed [ns]: no result outlives a sync
        changed, folder = 0, layout.folder_name(name)
        for place in places:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                changed = max(changed, (place / folder).stat().st_mtime_ns)
        stamped.append((name, elements, changed))
    count = -(-len(stamped) // batch) if batch else usual
    edges = [-(-len(stamped) * i // count) for i in range(count + 1)]
    parts = [tuple(stamped[first:last]) for first, last in pairwise(edges)]
    dd: Any = dask.dataframe
    # The text columns are what they should be; Dask would turn `flags`, tuples, to text.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(make, parts, meta=form, label="dentframe")


def joined(parts: Mapping[str, pd.DataFrame], form: pd.DataFrame) -> pd.DataFrame:
    """The frames of some meters as one, with their names, in the columns and dtypes of `form`."""
    found = {meter: part for meter, part in parts.items() if len(part)}
    if not found:
        return form
    whole = pd.concat(found.values())
    whole.attrs = {}
    names = pd.array(list(found), text_dtype())
    whole.insert(0, METER, names.repeat([len(part) for part in found.values()]))
    whole = whole.reindex(columns=form.columns)
    return whole if whole.dtypes.equals(form.dtypes) else whole.astype(dict(form.dtypes))


def text_dtype() -> Any:
    """The dtype of names in a Dask frame: ``str``, before pandas 3 ``string[pyarrow]``."""
    own = pd.Series(["-"]).dtype
    return "string[pyarrow]" if str(own) == "object" else own


# --- readings as a frame -----------------------------------------------------------------


def to_dask(
    archive: Archive,
    meters: Any = None,
    topics: Any = None,
    start: Any = None,
    end: Any = None,
    *,
    tz: Zone = "UTC",
    columns: Sequence[str] | None = None,
    bracket: bool = False,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """The readings as a Dask frame, partitioned by meter; nothing is read before it is computed.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    topics : str or list of str, optional
        Request keys, or units where no key matches. None: all that the archive holds.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range, as in `Archive.read`. Neither: all that is held of each meter.
    tz : str or tzinfo
        The zone of naive bounds.
    columns : list of str, optional
        Only these wire names. What Dask finds out to be needed is read in any case, no more.
    bracket : bool
        Also the last reading before `start` and the first at or after `end`.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has at most; 1 by default.

    Returns
    -------
    dask.dataframe.DataFrame
        Index ``time`` (UTC), a column ``meter`` (Dask has no MultiIndex), and float64 columns
        of wire names in the units of getTopics; NaN where a meter has no such column. Sorted
        by time within a meter. A partition holds whole meters, never a part of one, so that no
        interval is lost at an edge. Without attrs: units are known by name.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    IncompleteReadError
        When it is computed, where the archive does not hold all of the range.
    MissingExtraError
        Where Dask is not installed.

    Notes
    -----
    Never asks the cloud, and needs no key. It looks at names and footers only; readings are
    read by the workers. pint dtypes do not survive Dask: the columns are floats.
    """
    import_extra("dask.dataframe", "put an archive on Dask", "dask")
    selection, found, known = select(
        archive, meters, start, end, topics, tz=tz, bracket=bracket, errors=errors,
        strict=topics is not None,
    )  # fmt: skip
    names = known if columns is None else [columns] if isinstance(columns, str) else columns
    names = [name for name in names if name != METER]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"Cannot read column {name!r}: the meters and topics asked for have none"
                f"{did_you_mean(name, known) or '.'} They have {len(known)} columns."
            )
    time = pd.DatetimeIndex(np.empty(0, "M8[us]"), name="time").tz_localize("UTC")
    form = pd.DataFrame(np.empty((0, len(names))), index=time, columns=list(names))
    form.insert(0, METER, pd.Series([], dtype=text_dtype(), index=time))
    make = functools.partial(_readings_of, selection=selection, form=form)
    return on_dask(selection, found, make, form, batch, len(found))


def _readings_of(
    batch: Batch, columns: Sequence[str] | None = None, *, selection: Selection, form: pd.DataFrame
) -> pd.DataFrame:
    """A partition: the readings of its meters, in the columns of `form` or those Dask asks for."""
    form = form if columns is None else form[list(columns)]
    names = [c for c in form.columns if c != METER]
    return joined(
        {m: read_meter(selection, m, elements, names)[0] for m, elements, _ in batch}, form
    )
