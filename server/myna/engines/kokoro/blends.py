"""Blends: a voice mixed from others, written as one name.

    blend  = part ("+" part)*
    part   = name | name "(" weight ")" | name "*" weight
    weight = digits ["." digits], more than 0; 1 where none is written

White space around names, weights and signs means nothing, and neither does the case of letters.
What the weights are in proportion to each other counts, not what they come to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import fsum

MOST_PARTS = 8
"""More are no voice that anybody could tell from its neighbours."""

_NUMBER = r"\d{1,6}(?:\.\d{1,6})?|\.\d{1,6}"
_PART = re.compile(
    rf"\s*(?P<name>\w[\w.-]*)\s*"
    rf"(?:\(\s*(?P<inside>{_NUMBER})\s*\)|\*\s*(?P<behind>{_NUMBER}))?\s*",
    re.ASCII,
)
_SIGNS = frozenset("+*(")


class BlendError(ValueError):
    """The name is no blend; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Part:
    """One voice of a blend."""

    voice: str
    """Id of the voice."""
    share: float
    """How much of the blend it is; those of all parts come to 1."""


def is_blend(name: str) -> bool:
    """Whether a name is meant as a blend, well formed or not."""
    return any(char in _SIGNS for char in name)


def parts_of(name: str, find: Callable[[str], Iterable[Part] | None]) -> tuple[Part, ...]:
    """The parts of a blend, in the order they are written; a voice named twice counts twice.

    `find` gives the voice that a part's name means, or the parts of the blend that it means, or
    None. Raises BlendError.
    """
    written = name.split("+")
    if len(written) > MOST_PARTS:
        raise BlendError(f"a blend has at most {MOST_PARTS} voices, this one has {len(written)}")
    weights: dict[str, float] = {}
    for text in written:
        part = _PART.fullmatch(text)
        if part is None:
            raise BlendError(
                f"'{text.strip()}' is no part of a blend; write it as in "
                "'af_heart+am_onyx', 'af_heart(2)+am_onyx(1)' or 'af_heart*0.7+am_onyx*0.3'"
            )
        meant = find(part["name"].lower())
        if meant is None:
            raise BlendError(
                f"there is no voice '{part['name']}' to blend; GET /v1/audio/voices lists them"
            )
        weight = float(part["inside"] or part["behind"] or 1)
        if not weight:
            raise BlendError(f"the weight of '{part['name']}' must be more than 0")
        for one in meant:
            weights[one.voice] = weights.get(one.voice, 0.0) + weight * one.share
    whole = fsum(weights.values())
    return tuple(Part(voice, weight / whole) for voice, weight in weights.items())
