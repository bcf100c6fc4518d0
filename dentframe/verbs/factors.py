"""`load_factor` and `power_factor` divide the energy of periods by what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from dentframe.errors import KindError
from dentframe.frame.select import check_read
from dentframe.metering.cumulative import share, status
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import element_columns
from dentframe.verbs import peaks
from dentframe.verbs.demand import cut
from dentframe.verbs.element_names import keyed, without_readings
from dentframe.verbs.inputs import (
    REGISTER,
    Inputs,
    Keywords,
    Source,
    VerbKeywords,
    check_one_of,
    check_share,
    demand_source,
    energy_source,
    inputs_of,
    series_of,
    verb,
)
from dentframe.verbs.peaks import highest_of, within
from dentframe.verbs.results import by_element, divided, periods_index, rows_of, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.times.periods import Freq


APPARENT = "kVAHNet"
KINDS = ("auto", *peaks.KINDS)


@verb
def load_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    kind: str = "auto",
    window: Any = "15min",
    source: str = "auto",
    min_coverage: float | None = None,
    detail: bool = False,
    **keywords: Unpack[Keywords],
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
    check_one_of("kind", kind, KINDS)
    asked = VerbKeywords.of(frame, **keywords)
    how = cut("rolling" if kind == "rolling" else "block", window, None, asked.interval)
    answer = demand_source(frame, None, "demand" if kind == "reported" else "auto")
    of = inputs_of(frame, freq, answer, asked, how.freq)
    energies = keyed(series_of(frame, energy_source(frame, None, source), asked))
    hours, found = (of.e - of.s) / HOUR, []
    for c in of.series:
        reported = kind == "reported" or (kind == "auto" and c.source == "demand")
        top = highest_of(of, c, None if reported else how, {})
        peak = np.full(len(of.s), np.nan)
        peak[top.top.period] = top.top.kw
        of_energy = energies.get((c.meter, c.element), c)
        kwh, covered = of_energy.measure(of.s, of.e)
        figures = {
            "value": divided(kwh, peak * hours),
            "energy": kwh,
            "peak": peak,
            "coverage": np.minimum(share(covered, of.e - of.s), top.coverage),
            "flags": c.flags_in(of.s, of.e, of_edges=False) | of_energy.flags_in(of.s, of.e),
        }
        found.append((c, figures, of_energy))
    return _result(of, found, "load factors", min_coverage, detail=detail)


@verb
def power_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    min_coverage: float | None = None,
    detail: bool = False,
    **keywords: Unpack[Keywords],
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
    check_read(frame)
    for topic in (REGISTER, APPARENT):
        if not element_columns(frame, [topic]):
            raise KindError(
                f"Cannot compute power factors: the frame has no {topic}/Elm/... column. Read "
                f"topics=[{REGISTER!r}, {APPARENT!r}]; dPF readings cannot take its place."
            )
    asked = VerbKeywords.of(frame, **keywords)
    of = inputs_of(frame, freq, Source(REGISTER, None), asked)
    registers = keyed(series_of(frame, Source(APPARENT, None), replace(asked, elements=None)))
    found = []
    for c in of.series:
        apparent = registers.get((c.meter, c.element))
        other = apparent or without_readings(c.meter, c.element)
        (kwh, both), (kvah, _) = within(c, other, of.s, of.e), within(other, c, of.s, of.e)
        figures = {
            "value": divided(kwh, kvah),
            "energy": kwh,
            "apparent_energy": kvah,
            "coverage": share(both, of.e - of.s),
            "flags": c.flags_in(of.s, of.e) | other.flags_in(of.s, of.e) if apparent else 0 * of.s,
        }
        found.append((c, figures, apparent))
    return _result(of, found, "power factors", min_coverage, detail=detail)


def _result(
    of: Inputs,
    found: Sequence[tuple[Cumulative, dict[str, Any], Cumulative | None]],
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
    found : sequence of (Cumulative, dict, Cumulative or None)
        Each element, its arrays by column, and the other series that they were made from.
    what : str
        What the figures are, for the warning.
    least : float or None
        Figures with less coverage are NaN.
    detail : bool
        Rows instead of columns.
    """
    for _, x, _ in found:
        x["value"] = np.where(x["coverage"] < (least or 0.0), np.nan, x["value"])
        x |= {"period": of.s, "status": status(x["coverage"], x["flags"])}
    other = "peak" if what == "load factors" else "apparent_energy"
    columns = ("period", "element", "value", "energy", other, "coverage", "status", "flags")
    rows = rows_of(of, [(c, x) for c, x, _ in found], columns)
    made_of = [c for one, _, second in found for c in (one, second) if c is not None]
    warn_of_coverage(rows, what, made_of, accepted=detail or least is not None)
    return rows if detail else by_element(of, [x["value"] for _, x, _ in found], periods_index(of))
