"""Elements are named by a caller or a site, and their series are found by those names here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dentframe.errors import ConfigError, KindError, UnknownMeterError, by, did_you_mean
from dentframe.frame import select as selection
from dentframe.metering.energy_and_coverage import Cumulative, from_means
from dentframe.metering.register_rules import MINUTE
from dentframe.metering.series import NONE, Series, element_columns, is_several, rows
from dentframe.wire.columns import full_name, parse, wire_columns
from dentframe.wire.topics import RESULTS, kind_of

if TYPE_CHECKING:
    import pandas as pd


Element: TypeAlias = tuple[str | None, str]
"""An element as (meter, letter); the meter is None where nothing names it."""


def requested_elements(
    frame: pd.DataFrame, topics: Sequence[str], elements: Any, there: Sequence[Element] = ()
) -> list[Element] | None:
    """The elements that a caller names, as (meter, element); None where all are asked for.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    topics : sequence of str
        The topics that answer: what has no column of them is no element here.
    elements : str, sequence of str, or None
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; ``"all"`` and None are all.
    there : sequence of (meter, element), optional
        What there is to name; without any, what has a column of the topics.

    Raises
    ------
    ConfigError
        Where one is named twice, or none, or it is no list of names.
    UnknownMeterError
        For an element that is not there.
    """
    if elements is None or (isinstance(elements, str) and elements == "all"):
        return None
    if not there:
        letters = list(dict.fromkeys(c.id for _, c in element_columns(frame, topics)))
        there = [(m.meter, x) for m in rows(frame) for x in letters]
    if not isinstance(elements, Iterable):
        raise ConfigError(f"Cannot use elements={elements!r}: give a name or a list of names.")
    listed = [elements] if isinstance(elements, str) else [str(x) for x in elements]
    if not listed or len(set(listed)) < len(listed):
        raise ConfigError(f"Cannot use elements={listed!r}: name each element once, at least one.")
    full = {full_name(*key): key for key in there}
    short = {} if is_several(frame) else {key[1]: key for key in there}
    known, shown = {**full, **short}, list(short or full)
    for name in listed:
        if name not in known:
            raise UnknownMeterError(
                f"Cannot use element {name!r}: this frame has {', '.join(shown) or 'none'}"
                f"{did_you_mean(name, shown)}"
            )
    return [known[name] for name in listed]


def nothing_answers(frame: pd.DataFrame, topics: Sequence[str], *, of_demand: bool) -> KindError:
    """The error that no column of a whole element answers, with what the frame has instead."""
    selection.check_read(frame)
    labels = wire_columns(frame.columns)
    there = selection.topics(frame)
    lacks = f"{' or '.join(topics)}; the frame's topics are {', '.join(there) or 'none'}. "
    register = next((t for t in there if kind_of(t) == "register"), None)
    results = [x for x in labels if parse(x).topic in RESULTS]
    if of_demand:
        also = by(f"topics={list(topics)!r}", f"--topics {','.join(topics)}")
        hint = f"Read {also} as well."
        if results:
            hint = f"{results[0]!r} is a figure of a verb: ask the readings it was made of."
        elif register is not None and kind_of(topics[0]) != "register":
            blocks = by("kind='block'", "--window 15min")
            hint += f" Or take clock blocks of the register: {blocks}."
        return KindError(f"Cannot compute demand: no column of a whole element is {lacks}{hint}")
    head = f"Cannot compute energy: no column of a whole element ({topics[0]}/Elm/...) is {lacks}"
    if results:
        hint = "the energy of periods already: use .sum()."
        if kind_of(parse(results[0]).topic) != "interval_energy":
            hint = "a figure of a verb: ask the readings it was made of."
        return KindError(f"{head}{results[0]!r} is {hint}")
    if any(parse(x).topic in topics for x in labels):
        return KindError(
            f"{head}There are only single channels, and an element need not be their sum "
            "(some are calculated in the meter). Read the element's own column."
        )
    hint = f"For its energy pass topic={register!r}." if register else 'Read topics=["kWHNet"] too.'
    return KindError(head + by(hint, "Read --topics kWHNet too."))


def keyed(series: Iterable[Cumulative]) -> dict[Element, Cumulative]:
    """Series by (meter, element)."""
    return {(c.meter, c.element): c for c in series}


def without_readings(meter: str | None, element: str) -> Cumulative:
    """An element of which there is no reading at all."""
    blank = Series(meter, element, "DemandkW", NONE, np.empty(0), NONE, NONE)
    return from_means(blank, 15 * MINUTE)


def summed_series(
    frame: pd.DataFrame, series: Sequence[Cumulative], topics: Sequence[str], elements: Any
) -> list[Cumulative]:
    """The series of the elements that are summed, in the order in which they are named.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    series : sequence of Cumulative
        What there is.
    topics : sequence of str
        The topics that answer.
    elements : str, list of str, or None
        ``"all"``, or names; None where nothing names them.

    Raises
    ------
    ConfigError
        Where nothing tells which, or one is named twice.
    UnknownMeterError
        For an element that is not there.
    KindError
        For one that is no register.
    """
    if elements is None:
        raise ConfigError(
            "Cannot tell which elements make up the site: a main beside its branches would "
            "count twice. Name them, e.g. "
            + by(
                'elements=["A", "C"], or say elements="all".',
                "--elements A,C, or say --elements all.",
            )
        )
    named = requested_elements(frame, topics, elements)
    if named is None:
        return list(series)
    there = keyed(series)
    found = [there.get(key) or without_readings(*key) for key in named]
    for c in found:
        if c.refusal:
            raise KindError(c.refusal)
    return found
