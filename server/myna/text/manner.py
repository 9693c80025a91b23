"""How something is to be said."""

from __future__ import annotations

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
