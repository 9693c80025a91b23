"""Text and JSON as the bytes of an answer."""

from __future__ import annotations

import json
import re

_LINE_BREAK = re.compile("[\u0085\u2028\u2029]")


def encode_json(payload: object) -> bytes:
    """Compact JSON in UTF-8, on one line for every reader.

    U+0085, U+2028 and U+2029 are escaped because line readers of some event-stream clients break
    there; a lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. Raises ValueError on NaN.
    """
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = _LINE_BREAK.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return encode_text(text)


def encode_text(text: str) -> bytes:
    """UTF-8; the halves of a split character are joined, and a lone one becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        # By way of UTF-16, where halves of a character are at home.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
