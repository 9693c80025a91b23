"""How something is to be said: the few words of `instructions` that any engine can follow."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manner:
    """What a speaker does with a text beside saying it."""

    pace: float = 1.0
    """Factor on the speed."""
    pauses: float = 1.0
    """Factor on the pauses between sentences and clauses."""
    gain_db: float = 0.0
    """Louder or softer than usual."""


_PACES = (
    (1.4, r"very (?:fast|quick(?:ly)?|rapid(?:ly)?)"),
    (0.7, r"very slow(?:ly)?"),
    (1.2, r"fast(?:er)?|quick(?:er|ly)?|rapid(?:ly)?|hurried(?:ly)?"),
    (0.85, r"slow(?:er|ly)?|unhurried(?:ly)?"),
)
_PAUSES = (
    (0.5, r"(?:short|shorter|fewer|brief) pauses?"),
    (2.0, r"(?:long|longer|more|dramatic) pauses?|pause(?: (?:often|longer|between sentences))?"),
)
_GAINS_DB = (
    (-10.0, r"whisper(?:s|ed|ing|y)?"),
    (-5.0, r"soft(?:er|ly)?|quiet(?:er|ly)?"),
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|avoid|nor|neither|stop|[a-z]+n['’]t|dont)\b(?: \w+){0,3} ?$"
)
"""What takes back a word that follows within three others."""


def manner_of(instructions: str) -> Manner:
    """The manner that `instructions` ask for; what is not in the vocabulary is ignored.

    Words count as a whole, in any case, and not where they are negated in the same clause ("don't
    whisper", "not too fast"). Of each kind the first in the vocabulary's order counts.
    """
    clauses = [
        " ".join(part.split()) for part in re.split(r"[.,;:!?\n]|\bbut\b", instructions.lower())
    ]
    return Manner(
        pace=_found(clauses, _PACES, 1.0),
        pauses=_found(clauses, _PAUSES, 1.0),
        gain_db=_found(clauses, _GAINS_DB, 0.0),
    )


def _found(clauses: list[str], vocabulary: tuple[tuple[float, str], ...], default: float) -> float:
    for value, words in vocabulary:
        for clause in clauses:
            for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", clause):
                if not _NEGATION.search(clause[: match.start()]):
                    return value
    return default
