"""Rules of reading: what is written, and what is said for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

FIGURE = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
"""A number with or without thousands marked and with or without decimals."""

NUMBER = rf"(?<![\w.,/:-]){FIGURE}"
"""The same where it begins, not inside a word, a date or another number."""

MINUS = r"(?P<minus>(?<![\w)\]%°.])[-−])?"
"""A sign before a number, which is no dash between two."""

ARTICLE = r"(?P<article>\b(?:an?|each|every|another|one)\s+)?"
"""Words after which what is counted stands in the singular: "a 5 kg bag"."""

BEGINS = (
    r"(?:An?|And|As|At|But|For|He|I|If|In|It|No|On|She|So|That|The|Then|There|These|They|This|We"
    r"|What|When|Where|Who|Why|Yes|You)"
)
"""A capital letter on one of these is that of a sentence, not of a name."""


def applied(rules: Iterable[Rule], text: str) -> str:
    """The text after every rule in turn."""
    for pattern, said in rules:
        text = pattern.sub(said, text)
    return text


def whole(number: str) -> int:
    """A number without decimals, thousands marked or not."""
    return int(number.replace(",", ""))


def is_one(number: str) -> bool:
    """Whether what is counted stands in the singular."""
    return number == "1"
