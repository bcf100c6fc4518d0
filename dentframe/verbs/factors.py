"""`load_factor` and `power_factor` divide the energy of periods by what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError, KindError
from dentframe.frame.select import check_read
from dentframe.metering import blocks
from dentframe.metering.cumulative import Cumulative, share, status
from dentframe.metering.registers import HOUR, RegisterRules
from dentframe.metering.series import element_columns
from dentframe.verbs.elements import keyed
from dentframe.verbs.inputs import (
    REGISTER,
    Inputs,
    Source,
    VerbKeywords,
    check_share,
    demand_source,
    energy_source,
    inputs_of,
    series_of,
)
from dentframe.verbs.peaks import measured, within
from dentframe.verbs.results import by_element, divided, periods_index, rows_of, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
APPARENT = "kVAHNet"
KINDS = ("auto", "reported", *blocks.KINDS)


@dataclass(frozen=True)
class Ratio:
    """One element's ratio; arrays of shape (periods,).

    Attributes
    ----------
    of : Cumulative
        The element.
    value : ndarray of float
        The ratio [1].
    energy, other : ndarray of float
        Energy [kWh], and what it was compared with.
    coverage : ndarray of float
        0 to 1.
    flags : ndarray of int64
        Flag bits.
    beside : Cumulative or None
        The element's other series, of the energy or of apparent energy.
    """

    of: Cumulative
    value: Floats
    energy: Floats
    other: Floats
    coverage: Floats
    flags: Ints
    beside: Cumulative | None = None


def _result(
    of: Inputs,
    found: Sequence[Ratio],
    other: str,
    what: str,
    least: float | None,
    *,
    detail: bool,
) -> pd.DataFrame:
    """A frame of ratios, period to element or in rows, and the warning of what is not recorded.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    found : sequence of Ratio
        One per series.
    other : str
        What the second quantity is called in rows.
    what : str
        What the figures are, for the warning.
    least : float or None
        Figures with less coverage are NaN.
    detail : bool
        Rows instead of columns.
    """
    low = [f.coverage < (0.0 if least is None else least) for f in found]
    shown = [np.where(x, np.nan, f.value) for x, f in zip(low, found, strict=True)]
    parts: list[tuple[Cumulative, dict[str, Any]]] = [
        (
            f.of,
            {
                "period": of.s,
                "value": value,
                "energy": f.energy,
                other: f.other,
                "coverage": f.coverage,
                "status": status(f.coverage, f.flags),
                "flags": f.flags,
            },
        )
        for f, value in zip(found, shown, strict=True)
    ]
    columns = ("period", "element", "value", "energy", other, "coverage", "status", "flags")
    rows = rows_of(of, parts, columns)
    made_of = [c for f in found for c in (f.of, f.beside) if c is not None]
    warn_of_coverage(rows, what, made_of, accepted=detail or least is not None)
    if detail:
        return rows
    return by_element(of, shown, periods_index(of))


def load_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    kind: str = "auto",
    window: Any = "15min",
    start: Any = None,
    end: Any = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
    detail: bool = False,
) -> pd.DataFrame:
    """Load factor: energy over the peak held for all of the period's true hours.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"D"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar, the blocks and naive bounds.
    kind : str
        Which peak: ``"auto"`` is the reported one, or that of clock blocks where an element
        has a register only; ``"reported"``, ``"block"``, ``"rolling"`` as in `peaks`.
    window : str or timedelta
        Length of a block or rolling window.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period.
    source : str
        Of the energy, as in `energy`.
    registers, interval, demand_lag, elements, site : optional
        As in `demand`.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    detail : bool
        Rows of (``meter``,) ``period, element, value, energy, peak, coverage, status, flags``.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element [1], shape (periods, elements).

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `peaks`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    ``energy / (peak * hours)``, with the true hours of the local period: March has 743 of them
    in New York. What is not covered counts as no energy, so that a partial figure is too low.

    Examples
    --------
    >>> df.dent.select(element="A").dent.load_factor("MS", tz=LA).round(2).iloc[0, 0].item()
    0.37
    """
    check_share(min_coverage)
    if kind not in KINDS:
        raise ConfigError(f"Cannot use kind={kind!r}: use one of {', '.join(KINDS)}.")
    how = blocks.cut("rolling" if kind == "rolling" else "block", window, None, interval)
    asked = VerbKeywords.of(frame, site, tz, start, end, registers, interval, demand_lag, elements)
    wanted = demand_source(frame, None, "demand" if kind == "reported" else "auto")
    of = inputs_of(frame, freq, wanted, asked, how.freq)
    energies = series_of(frame, energy_source(frame, None, source), asked)
    found = _load_factors(of, kind, how, keyed(energies))
    return _result(of, found, "peak", "load factors", min_coverage, detail=detail)


def _load_factors(
    of: Inputs, kind: str, how: blocks.Cut, energies: dict[Any, Cumulative]
) -> list[Ratio]:
    found = []
    hours = (of.e - of.s) / HOUR
    for c in of.series:
        reported = kind == "reported" or (kind == "auto" and c.source == "demand")
        top = measured(of, None if reported else how, only=c)[0]
        peak = np.full(len(of.s), np.nan)
        peak[top.top.period] = top.top.kw
        of_energy = energies.get((c.meter, c.element), c)
        energy, covered = of_energy.measure(of.s, of.e)
        coverage = np.minimum(share(covered, of.e - of.s), top.rest.coverage)
        flags = c.flags_in(of.s, of.e, of_edges=False) | of_energy.flags_in(of.s, of.e)
        value = divided(energy, peak * hours)
        found.append(Ratio(c, value, energy, peak, coverage, flags, of_energy))
    return found


def power_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
    detail: bool = False,
) -> pd.DataFrame:
    """Power factor of each period: active over apparent energy, from the two registers.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``kWHNet/Elm/...`` and ``kVAHNet/Elm/...``, shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"15min"``, ...); None for one period.
    tz, start, end, registers, interval, demand_lag, elements, site : optional
        As in `energy`. `registers` serve both; a greatest kW is taken as a greatest kVA. The swaps
        of a `site` are of kWHNet alone.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    detail : bool
        Rows of (``meter``,) ``period, element, value, energy, apparent_energy, coverage,
        status, flags``.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element [1], shape (periods, elements).

    Raises
    ------
    KindError
        Where one of the registers is not there.
    RangeError, ConfigError, UnitError
        As `energy`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    ``kWHNet / kVAHNet`` over the time that both cover: weighted by energy by nature. The mean
    of signed dPF readings is none (+0.95 and -0.95 would make 0), and kW/dPF leaves out
    harmonics, so dPF is never used here.

    Examples
    --------
    >>> df.dent.select(element="A").dent.power_factor("MS", tz=LA).round(2).iloc[0, 0].item()
    0.94
    """
    check_share(min_coverage)
    _need_apparent(frame)
    asked = VerbKeywords.of(frame, site, tz, start, end, registers, interval, demand_lag, elements)
    of = inputs_of(frame, freq, Source(REGISTER, None), asked)
    apparent = keyed(series_of(frame, Source(APPARENT, None), replace(asked, elements=None)))
    pairs = [(c, apparent.get((c.meter, c.element))) for c in of.series]
    found = [_power_factor(of, c, other) for c, other in pairs]
    return _result(of, found, "apparent_energy", "power factors", min_coverage, detail=detail)


def _need_apparent(frame: pd.DataFrame) -> None:
    check_read(frame)
    for topic in (REGISTER, APPARENT):
        if not element_columns(frame, [topic]):
            raise KindError(
                f"Cannot compute power factors: the frame has no {topic}/Elm/... column. Read "
                f"topics=[{REGISTER!r}, {APPARENT!r}]; dPF readings cannot take its place."
            )


def _power_factor(of: Inputs, c: Cumulative, other: Cumulative | None) -> Ratio:
    n = len(of.s)
    if other is None:
        blank = np.full(n, np.nan)
        return Ratio(c, blank, blank, blank, np.zeros(n), np.zeros(n, dtype=np.int64))
    kwh, both = within(c, other, of.s, of.e)
    kvah, _ = within(other, c, of.s, of.e)
    flags = c.flags_in(of.s, of.e) | other.flags_in(of.s, of.e)
    return Ratio(c, divided(kwh, kvah), kwh, kvah, share(both, of.e - of.s), flags, other)
