"""The demand figures of a split are each party's part of a site's peak, or its own peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from dentframe.documents.formats import formats
from dentframe.money.figures import Figure, Row, Usage, by_stay, figure_of, keyed
from dentframe.money.occupancy import MAIN, billed, span
from dentframe.money.rounding import rounded
from dentframe.money.usage import unaffected
from dentframe.site.corrections import in_force
from dentframe.site.elements import EXPORT
from dentframe.verbs.coincident import coincident
from dentframe.verbs.demand import demand
from dentframe.verbs.inputs import MEAN
from dentframe.verbs.peaks import peaks
from dentframe.wire.columns import parse, split_element, wire_columns

_NO_KW = "The agreed figure states no kw, so that nothing tells the demand. "


def _kw(use: Usage, row: Row | None, name: str) -> Decimal | None:
    if row is None or np.isnan(row[name]):
        return None
    return rounded(float(row[name]), use.rules.places)


def coincidents(use: Usage) -> list[Figure]:
    """Each element's demand when all of them together drew the most [kW].

    It is that of whoever held the element at that instant.
    """
    names = billed(use.site, use.bill)
    edges = list(span(use.site, use.bill))
    rows = coincident(
        use.frame, edges, elements=names, window=use.rules.window, min_coverage=0, **use.keywords
    )
    branches = [s for s in use.stays if s.kind != MAIN]
    sure, note = _peak_elsewhere(use, names, rows)
    found = []
    for row in rows.to_dict("records"):
        at, name = row["at"], str(row["element"])
        when = branches[0].start if pd.isna(at) else at.tz_convert("UTC")
        stay = next(s for s in branches if s.element == name and s.start <= when < s.end)
        own = figure_of(stay, row, _kw(use, row, "coincident"), "kW")
        agreed = "agreed" in own.flags  # an agreed peak does not say when it was
        found.append(replace(own, sure=sure and not agreed, note=_NO_KW if agreed else note))
    return found


def _peak_elsewhere(use: Usage, names: Sequence[str], rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether the site's peak holds whatever its missing elements drew, and what shows it."""
    if not len(rows) or rows["status"].iloc[0] != "partial":
        return False, ""
    peak = float(rows["site_peak"].iloc[0])
    blocks = _blocks(use, names)
    ratings = [use.site.elements[k].rating for k in names]
    most = np.array([np.nan if x is None else x for x in ratings])
    worst = unaffected(blocks.to_numpy().T, most, peak)
    if worst.sure:
        return True, (
            "while some meters were not read, the site drew less than its peak of "
            f"{formats(use.site.locale).number(rounded(peak, 2))} kW, even if these drew the most "
            "that they can"
        )
    at = f"{blocks.index[worst.block].tz_convert(use.site.zone):%Y-%m-%d %H:%M}"
    who = ", ".join(np.array(names)[worst.missing])
    if worst.room <= 0:
        others = f"{peak - worst.room:.2f} kW"
        return False, f"At {at} the others alone drew {others}: only the readings of {who} tell. "
    return False, (
        f"If {who} cannot have drawn {worst.room:.2f} kW at {at}, state that as max_kw (or cts and "
        "volts) in the site file: then the peak lies elsewhere, and the figure is accepted. "
    )


def _blocks(use: Usage, names: Sequence[str]) -> pd.DataFrame:
    """The demand of each element in each block of the bill's period, NaN where not covered."""
    start, end = span(use.site, use.bill)
    table = demand(use.frame, use.rules.window, start=start, end=end, **use.keywords)
    columns = {}
    for name in names:
        meter, element = split_element(name)
        columns[name] = table.xs(meter, level=0)[f"Demand/Elm/{element}"]
    found = pd.DataFrame(columns).tz_convert("UTC")
    return found[(found.index >= start) & (found.index <= end - pd.Timedelta(use.rules.window))]


def own_peaks(use: Usage) -> list[Figure]:
    """Each stay's own peak, times its share of the period [kW].

    The meter's reported demand where it reports any, else that of its register by blocks. A
    stay of half the period counts half: a unit that changes hands is not billed twice.
    """
    mine = [s for s in use.stays if s.kind not in {MAIN, EXPORT}]
    reports = any(parse(x).topic == MEAN for x in wire_columns(use.frame.columns))
    how: dict[str, Any] = {} if reports else {"kind": "block", "window": use.rules.window}

    def rows_of(edges: Sequence[pd.Timestamp]) -> dict[tuple[str, pd.Timestamp], Row]:
        table = peaks(use.frame, list(edges), min_coverage=0, **how, **use.keywords)
        return keyed(table, "period")

    rows = by_stay(mine, rows_of)
    start, end = span(use.site, use.bill)
    return [
        _with_agreed_kw(
            use,
            figure_of(s, row, value and rounded(Fraction(value) * share, use.rules.places), "kW"),
        )
        for s in mine
        for row in [rows.get(s)]
        for value in [_kw(use, row, "peak")]
        for share in [Fraction((s.end - s.start).value, (end - start).value)]
    ]


def _with_agreed_kw(use: Usage, f: Figure) -> Figure:
    """A peak that an agreed figure bears on is sure where that states the demand too."""
    if "agreed" not in f.flags:
        return f
    zone = use.site.zone
    told = all(
        x.kw is not None
        for x in in_force(use.site.corrections, zone)
        if (x.kind, x.element) == ("figure", f.stay.element)
        and x.touches(f.stay.start, f.stay.end, zone)
    )
    return replace(f, sure=told, note="" if told else _NO_KW)
