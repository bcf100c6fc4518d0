"""The readings of an archive as a Dask frame, partitioned by meter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.lazy import graph
from dentframe.archive.lazy.held import table
from dentframe.archive.lazy.wanted import portfolio
from dentframe.errors import ConfigError
from dentframe.reading import frame as _frame
from dentframe.reading.assemble import of_elements
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.archive.lazy.wanted import Batch, Elements, Wanted
    from dentframe.instants import Zone

METER = "meter"


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
        How many meters a partition has; 1 by default.

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
    dd = graph.dataframe("put an archive on Dask")
    found = portfolio(
        archive, meters, start, end, topics, tz=tz, bracket=bracket, errors=errors,
        strict=topics is not None,
    )  # fmt: skip
    names = _checked(columns, found.columns)
    meta = _meta(names)
    size = graph.check_batch(batch, 1)
    return graph.assemble(dd, Readings(found.wanted, tuple(names)), found.batches(size), meta)


@dataclass(frozen=True)
class Readings:
    """Makes a partition: the readings of its meters.

    Parameters
    ----------
    wanted : Wanted
        What is wanted of each.
    names : tuple of str
        The columns, wire names.
    """

    wanted: Wanted
    names: tuple[str, ...]

    def __call__(self, batch: Batch, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The partition, or some of its columns, which Dask asks for."""
        chosen = list((METER, *self.names) if columns is None else columns)
        names = [c for c in chosen if c != METER]
        meta = _meta(names)
        parts = [self._one(meter, elements, names) for meter, elements in batch.meters]
        return graph.conform(parts, meta)[chosen]

    def _one(self, meter: str, elements: Elements, names: Sequence[str]) -> pd.DataFrame:
        found = one_meter(self.wanted, meter, elements, names).frame()
        found.insert(0, METER, _repeated(meter, len(found)))
        return found


@dataclass(frozen=True)
class Found:
    """What was read of a meter.

    Attributes
    ----------
    table : Table
        Its readings.
    here : frozenset of str
        The columns that its files have in the range, of which the table may have fewer.
    """

    table: _frame.Table
    here: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that were read."""
        return self.table.columns

    def frame(self) -> pd.DataFrame:
        """The readings over ``time``."""
        return _frame.to_frame(self.table, shared=False)


def one_meter(wanted: Wanted, meter: str, elements: Elements, names: Sequence[str]) -> Found:
    """Some columns of a meter, those of the elements asked for; it may have fewer."""
    asked, here = set(names), set[str]()

    def pick(columns: Sequence[str]) -> list[str]:
        kept = of_elements(list(columns), elements, ())
        here.update(c for c in kept if c in columns)
        return [c for c in kept if c in asked]

    found = table(wanted, meter, pick)
    return Found(found, frozenset(here))


def _repeated(name: str, times: int) -> Any:
    codes = np.zeros(times, np.int8)
    return pd.Categorical.from_codes(codes, pd.Index([name])).astype(graph.text_dtype())


def _meta(names: Sequence[str]) -> pd.DataFrame:
    time = pd.DatetimeIndex(np.empty(0, "M8[us]"), name="time").tz_localize("UTC")
    found = pd.DataFrame(np.empty((0, len(names))), index=time, columns=list(names))
    found.insert(0, METER, pd.Series([], dtype=graph.text_dtype(), index=time))
    return found


def _checked(columns: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    if columns is None:
        return list(known)
    names = [columns] if isinstance(columns, str) else [c for c in columns if c != METER]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"Cannot read column {name!r}: the meters and topics asked for have none"
                f"{did_you_mean(name, list(known)) or '.'} They have {len(known)} columns."
            )
    return names
