"""A transcription session as a pure state machine: what comes in, and what is to be done about it.

In come a client's messages and the engine's results; out come events for the client and at most one
window for the engine. There is no socket, no thread and no waiting here; the clock, the models and
the makers of ids are arguments. Its methods do the work of listening, so they are called from a
thread, one at a time.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from myna.engines.contract.transcriber import WindowResult
from myna.errors import BadRequest, MynaError
from myna.realtime import events
from myna.realtime.buffer import InputBuffer, TurnChange
from myna.realtime.configuration import Configuration
from myna.realtime.dialects import BY_UPDATE, GA, Dialect, shown
from myna.realtime.events import Event
from myna.realtime.fields import Fields
from myna.realtime.habits import Habits, manner
from myna.realtime.items import Ask, Delta, Item
from myna.realtime.messages import APPEND, CLEAR, COMMIT, MOST_ID_CHARS, audio_of, parsed

LEAST_COMMIT_S = 0.1
"""The hosted API commits no less."""


def pace_s(cost_s: float) -> float:
    """How long after a hypothesis that took `cost_s` the next one may be made.

    At least twice as long; where it took more than half a second it has waited for others, and
    more of them would make everybody wait.
    """
    return max(2 * cost_s, 4 * cost_s - 1)


def new_id(kind: str) -> str:
    """A name that nobody can guess, such as `item_0f…`."""
    return f"{kind}_{secrets.token_hex(12)}"


@dataclass(slots=True)
class Step:
    """What is to be done."""

    events: list[Event] = field(default_factory=list[Event])
    """For the client, in order."""
    ask: Ask | None = None
    """For the engine; its result goes to `answered`."""
    drop: bool = False
    """Nobody waits any more for what the engine was asked before."""
    written_s: float = 0.0
    """Seconds of audio that have got their last word."""


class Session:
    """One client's session."""

    def __init__(
        self,
        habits: Habits,
        configuration: Configuration | None = None,
        *,
        dialect: Dialect = GA,
        expires_at: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[str], str] = new_id,
    ) -> None:
        """`expires_at` is shown to the client, in seconds since 1970.

        Raises:
            MynaError: there is no such model, or it cannot do what is asked.
        """
        self.id = new_id("sess")
        self._habits = habits
        self._dialect = dialect
        self._clock = clock
        self._new_id = new_id
        self._expires_at = expires_at
        self._configuration = configuration or Configuration()
        self._manner = manner(self._configuration, habits, dialect)
        self._buffer = InputBuffer(
            self._configuration, self._manner.hearing.speech, self._begin_item
        )
        self._items: deque[Item] = deque()
        """Without their last word, in order; the buffer's is the last."""
        self._last_id: str | None = None
        """Of the item that was committed last."""
        self._asked: Ask | None = None
        self._cost_s = 0.0
        """How long the last hypothesis took."""
        self.committed = 0
        """Items so far."""
        self._step = Step()

    @property
    def _shown(self) -> Event:
        return shown(self.id, self._configuration, self._dialect, self._expires_at)

    @property
    def backlog(self) -> int:
        """Windows and items that wait: what comes in faster than it is decoded."""
        return len(self._items) + sum(len(item.windows) for item in self._items)

    def open(self) -> Step:
        """The client is there."""
        self._say({"type": self._dialect.created, "session": self._shown})
        return self._done()

    def receive(self, message: str | bytes) -> Step:
        """Take a client's message, whatever it is."""
        culprit: str | None = None
        try:
            event = parsed(message)
            culprit = event.text("event_id", most=MOST_ID_CHARS)
            self._act(event)
        except MynaError as failure:
            self._say(events.error(failure, culprit))
        self._advance()
        return self._done()

    def answered(self, ask: Ask, result: WindowResult | MynaError) -> Step:
        """Take what the engine made of a window."""
        if ask is self._asked:
            self._asked = None
            self._take(ask, result)
            self._advance()
        return self._done()

    def expire(self, limit_s: float) -> Step:
        """The session has lasted as long as one may."""
        failure = BadRequest(
            f"Your session hit the maximum duration of {limit_s / 60:g} minutes "
            "(setting max_session_s); open another one.",
            code="session_expired",
        )
        self._say(events.error(failure, None))
        return self._done()

    def left(self) -> float:
        """Seconds of speech that were decoded for hypotheses of what now gets no last word."""
        return sum(item.guessed_s for item in self._items)

    def _act(self, event: Fields) -> None:
        kind = event.text("type") or ""
        if kind in BY_UPDATE:
            self._update(BY_UPDATE[kind], event)
        elif kind == APPEND:
            self._turned(self._buffer.append(audio_of(event)))
        elif kind == COMMIT:
            self._commit()
        elif kind == CLEAR:
            self._clear()
        else:
            known = ", ".join(repr(name) for name in (*BY_UPDATE, APPEND, COMMIT, CLEAR))
            event.refuse("type", f"one of {known} (a session here only transcribes)")

    def _update(self, dialect: Dialect, event: Fields) -> None:
        # Old browser clients put the settings beside the type.
        settings = event.object("session") or event
        configuration = dialect.read(self._configuration, settings)
        self._manner = manner(configuration, self._habits, dialect)
        self._configuration, self._dialect = configuration, dialect
        self._buffer.configure(configuration, self._manner.hearing.speech)
        if self._buffer.item is not None:
            self._buffer.item.manner = self._manner
        self._say({"type": dialect.updated, "session": self._shown})

    def _commit(self) -> None:
        if self._buffer.pending_s < LEAST_COMMIT_S:
            raise BadRequest(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
                f"audio, but buffer only has {self._buffer.pending_s * 1000:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        self._turned(self._buffer.cut())
        if self._buffer.pending_s:  # else the last frame has ended the turn
            self._committed(self._buffer.close())

    def _clear(self) -> None:
        item = self._buffer.clear()
        if item is not None:
            self._items.remove(item)
            self._forget(item)
            self._step.written_s += item.guessed_s
        self._say({"type": "input_audio_buffer.cleared"})

    def _turned(self, changes: list[TurnChange]) -> None:
        for change in changes:
            item = change.item
            if change.what == "started":
                self._say(events.speech_started(item.id, change.from_ms))
            elif change.what == "stopped":
                self._say(events.speech_stopped(item.id, change.at_ms))
                self._committed(item)
            else:
                self._say(events.timeout_triggered(item.id, change.from_ms, change.at_ms))
                self._committed(item)

    def _committed(self, item: Item) -> None:
        item.commit()
        self._say(events.committed(item.id, self._last_id))
        for type_ in self._dialect.items:
            self._say(events.item_event(type_, item.id, self._last_id))
        self._last_id = item.id
        self.committed += 1

    def _begin_item(self, lead_s: float) -> Item:
        item = Item(self._new_id("item"), self._manner, lead_s, self._clock())
        self._items.append(item)
        return item

    def _take(self, ask: Ask, result: WindowResult | MynaError) -> None:
        if ask.kind != "final":
            self._cost_s = self._clock() - ask.asked_s
        if isinstance(result, MynaError):
            if ask.kind == "final":
                ask.item.fail(result)
        elif ask.kind == "final":
            self._conclude(ask.item, result)
        else:
            self._show(ask.item, ask.item.guess(ask, result))

    def _advance(self) -> None:
        """Say what can be said, and ask for what is missing."""
        while self._items:
            item = self._items[0]
            if item.windows:
                if not self._concluded(item):
                    return
            elif item.committed:
                self._items.popleft()
                self._forget(item)
                self._settle(item)
            else:
                self._guess(item)
                return

    def _guess(self, item: Item) -> None:
        """Ask about an item that goes on."""
        now_s = self._clock()
        early = item.early(now_s)
        if early is not None:
            self._drop()
            self._ask(early)
        elif self._asked is None:
            self._ask(item.partial(now_s, pace_s(self._cost_s)))

    def _concluded(self, item: Item) -> bool:
        """Whether the item's next window has its last word; if not, it is asked for."""
        if (result := item.settled()) is not None:
            self._conclude(item, result)
            return True
        if self._asked is not None and self._asked.kind != "final":
            if item.settles(self._asked):
                self._asked.kind = "final"
            else:
                self._drop()
        if self._asked is None:
            self._ask(item.final(self._clock()))
        return False

    def _conclude(self, item: Item, result: WindowResult) -> None:
        self._step.written_s += item.windows[0].seconds
        self._show(item, item.conclude(result))

    def _ask(self, ask: Ask | None) -> None:
        self._asked = self._step.ask = ask

    def _forget(self, item: Item) -> None:
        if self._asked is not None and self._asked.item is item:
            self._drop()

    def _drop(self) -> None:
        if self._asked is not None:
            self._asked, self._step.drop = None, True

    def _settle(self, item: Item) -> None:
        if item.failure is not None:
            self._say(events.failed(item, item.failure))
            return
        model = item.manner.wishes.model
        self._say(
            events.completed(
                item,
                counts_duration=self._habits.counts_duration(model),
                languages=self._habits.lists_languages(model),
            )
        )

    def _show(self, item: Item, part: Delta | None) -> None:
        if part is not None:
            self._say(events.delta(item, part))

    def _say(self, event: Event) -> None:
        self._step.events.append({"event_id": self._new_id("event")} | event)

    def _done(self) -> Step:
        step, self._step = self._step, Step()
        return step
