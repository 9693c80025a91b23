"""Dates, years and decades."""

from __future__ import annotations

import re
from datetime import date

from myna.text.spoken.english.numerals import in_words, ordinal
from myna.text.spoken.english.rules import Rule, applied

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?P<year>1[1-9]\d\d|20\d\d)"
_ANY_YEAR = r"(?:1[1-9]|20)\d\d"
_ALONE = r"(?![\w%/:$€£-]|[.,]\d)"
"""Behind a number: it ends here."""

_TENS = {
    "0": "hundreds", "1": "tens", "2": "twenties", "3": "thirties", "4": "forties", "5": "fifties",
    "6": "sixties", "7": "seventies", "8": "eighties", "9": "nineties",
}  # fmt: skip


def year_said(year: str) -> str:
    """A year from 1100 to 2099 in the two halves that it is said in: `eighteen oh five`, `nineteen
    eighty-four`. Those from 2000 to 2009 are said as any number."""
    if year.startswith("200"):
        return year
    century, rest = in_words(int(year[:2])), int(year[2:])
    if not rest:
        return f"{century} hundred"
    return f"{century} {'oh ' if rest < 10 else ''}{in_words(rest)}"


def _dated(year: int, month: int, day: int, written: str) -> str:
    try:
        date(year, month, day)
    except ValueError:
        return written
    return f"{_MONTHS[month - 1]} {ordinal(day)}, {year_said(str(year))}"


def _iso(found: re.Match[str]) -> str:
    said = _dated(int(found["year"]), int(found["m"]), int(found["d"]), found[0])
    if said == found[0] or not found["time"]:
        return said
    return f"{said}, "


def _full_year(year: str) -> int:
    return int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 70 else 1900)


def _month_first(found: re.Match[str]) -> str:
    return _numeric(found, int(found["a"]), int(found["b"]))


def _day_first(found: re.Match[str]) -> str:
    return _numeric(found, int(found["b"]), int(found["a"]))


def _numeric(found: re.Match[str], month: int, day: int) -> str:
    if month > 12:
        month, day = day, month
    return _dated(_full_year(found["year"]), month, day, found[0])


def _month_and_day(found: re.Match[str]) -> str:
    year = f", {year_said(found['year'])}" if found["year"] else ""
    return f"{found['month']} {ordinal(int(found['day']))}{year}"


def _day_and_month(found: re.Match[str]) -> str:
    article = found["article"] or "the "
    year = f", {year_said(found['year'])}" if found["year"] else ""
    return f"{article}{ordinal(int(found['day']))} of {found['month']}{year}"


def _decade(found: re.Match[str]) -> str:
    century, ten = found["century"] or "", found["ten"]
    if century == "20" and ten == "0":
        return "two thousands"
    return f"{in_words(int(century))} {_TENS[ten]}" if century else _TENS[ten]


_BEFORE = r"(?<![\w/.,:-])"
_FULL_OR_SHORT = rf"(?P<year>{_ANY_YEAR}|\d\d)"
_YEARS = rf"(?P<a>{_ANY_YEAR})(?P<gap> and |\s?[–-]\s?)(?P<b>{_ANY_YEAR})"
_YEAR_FOLLOWS = (
    "in|since|by|until|till|from|to|of|before|after|during|around|circa|year|years|early|late|mid"
    "|spring|summer|autumn|fall|winter"
)


def _years(found: re.Match[str]) -> str:
    gap = found["gap"] if "and" in found["gap"] else " to "
    return f"{found['before']}{year_said(found['a'])}{gap}{year_said(found['b'])}"


_SLASHED = re.compile(
    rf"{_BEFORE}(?P<a>\d{{1,2}})(?P<gap>[/-])(?P<b>\d{{1,2}})(?P=gap){_FULL_OR_SHORT}{_ALONE}"
)
_RULES: tuple[Rule, ...] = (
    (
        re.compile(
            rf"{_BEFORE}(?P<year>{_ANY_YEAR})(?P<gap>[/-])(?P<m>\d\d?)(?P=gap)(?P<d>\d\d?)"
            r"(?:(?P<time>[T ])(?=\d\d:\d\d)|(?![\d/-]))"
        ),
        _iso,
    ),
    (
        re.compile(rf"{_BEFORE}(?P<a>\d{{1,2}})\.(?P<b>\d{{1,2}})\.(?P<year>{_ANY_YEAR}){_ALONE}"),
        _day_first,
    ),
    (
        # "In March 3 people came" is no date.
        re.compile(rf"(?<!\b[Ii]n ){_MONTH}\s+{_DAY}(?:st|nd|rd|th)?(?:,?\s+{_YEAR})?{_ALONE}"),
        _month_and_day,
    ),
    (
        re.compile(
            rf"{_BEFORE}(?P<article>[Tt]he )?{_DAY}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}"
            rf"(?:,?\s+{_YEAR})?{_ALONE}"
        ),
        _day_and_month,
    ),
    (
        re.compile(rf"(?P<before>\b(?:{'|'.join(_MONTHS)}),?\s+){_YEAR}{_ALONE}"),
        lambda found: found["before"] + year_said(found["year"]),
    ),
    (re.compile(rf"(?P<before>\b[Bb]etween ){_YEARS}{_ALONE}"), _years),
    (re.compile(rf"(?P<before>{_BEFORE})(?!\d+ and){_YEARS}{_ALONE}"), _years),
    (
        re.compile(rf"(?P<before>\b(?i:{_YEAR_FOLLOWS}) |\((?=\d+\))){_YEAR}{_ALONE}"),
        lambda found: found["before"] + year_said(found["year"]),
    ),
    (re.compile(r"(?<![\w.,/:])['’]?(?P<century>1[1-9]|20)?(?P<ten>\d)0['’]?s\b"), _decade),
)


def dates_said(text: str, *, british: bool) -> str:
    """The text with dates, years and decades as they are said.

    A number is taken for a year where its place says so: behind a month, "in", "since" and the
    like. What is no date of the calendar stays as it is.
    """
    text = _SLASHED.sub(_day_first if british else _month_first, text)
    return applied(_RULES, text)
