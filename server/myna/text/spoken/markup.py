"""HTML and SSML to their text: tags go, what stands between them stays."""

from __future__ import annotations

import html
import re

_BLOCKS = (
    "address article aside blockquote body br center dd details dialog div dl dt figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hr html li main nav ol p pre section summary table "
    "tbody td tfoot th thead title tr ul "
    "break paragraph s sentence speak"
)
"""Elements that begin a line of their own; the last line is SSML."""
_INLINE = (
    "a abbr acronym amp-voice audio b bdi bdo big button cite code data del dfn em font i img "
    "input ins kbd label link mark meta object option output picture q rp rt ruby samp script "
    "select small source span strike strong style sub sup svg textarea time tt u var video wbr "
    "desc emphasis lang lexicon metadata mstts:express-as mstts:silence phoneme prosody say-as "
    "token voice w amazon:effect amazon:domain"
)
_NAMES = "|".join(re.escape(name) for name in sorted(f"{_BLOCKS} {_INLINE}".split(), reverse=True))
_TAG = re.compile(
    rf"""</?(?P<name>{_NAMES})(?:\s+[\w:.-]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))?)*\s*/?>""",
    re.IGNORECASE,
)
"""A tag of a known name: "List<String>" and "a < b" are text."""
_COMMENT = re.compile(
    r"<!--.{0,2000}?-->|<!\[CDATA\[|\]\]>|<\?xml[^<>]*\?>|<!doctype[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_BLOCK_NAMES = frozenset(_BLOCKS.split())


def untagged(text: str) -> str:
    """The text without tags and comments; a block begins a line, and so does an SSML break."""
    return _TAG.sub(_gap, _COMMENT.sub("", text)) if "<" in text or "]]>" in text else text


def without_entities(text: str) -> str:
    """The text with the characters that `&amp;` and the like stand for."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


def _gap(tag: re.Match[str]) -> str:
    return "\n" if tag["name"].lower() in _BLOCK_NAMES else ""
