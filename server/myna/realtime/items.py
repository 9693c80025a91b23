"""An item: the audio of one turn, cut into windows, and the text that grows out of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from myna.audio.activity import FRAME, SpeechProbabilities
from myna.audio.windows import Cutting, Windower
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.contract.transcriber import DecodingOptions, Transcriber, WindowResult
from myna.errors import MynaError
from myna.realtime.agreement import Agreement
from myna.realtime.configuration import Wishes, hasty
from myna.scheduling.queue import Ticket
from myna.text.transcript import Segment, TokenLogprob, Transcript

FRAME_S = FRAME / SAMPLE_RATE_HZ
LEAST_SPEECH_S = 0.1
"""Less than this is a click."""
PAUSE_FRAMES = 5
"""A pause of this many frames (160 ms) may be the end of what is said."""
_LEAST_WINDOW_S = 0.6
"""Whisper makes nothing of less."""
_BURST, _BURST_S = 2.0, 0.6
"""Audio that arrives at more than twice its speed, and 0.6 s, is no live speech: hypotheses would
only delay it."""

Kind = Literal["partial", "early", "final"]
"""A hasty hypothesis while somebody speaks; one that stands if the pause turns out to be the end;
the last word on a window."""


class SpeechSource(Protocol):
    """Makes a detector."""

    def __call__(self) -> SpeechProbabilities:
        """A new one."""
        ...


class Hearing(Protocol):
    """A model that is loaded, as far as a session knows it."""

    @property
    def engine(self) -> Transcriber:
        """What it can do."""
        ...

    @property
    def speech(self) -> SpeechSource:
        """Makes what finds speech in one stream of audio."""
        ...

    async def decode_whole(
        self, ticket: Ticket, window: Window, options: DecodingOptions
    ) -> WindowResult:
        """Decode a window; raises MynaError."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Forget what waits with this ticket."""
        ...


@dataclass(eq=False, slots=True)
class Ask:
    """A window that the engine shall decode."""

    item: Item
    window: Window
    options: DecodingOptions
    kind: Kind
    span: tuple[int, int] | None
    """Of the window's speech, in the item's frames."""
    asked_s: float
    """When, by the session's clock."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that goes on where the last one ended."""

    text: str
    tokens: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Manner:
    """How an item is written down. May change until its first window is decoded."""

    hearing: Hearing
    wishes: Wishes
    options: DecodingOptions

    @property
    def logprobs(self) -> bool:
        """Whether log-probabilities are shown."""
        return self.options.token_logprobs


class Item:
    """What is between two commits."""

    def __init__(self, id_: str, manner: Manner, lead_s: float, begun_s: float) -> None:
        """`begun_s` is when its first audio came; up to `lead_s` of it may be no speech."""
        self.id = id_
        self.manner = manner
        self.committed = False
        self.failure: MynaError | None = None
        self.windows: deque[Window] = deque()
        """Windows that are complete and not decoded yet."""
        self.frames = 0
        self.text: str = ""
        self.tokens: list[TokenLogprob] = []
        self._windower = Windower(Cutting(lead_s=lead_s, least_speech_s=LEAST_SPEECH_S))
        self._agreement = Agreement()
        self._held: str = ""
        """Space that is shown if something follows."""
        self._segments: list[Segment] = []
        self._language: str | None = None
        self._begun_s = begun_s
        self._asked_s = begun_s
        self._tried: tuple[int, int] | None = None
        """The speech that the last hypothesis was about."""
        self._paused: tuple[int, int] | None = None
        """The speech before the last pause that was asked about."""
        self._early: tuple[tuple[int, int] | None, WindowResult] | None = None
        self._last: tuple[Window, tuple[int, int] | None] | None = None
        """The window that the commit closed, and its speech."""

    @property
    def seconds(self) -> float:
        """Length of its audio."""
        return self.frames * FRAME_S

    @property
    def understood(self) -> bool:
        """Whether some of its audio has got its last word. What has come so far is written down to
        its end, whatever limits its caller meets meanwhile."""
        return self._language is not None

    @property
    def guessed_s(self) -> float:
        """Seconds of speech that were decoded for hypotheses, and have no last word yet."""
        return 0.0 if self._tried is None else (self._tried[1] - self._tried[0]) * FRAME_S

    def feed(self, samples: Samples, probabilities: NDArray[np.float32]) -> None:
        """Take whole frames and their probabilities of speech."""
        self.frames += len(probabilities)
        self._closed(self._windower.feed(samples, probabilities))

    def commit(self) -> None:
        """Nothing more will come."""
        span = self._windower.span
        rest = self._windower.finish(np.zeros(0, np.float32))
        if rest:
            self._last = rest[-1], span
        self._closed(rest)
        self.committed = True

    def fail(self, failure: MynaError) -> None:
        """Give its text up."""
        self.failure = failure
        self.windows.clear()

    def settles(self, ask: Ask) -> bool:
        """Whether a hypothesis that is under way is the last word on the next window."""
        return (
            ask.item is self
            and ask.kind == "early"
            and self._last is not None
            and self.windows[0] is self._last[0]
            and ask.span == self._last[1]
        )

    def settled(self) -> WindowResult | None:
        """The last word on the next window, where an early hypothesis has come to it already."""
        if self._early is None or self._last is None or self.windows[0] is not self._last[0]:
            return None
        span, result = self._early
        return result if span == self._last[1] else None

    def final(self, now_s: float) -> Ask:
        """Ask for the last word on the next window."""
        return Ask(self, self.windows[0], self._options(), "final", None, now_s)

    def early(self, now_s: float) -> Ask | None:
        """Ask about what was said before a pause, once: it may have been all."""
        span = self._windower.span
        pausing = self._windower.silent_frames >= PAUSE_FRAMES
        if not pausing or span == self._paused or not self._is_live(now_s):
            return None
        self._paused = self._tried = span
        return self._ask_so_far("early", self._options(), now_s)

    def partial(self, now_s: float, least_pace_s: float) -> Ask | None:
        """Ask about what is being said, if there is more of it and it is time."""
        span = self._windower.span
        pace_s = max(self.manner.wishes.pace_s, least_pace_s)
        if span is None or span == self._tried or now_s - self._asked_s < pace_s:
            return None
        if (span[1] - span[0]) * FRAME_S < _LEAST_WINDOW_S or not self._is_live(now_s):
            return None
        self._tried = span
        return self._ask_so_far("partial", hasty(self._options()), now_s)

    def _ask_so_far(self, kind: Kind, options: DecodingOptions, now_s: float) -> Ask | None:
        window = None if self.failure else self._windower.so_far()
        if window is None:
            return None
        self._asked_s = now_s
        return Ask(self, window, options, kind, self._windower.span, now_s)

    def guess(self, ask: Ask, result: WindowResult) -> Delta | None:
        """Take a hypothesis."""
        if ask.kind == "early":
            self._early = ask.span, result
        text, tokens = _read(result.segments)
        return self._shown(text, tokens, self._agreement.grow(text))

    def conclude(self, result: WindowResult) -> Delta | None:
        """Take the last word on the next window."""
        self.windows.popleft()
        self._language = self._language or result.language
        self._tried = None
        self._segments += result.segments
        text, tokens = _read(result.segments)
        delta = self._shown(text, tokens, self._agreement.finish(text))
        self._agreement = Agreement()
        return delta

    def transcript(self) -> Transcript:
        """All of it, with the text as it was shown."""
        options = self.manner.options
        engine = self.manner.hearing.engine
        shown = Segment(0, 0.0, self.seconds, self.text, (), 0.0, 0.0, 1.0, 0.0)
        return Transcript(
            task="transcribe",
            language=self._language or options.language or "en",
            duration_s=self.seconds,
            segments=(shown,),
            prompt_tokens=engine.prompt_tokens(options),
            language_detected=options.language is None,
        )

    def output_tokens(self) -> int:
        """How many tokens its text was written with."""
        return self.manner.hearing.engine.count_tokens(self._segments)

    def _closed(self, windows: list[Window]) -> None:
        if self.failure is None:
            self.windows += windows

    def _options(self) -> DecodingOptions:
        """One item has one language, once some of it has been understood."""
        options = self.manner.options
        return replace(options, language=options.language or self._language)

    def _is_live(self, now_s: float) -> bool:
        return self.seconds <= _BURST * (now_s - self._begun_s) + _BURST_S

    def _shown(self, text: str, tokens: Sequence[TokenLogprob], part: slice) -> Delta | None:
        piece: str = text[part]
        if not self.text:
            piece = piece.lstrip()
        elif piece and not piece[0].isspace():
            piece = self._held + piece
        bare = piece.rstrip()
        if not bare:
            self._held = piece or self._held
            return None
        self._held = piece[len(bare) :]
        spoken = tuple(_tokens_of(text, tokens, part))
        self.text += bare
        self.tokens += spoken
        return Delta(bare, spoken)


def _read(segments: Sequence[Segment]) -> tuple[str, list[TokenLogprob]]:
    text = "".join(segment.text for segment in segments)
    return text, [token for segment in segments for token in segment.logprobs]


def _tokens_of(text: str, tokens: Sequence[TokenLogprob], part: slice) -> list[TokenLogprob]:
    """The tokens that begin within a part of the text."""
    begin, end = (len(text[: edge or 0].encode()) for edge in (part.start, part.stop))
    found: list[TokenLogprob] = []
    at = 0
    for token in tokens:
        if begin <= at < end:
            found.append(token)
        at += len(token.utf8)
    return found
