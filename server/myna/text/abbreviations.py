"""Words that keep the full stop after them: abbreviations, initials, numbers of lists and dates."""

from __future__ import annotations

import re


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_BEFORE_A_NAME = _words(
    "mr mrs ms mx messrs dr drs prof rev hon gen col capt cmdr lt sgt maj sen gov pres st ste "
    "mme mlle mgr hr fr sra srta dña sig sigg dott ing avv dhr mevr "
    "e.g i.e cf vs viz bzw z.b d.h vgl ggf evtl inkl bijv p.ej ca approx al"
)
"""A sentence goes on after these, whatever follows."""

_BEFORE_A_NUMBER = _words("no nos nr fig figs vol vols p pp ch sec art abs eq núm nº")
"""A sentence goes on after these if a number follows."""

_ANYWHERE = _words(
    "etc inc ltd co corp bros jr sr dept est esp ave blvd rd usw jan feb apr aug sept oct nov dec"
)
"""These may stand at the end of a sentence as well."""

_BEGINNERS = _words(
    "a an the this that these those he she it they we i you my his her its our their there here "
    "in on at as but and or so if when while then after before however because although what who "
    "why how where yes no not one some all most many each every for from with by to now"
)
"""A capital letter on one of these is that of a sentence, not of a name."""

_GERMAN_MONTHS = _words(
    "januar februar märz april mai juni juli august september oktober november dezember"
)

_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_LETTERS = re.compile(r"[^\W_]+")


def goes_on(word: str, following: str, *, begins_line: bool) -> bool:
    """Whether a sentence goes on after `word` and a full stop.

    `word` comes without opening marks and the full stop, `following` is how the text continues
    after white space (two dozen characters are enough, empty at its end), `begins_line` is whether
    the word is the first of its line.
    """
    folded = word.lower()
    found = _LETTERS.search(following)
    next_word = found[0].lower() if found else ""
    if folded.isdigit():
        return begins_line or (len(folded) <= 2 and next_word in _GERMAN_MONTHS)
    if folded in _BEFORE_A_NAME:
        return bool(next_word)
    if folded in _BEFORE_A_NUMBER and next_word[:1].isdigit():
        return True
    if word == "I":  # the pronoun, unless more initials follow it
        return following[1:2] == "." and following[0].isupper()
    initials = word.lower() != word.upper() and _INITIALS.fullmatch(word) is not None
    begins = found is not None and found[0][0].isupper() and next_word in _BEGINNERS
    return (initials or folded in _ANYWHERE) and bool(next_word) and not begins
