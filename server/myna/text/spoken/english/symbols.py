"""Signs between words and numbers that espeak passes over or calls by the wrong name."""

from __future__ import annotations

import re

from myna.text.spoken.english.rules import Rule, applied

_SENTENCE_END = re.compile(r"(?:[.!?][\"'”’)]*\s+|\n\s*|\A\s*)\Z")


def _begun(found: re.Match[str], word: str) -> str:
    """The word, with a capital where a sentence begins with it."""
    before = found.string[max(0, found.start() - 8) : found.start()]
    return word.capitalize() if _SENTENCE_END.search(before) else word


_RULES: tuple[Rule, ...] = (
    (re.compile(r"(?<![\w#&])#(?=\d)"), lambda found: f"{_begun(found, 'number')} "),
    (re.compile(r"(?<!\S)[~≈](?=[\d$£€])"), lambda found: f"{_begun(found, 'about')} "),
    (re.compile(r"(?<=\s)>(?=\s)"), "is greater than"),
    (re.compile(r"(?<=\s)<(?=\s)"), "is less than"),
    (re.compile(r"(?<=[\w)])>(?=\d)"), " is greater than "),
    (re.compile(r"(?<=[\w)])<(?=\d)"), " is less than "),
    (re.compile(r"(?<!\S)>(?=\d)"), lambda found: f"{_begun(found, 'more')} than "),
    (re.compile(r"(?<!\S)<(?=\d)"), lambda found: f"{_begun(found, 'less')} than "),
    (re.compile(r"(?<=\s)==(?=\s)"), "equals"),
    (re.compile(r"(?<=\s)\|\|(?=\s)"), "or"),
    (re.compile(r"(?<=\s)(?:->|=>|⇒|⟶|➜)(?=\s)"), "→"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=\d)"), " times "),
    (re.compile(r"(?<=[\w)])²"), " squared"),
    (re.compile(r"(?<=[\w)])³"), " cubed"),
    (re.compile(r"(?<=[\w)])\^(?=\d)"), " to the power of "),
    (re.compile(r"(?<=\d)\s?‰"), " per mille"),
    (re.compile(r"\bC#(?!\w)"), "C sharp"),
    (re.compile(r"№\s?(?=\d)"), "number "),
    (re.compile(r"\band/or\b"), "and or"),
)


def symbols_said(text: str) -> str:
    """The text with signs in words where they stand for words."""
    return applied(_RULES, text)
