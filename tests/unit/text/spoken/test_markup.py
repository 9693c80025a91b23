"""HTML and SSML to their text."""

from __future__ import annotations

import pytest

from myna.text.spoken.markup import untagged, without_entities


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<b>bold</b> and <i class='x'>it</i>", "bold and it"),
        ("one<br/>two<BR>three", "one\ntwo\nthree"),
        ("<p>one</p><p>two</p>", "\none\n\ntwo\n"),
        ('<speak>go<break time="1s"/>on</speak>', "\ngo\non\n"),
        ('<prosody rate="slow" pitch="+2st">slow</prosody>', "slow"),
        ('<say-as interpret-as="date">3/4</say-as>', "3/4"),
        ('<mstts:express-as style="sad">sad</mstts:express-as>', "sad"),
        ("<input disabled value=a>", ""),
        ("<!-- a\nb -->text", "text"),
        ('<?xml version="1.0"?><speak>x</speak>', "\nx\n"),
        ("<![CDATA[text]]>", "text"),
        ("a < b and c > d", "a < b and c > d"),
        ("List<String> and <unknown>", "List<String> and <unknown>"),
        ("x<b and y", "x<b and y"),
        ("<b", "<b"),
        ("I <3 you", "I <3 you"),
    ],
)
def test_tags_of_known_names_go(written: str, text: str) -> None:
    assert untagged(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("&amp;&lt;&gt;&quot;", '&<>"'),
        ("&#65;&#x42;", "AB"),
        ("caf&eacute;", "café"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("AT&T; ok", "AT&T; ok"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_entities_are_the_characters_that_they_stand_for(written: str, text: str) -> None:
    assert without_entities(written) == text
