"""Cards: what an object shows of itself."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dentframe.display import Card, WithCard, html_of, text_of

CARD = Card("Plan: 3", [("span", "June"), ("none", "")], ["what", "n>"], [["a", "10"], ["bb", "9"]])
texts = st.text(max_size=20)
cards = st.builds(
    Card,
    texts,
    st.lists(st.tuples(texts, texts), max_size=3),
    st.just(["one", "two>"]),
    st.lists(st.tuples(texts, texts), max_size=3),
    st.lists(texts, max_size=2),
)


def test_text_is_aligned():
    """Names to the left, numbers to the right, a fact without a value left out."""
    assert text_of(CARD).split("\n") == [
        "<Plan: 3>",
        "  span  June",
        "  what   n",
        "  a     10",
        "  bb     9",
    ]


def test_html_escapes_what_it_is_given():
    """A name from a file runs nothing in a notebook."""
    evil = '<script>alert("1")</script>'
    shown = html_of(Card(evil, [(evil, evil)], ["h"], [[evil]], [evil]))
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 5


def test_html_leaves_colours_to_the_notebook():
    """No colour and no background is set, so that light and dark both work."""
    styles = re.findall(r'style="([^"]*)"', html_of(CARD))
    named = {part.split(":")[0].strip() for style in styles for part in style.split(";")}
    assert not named & {"color", "background", "background-color"}
    assert "rgba(128,128,128" in html_of(CARD)


def test_a_control_character_moves_no_cursor():
    """Escape sequences and line ends in a name print as harmless text."""
    shown = text_of(Card("a\x1b[2Jb\r\nc"))
    assert shown.isprintable()
    assert "a?[2Jb c" in shown


def test_what_cannot_be_shown_is_told():
    """A failure while showing becomes the card, never an exception."""

    class Broken(WithCard):
        def _card(self):
            raise ValueError("<no> span")

    assert repr(Broken()) == "<Broken that cannot be shown: ValueError: <no> span>"
    assert "ValueError: &lt;no&gt; span" in Broken()._repr_html_()


@given(cards)
def test_every_card_renders(card):
    """Any text at all gives one line a fact, row and note, and balanced HTML."""
    told = text_of(card).split("\n")
    facts = [value for _, value in card.facts if value]
    rows = len(card.rows) + 1 if card.rows else 0
    assert len(told) == 1 + len(facts) + rows + len(card.notes)
    page = html_of(card)
    assert all(page.count(f"<{t}") == page.count(f"</{t}>") for t in ("div", "table", "tr", "td"))
