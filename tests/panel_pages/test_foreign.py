"""Text of strangers is shown without what hides in it."""

from __future__ import annotations

import pytest
from django.template import Context, Template

from mailadmin.panel.templatetags.foreign import foreign, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain.example.org", "plain.example.org"),
        ("a\x00b\r\nc\x7f", "a␀b␍␊c␡"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("gro.elpmaxe\u202eevil", "gro.elpmaxe⟨U+202E⟩evil"),
        ("\u2066isolated\u2069", "⟨U+2066⟩isolated⟨U+2069⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("lone \udc80 surrogate", "lone ⟨U+DC80⟩ surrogate"),
        ("line\u2028separator", "line⟨U+2028⟩separator"),
        ("花子@例え.example", "花子@例え.example"),
        ("\u202a", "⟨U+202A⟩"),
    ],
)
def test_control_and_invisible_characters_become_signs(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_markup_stays_text_and_its_direction_stays_inside() -> None:
    assert foreign("<b onclick=x>&") == "<bdi>&lt;b onclick=x&gt;&amp;</bdi>"


def test_in_an_attribute_quotes_are_escaped_by_the_template() -> None:
    template = Template('{% load foreign %}<p title="{{ value|foreign_text }}">')
    assert template.render(Context({"value": '"><script>\x01'})) == '<p title="&quot;&gt;&lt;script&gt;␁">'
