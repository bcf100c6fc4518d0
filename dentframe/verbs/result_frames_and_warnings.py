"""Figures of elements become frames here, and one warning names what is not recorded."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import CoverageWarning, ReadingWarning, by, warn
from dentframe.frame.quantify import quantify
from dentframe.metering.energy_and_coverage import FOREVER, NAT, STATUSES, first_covered, jumps
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import SCHEMA, Flag, element_columns, is_several, meters_of, names
from dentframe.times.dates_and_ranges import local, stamp, utc
from dentframe.verbs.elements_by_name import Element, requested_elements
from dentframe.wire.columns import ATTRS, ELEMENT
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.verbs.energy import Figures
    from dentframe.verbs.inputs_and_keywords import Inputs


Parts: TypeAlias = "Sequence[tuple[Cumulative, Mapping[str, Any]]]"
"""Of each element its arrays by column, all of one length: instants in microseconds, status as a
position in `STATUSES`, flags as bits."""
MISSING = STATUSES.index("missing")
COLUMNS = (
    "start", "end", "element", "energy", "coverage", "status", "lo", "hi", "readings", "expected",
    "source", "open_at", "open_reading", "close_at", "close_reading", "imported", "exported",
    "flags",
)  # fmt: skip
"""The columns of ``energy(detail=True)``, after `meter` where the frame has several."""
CORRECTED = ("raw", "agreed")
"""Those that follow where corrections bear on an element."""
_ENERGIES = ("energy", "lo", "hi", "open_reading", "close_reading", "imported", "exported")
_INSTANTS = {"period", "at", "start", "end", "open_at", "close_at"}
SURPRISING_KW = {"register": 2_000.0, "demand": 20_000.0}
"""Above it a user is warned, where no greatest power is stated [kW]."""


def by_element(
    of: Inputs,
    values: Sequence[Floats],
    index: pd.Index,
    shown: Sequence[Element] | None = None,
    prefix: str = "",
) -> pd.DataFrame:
    """A figure per element as columns ``A, C, E``, over (meter, index) in a frame of several.

    Parameters
    ----------
    of : Inputs
        Its series, one per array of `values`.
    values : sequence of ndarray
        Each of the index's length.
    index : pandas.Index
        What the rows are, e.g. the periods.
    shown : sequence of (meter, element), optional
        What has a place among several meters; by default their series.
    prefix : str
        What stands before an element in its column's name.
    """
    if not is_several(of.frame):
        data = np.array(values).reshape(len(values), len(index)).T
        return pd.DataFrame(data, index, [prefix + c.element for c in of.series], copy=False)
    by_key = {(c.meter, c.element): x for c, x in zip(of.series, values, strict=True)}
    meters = of.meters if shown is None else sorted({m or "" for m, _ in shown})
    letters = sorted({x for _, x in shown or by_key}, key=lambda x: (len(x), x))
    blank = np.full(len(index), np.nan)
    columns = {prefix + x: np.ravel([by_key.get((m, x), blank) for m in meters]) for x in letters}
    both = pd.MultiIndex.from_product([meters, index], names=["meter", index.name])
    return pd.DataFrame(columns, index=both, columns=list(columns))


def by_column(
    columns: Mapping[str | None, Mapping[tuple[Any, ...], Floats]], index: pd.Index, *levels: str
) -> pd.DataFrame:
    """Arrays by meter and labels of several levels as a frame, over (meter, index) of several.

    Parameters
    ----------
    columns : mapping of meter to mapping of label to ndarray
        The meter is None in a frame that has no level of them.
    index : pandas.Index
        What the rows are.
    *levels : str
        The names of the labels' levels.
    """
    parts = {}
    for meter, arrays in columns.items():
        labels = pd.MultiIndex.from_tuples(list(arrays), names=levels)
        made = pd.DataFrame(dict(enumerate(arrays.values())), index)
        parts[meter] = made.set_axis(labels, axis=1)
    if None in parts or not parts:
        return parts.get(None, pd.DataFrame())
    return pd.concat(parts, names=["meter", index.name])


def periods_index(of: Inputs) -> pd.DatetimeIndex:
    """The starts of the periods, in the verb's zone."""
    return local(of.s, of.tz).rename("time")


def wide(
    of: Inputs, values: Sequence[Floats], s: Ints, ends: Ints, meter: str | None = None
) -> pd.DataFrame:
    """Period start to one column per element, e.g. ``Energy/Elm/A``; in pint as the input is.

    Parameters
    ----------
    of : Inputs
        Its series, one per array of `values`.
    values : sequence of ndarray
        All over the same periods.
    s, ends : ndarray of int64
        What the rows are called by, and where the periods end [us UTC].
    meter : str, optional
        The one to show; by default all of the frame. A meter's missing elements are NaN.
    """
    there = None
    if is_several(of.frame):
        topics = of.source.topics
        letters = [c.id for _, c in element_columns(of.frame, topics)]
        every = [(m, x) for m in meters_of(of.frame) for x in letters]
        there = requested_elements(of.frame, topics, of.keywords.elements) or every
        there = there if meter is None else [(meter, x) for _, x in there]
    index = local(s, of.tz).rename("time")
    made = by_element(of, values, index, there, f"{of.source.result}/{ELEMENT}/")
    made.attrs = attrs_of(of.source.result, ends if len(values) else None)
    return quantify(made) if in_pint(of) else made


def in_pint(of: Inputs) -> bool:
    """Whether the columns that answer have pint dtypes."""
    if "pint_pandas" not in sys.modules:  # then none has
        return False
    pint = [hasattr(x, "units") for x in of.frame.dtypes]
    return any(pint) and any(pint[i] for i, _ in element_columns(of.frame, of.source.topics))


def rows_of(
    of: Inputs, parts: Parts, columns: Sequence[str], *, across: bool = False
) -> pd.DataFrame:
    """Figures as rows: by meter, period, element and rank, as every verb of rows has them.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    parts : sequence of (Cumulative, mapping)
        Of each element its arrays by column.
    columns : sequence of str
        The columns, after ``meter`` where the frame has several. The rows of a meter are ordered
        by the array ``period``, shown or not, then by element and rank.
    across : bool
        Whether meters stand side by side: elements go by full ids, and no column names the meter.
    """
    several = is_several(of.frame)
    named = several and not across
    columns = [*(["meter"] if named else []), *columns]
    if not parts:
        return pd.DataFrame(columns=columns)
    which = np.repeat(np.arange(len(parts)), [len(x["flags"]) for _, x in parts])
    data = {k: np.concatenate([x[k] for _, x in parts]) for k in parts[0][1]}
    meters = pd.factorize(np.array([str(c.meter) if named else "" for c, _ in parts]))[0][which]
    rows = np.lexsort((data.get("rank", which), which, data["period"], meters))
    data, which = {k: x[rows] for k, x in data.items()}, which[rows]
    of_parts = {
        "meter": [c.meter for c, _ in parts],
        "element": [c.name if across and several else c.element for c, _ in parts],
        "source": [c.source for c, _ in parts],
    }
    return pd.DataFrame(
        {
            **{k: np.array(x, dtype=object)[which] for k, x in of_parts.items() if k in columns},
            **data,
            **{k: local(data[k], of.tz) for k in _INSTANTS.intersection(columns)},
            "status": np.array(STATUSES, dtype=object)[data["status"]],
            "flags": [names(b) for b in data["flags"].tolist()],
        }
    )[columns]


def frame_of_rows(
    frame: pd.DataFrame, rows: Any, columns: Sequence[str], tz: dt.tzinfo
) -> pd.DataFrame:
    """Make a frame of rows that begin with their meter; it is shown where there are several.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    rows : sequence of tuple, or pandas.DataFrame
        The rows, instants in microseconds.
    columns : sequence of str
        The columns after ``meter``.
    tz : tzinfo
        The zone of the instants.
    """
    made = pd.DataFrame(rows, columns=["meter", *columns])
    for name in _INSTANTS.intersection(columns):
        made[name] = local(made[name].to_numpy(dtype=np.int64), tz)
    return made if is_several(frame) else made[list(columns)]


def detail_of(f: Figures, interval: int) -> dict[str, Any]:
    """All columns of `detail` that are numbers or instants, as arrays of shape (periods,)."""
    withheld = np.isnan(f.energy)
    bounds, split = f.of.bounds(f.s, f.e), f.of.split(f.s, f.e)
    lo, hi, imported, exported = (np.where(withheld, np.nan, x) for x in (*bounds, *split))
    raw, agreed = f.energy, np.zeros(len(f.energy))
    if f.of.corrected is not None:
        raw, measured = (x.energy(f.s, f.e) for x in (f.of.corrected.raw, f.of.corrected.measured))
        agreed = f.energy - measured
    # The readings at or around the edges; a mean shows no register, so only their times.
    shown = f.of.readings if f.of.source == "register" else np.full(len(f.of.at), np.nan)
    shown, at = np.r_[np.nan, shown, np.nan], np.r_[NAT, f.of.at, NAT]
    opens, closes = np.searchsorted(f.of.at, f.s, side="right"), np.searchsorted(f.of.at, f.e) + 1
    closing = shown[closes]
    for exchange, last in f.of.closings.items():
        closing[at[closes] == exchange] = last
    return {
        "period": f.starts,
        "start": f.starts,
        "end": f.ends,
        "energy": f.energy,
        "coverage": f.coverage,
        "status": f.status,
        "lo": lo,
        "hi": hi,
        "readings": f.of.readings_in(f.s, f.e),
        "expected": expected(f.s, f.e, interval),
        "open_at": at[opens],
        "open_reading": shown[opens],
        "close_at": at[closes],
        "close_reading": closing,
        "imported": imported,
        "exported": exported,
        "flags": f.flags,
        "raw": raw,
        "agreed": agreed,
    }


def expected(s: Ints, e: Ints, interval: int) -> Ints:
    """How many readings each period should have, a half rounded up."""
    return (2 * (e - s) + interval) // (2 * interval)


def detail_rows(
    of: Inputs, parts: Parts, columns: Sequence[str] = COLUMNS, *, across: bool = False
) -> pd.DataFrame:
    """The rows of ``energy(detail=True)``; with the raw figure where an element is corrected."""
    if any(c.corrected is not None for c, _ in parts):
        columns = (*columns, *CORRECTED)
    rows = rows_of(of, parts, columns, across=across)
    if parts:
        rows.attrs = attrs_of(of.source.result)
    if not parts or not in_pint(of):
        return rows
    label = {k: f"{of.source.result}/{ELEMENT}/{k}" for k in _ENERGIES}
    wired = quantify(rows[list(_ENERGIES)].rename(columns=label))
    return rows.assign(**{k: wired[x] for k, x in label.items()})


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
    note: dict[str, Any] = {"schema": SCHEMA, "units": {topic: TOPICS[topic].unit}}
    if ends is not None and len(ends):
        note |= {"until": utc(ends[-1]).isoformat(), "periods": len(ends)}
    return {ATTRS: note}


def warn_of_coverage(
    parts: Parts,
    what: str,
    tz: dt.tzinfo,
    *,
    others: Iterable[Cumulative] = (),
    accepted: bool = False,
    more: str = "Look at status and coverage",
) -> None:
    """Warn once of a call's figures that are not recorded, naming the worst and the remedies.

    Parameters
    ----------
    parts : sequence of (Cumulative, mapping)
        Of each element the arrays ``period, coverage, status`` and perhaps ``flags``, as
        `rows_of` takes them.
    what : str
        What the figures are, e.g. ``"peaks"``.
    tz : tzinfo
        The zone of the periods.
    others : iterable of Cumulative
        What else the figures were made from.
    accepted : bool
        Whether `min_coverage` or `detail` has dealt with them.
    more : str
        Where each of them can be seen.
    """
    if accepted or not any(x["status"].any() for _, x in parts):
        return
    which = np.repeat(np.arange(len(parts)), [len(x["status"]) for _, x in parts])
    period, coverage, state, flags = (
        np.concatenate([x.get(k, 0 * x["status"]) for _, x in parts])
        for k in ("period", "coverage", "status", "flags")
    )
    i = int(np.lexsort((period, coverage, -state))[0])  # of equally poor ones the earliest
    at, counts = local(period[i : i + 1], tz)[0], np.bincount(state, minlength=len(STATUSES))
    counted = ", ".join(f"{counts[k]} {STATUSES[k]}" for k in (3, 2, 1) if counts[k])
    why = f" ({', '.join(names(int(flags[i])))})" if flags[i] else ""
    jumped = {parts[k][0].name for k in which[(flags & int(Flag.UNEXPLAINED_JUMP)) != 0]}
    made_of = (*(c for c, _ in parts), *others)
    known = remedies(c for c in made_of if c.refusal or c.name in jumped)
    warn(
        f"{counts[1:].sum()} of {len(state)} {what} are not wholly recorded ({counted}); the worst "
        f"is {parts[which[i]][0].name} from {at:%Y-%m-%d %H:%M}: {STATUSES[state[i]]}, coverage "
        f"{coverage[i]:.4g}{why}. {known}{more}"
        + by("; min_coverage= accepts or withholds them without this warning.", "."),
        CoverageWarning,
    )


def warn_of_figures(found: Sequence[Figures], tz: dt.tzinfo) -> None:
    """Warn once of all energy figures that are not recorded, as `warn_of_coverage`."""
    more = by("detail=True tells each one", "--detail tells each one")
    poor = [f for f in found if f.status.any() and len(f.of.at)]
    ends = [(first_covered(f.of) - f.s[0], f.e[-1] - f.of.at[-1]) for f in poor]
    # What lacks less than an hour at an end, bracketing rows would give.
    if any(0 < head <= HOUR or 0 < tail <= HOUR for head, tail in ends):
        how = by(": read with bracket=True", ", and the meter has no reading right beside them")
        more = f"The first or last minutes of the span lie outside the readings{how}. {more}"
    parts = [(f.of, {"period": f.starts, **f._asdict()}) for f in found]
    warn_of_coverage(parts, "energy figures", tz, more=more)


def remedies(series: Iterable[Cumulative]) -> str:
    """What to state so that the rules can tell what they withhold now; empty for none."""
    found: list[str] = []
    for c in series:
        withheld = jumps(c) if c.max_kw is None else []
        if c.refusal:
            found.append(c.refusal)
        elif withheld:
            at, _, kwh = max(withheld, key=lambda x: abs(x[2]))
            how = by(
                f'RegisterRules(max_kw={{"{c.name}": ...}}) would tell.',
                f"--max-kw {c.name}=KW, or in a file for --site would tell.",
            )
            found.append(
                f"{c.name} jumps by {kwh:,.1f} kWh from {stamp(at)}, which is not taken for use: "
                f"{how}"
            )
    return "".join(f"{x} " for x in dict.fromkeys(found))  # one register may answer twice


def warn_of_withheld(series: Iterable[Cumulative], s: int, e: int) -> None:
    """Warn of withheld steps in a period of which no status warns, because it is accepted."""
    text = remedies(c for c in series if any(a < e and s < b for a, b, _ in jumps(c)))
    if text:
        warn(text.strip(), CoverageWarning)


def warn_of_power(series: Sequence[Cumulative], s: Ints, e: Ints, tz: dt.tzinfo) -> None:
    """Warn of accepted steps in some periods that few elements draw, where no `max_kw` is stated.

    The rules accept them, since without a greatest power nothing tells a blip from use where
    others are near; but nobody should be billed a whole register in silence.
    """
    for c in series:
        limit = SURPRISING_KW[c.source]
        if c.max_kw is not None or c.greatest_kw <= limit:
            continue
        inside = (c.t[1:] > s.min(initial=FOREVER)) & (c.t[:-1] < e.max(initial=NAT))
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


def divided(above: Floats, below: Floats) -> Floats:
    """A ratio, NaN where what it is divided by is not above 0."""
    out: Floats = np.full(len(above), np.nan)
    return np.divide(above, below, out=out, where=below > 0)
