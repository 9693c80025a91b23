"""Abbreviations that espeak spells out, ends a sentence at, or does not know."""

from __future__ import annotations

import re

from myna.text.spoken.english.rules import BEGINS, Rule, applied

_TITLES = {
    "Prof": "Professor", "Sgt": "Sergeant", "Capt": "Captain", "Gen": "General", "Sen": "Senator",
    "Gov": "Governor", "Lt": "Lieutenant", "Rev": "Reverend", "Hon": "Honorable", "Col": "Colonel",
    "Maj": "Major", "Rep": "Representative", "Pres": "President", "Cmdr": "Commander",
    "Messrs": "Messieurs", "Mt": "Mount", "Ft": "Fort", "St": "Saint", "Ms": "Miz",
}  # fmt: skip
"""Before a name."""
_STREETS = {"St": "Street", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Dr": "Drive",
            "Ln": "Lane", "Hwy": "Highway", "Sq": "Square"}  # fmt: skip
"""Behind one."""
_NUMBERED = {
    "No": "number", "Nos": "numbers", "Vol": "volume", "Vols": "volumes", "Fig": "figure",
    "Figs": "figures", "Ch": "chapter", "Sec": "section", "Ext": "extension", "Eq": "equation",
    "Art": "article", "Ver": "version", "Pt": "part", "p": "page", "pp": "pages",
    "ext": "extension",
    "no": "number", "vol": "volume", "fig": "figure", "ch": "chapter", "sec": "section",
    "est": "established", "ca": "circa", "Est": "established",
}  # fmt: skip
"""Before a number."""
_WORDS = {
    "vs": "versus", "approx": "approximately", "avg": "average", "incl": "including",
    "misc": "miscellaneous", "Jr": "Junior", "Sr": "Senior", "Ltd": "Limited", "Dept": "Department",
    "dept": "department", "govt": "government", "hrs": "hours", "mins": "minutes",
    "Bros": "Brothers",
    "resp": "respectively", "tbsp": "tablespoon", "tsp": "teaspoon",
}  # fmt: skip
"""Anywhere, with their full stop."""
_MONTHS = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June",
    "Jul": "July", "Aug": "August", "Sep": "September", "Sept": "September", "Oct": "October",
    "Nov": "November", "Dec": "December",
}  # fmt: skip
_DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip


def _full(word: str, words: dict[str, str]) -> str:
    """With a capital where the short form had one, as that may begin a sentence."""
    return words[word][:1].upper() + words[word][1:] if word[0].isupper() else words[word]


def _any(words: dict[str, str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_ENDING = rf"(?P<end>\.(?=\s+{BEGINS}\b|[\"'”’)\]]*\s*(?:\n|\Z)))?\.?"
"""A full stop that ends the sentence as well."""
_MONTH_NAMES = "|".join({*_MONTHS, *_MONTHS.values(), "May"})


def _longer(words: dict[str, str], before: str, behind: str) -> Rule:
    """Short words of `words` between two patterns, in full."""
    pattern = re.compile(rf"(?P<before>{before})(?P<word>{_any(words)}){behind}")

    def said(found: re.Match[str]) -> str:
        ends = found.groupdict().get("end") or ""
        return found["before"] + _full(found["word"], words) + ends

    return pattern, said


_RULES: tuple[Rule, ...] = (
    _longer(
        _STREETS,
        rf"\b(?!{BEGINS}\b)(?:[A-Z][a-z]+|\d+(?:st|nd|rd|th)) ",
        rf"(?=\.)(?!\.\s+(?!{BEGINS}\b)[A-Z]){_ENDING}",
    ),
    _longer(_TITLES, r"(?<![\w.-])", rf"\.(?=\s+(?!{BEGINS}\b)[A-Z])"),
    (re.compile(r"\bMs\b(?=\s+[A-Z])"), "Miz"),
    _longer(_NUMBERED, r"(?<![\w.-])", r"\.(?=\s?#?\d)"),
    _longer(_WORDS, r"(?<![\w.-])", rf"(?=\.){_ENDING}"),
    (re.compile(r"\bvs\b"), "versus"),
    (re.compile(r"(?<![\w/])[Ww]/o(?!\w)"), "without"),
    (re.compile(r"(?<![\w/])[Ww]/(?=\s?\w)(?!o\b) ?"), "with "),
    _longer(_MONTHS, r"\b", r"\.?(?=,? \d)"),
    _longer(_MONTHS, r"\b\d{1,2}(?:st|nd|rd|th)? ", rf"\b{_ENDING}"),
    _longer(_DAYS, r"\b", rf"\.?(?=,? (?:(?:{_MONTH_NAMES})\b|\d))"),
    _longer(_DAYS, r"\b", r"\.(?=,| and | or |-| to )"),
    _longer(_DAYS, r"\b(?:on|by|and|or|to|until|from) ", rf"(?=\.){_ENDING}"),
)


def abbreviations_said(text: str) -> str:
    """The text with abbreviations in full, where it is sure what they mean."""
    return applied(_RULES, text)
