"""Whether one more request is taken, and when to come back if it is not."""

from __future__ import annotations

from collections.abc import Callable

from myna.errors import Overloaded

_LEAST_S, _MOST_S = 1.0, 60.0
"""Bounds of what `retry-after` says: SDKs ignore longer ones, or give up on them."""
_UNMEASURED = 10.0
"""Audio-seconds a second, until the engine has shown its speed."""
_TENTH = 0.1


class Admission:
    """Bounds the requests of one task that are worked on, and the audio that waits for them.

    Only to be used on the event loop.
    """

    def __init__(
        self,
        *,
        most_requests: int,
        most_queued_s: float,
        queued_s: Callable[[], float],
        speed: Callable[[], float | None],
    ) -> None:
        """`queued_s` tells the audio-seconds that wait, `speed` how many are done a second."""
        self._most_requests = most_requests
        self._most_queued_s = most_queued_s
        self._queued_s = queued_s
        self._speed = speed
        self.requests = 0
        """Requests that have been admitted and have not left."""
        self.admitted = 0
        """All that have ever been."""

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        return self._queued_s()

    def admit(self) -> Admitted:
        """A place for one request, to be left when it is answered.

        Raises:
            Overloaded: there is none; it says in how many seconds a tenth of the queue is done.
        """
        queued_s = self.queued_s
        if self.requests >= self._most_requests or queued_s >= self._most_queued_s:
            raise Overloaded(
                "The server is at its limit; send the request again later.",
                retry_after_s=self._retry_after_s(queued_s),
            )
        self.requests += 1
        self.admitted += 1
        return Admitted(self)

    def _retry_after_s(self, queued_s: float) -> float:
        beyond_s = max(queued_s - self._most_queued_s, 0.0) + _TENTH * queued_s
        return min(max(beyond_s / (self._speed() or _UNMEASURED), _LEAST_S), _MOST_S)


class Admitted:
    """The place of a request; leaving it twice is leaving it once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        self._held: list[Callable[[], None]] = []

    def until_left(self, release: Callable[[], None]) -> None:
        """Call that, too, when the place is left; at once if it has been."""
        if self._admission is None:
            release()
        else:
            self._held.append(release)

    def leave(self) -> None:
        """Make room for another request."""
        if self._admission is not None:
            self._admission.requests -= 1
            self._admission = None
            while self._held:
                self._held.pop()()
