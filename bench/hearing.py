"""What was heard beside what should have been said, so that only wrong words count.

Whisper writes "$5.99", "10:30" or "3-2" where it hears words. Both texts are brought to one form:
Whisper's own English normaliser, numbers digit by digit, signs and short units in words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

SENTENCES = Path(__file__).resolve().parent.parent / "tests" / "spoken.toml"
LEAST_HEARD = 0.5
"""A sentence of which fewer words are heard is lost."""

_NORMAL = EnglishTextNormalizer()
_BEFORE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("[‘’]"), "'"),
    (re.compile(r"(?<=\w)\.(?=[a-zA-Z]{2,})"), " dot "),
    (re.compile("@"), " at "),
    (re.compile("/"), " slash "),
    (re.compile("_"), " underscore "),
    (re.compile(r"\b([ap])\.? ?m\b\.?", re.IGNORECASE), r"\1m"),
    (re.compile(r"° ?C\b"), " degrees celsius"),
    (re.compile(r"° ?F\b"), " degrees fahrenheit"),
    (re.compile(r"(?<![\d-])(\d{1,3})[-–](\d{1,3})(?![\d-])"), r"\1 to \2"),
    (re.compile(r"(?<=\d):(?=\d)"), " "),
    (re.compile(r"(?<![\w,.])0(?=\d)"), "0 "),
)
_TOKEN = re.compile(r"\d|[^\W\d_]+(?:'[^\W\d_]+)?|[$€£¥%+]")
_SIGNS = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "%": "percent", "+": "plus"}
_UNITS = {
    "kg": "kilograms", "g": "grams", "km": "kilometers", "m": "meters", "cm": "centimeters",
    "ml": "milliliters", "mb": "megabytes", "gb": "gigabytes", "ms": "milliseconds",
    "lbs": "pounds", "ft": "feet",
}  # fmt: skip
_SUFFIXES = {"st", "nd", "rd", "th", "s"}
_NUMBERS = {"one": "1", "ii": "2", "iii": "3", "iv": "4", "viii": "8"}
"""What the normaliser leaves alone."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One of the texts that are spoken and listened to."""

    kind: str
    written: str
    spoken: str
    """What should be heard."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How a transcript compares with the sentences that were spoken, one after the other."""

    errors: int
    """Words that are wrong, missing or too many."""
    words: int
    """Of what should have been heard."""
    lost: tuple[str, ...]
    """Sentences of which less than `LEAST_HEARD` was heard."""

    @property
    def rate(self) -> float:
        """Word error rate."""
        return self.errors / self.words


def sentences(file: Path = SENTENCES) -> list[Sentence]:
    """All of them, in the file's order."""
    kinds = tomllib.loads(file.read_text("utf-8"))
    return [
        Sentence(kind, written, spoken)
        for kind, listed in kinds.items()
        for written, spoken in listed.items()
    ]


def words(text: str) -> list[str]:
    """A text as it is compared: words in small letters, numbers digit by digit."""
    for pattern, replacement in _BEFORE:
        text = pattern.sub(replacement, text)
    found: list[str] = []
    sign = ""
    for token in _TOKEN.findall(_NORMAL(text)):
        after_digit = bool(found) and found[-1].isdigit()
        if sign and not token.isdigit():
            found.append(sign)
            sign = ""
        if token in "$€£¥":
            sign = _SIGNS[token]
        elif after_digit and token in _UNITS:
            found.append(_UNITS[token])
        elif not (after_digit and token in _SUFFIXES):
            found.append(_SIGNS.get(token) or _NUMBERS.get(token, token))
    return [*found, sign] if sign else found


def compared(spoken: Sequence[Sentence], heard: str) -> Heard:
    """The transcript of these sentences, spoken in this order, against what they should be."""
    wanted = [words(sentence.spoken) for sentence in spoken]
    owner = [number for number, said in enumerate(wanted) for _ in said]
    right = [0] * len(wanted)
    result = jiwer.process_words(
        " ".join(word for said in wanted for word in said), " ".join(words(heard)) or "-"
    )
    for chunk in result.alignments[0]:
        if chunk.type == "equal":
            for at in range(chunk.ref_start_idx, chunk.ref_end_idx):
                right[owner[at]] += 1
    lost = tuple(
        sentence.written
        for sentence, said, count in zip(spoken, wanted, right, strict=True)
        if count < LEAST_HEARD * len(said)
    )
    errors = result.substitutions + result.deletions + result.insertions
    return Heard(errors, len(owner), lost)
