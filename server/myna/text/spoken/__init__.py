"""Written text to text that can be said: no markup, and no signs that a voice would spell out.

In every language markup goes and its words stay (Markdown, HTML and SSML, letters in disguise), and
addresses are said in the language's own words. English is read out besides, where espeak-ng would
read it wrongly: see `myna.text.spoken.english`. Everything that espeak reads well is left to it,
and no English word gets into another language.

The text comes before it is cut into pieces, so that no cut falls into "$3.5 million".
"""

from __future__ import annotations

from myna.text.spoken.addresses import addresses_said
from myna.text.spoken.english import read_out
from myna.text.spoken.letters import plain_letters
from myna.text.spoken.markdown import unmarked

__all__ = ["spoken"]


def spoken(text: str, language: str) -> str:
    """The text as a voice of `language` (BCP 47, such as `en-US`) should say it.

    Lines stay lines, and a text of plain words is given back as it is. Of a text that is nothing
    but markup nothing is left.
    """
    base = language.lower().partition("-")[0]
    plain = addresses_said(unmarked(plain_letters(text)), base)
    return read_out(plain, british=language.lower() == "en-gb") if base == "en" else plain
