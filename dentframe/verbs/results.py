"""The module turns figures of elements into frames, and warns once of what is not recorded."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import CoverageWarning, ReadingWarning, by, warn
from dentframe.frame.quantify import quantify
from dentframe.metering.attrs import SCHEMA, is_several, meters_of
from dentframe.metering.cumulative import STATUSES, Cumulative, first_covered, jumps
from dentframe.metering.figures import COLUMNS, Figures, table
from dentframe.metering.registers import HOUR, MINUTE
from dentframe.metering.series import Ints, element_columns, names
from dentframe.times.ranges import local, stamp
from dentframe.verbs.elements import elements_asked
from dentframe.verbs.inputs import Source, interval_of
from dentframe.wire import units as _units
from dentframe.wire.columns import ELEMENT, Column
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.metering.series import Floats
    from dentframe.verbs.inputs import Inputs


REBLOCKED, EXPORT = "reblocked", "export"
"""Flags of a figure: its window's edges cut a reading's interval, so that the meter never measured
that mean; its element feeds back.
"""
MISSING = STATUSES.index("missing")


def by_element(of: Inputs, values: Sequence[Floats], index: pd.Index) -> pd.DataFrame:
    """A figure per element as columns ``A, C, E``, over (meter, index) in a frame of several.

    Parameters
    ----------
    of : Inputs
        Its series, one per array of `values`.
    values : sequence of ndarray
        Each of the index's length.
    index : pandas.Index
        What the rows are, e.g. the periods.
    """
    if not of.several:
        columns = {c.element: x for c, x in zip(of.series, values, strict=True)}
        return pd.DataFrame(columns, index=index)
    by_key = {(c.meter, c.element): x for c, x in zip(of.series, values, strict=True)}
    blank = np.full(len(index), np.nan)
    letters = sorted({c.element for c in of.series}, key=lambda x: (len(x), x))
    meters = of.meters
    data = {x: np.concatenate([by_key.get((m, x), blank) for m in meters]) for x in letters}
    both = pd.MultiIndex.from_product([meters, index], names=["meter", index.name])
    return pd.DataFrame(data, index=both)


def periods_index(of: Inputs) -> pd.DatetimeIndex:
    """The starts of the periods, in the verb's zone."""
    return local(of.s, of.tz).rename("time")


def flag_tuples(bits: Iterable[int], extra: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Sorted flag names of each figure, those without a bit included."""
    return [
        tuple(sorted({*names(b), *more})) if more else names(b)
        for b, more in zip(bits, extra, strict=True)
    ]


_INSTANTS = {"period", "at", "start", "end"}


def rows_of(
    of: Inputs,
    parts: Sequence[tuple[Cumulative, dict[str, Any]]],
    columns: Sequence[str],
    *,
    across: bool = False,
) -> pd.DataFrame:
    """Figures as rows: by meter, period, element and rank, as every verb of rows has them.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    parts : sequence of (Cumulative, dict)
        Of each element its arrays by column, all of one length: instants in microseconds, status
        as a position in `STATUSES`, flags as bits; ``told`` may list flags that are no bits.
    columns : sequence of str
        The columns, after ``meter`` where the frame has several.
    across : bool
        Whether meters stand side by side: elements go by full ids, and no column names the meter.
    """
    named = of.several and not across
    names = [*(["meter"] if named else []), *columns]
    if not parts:
        return pd.DataFrame(columns=names)
    data = {k: np.concatenate([x[k] for _, x in parts]) for k in parts[0][1] if k != "told"}
    which = np.repeat(np.arange(len(parts)), [len(x["period"]) for _, x in parts])
    meters = pd.factorize(np.array([str(c.meter) if named else "" for c, _ in parts]))[0][which]
    order = np.lexsort((data.get("rank", which), which, data["period"], meters))
    data = {k: x[order] for k, x in data.items()}
    more = [f for _, x in parts for f in x.get("told") or [()] * len(x["period"])]
    elements = [c.name if across and of.several else c.element for c, _ in parts]
    return pd.DataFrame(
        {
            **data,
            **{k: local(x, of.tz) for k, x in data.items() if k in _INSTANTS},
            "meter": np.array([c.meter for c, _ in parts], dtype=object)[which[order]],
            "element": np.array(elements, dtype=object)[which[order]],
            "status": np.array(STATUSES, dtype=object)[data["status"]],
            "flags": flag_tuples(data["flags"].tolist(), [more[i] for i in order]),
        }
    )[names]


def warn_of_coverage(
    rows: pd.DataFrame,
    what: str,
    series: Iterable[Cumulative] = (),
    *,
    accepted: bool = False,
    more: str = "Look at status and coverage",
) -> None:
    """Warn once of a call's figures that are not recorded, naming the worst and the remedies.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row a figure, with ``element, period, coverage, status`` and perhaps ``flags``.
    what : str
        What the figures are, e.g. ``"peaks"``.
    series : iterable of Cumulative
        What they were made from.
    accepted : bool
        Whether `min_coverage` or `detail` has dealt with them.
    more : str
        Where each of them can be seen.
    """
    poor = rows[rows["status"] != STATUSES[0]]
    if accepted or poor.empty:
        return
    several = [f"{m}_" for m in poor["meter"]] if "meter" in poor else [""] * len(poor)
    names = [f"{m}{e}" for m, e in zip(several, poor["element"], strict=True)]
    flags = list(poor["flags"]) if "flags" in poor else [()] * len(poor)
    rank = poor["status"].map(STATUSES.index).to_numpy()
    i = int(np.lexsort((poor["coverage"], -rank))[0])
    first, counts = poor.iloc[i], Counter(poor["status"])
    told = ", ".join(f"{counts[x]} {x}" for x in reversed(STATUSES) if counts[x])
    why = f" ({', '.join(flags[i])})" if flags[i] else ""
    jumped = {n for n, f in zip(names, flags, strict=True) if "unexplained_jump" in f}
    known = remedies(c for c in series if c.refusal or jumped & {c.name, c.element})
    warn(
        f"{len(poor)} of {len(rows)} {what} are not wholly recorded ({told}); the worst is "
        f"{names[i]} from {first['period']:%Y-%m-%d %H:%M}: {first['status']}, coverage "
        f"{first['coverage']:.4g}{why}. {known}{more}"
        + by("; min_coverage= accepts or withholds them without this warning.", "."),
        CoverageWarning,
    )


_ENERGIES = ("energy", "lo", "hi", "open_reading", "close_reading", "imported", "exported")
_NEAR = 60 * MINUTE
_NEVER = np.iinfo(np.int64).max
SURPRISING_KW = {"register": 2_000.0, "demand": 20_000.0}
"""Above it a user is told, where no greatest power judged the step [kW]."""


@dataclass(frozen=True)
class Result:
    """How figures become a frame: its grammar, zone and representation follow the input.

    Attributes
    ----------
    frame : pandas.DataFrame
        The input.
    asked : Source
        What the figures answer.
    tz : tzinfo
        The zone of the instants.
    interval : object
        The caller's interval, for the readings to expect.
    elements : object
        The elements that the caller names: only they, and their meters, are shown.
    """

    frame: pd.DataFrame
    asked: Source
    tz: dt.tzinfo
    interval: Any
    elements: Any = None

    def label(self, element: str) -> str:
        """The wire name of one element's result."""
        return Column(self.asked.result, ELEMENT, element).wire

    @property
    def _shown(self) -> list[tuple[str | None, str]]:
        """The elements that have a place in a wide result, as (meter, element)."""
        named = elements_asked(self.frame, self.asked.topics, self.elements)
        if named is not None:
            return named
        columns = element_columns(self.frame, self.asked.topics)
        return [(m, c.id) for m in meters_of(self.frame) for _, c in columns]

    @property
    def in_pint(self) -> bool:
        """Whether the columns that answer have pint dtypes."""
        dtypes = list(self.frame.dtypes)
        found = element_columns(self.frame, self.asked.topics)
        return any(hasattr(dtypes[i], "units") for i, _ in found)

    def wide(
        self, found: Sequence[Figures], s: Ints, meters: Sequence[str | None] | None = None
    ) -> pd.DataFrame:
        """Period start to one column per element; a meter's missing elements are NaN.

        Parameters
        ----------
        found : sequence of Figures
            All over the same periods.
        s : ndarray of int64
            Period starts [us UTC].
        meters : sequence of str, optional
            The meters to show; by default all of the frame.
        """
        times = local(s, self.tz).rename("time")
        until = found[0].ends if found else None
        if not is_several(self.frame):
            names = [self.label(f.of.element) for f in found]
            values = np.array([f.energy for f in found]).reshape(len(found), len(times)).T
            return self._dressed(pd.DataFrame(values, times, names, copy=False), until)
        meters = sorted({m or "" for m, _ in self._shown}) if meters is None else meters
        by_key = {(f.of.meter, f.of.element): f.energy for f in found}
        blank = np.full(len(s), np.nan)
        letters = sorted({x for _, x in self._shown}, key=lambda x: (len(x), x))
        parts = {x: [by_key.get((m, x), blank) for m in meters] for x in letters}
        columns = {self.label(x): np.concatenate([blank[:0], *p]) for x, p in parts.items()}
        index = pd.MultiIndex.from_product([meters, times], names=["meter", "time"])
        return self._dressed(pd.DataFrame(columns, index=index), until)

    def joined(self, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """The frames of several meters as one."""
        if len(parts) == 1:
            return parts[0]
        whole = pd.concat(parts) if parts else self.wide([], np.empty(0, dtype=np.int64))
        whole.attrs = attrs_of(self.asked.result)
        return whole

    def detail(self, found: Sequence[Figures]) -> pd.DataFrame:
        """One row per (meter,) period and element."""
        several = is_several(self.frame)
        how = {"with_meter": several, "corrected": any(f.of.corrected is not None for f in found)}
        parts = []
        for meter, group in groupby(found, key=lambda f: f.of.meter):
            parts.append(table(list(group), interval_of(self.interval, meter), self.tz, **how))
        if not parts:
            return pd.DataFrame(columns=[*(["meter"] if several else []), *COLUMNS])
        rows = pd.concat(parts, ignore_index=True)
        rows.attrs = attrs_of(self.asked.result)
        return self._details_in_pint(rows) if self.in_pint else rows

    def _details_in_pint(self, rows: pd.DataFrame) -> pd.DataFrame:
        wired = quantify(rows[list(_ENERGIES)].rename(columns=self.label))
        return rows.assign(**{k: wired[self.label(k)] for k in _ENERGIES})

    def _dressed(self, result: pd.DataFrame, ends: Ints | None) -> pd.DataFrame:
        result.attrs = attrs_of(self.asked.result, ends)
        return quantify(result) if self.in_pint else result


def attrs_of(topic: str, ends: Ints | None = None) -> dict[Hashable | None, Any]:
    """The attrs of a result: its unit and, of periods that follow each other, where they end.

    Parameters
    ----------
    topic : str
        Of the result.
    ends : ndarray of int64, optional
        Of the periods [us UTC]. The index tells where each but the last one ends, as long as
        there are as many rows as periods.
    """
    told: dict[str, Any] = {"schema": SCHEMA, "units": {topic: TOPICS[topic].unit}}
    if ends is not None and len(ends):
        told |= {"until": stamp(int(ends[-1])).isoformat(), "periods": len(ends)}
    return {_units.ATTRS: told}


def warn_of_figures(found: Sequence[Figures], tz: dt.tzinfo) -> None:
    """Warn once of all energy figures that are not recorded, as `warn_of_coverage`."""
    if not any(f.status.any() for f in found):
        return
    near = any(_unbracketed(f) for f in found if f.status.any())
    data = {k: np.concatenate([getattr(f, k) for f in found]) for k in ("coverage", "status")}
    rows = {
        "element": np.repeat([f.of.name for f in found], [len(f.s) for f in found]),
        "period": local(np.concatenate([f.starts for f in found]), tz),
        "coverage": data["coverage"],
        "status": np.array(STATUSES, dtype=object)[data["status"]],
        "flags": [names(b) for f in found for b in f.flags.tolist()],
    }
    more = by("detail=True tells each one", "--detail tells each one")
    if near:
        how = by(": read with bracket=True", ", and the meter has no reading right beside them")
        more = f"The first or last minutes of the span lie outside the readings{how}. {more}"
    warn_of_coverage(pd.DataFrame(rows), "energy figures", [f.of for f in found], more=more)


def max_kw_of(name: str) -> str:
    """How the greatest power of an element is stated."""
    return by(
        f'RegisterRules(max_kw={{"{name}": ...}})', f"--max-kw {name}=KW, or in a file for --site"
    )


def remedies(series: Iterable[Cumulative]) -> str:
    """What to state so that readings which the rules withhold can be judged; empty for none."""
    told = []
    for c in series:
        withheld = jumps(c) if c.max_kw is None else []
        if c.refusal:
            told.append(f"{c.refusal} ")
        elif withheld:
            at, _, kwh = max(withheld, key=lambda x: abs(x[2]))
            told.append(
                f"{c.name} jumps by {kwh:,.1f} kWh from {stamp(at)}, which is not taken for use: "
                f"{max_kw_of(c.name)} would tell. "
            )
    return "".join(told)


def warn_of_withheld(series: Iterable[Cumulative], s: int, e: int) -> None:
    """Warn of withheld steps in a period of which no status warns, because it is accepted."""
    told = remedies(c for c in series if any(a < e and s < b for a, b, _ in jumps(c)))
    if told:
        warn(told.strip(), CoverageWarning)


def warn_of_power(series: Sequence[Cumulative], s: Ints, e: Ints, tz: dt.tzinfo) -> None:
    """Warn of accepted steps in some periods that few elements draw, where no `max_kw` judged them.

    The rules accept them, since without a greatest power nothing tells a blip from use where
    others are near; but nobody should be billed a whole register in silence.
    """
    t, shortest = None, 0.0
    for c in (c for c in series if c.max_kw is None):
        limit = SURPRISING_KW[c.source]
        greatest = max(c.inc.max(initial=0.0), -c.inc.min(initial=0.0))
        if c.t is not t:  # elements of a meter share their times
            t, shortest = c.t, int(np.diff(c.t).min(initial=_NEVER)) / HOUR
        if greatest <= limit * shortest:
            continue
        inside = (c.t[1:] > s.min(initial=_NEVER)) & (c.t[:-1] < e.max(initial=-_NEVER))
        kw = np.where(inside, np.abs(c.inc) / (np.diff(c.t) / HOUR), 0.0)
        if kw.max(initial=0.0) > limit:
            i = int(kw.argmax())
            warn(
                f"{c.name} changes by {c.inc[i]:,.1f} kWh from "
                f"{stamp(int(c.t[i])).tz_convert(tz)}, a mean of {kw[i]:,.0f} kW. Few elements "
                "draw that, and without max_kw nothing tells it from use: it stands in the "
                "figures. Give "
                + by(
                    "registers=RegisterRules(max_kw=...).",
                    "--max-kw ELEMENT=KW, or a file by --site.",
                ),
                ReadingWarning,
            )


def _unbracketed(f: Figures) -> bool:
    """Whether the span's head or tail lacks less than an hour, which bracketing rows would give."""
    if len(f.of.at) == 0 or len(f.s) == 0:
        return False
    head = first_covered(f.of) - int(f.s[0])
    tail = int(f.e[-1]) - int(f.of.at[-1])
    return 0 < head <= _NEAR or 0 < tail <= _NEAR


def divided(above: Floats, below: Floats) -> Floats:
    """A ratio, NaN where what it is divided by is not above 0."""
    out = np.full(len(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out
