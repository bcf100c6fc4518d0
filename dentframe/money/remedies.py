"""What to do about a figure that money refuses is said here, in the words of who can do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dentframe.errors import by

if TYPE_CHECKING:
    from collections.abc import Sequence


class Words(NamedTuple):
    """How a caller states things; ``{}`` is the element.

    Attributes
    ----------
    power, swap, export : str
        How an element's greatest power, a meter swap, and that it feeds energy back are stated.
    estimated, partial : str
        How such a figure is accepted.
    """

    power: str
    swap: str
    export: str
    estimated: str
    partial: str


def bill_words() -> Words:
    """What a bill's caller can state."""
    return Words(
        by('RegisterRules(max_kw={{"{}": ...}})', "--max-kw {}=KW, or in a file for --site"),
        by('RegisterRules(swaps={{"{}": ...}})', "[[elements.{}.swaps]] in a file for --site"),
        by(
            'RegisterRules(allow_export={{"{}": True}})',
            'role = "export" in [elements.{}] in a file for --site',
        ),
        by('accept=("recorded", "estimated")', "--accept-estimated"),
        by('accept=("recorded", "partial")', ""),
    )


_KW = "the sum over its CTs of rating x line-to-neutral volts / 1000"


def remedy(status: str, flags: Sequence[str], element: str, words: Words) -> str:
    """What to do about a figure, by its flags, else by its status.

    Parameters
    ----------
    status : str
        ``estimated``, ``partial`` or ``missing``.
    flags : sequence of str
        What happened to the readings.
    element : str
        As it is addressed.
    words : Words
        The caller's own.
    """
    power, swap = words.power.format(element), words.swap.format(element)
    if status == "estimated":
        return (
            f"Look at its bounds lo and hi; accept the estimate: {words.estimated}; or, where a "
            f"meter was swapped, state the swap: {swap}."
        )
    if "decrease_unclassified" in flags:
        return (
            "The register fell, and without its greatest power nothing tells a cleared register "
            f"from a fault. Give the greatest power [kW], {_KW}: {power}. A clear is then an "
            f"estimate; accept it: {words.estimated}."
        )
    if "unexplained_decrease" in flags or "unexplained_jump" in flags:
        fell = "unexplained_decrease" in flags
        export = f" If it feeds energy back, say so: {words.export.format(element)}."
        return (
            "The register moved by more than can have been used. If the greatest power [kW] is "
            f"wrong or not stated, give it: {power}. If the meter was swapped, state the swap: "
            f"{swap}.{export if fell else ''}"
        )
    if status == "partial":
        if not words.partial:
            return (
                "Run it again when late readings have come; Python can fill gaps, or bill what is "
                "covered."
            )
        return (
            "Read with bracket=True, or the rest of the period; fill it by estimate(); or accept "
            f"what is covered: {words.partial}."
        )
    return (
        "There is no reading of it: read the period again, or bill it by an agreed estimate of "
        "your own. A missing figure is never billed as 0."
    )
