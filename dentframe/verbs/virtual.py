"""Virtual meters: signed sums of elements, across meters. Frame in, frame out. Pure.

Energies of periods are added, never readings: meters are read at different minutes, and a
register less another one is no register.

The formulas of virtual meters: elements with signs and factors, read strictly. Pure text.

::

    formula = ["+" | "-"] term { ("+" | "-") term }
    term    = [number "*"] element
    element = "A" or "P482311252_A"

Nothing is evaluated: no parentheses, no division, no names but elements.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    KindError,
    UnknownMeterError,
    did_you_mean,
    warn,
)
from dentframe.frame.quantify import quantify
from dentframe.frame.select import check_read, elements
from dentframe.metering.cumulative import STATUSES
from dentframe.metering.figures import (
    COLUMNS,
    Sum,
    add,
    check_edges,
    figures,
    missing,
    part_of,
    withheld,
)
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import names, rows, time_index
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs.inputs import Asked, check_share, keyed, periods, series_of
from dentframe.verbs.results import Result, attrs_of
from dentframe.verbs.sources import Wanted, interval_of, wanted
from dentframe.wire.columns import ELEMENT, Column, split_element

if TYPE_CHECKING:
    from dentframe.metering.series import Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?|\.\d+)(?![A-Za-z0-9_.])|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
    r"|(?P<sign>[+-])|(?P<times>\*)"
)
_ALLOWED = (
    "Allowed are elements ('A', 'P482311252_A') joined by + and -, each with a factor before it "
    "if need be ('0.5*A')."
)


@dataclass(frozen=True)
class Term:
    """One element of a formula, with its signed factor.

    Attributes
    ----------
    factor : float
        Not 0.
    name : str
        The element as the formula names it.
    position : int
        Where the name stands in the formula, from 1.
    """

    factor: float
    name: str
    position: int


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def parse(formula: str, name: str) -> list[Term]:
    """The terms of a formula, each element once.

    Parameters
    ----------
    formula : str
        E.g. ``"P1_A - P1_B - 0.5*P2_A"``.
    name : str
        The virtual meter, for messages.

    Raises
    ------
    ConfigError
        Where the formula cannot be read; names the token, its position and what is allowed.

    Examples
    --------
    >>> [(t.factor, t.name) for t in parse("A - 0.5*B", "Rest")]
    [(1.0, 'A'), (-0.5, 'B')]
    """
    if not isinstance(formula, str):
        raise ConfigError(
            f"Cannot read the formula of {name!r}: it is a {type(formula).__name__}, not text. "
            + _ALLOWED
        )
    reader = _Reader(formula, name, _tokens(formula, name))
    terms = [reader.term(first=True)]
    while reader.more:
        terms.append(reader.term(first=False))
    _refuse_twice(terms, formula, name)
    return terms


def _tokens(formula: str, name: str) -> list[_Token]:
    found, at = [], 0
    while at < len(formula):
        if formula[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(formula, at)
        if match is None:
            raise _refused(formula, name, repr(formula[at]), at + 1)
        found.append(_Token(str(match.lastgroup), match[0], at + 1))
        at = match.end()
    return found


class _Reader:
    """A formula being read, token by token."""

    def __init__(self, formula: str, name: str, tokens: list[_Token]) -> None:
        self.formula, self.name, self.tokens, self.at = formula, name, tokens, 0

    @property
    def more(self) -> bool:
        return self.at < len(self.tokens)

    def take(self, kind: str) -> _Token | None:
        """The next token, where it is of a kind."""
        if not self.more or self.tokens[self.at].kind != kind:
            return None
        self.at += 1
        return self.tokens[self.at - 1]

    def need(self, kind: str, what: str) -> _Token:
        found = self.take(kind)
        if found is None:
            raise self.refused(what)
        return found

    def term(self, *, first: bool) -> Term:
        sign = self.take("sign")
        if sign is None and not first:
            raise self.refused("+ or -")
        number = self.take("number")
        if number is not None:
            self.need("times", "* after a factor")
        element = self.need("name", "an element")
        factor = float(number.text) if number else 1.0
        if factor == 0:
            raise self.refused("a factor that is not 0", self.at - 3)
        return Term(
            -factor if sign and sign.text == "-" else factor, element.text, element.position
        )

    def refused(self, what: str, at: int | None = None) -> ConfigError:
        at = self.at if at is None else at
        if at >= len(self.tokens):
            where = len(self.formula) + 1
            return _refused(self.formula, self.name, "its end", where, what)
        token = self.tokens[at]
        return _refused(self.formula, self.name, repr(token.text), token.position, what)


def _refused(formula: str, name: str, token: str, position: int, expected: str = "") -> ConfigError:
    hint = f" (expected {expected})" if expected else ""
    return ConfigError(
        f"Cannot read the formula of {name!r}, {formula!r}: {token} at position {position} "
        f"does not belong there{hint}. {_ALLOWED}"
    )


def _refuse_twice(terms: list[Term], formula: str, name: str) -> None:
    seen = set[str]()
    for term in terms:
        if term.name in seen:
            raise ConfigError(
                f"Cannot use the formula of {name!r}, {formula!r}: it names {term.name!r} twice, "
                f"again at position {term.position}. Give it once, with a factor if need be."
            )
        seen.add(term.name)


_DEFAULT_RULES = RegisterRules()
_ENERGIES = ("energy", "lo", "hi", "open_reading", "close_reading", "imported", "exported")
_OF_SUM = tuple(f.name for f in fields(Sum) if f.name not in {"name", "source"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def virtual(
    frame: pd.DataFrame,
    meters: Mapping[str, str],
    freq: Freq = None,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
    detail: bool = False,
) -> pd.DataFrame:
    """Energy of signed sums of elements, e.g. a main less its branches.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    meters : mapping of str to str
        Name of each virtual meter to its formula: ``{"Common": "P1_A - P1_B - 0.5*P2_A"}``;
        ``"A"`` in a frame of one meter, ``"P1_A"`` in any. Grammar: `metering.expression`.
    freq, tz, start, end, topic, source, registers, edges, interval, demand_lag, site : optional
        As in `dentframe.verbs.energy.energy`, of the parts.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    detail : bool
        One row per period and virtual meter, with the columns of ``energy(detail=True)``.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to ``Energy/Elm/Common``... [kWh]: the signed sum of the parts'
        energies. Coverage is the least of the parts'; NaN where a part is missing. There is no
        meter level: virtual meters lie across meters. With `detail`, status is the worst of the
        parts', ``lo`` and ``hi`` follow by interval arithmetic (NaN where a part has none),
        flags are those of the parts and ``negative_residual`` below 0, ``readings`` and
        ``expected`` are those of the part that lacks most, and ``source`` is ``"mixed"``
        where parts differ. What a sum has not, its own readings and their split into imported
        and exported energy, is NaT or NaN.

    Raises
    ------
    ConfigError
        For a formula that cannot be read, or a name that is none or is taken.
    UnknownMeterError
        Where a formula names an element that is not there.
    KindError
        For apparent energy, which does not add up.
    RangeError, UnknownTopicError, UnitError
        As `energy`.

    Warns
    -----
    CoverageWarning
        Once a call, where sums are not wholly recorded.

    Examples
    --------
    >>> t = pd.date_range("2024-01-01", periods=2, freq="h", tz="UTC")
    >>> columns = {"kWHNet/Elm/A": [0.0, 50.0], "kWHNet/Elm/B": [0.0, 30.0]}
    >>> float(virtual(pd.DataFrame(columns, index=t), {"Rest": "A - B"}).iloc[0, 0])
    20.0
    """
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    check_edges(edges)
    check_share(min_coverage)
    zone = verb_zone(time_index(frame).tz, asked.tz, freq)
    formulas = _formulas(frame, meters)
    answer = wanted(frame, topic, source)
    _refuse_apparent(answer)
    used = {key for parts in formulas.values() for _, key in parts}
    series = keyed(series_of(frame, answer, asked))
    by_key = {k: c for k, c in series.items() if k in used}
    bounds = {"start": start, "end": end, "naive": asked.tz}
    when = periods(frame, list(by_key.values()), freq, tz=zone, **bounds)
    s, e = ints(when.starts), ints(when.ends)
    found = {
        k: part_of(figures(c, s, e, edges=edges), interval_of(interval, c.meter))
        for k, c in by_key.items()
    }
    sums = [_summed(name, parts, found, missing(s, e)) for name, parts in formulas.items()]
    if min_coverage is None:
        _warn_of(sums, zone)
    else:
        sums = [withheld(x, min_coverage) for x in sums]
    made = _detail(sums, zone) if detail else _wide(sums, s, zone)
    return _in_pint(made) if Result(frame, answer, zone, interval).in_pint else made


Key = tuple[str | None, str]
Parts = list[tuple[float, Key]]


def _formulas(frame: pd.DataFrame, meters: Mapping[str, str]) -> dict[str, Parts]:
    check_read(frame)
    if not isinstance(meters, Mapping) or not meters:
        raise ConfigError(
            f"Cannot compute virtual meters from {meters!r}: name at least one, "
            'e.g. {"Common": "A - B"}.'
        )
    there = _elements(frame)
    for name in meters:
        _check_name(name, there)
    return {
        name: [(t.factor, _key(t, name, there)) for t in parse(formula, name)]
        for name, formula in meters.items()
    }


def _elements(frame: pd.DataFrame) -> list[Key]:
    """Every element that the frame could have, by meter."""
    return [(m.meter, x) for m in rows(frame) for x in elements(frame)]


def _full(key: Key) -> str:
    return key[1] if key[0] is None else f"{key[0]}_{key[1]}"


def _check_name(name: Any, there: Sequence[Key]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"Cannot name a virtual meter {name!r}: use letters, digits and underscores, and "
            "begin with a letter, e.g. 'Common'."
        )
    taken = {x for _, x in there} | {m for m, _ in there if m}
    if name in taken or split_element(name)[1] is not None:
        why = "the frame has it already" if name in taken else "it reads as an element's address"
        raise ConfigError(f"Cannot name a virtual meter {name!r}: {why}. Use e.g. 'Common'.")


def _key(term: Term, name: str, there: Sequence[Key]) -> Key:
    """The element that a term names."""
    meter, element = _address(term.name, there)
    found = [k for k in there if k[1] == element and (meter is None or k[0] in {None, meter})]
    if not found:
        known = [_full(k) for k in there]
        raise UnknownMeterError(
            f"Cannot compute virtual meter {name!r}: {term.name!r} at position {term.position} "
            f"of its formula is no element of this frame, which has "
            f"{', '.join(known[:12])}{did_you_mean(term.name, known)}"
        )
    if len(found) > 1:
        raise ConfigError(
            f"Cannot compute virtual meter {name!r}: {term.name!r} at position {term.position} of "
            f"its formula may be any of {', '.join(_full(k) for k in found)}. Use the full id."
        )
    return found[0]


def _address(text: str, there: Sequence[Key]) -> Key:
    if text in {x for _, x in there}:
        return None, text
    meter, _, element = text.rpartition("_")
    return meter or None, element


def _refuse_apparent(asked: Wanted) -> None:
    if asked.result != "Energy":
        raise KindError(
            f"Cannot add {asked.topics[0]} of several elements: kVA and kvar of two loads do not "
            "add up unless they have one power factor. Compute energy(topic=...) of each element."
        )


def _summed(name: str, parts: Parts, found: Mapping[Key, Sum], blank: Sum) -> Sum:
    return add(name, [factor for factor, _ in parts], [found.get(k, blank) for _, k in parts])


def _warn_of(sums: Sequence[Sum], zone: dt.tzinfo) -> None:
    poor = [(x, i) for x in sums for i in np.flatnonzero(x.status).tolist()]
    if not poor:
        return
    x, i = max(poor, key=lambda p: (p[0].status[p[1]], -p[0].coverage[p[1]]))
    why = ", ".join(names(int(x.flags[i])))
    when = stamp(int(x.starts[i])).tz_convert(zone)
    warn(
        f"{len(poor)} of {sum(len(x.starts) for x in sums)} figures of virtual meters are not "
        f"wholly recorded; the worst is {x.name} from {when:%Y-%m-%d %H:%M}: "
        f"{STATUSES[int(x.status[i])]}, coverage {x.coverage[i]:.4g}{f' ({why})' if why else ''}. "
        "detail=True tells each one; min_coverage= accepts or withholds them without this warning.",
        CoverageWarning,
    )


def _label(name: str) -> str:
    return Column("Energy", ELEMENT, name).wire


def _wide(sums: Sequence[Sum], s: Ints, zone: dt.tzinfo) -> pd.DataFrame:
    made = pd.DataFrame({_label(x.name): x.energy for x in sums}, index=local(s, zone))
    made.attrs = attrs_of("Energy", sums[0].ends if sums else None)
    return made.rename_axis("time")


def _detail(sums: Sequence[Sum], zone: dt.tzinfo) -> pd.DataFrame:
    """Rows by period, then virtual meter."""
    n = len(sums[0].starts)
    data: dict[str, Any] = {
        k: np.stack([getattr(x, k) for x in sums], axis=1).ravel() for k in _OF_SUM
    }
    data["start"], data["end"] = local(data["starts"], zone), local(data["ends"], zone)
    data["status"] = np.array(STATUSES, dtype=object)[data["status"]]
    data["flags"] = [names(b) for b in data["flags"].tolist()]
    data["element"], data["source"] = [x.name for x in sums] * n, [x.source for x in sums] * n
    never = pd.DatetimeIndex([pd.NaT] * len(data["start"])).as_unit("us").tz_localize(zone)
    data |= {"open_at": never, "close_at": never}
    rows = pd.DataFrame({k: data.get(k, np.nan) for k in COLUMNS})
    rows.attrs = attrs_of("Energy")
    return rows


def _in_pint(made: pd.DataFrame) -> pd.DataFrame:
    if "energy" not in made:
        return quantify(made)
    wired = quantify(made[list(_ENERGIES)].rename(columns=_label))
    return made.assign(**{k: wired[_label(k)] for k in _ENERGIES})
