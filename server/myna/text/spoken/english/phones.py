"""Telephone numbers and codes: digit by digit, with a breath between the groups."""

from __future__ import annotations

import re

from myna.text.spoken.english.rules import Rule, applied

_GAP = r"[ .\u00a0\u2011-]"
_END = r"(?![\w-]|\.\d)"
_CODES = (
    "zip code|zip|area code|postcode|pin code|pin|passcode|access code|extension|tracking number"
    "|account number|serial number"
)


def _digits(found: re.Match[str]) -> str:
    groups: list[str] = re.findall(r"\d+", found[0])
    said = ", ".join(" ".join(group) for group in groups)
    return f"plus {said}" if found[0].startswith("+") else said


def _code(found: re.Match[str]) -> str:
    what: str = found["what"]
    return what.replace("ZIP", "zip").replace("PIN", "pin") + " ".join(found["code"])


_RULES: tuple[Rule, ...] = (
    # +44 20 7946 0958, +1 (555) 123-4567
    (re.compile(rf"(?<![\w+])\+\d{{1,3}}(?:{_GAP}?\(?\d{{1,5}}\)?){{2,6}}(?![\w.]*\d)"), _digits),
    # (555) 123-4567, 555-123-4567, 1-800-555-0199
    (
        re.compile(
            rf"(?<![\w.(/-])(?:1{_GAP})?(?:\(\d{{3}}\)[ -]?|\d{{3}}[.-])\d{{3}}[ .-]\d{{4}}{_END}"
        ),
        _digits,
    ),
    (re.compile(rf"(?<![\w./-])\d{{3}}-\d{{4}}{_END}"), _digits),
    (re.compile(rf"(?P<what>\b(?i:{_CODES})(?: is|:)? )(?P<code>\d{{3,}})\b"), _code),
)


def phones_said(text: str) -> str:
    """The text with telephone numbers and codes spelt out."""
    return applied(_RULES, text)
