"""How many replicas a deployment should have.

Ray sends this module to its controller as it is, hence it imports nothing of Myna.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

QUEUED = "queued_audio_seconds"
"""What a replica reports: audio that waits for its engines."""
BUSY = "busy"
"""What a replica reports: 1 while an engine runs, or requests are there, 0 while it idles."""


class Context(Protocol):
    """The part of Ray's `AutoscalingContext` that counts here."""

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[Any, float]] | None:
        """By metric and replica, over the time that is looked back on."""
        ...

    @property
    def current_num_replicas(self) -> int:
        """Replicas that run."""
        ...


def wanted(queued_s: float, busy: float, goal_s: float) -> int:
    """Replicas for so much audio that waits, at `goal_s` seconds of it for each.

    `busy` is how many replicas' worth of work is being done. It never asks for more than there
    are; it keeps those that have just emptied their queues from being taken away.
    """
    # Not to be rounded up by a few seconds of one request that ran a moment ago.
    return max(math.ceil(queued_s / goal_s), round(busy))


class QueuedAudio:
    """Ray's `policy_function`, with `policy_kwargs` {"goal_s": …}."""

    def __init__(self, goal_s: float = 60.0) -> None:
        """`goal_s`: seconds of audio that may wait for each replica."""
        self._goal_s = goal_s

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        """How many are wanted, before Ray's own bounds and delays; and nothing to remember."""
        metrics = context.aggregated_metrics or {}
        if QUEUED not in metrics:
            return context.current_num_replicas, {}  # nobody has reported yet
        queued_s = sum(metrics[QUEUED].values())
        return wanted(queued_s, sum(metrics.get(BUSY, {}).values()), self._goal_s), {}
