"""Addresses of pages and mailboxes, in the words that a language has for their signs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_SIGNS: Mapping[str, Mapping[str, str]] = {
    "en": {
        ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", "?": "question mark",
        "=": "equals", "&": "and", "#": "hash", ":": "colon", "~": "tilde", "+": "plus",
        "%": "percent",
    },
    "de": {".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "@": "ät"},
    "es": {".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", "@": "arroba"},
    "fr": {".": "point", "/": "slash", "-": "tiret", "_": "tiret bas", "@": "arobase"},
    "it": {".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso", "@": "chiocciola"},
    "pt": {".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", "@": "arroba"},
}  # fmt: skip
"""By language. In one that is not here the signs are left to espeak."""

_ENDS = "com|org|net|edu|gov|info|biz|io|dev|app|eu|uk|de|fr|ai"
_MAIL = r"(?<![\w.+@-])(?:mailto:)?(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
_PAGE = (
    r"(?<![\w@.-])(?:(?:https?|ftp)://(?P<page>[^\s<>\"'`]+)"
    rf"|(?P<bare>(?:www\.[\w-]+(?:\.[\w-]+)*|(?:[\w-]+\.)+(?:{_ENDS})\b(?!\.?\w))"
    r"(?::\d+)?(?:[/?#][^\s<>\"'`]*)?))"
)
_ADDRESS = re.compile(f"{_MAIL}|{_PAGE}", re.IGNORECASE)
_BEHIND = re.compile(r"[.,;:!?)\]}*…»”’|]+$")
"""What stands behind an address and is no part of it."""
_SIGN = re.compile(r"[^\w]|_")


def addresses_said(text: str, language: str) -> str:
    """The text with its addresses in words, and without their schemes.

    `language` is the first part of a BCP 47 tag.
    """
    signs = _SIGNS.get(language)
    return _ADDRESS.sub(lambda found: _said(found, signs), text)


def _said(found: re.Match[str], signs: Mapping[str, str] | None) -> str:
    written: str = found["mail"] or found["page"] or found["bare"]
    behind = _BEHIND.search(written)
    end = behind.start() if behind else len(written)
    address = unquote(written[:end]).rstrip("/")
    if signs is None or not address:
        return address + written[end:]
    words = _SIGN.sub(lambda sign: f" {signs.get(sign[0], '')} ", address)
    return " ".join(words.split()) + written[end:]
