"""Ordinals, fractions, ranges, Roman numerals: numbers that are more than digits."""

from __future__ import annotations

import re

from myna.text.spoken.english.numerals import ROMAN, ordinal, roman_value, round_ordinal
from myna.text.spoken.english.rules import FIGURE, Rule, applied, whole

_PARTS = {
    2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters"),
    5: ("fifth", "fifths"), 6: ("sixth", "sixths"), 7: ("seventh", "sevenths"),
    8: ("eighth", "eighths"), 9: ("ninth", "ninths"), 10: ("tenth", "tenths"),
    12: ("twelfth", "twelfths"), 16: ("sixteenth", "sixteenths"), 20: ("twentieth", "twentieths"),
    100: ("hundredth", "hundredths"),
}  # fmt: skip
_RULERS = (
    "Henry|Louis|Edward|George|Charles|James|William|Elizabeth|Richard|Philip|Frederick|Wilhelm"
    "|Napoleon|Peter|Ivan|Catherine|Nicholas|Alexander|Francis|Ferdinand|Leopold|Gustav|Christian"
    "|Paul|Pius|Leo|Benedict|Gregory|Innocent|Clement|Urban|Boniface|Ramesses|Ptolemy|Harald"
)
_COUNTED = "chapter|part|section|volume|act|scene|type|phase|level|book|class|stage"


def _round_ordinal(found: re.Match[str]) -> str:
    """espeak says "200th" as two words, the second of which is no more than "th"."""
    number = whole(found["number"])
    return round_ordinal(number) if number else found[0]


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found["above"]), int(found["below"])
    if below not in _PARTS or not 0 < above < below:
        return found[0]
    one, many = _PARTS[below]
    if found["full"] and above == 1:
        return f"{found['full']} and {'an' if below == 8 else 'a'} {one}"
    return (
        f"{found['full'] + ' and ' if found['full'] else ''}{above} {one if above == 1 else many}"
    )


def _ruler(found: re.Match[str]) -> str:
    """The first of a name is left alone: "Henry I" may be "Henry, I"."""
    if found["roman"] in {"", "I"}:
        return found[0]
    return f"{found['name']} the {ordinal(roman_value(found['roman']))}"


def _numbered(found: re.Match[str]) -> str:
    """One letter may be just that: "Vitamin V"."""
    if len(found["roman"]) < 2:
        return found[0]
    return f"{found['what']} {roman_value(found['roman'])}"


_RULES: tuple[Rule, ...] = (
    (re.compile(rf"\b(?P<name>{_RULERS}) {ROMAN}(?!\w)"), _ruler),
    (re.compile(rf"\b(?P<what>[A-Z][a-z]+|{_COUNTED}) {ROMAN}(?!\w)"), _numbered),
    (re.compile(r"(?<![\w.,])(?P<number>\d{1,3}(?:,\d{3})*,?\d*00)th\b"), _round_ordinal),
    (re.compile(r"\b24/7\b"), "24 7"),
    (
        re.compile(
            r"(?<![\w./:,-])(?:(?P<full>\d+)[ \u00a0-])?(?P<above>\d{1,2})[/⁄](?P<below>\d{1,3})"
            r"(?![\w/:]|[.,]\d)"
        ),
        _fraction,
    ),
    # Differences rather than ranges: there is an equals sign.
    (re.compile(r"(?<=\d) [-–] (?=\d+(?:\.\d+)? ?=)"), " minus "),
    (re.compile(rf"(?<==) (?P<a>{FIGURE}) [-–] (?=\d)"), r" \g<a> minus "),
    (
        re.compile(rf"(?<![\w./:,–-])(?P<a>{FIGURE}%?)[–-](?P<b>{FIGURE})(?![\w/:–-]|[.,]\d)"),
        r"\g<a> to \g<b>",
    ),
    (re.compile(r"(?<![\w.,])\.(?=\d)"), "point "),
)


def numbers_said(text: str) -> str:
    """The text with its special numbers as they are said: "Henry VIII" as "Henry the 8th"."""
    return applied(_RULES, text)
