"""The quicker of two ways to do the same work."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock

_REMEMBERED = 3
_TRIED_FIRST = 2
"""Times that each way is tried before one is preferred: the first run of all is a slow one."""
_FORGOTTEN = 0.995
"""What is left, each time that the other way is taken, of how long a way took: one that takes 1.6
times as long is tried again after a hundred times, since machines and their load change."""


@dataclass(slots=True)
class _Way:
    took_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=_REMEMBERED))
    forgotten: float = 1.0

    @property
    def least_s(self) -> float:
        """What runs take beyond it, something else has cost. 0 before the first."""
        return min(self.took_s, default=0.0)

    @property
    def faded_s(self) -> float:
        """The same, as far as it is remembered."""
        return self.least_s * self.forgotten


class Quicker:
    """Chooses between two ways by what they took lately, for each kind of work by itself. Any
    number of threads may ask; a wrong figure costs time, nothing else."""

    def __init__(self) -> None:
        self._ways: dict[Hashable, tuple[_Way, _Way]] = {}
        self._lock = Lock()

    def chooses_second(self, kind: Hashable) -> bool:
        """Whether to take the second way. At first they take turns, and the second begins."""
        with self._lock:
            first, second = self._ways.setdefault(kind, (_Way(), _Way()))
            tried = (len(first.took_s), len(second.took_s))
            if min(tried) < _TRIED_FIRST:
                return tried[1] <= tried[0]
            chosen = second.faded_s < first.faded_s
            (first if chosen else second).forgotten *= _FORGOTTEN
        return chosen

    def second_takes(self, kind: Hashable) -> float | None:
        """How many times as long as the first, as was found, however long ago; None before."""
        with self._lock:
            first, second = self._ways.get(kind, (_Way(), _Way()))
            tried = min(len(first.took_s), len(second.took_s))
            return second.least_s / first.least_s if tried >= _TRIED_FIRST else None

    def learn(self, kind: Hashable, *, second: bool, seconds: float) -> None:
        """Work of a kind took so long in one of the two ways."""
        with self._lock:
            way = self._ways.setdefault(kind, (_Way(), _Way()))[second]
            way.took_s.append(seconds)
            way.forgotten = 1.0
