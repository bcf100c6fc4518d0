"""`virtual` adds energies of elements with signs and factors, across meters.

It adds energies of periods and never readings: meters are read at different minutes, and a
register less another one is no register. Each part counts only while all parts are covered.

`parse` reads the formulas strictly, and evaluates nothing::

    formula = ["+" | "-"] term { ("+" | "-") term }
    term    = [number "*"] element
    element = "A" or "P482311252_A"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.errors import ConfigError, KindError, UnknownMeterError, did_you_mean
from dentframe.frame.quantify import quantify
from dentframe.frame.select import check_read, elements
from dentframe.metering.energy_and_coverage import NAT, share, status, totals
from dentframe.metering.series import Flag, Ints, rows
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import result_frames_and_warnings as results
from dentframe.verbs.elements_by_name import Element, keyed, without_readings
from dentframe.verbs.energy import Figures, figures
from dentframe.verbs.gaps_and_coverage import Stretches, uncovered
from dentframe.wire.columns import ELEMENT, full_name, split_element

if TYPE_CHECKING:
    from dentframe.times.periods import Freq


_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?|\.\d+)(?![A-Za-z0-9_.])|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
    r"|(?P<sign>[+-])|(?P<times>\*)|(?P<other>\S)"
)
_FOLLOWS = {
    "first": {"sign": "factor", "number": "times", "name": "next"},
    "factor": {"number": "times", "name": "next"},
    "times": {"times": "element"},
    "element": {"name": "next"},
    "next": {"sign": "factor", "end": "end"},
}
"""What may follow in a formula: kind of token to what may follow it."""
_EXPECTED = {"times": "* after a factor", "next": "+ or -"}
_ALLOWED = (
    "Allowed are elements ('A', 'P482311252_A') joined by + and -, each with a factor before it "
    "if need be ('0.5*A')."
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TINY = 1e-9
"""Differences of floats below this are no negative residual [kWh]."""


class Term(NamedTuple):
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
    terms: list[Term] = []
    state, factor = "first", 1.0
    found = [(str(m.lastgroup), m[0], m.start() + 1) for m in _TOKEN.finditer(formula)]
    for kind, text, position in [*found, ("end", "", len(formula) + 1)]:
        zero = kind == "number" and float(text) == 0
        if kind not in _FOLLOWS[state] or zero:
            wanted = "a factor that is not 0" if zero else _EXPECTED.get(state, "an element")
            raise ConfigError(
                f"Cannot read the formula of {name!r}, {formula!r}: "
                f"{repr(text) if text else 'its end'} at position {position} does not belong "
                f"there (expected {wanted}). {_ALLOWED}"
            )
        if kind == "name" and text in {t.name for t in terms}:
            raise ConfigError(
                f"Cannot use the formula of {name!r}, {formula!r}: it names {text!r} twice, "
                f"again at position {position}. Give it once, with a factor if need be."
            )
        state = _FOLLOWS[state][kind]
        if kind == "sign":
            factor = -1.0 if text == "-" else 1.0
        elif kind == "number":
            factor *= float(text)
        elif kind == "name":
            terms.append(Term(factor, text, position))
            factor = 1.0
    return terms


@with_keywords(inputs.TopicKeywords, inputs.DEFAULTS, without=["elements"])
def virtual(
    frame: pd.DataFrame,
    meters: Mapping[str, str],
    freq: Freq = None,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    detail: bool = False,
    **keywords: Unpack[inputs.TopicKeywords],
) -> pd.DataFrame:
    """Energy of signed sums of elements, e.g. a main less its branches.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    meters : mapping of str to str
        Name of each virtual meter to its formula: ``{"Common": "P1_A - P1_B - 0.5*P2_A"}``;
        ``"A"`` in a frame of one meter, ``"P1_A"`` in any. Grammar: `dentframe.verbs.virtual`.
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
        energies while all of them are covered. ``coverage`` is the share of that time; NaN
        where there is none. There is no meter level: virtual meters lie across meters. With
        `detail`, ``lo`` and ``hi`` follow by interval arithmetic (NaN where a part has none),
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
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    inputs.check_one_of("edges", edges, inputs.EDGES)
    inputs.check_share(min_coverage)
    formulas = _formulas(frame, meters)
    answer = inputs.energy_source(frame, resolved.topic, resolved.source)
    if answer.result != "Energy":
        raise KindError(
            f"Cannot add {answer.topics[0]} of several elements: kVA and kvar of two loads do not "
            "add up unless they have one power factor. Compute energy(topic=...) of each element."
        )
    used = {key for terms in formulas.values() for _, key in terms}
    of = inputs.inputs_of(frame, freq, answer, resolved, used=used)
    for c in of.series:
        if c.refusal:
            raise KindError(c.refusal)
    there = keyed(of.series)
    parts = ((k, there.get(k) or without_readings(*k)) for k in used)
    found = {k: figures(c, of.s, of.e, edges=edges) for k, c in parts}
    sums = []
    for name, terms in formulas.items():
        x = _summed([(w, found[k]) for w, k in terms], of)
        low = x["coverage"] < (min_coverage or 0.0)
        x |= {k: np.where(low, np.nan, x[k]) for k in ("energy", "lo", "hi")}
        sums.append((without_readings(None, name), x))
    if detail:
        return results.detail_rows(of, sums, across=True)
    accepted = min_coverage is not None
    results.warn_of_coverage(sums, "figures of virtual meters", of.tz, accepted=accepted)
    columns = {f"{answer.result}/{ELEMENT}/{c.element}": x["energy"] for c, x in sums}
    made = pd.DataFrame(columns, index=results.periods_index(of))
    made.attrs = results.attrs_of(answer.result, of.e)
    return quantify(made) if results.in_pint(of) else made


def _formulas(
    frame: pd.DataFrame, meters: Mapping[str, str]
) -> dict[str, list[tuple[float, Element]]]:
    """The factors and elements of each virtual meter, names and formulas checked."""
    check_read(frame)
    if not isinstance(meters, Mapping) or not meters:
        raise ConfigError(
            f"Cannot compute virtual meters from {meters!r}: name at least one, "
            'e.g. {"Common": "A - B"}.'
        )
    there = [(m.meter, x) for m in rows(frame) for x in elements(frame)]
    taken = {x for key in there for x in key}
    for name in meters:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(
                f"Cannot name a virtual meter {name!r}: use letters, digits and underscores, and "
                "begin with a letter, e.g. 'Common'."
            )
        known = name in taken
        if known or split_element(name)[1] is not None:
            why = "the frame has it already" if known else "it reads as an element's address"
            raise ConfigError(f"Cannot name a virtual meter {name!r}: {why}. Use e.g. 'Common'.")
    return {
        name: [(t.factor, _key(t, name, there)) for t in parse(formula, name)]
        for name, formula in meters.items()
    }


def _key(term: Term, name: str, there: Sequence[Element]) -> Element:
    """The element that a term names, by its letter or by its full id."""
    meter, _, element = term.name.rpartition("_")
    if term.name in {x for _, x in there}:
        meter, element = "", term.name
    found = [k for k in there if k[1] == element and (not meter or k[0] in {None, meter})]
    if not found:
        known = [full_name(*k) for k in there]
        raise UnknownMeterError(
            f"Cannot compute virtual meter {name!r}: {term.name!r} at position {term.position} "
            f"of its formula is no element of this frame, which has "
            f"{', '.join(known[:12])}{did_you_mean(term.name, known)}"
        )
    if len(found) > 1:
        raise ConfigError(
            f"Cannot compute virtual meter {name!r}: {term.name!r} at position {term.position} of "
            f"its formula may be any of {', '.join(full_name(*k) for k in found)}. Use the full id."
        )
    return found[0]


def _summed(parts: Sequence[tuple[float, Figures]], of: inputs.Inputs) -> dict[str, Any]:
    """The signed sum of parts while none of them is uncovered, by columns of `detail`."""
    s, e, n = of.s, of.e, len(of.s)
    # Edges that moved reach into the period before: apart from each other, all are disjoint.
    apart = np.arange(n) * max((s - f.s).max(initial=0) for _, f in parts)
    lost = [uncovered(*f.of.stretches(), f.s, f.e) for _, f in parts]
    a, b = (np.concatenate([x[i] + apart[x[2]] for x in lost]) for i in (0, 1))
    order = np.argsort(a)

    def covered(s: Ints, e: Ints) -> Stretches:
        """What is lost in no part between the edges of each period."""
        first, last, period = uncovered(a[order], b[order], s + apart, e + apart)
        return first - apart[period], last - apart[period], period

    first, last, own = covered(s, e)
    joint = totals(last - first, own, n)
    energy, lo, hi = (np.zeros(n) for _ in range(3))
    flags = np.zeros(n, dtype=np.int64)
    for factor, f in parts:
        first, last, own = covered(f.s, f.e)
        joint[totals(last - first, own, n) == 0] = 0
        energy += factor * totals(f.of.energy(first, last), own, n)
        bounds = [factor * totals(x, own, n) for x in f.of.bounds(first, last)]
        lo, hi = lo + np.minimum(*bounds), hi + np.maximum(*bounds)
        np.bitwise_or.at(flags, own, f.of.edges(first).flags | f.of.edges(last).flags)
        flags |= f.flags
    energy, lo, hi = (np.where(joint > 0, x, np.nan) for x in (energy, lo, hi))
    flags |= np.where(energy < -_TINY, int(Flag.NEGATIVE_RESIDUAL), 0)
    sources = {f.of.source for _, f in parts if len(f.of.at)}
    readings = np.stack([f.of.readings_in(f.s, f.e) for _, f in parts])
    due = np.stack([results.expected(f.s, f.e, of.interval(f.of)) for _, f in parts])
    lacking_most = (readings / np.maximum(due, 1)).argmin(axis=0), np.arange(n)
    coverage, nothing = share(joint, e - s), np.full(n, np.nan)
    return {
        **dict.fromkeys(("open_at", "close_at"), np.full(n, NAT)),
        **dict.fromkeys(("open_reading", "close_reading", "imported", "exported"), nothing),
        "period": s,
        "start": s,
        "end": e,
        "energy": energy,
        "coverage": coverage,
        "status": status(coverage, flags),
        "lo": lo,
        "hi": hi,
        "readings": readings[lacking_most],
        "expected": due[lacking_most],
        "source": np.full(n, sources.pop() if len(sources) == 1 else "mixed", dtype=object),
        "flags": flags,
    }
