"""Text made readable for espeak-ng under Piper: no commands in it, and no stops but at ends."""

from __future__ import annotations

import re

_EMOJI = "\U0001f000-\U0001faff\u2600-\u27bf"
_READINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Control characters, and halves of surrogate pairs, which are no text at all.
    (re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]"), " "),
    # Characters that are not seen: espeak would end the word there.
    (re.compile(r"[\u00ad\u200b\u2060\ufeff]"), ""),
    # Emoji are not read out by name, nor are signs that a selector makes emoji of.
    (re.compile(rf"(?:[{_EMOJI}]|[^\w\s]\ufe0f)[{_EMOJI}\ufe0f\u200d\U000e0020-\U000e007f]*"), " "),
    (re.compile("[\ufe0f\u20e3]"), ""),
    # Piper takes [[ ]] for phonemes; here everything is text.
    (re.compile(r"\[(?=\[)"), "[ "),
    # espeak passes over these without a pause.
    (re.compile(r"\s*—\s*"), " – "),
    (re.compile(r"(?:\.{2,}|…)(?=\s*[^\W\d_])"), ", "),
)

_BEGINNERS = (
    "A|An|And|As|At|But|For|He|I|If|In|It|No|On|She|So|That|The|Then|They|This|We|What|When|You"
)
_ENGLISH_STOPS = re.compile(
    r"\b(Mr|Mrs|Ms|Dr|Prof|St|Rev|Hon|Gen|Col|Capt|Sgt|Lt|Sen|Gov|vs|Jr|Sr|Inc|Figs?|Vol"
    r"|No(?=\. \d)|[ap]\.m|(?:[A-Z]\.)+[A-Z]|[A-HJ-Z])"
    rf"\.(?= (?!(?:{_BEGINNERS})\b)[A-Z0-9])"
)
"""Full stops after which espeak would end the sentence, though the next word only has a capital."""


def reading(text: str, *, english: bool) -> str:
    """Text as espeak reads it well: nothing in it is a command, or speaks where it should not."""
    for pattern, replacement in _READINGS:
        text = pattern.sub(replacement, text)
    return _ENGLISH_STOPS.sub(r"\1", text) if english else text
