"""The formulas of virtual meters: elements with signs and factors, read strictly. Pure text.

::

    formula = ["+" | "-"] term { ("+" | "-") term }
    term    = [number "*"] element
    element = "A" or "P482311252_A"

Nothing is evaluated: no parentheses, no division, no names but elements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dentframe.errors import ConfigError

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
