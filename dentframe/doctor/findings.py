"""Each finding compares one assumption with what the service answered, and says on what it rests.

A finding names no meter, no site and no reading: it counts, and says how the answers are.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pandas as pd

from dentframe.errors import DentError, DentWarning
from dentframe.frame.assemble import frame_of
from dentframe.verbs.demand import check_demand_window
from dentframe.verbs.quality_limits_and_findings import runs
from dentframe.wire.columns import parse
from dentframe.wire.pages_and_bad_cells import Page, Report
from dentframe.wire.topics import SERVED

if TYPE_CHECKING:
    from dentframe.doctor import Answers

Verdict = Literal["yes", "no", "unknown"]
BURST = 10
"""So many small requests are sent one after the other."""
INTERVAL = pd.Timedelta(15, "min")
HOUR = pd.Timedelta(1, "h")
_NOTHING = pd.DataFrame({"kWHNet/Elm/A": []}, pd.DatetimeIndex([], tz="UTC"), dtype=float)
"""A register without a reading, so that there is something to join."""


@dataclass(frozen=True)
class Finding:
    """One assumption, whether it holds (yes, no, unknown), and on what that rests."""

    assumption: str
    verdict: Verdict
    evidence: str


class Earlier(msgspec.Struct):
    """What an earlier report says: when it was made, and the rows that each meter had then."""

    schema: Literal[1]
    made: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    rows: dict[str, dict[dt.date, int]]


def _finding(assumption: str, good: bool | None, evidence: str, unless: str = "") -> Finding:
    """The finding; `unless` says why nothing tells, where that is so."""
    verdict: Verdict = "unknown" if unless or good is None else "yes" if good else "no"
    return Finding(assumption, verdict, unless or evidence)


def _share(rows: Any) -> float:
    return float(np.mean(rows)) if len(rows) else 0.0


def topics(e: Answers) -> Iterator[Finding]:
    """The topics of the document are served, and each has columns where they are expected."""
    lacking = [t for t in SERVED if t not in e.topics]
    more = [t for t in e.topics if t not in SERVED]
    evidence = [f"not there: {', '.join(lacking)}"] * bool(lacking)
    evidence += [f"new: {', '.join(more)}"] * bool(more)
    yield _finding(
        "The topics of the API's document are there, kVAHNet and V too", not lacking,
        "; ".join(evidence) or f"{len(e.topics)} topics listed",
    )  # fmt: skip
    scopes = {(c.topic, c.scope) for page in e.days for c in map(parse, page.columns)}
    without = [t for t in dict.fromkeys(e.topics) if t not in {topic for topic, _ in scopes}]
    yield _finding(
        "Every topic that is listed has columns", not without if e.days else None,
        f"without: {', '.join(without) or 'none'}, on the last day of {len(e.days)} meter(s)",
    )  # fmt: skip
    of_v = sorted(scope for topic, scope in scopes if topic == "V")
    came = f"V comes as {', '.join(f'V/{scope}/…' for scope in of_v)}"
    none = "" if of_v else "no V came"
    yield _finding("V comes per channel (V/Ch/A1)", of_v == ["Ch"], came, none)


def clock(e: Answers) -> Iterator[Finding]:
    """Times are UTC, and rows come every 15 minutes."""
    ends = [f.index[-1] for f in e.frames if len(f)]
    doubled = e.autumn.report.duplicates if e.autumn else 0
    age = min(((pd.Timestamp(e.now) - t) / HOUR for t in ends), default=np.nan)
    evidence = f"the newest row is {age:.1f} h old" if ends else "no rows"
    ahead = age < -INTERVAL / HOUR
    if ahead:
        evidence = f"rows lie {-age:.1f} h in the future: a clock east of UTC"
    elif age > 1:
        evidence += ": a clock west of UTC, or late uploads"
    if doubled > 1:
        evidence += f"; {doubled} times come twice on the day when US clocks go back"
    elif e.autumn is not None and len(e.autumn.minutes):
        evidence += "; no time comes twice on the day when US clocks go back"
    right = False if ahead or doubled > 1 else True if age <= 1 else None
    yield _finding("Times are UTC", right, evidence)
    gaps, usual = _spacing(e.frames)
    past = ", ".join(map(str, sorted({t.minute % 15 for t in ends})))
    yield _finding(
        "Rows are 15 minutes apart, at minutes past the quarter", usual == INTERVAL,
        f"{(usual or INTERVAL) / pd.Timedelta(1, 'min'):g} min apart in "
        f"{_share(gaps == usual):.0%} of {len(gaps):,} steps; minutes past the quarter: {past}",
        "no rows" if usual is None else "",
    )  # fmt: skip


def _spacing(frames: Iterable[pd.DataFrame]) -> tuple[Any, pd.Timedelta | None]:
    """The times from row to row, meter after meter, and the usual one."""
    times = (pd.DatetimeIndex(f.index).tz_localize(None).to_numpy() for f in frames)
    gaps = np.concatenate([np.empty(0, "m8[ns]"), *map(np.diff, times)])
    return gaps, pd.Timedelta(np.median(gaps)) if len(gaps) else None


def demand_window(e: Answers) -> Iterator[Finding]:
    """DemandkW is the mean of the 15 minutes up to its row."""
    evidence, verdicts = [], set()
    for i, frame in enumerate(e.frames, 1):
        quiet = warnings.catch_warnings(action="ignore", category=DentWarning)
        with quiet, contextlib.suppress(DentError):
            found = check_demand_window(frame, interval=_spacing([frame])[1] or INTERVAL)
            told = found[["verdict", "best_lag", "margin"]].dropna().head(1)
            for verdict, lag, margin in told.itertuples(index=False):
                verdicts.add(verdict)
                minutes = lag / pd.Timedelta(1, "min")
                evidence.append(f"meter {i} {verdict}, lag {minutes:g} min, margin {margin:.2f}")
    yield _finding(
        "A row of DemandkW covers the 15 minutes up to its time (sliding, lag 0)",
        False if "block" in verdicts else True if verdicts == {"sliding"} else None,
        "; ".join(evidence) or "DemandkW and kWHNet did not come together",
    )


def demand(e: Answers) -> Iterator[Finding]:
    """DemandkW has the sign of the power and the register's unit."""
    quiet = _steps(e).loc[lambda steps: steps["quiet"]]
    exported = quiet[quiet["exports"] & (quiet["rise"] < -0.01)]["kw"]
    above = _share(exported > 0)
    yield _finding(
        "DemandkW is negative on export", above < 0.1,
        f"while registers fall, DemandkW is above 0 in {above:.0%} of {len(exported):,} rows",
        "" if len(exported) else "no element exports",
    )  # fmt: skip
    drawn = quiet[~quiet["exports"] & (quiet["rise"] >= 0) & (quiet["kw"] > 0)]
    rises = drawn["rise"].groupby(level=0).sum()
    energies = (drawn["kw"] * drawn["hours"]).groupby(level=0).sum()
    ratios = (rises / energies)[energies > 1]
    middle = ratios.median() if len(ratios) else 1.0
    yield _finding(
        "kWHNet counts the kilowatt-hours of DemandkW",
        abs(middle - 1) < 0.1 if len(ratios) else None,
        f"kWHNet rises by {middle:.3g} of DemandkW's energy in {len(ratios)} elements",
    )


def power_factor(e: Answers) -> Iterator[Finding]:
    """The sign of dPF tells the direction of power: some meters tell by it what leads or lags."""
    alike = [np.empty(0, np.bool_)]
    for page in e.days:
        frame = frame_of([page], ("dPF", "kWHNet"))
        for column in map(parse, frame.columns):
            register = frame.get(f"kWHNet/{column.scope}/{column.id}")
            if column.topic == "dPF" and register is not None:
                rise, factor = register.diff(), frame[column.wire]
                moved = (rise.abs() > 0.01) & factor.notna()
                alike.append(((rise < 0) == (factor < 0))[moved].to_numpy())
    rows = np.concatenate(alike)
    yield _finding(
        "dPF is negative on export, and only then", _share(rows) > 0.9,
        f"its sign is that of kWHNet's steps in {_share(rows):.0%} of {len(rows):,} rows",
        "" if len(rows) else "dPF and a kWHNet that moves did not come together",
    )  # fmt: skip


def _steps(e: Answers) -> pd.DataFrame:
    """What each register rose by from reading to reading, from where, and the demand at its end.

    A great step falls to less than half: a clear, a rollover or a blip, and no export. A quiet one
    lies within one interval and is not great.
    """
    found = []
    for frame, c in ((f, c) for f in (_NOTHING, *e.frames) for c in map(parse, f.columns)):
        if c.topic == "kWHNet":
            both = frame.reindex(columns=[c.wire, f"DemandkW/{c.scope}/{c.id}"])
            steps = both.set_axis(["register", "kw"], axis=1).dropna(subset="register")
            hours = steps.index.to_series().diff().dt.total_seconds() / 3600
            since, rise = steps["register"].shift(), steps["register"].diff()
            steps = steps.assign(since=since, rise=rise, hours=hours)[1:]
            least = 20 * steps["rise"].abs().median() + 1
            great = (steps["rise"] < -0.5 * steps["since"].abs()) & (-steps["rise"] > least)
            quiet = (steps["hours"] < 0.4) & ~great & np.isfinite(steps["kw"])
            exports = _share(quiet & (steps["rise"] < -0.01)) > 0.05
            found.append(steps.assign(great=great, quiet=quiet, exports=exports))
    some = [steps for steps in found if len(steps)] or found[:1]
    return pd.concat(some, keys=range(len(some)))


def registers(e: Answers) -> Iterator[Finding]:
    """Registers have three decimals, do not roll over, and never blip to zero."""
    steps = _steps(e)
    every = steps["since"].to_numpy()
    sizes = (10.0**n for n in range(3, -4, -1))
    size = next((x for x in sizes if (np.abs(every / x - np.round(every / x)) < 1e-6).all()), 0.001)
    yield _finding(
        "kWHNet has a resolution of 0.001 kWh", size <= 0.001,
        f"its values are multiples of {size:g}", "" if len(every) else "no kWHNet came",
    )  # fmt: skip
    back = steps["rise"].groupby(level=0).shift(-1) >= -steps["rise"]
    blips = int((steps["great"] & back).sum())
    tops = steps["since"][steps["great"] & ~back].tolist()
    like = len(tops) > 1 and min(tops) > 0.8 * max(tops)
    evidence = f"{len(tops)} fall(s) to less than half"
    if like:
        evidence += f", each from near {max(tops):.2g}: the modulus, by the look of it"
    yield _finding(
        "kWHNet never begins again by itself",
        None if not len(every) or (tops and not like) else not tops,
        evidence + f", in {len(every):,} readings",
    )
    yield _finding(
        "Registers never read 0 for a moment",
        blips == 0 if len(every) else None,
        f"{blips} such blips",
    )
    month = [e.month.value] if isinstance(e.month.value, Page) else []
    kvah = frame_of(month, ("kVAHNet",))
    fell = int((np.diff(kvah, axis=0) < 0).sum())
    yield _finding(
        "kVAHNet never falls", not fell if kvah.size else None,
        f"{fell} falls in a month of {kvah.shape[1]} elements",
    )  # fmt: skip


def cells(e: Answers) -> Iterator[Finding]:
    """Every cell has a number, and every row its own time, in order, within its window."""
    total = Report.total(p.report for p in e.pages)
    count = sum(p.values.size for p in e.pages)
    unread = sum(n for n, _ in total.unreadable.values())
    blank, absent = sum(total.blank.values()), sum(total.absent.values())
    yield _finding(
        "No reading is blank or text",
        not (blank or unread) if count else None,
        f"{blank:,} blank and {unread:,} no number of {count:,} cells; {absent:,} absent",
    )
    again = total.duplicates - (e.autumn.report.duplicates if e.autumn else 0)
    wrong = {"twice": again, "outside the window": total.outside, "without a time": total.bad_dates}
    yield _finding(
        "Each time comes once, in order, within its window",
        not any(wrong.values()) and not total.unsorted if total.rows else None,
        ", ".join(f"{n:,} {name}" for name, n in wrong.items())
        + f", {'not ' * total.unsorted}in order, of {total.rows:,} rows",
    )


def outages(e: Answers) -> Iterator[Finding]:
    """An outage leaves no rows, and what is 48 hours old does not change."""
    runs = sum(_repeats(f) for f in e.frames if len(f))
    holes = int((_spacing(e.frames)[0] > 1.5 * INTERVAL).sum())
    yield _finding(
        "An outage leaves rows out; none is repeated",
        False if runs else True if holes else None,
        f"{runs} runs of four or more equal rows, {holes} gaps"
        + ("" if runs or holes else ": no outage to tell by"),
    )


def _repeats(frame: pd.DataFrame) -> int:
    """Runs of at least four rows in which nothing changes, where the meter is never still."""
    equal = (np.diff(frame.to_numpy(), axis=0) == 0).all(axis=1)
    if not len(equal) or equal.mean() > 0.5:
        return 0
    return sum(b - a >= 3 for a, b in runs(equal))


def backfill(e: Answers, earlier: Earlier | None) -> Finding:
    """Rows do not come later than 48 hours: by an earlier report, else by what is lacking."""
    title = "Rows do not come later than 48 hours after their time"
    now, limit = rows_a_day(e), pd.Timedelta(2, "D")
    if earlier:
        made = pd.Timestamp(earlier.made)
        late = sum(
            max(0, now.get(m, {}).get(str(day), n) - n)
            for m, days in earlier.rows.items()
            for day, n in days.items()
            if made - pd.Timestamp(day, tz="UTC") - pd.Timedelta(1, "D") >= limit
        )
        evidence = f"{late} rows came for days that were over for 48 hours at the earlier report"
        if late or pd.Timestamp(e.now) - made >= limit:
            return _finding(title, not late, evidence)
        return _finding(title, None, f"{evidence}; compare again when it is two days old")
    recent, before = [], []
    for days in now.values():
        counts = [n for _, n in sorted(days.items())][-19:]
        full = max(counts, default=0)
        recent += [n < full for n in counts[-5:]]
        before += [n < full for n in counts[:-5]]
    if len(before) >= 10 and sum(recent) >= 0.6 * len(recent) and not any(before):
        return _finding(title, False, "the last days lack rows, and no day before: they come late")
    return _finding(title, None, "one report cannot tell: run it with --compare in some days")


def rows_a_day(e: Answers) -> dict[str, dict[str, int]]:
    """Rows of each UTC day that is over, of meters by number: no name and no reading."""
    today, found = pd.Timestamp(e.now).floor("D"), {}
    for i, frame in enumerate(e.frames, 1):
        ones = pd.Series(1, frame.index[frame.index < today])
        days = ones.resample("D").sum().items()
        found[f"meter {i}"] = {str(day)[:10]: int(n) for day, n in days}
    return found


def limits(e: Answers) -> Iterator[Finding]:
    """A month of all topics is one answer, 5 requests a second are served, and a no is 200."""
    no, sent = e.month.error, e.month.value is not None or e.month.error is not None
    size = f"{e.month.size / 1e6:.1f} MB in {e.month.seconds:.1f} s"
    yield _finding(
        "A month of all topics of a meter comes in one answer", no is None,
        f"refused: {_refusal(no)}" if no else size, "" if sent else "no meter with readings",
    )  # fmt: skip
    refused = [r for r in e.burst if r.error is not None]
    kinds = ", ".join(sorted({_refusal(r.error) for r in refused if r.error}))
    yield _finding(
        "5 requests a second are served",
        not refused if len(e.burst) == BURST else None,
        f"{len(refused)} of {len(e.burst)} refused" + (f": {kinds}" if kinds else ""),
    )
    error = e.strange.error
    yield _finding(
        'A meter that is not there is refused with 200 and "success": false',
        None
        if not e.burst or getattr(error, "status", 0) == 429
        else error is not None and error.status == 200,
        "answered as if it were there" if error is None else _refusal(error),
    )


def _refusal(error: DentError) -> str:
    return f"{type(error).__name__}, status {error.status or 'none'}"


ALL = (topics, clock, demand_window, demand, power_factor, registers, cells, outages, limits)
