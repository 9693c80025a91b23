"""From the attempt that was kept to segments, with words and log-probabilities where asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import ctranslate2
import numpy as np
from ctranslate2.models import Whisper

from myna.engines.contract.transcriber import WindowJob, WindowResult
from myna.engines.whisper.alignment import TimedWord, monotone, timed_words
from myna.engines.whisper.fallback import Attempt
from myna.engines.whisper.segments import Span, spans, stops_early
from myna.engines.whisper.vocabulary import Vocabulary
from myna.engines.whisper.windowing import FRAMES_PER_S
from myna.text.transcript import Segment, TokenLogprob, Word

_LEAST_PROBABILITY = 1e-10
_LEAST_REST_S = 0.8
"""What is shorter is the silence that windows end with."""
_LEAST_ADVANCE_S = 1.0
"""A rest that begins earlier would be the same window again."""


@dataclass(slots=True)
class Reading:
    """One window's text on its way to segments."""

    job: WindowJob
    language: str
    attempt: Attempt
    vocabulary: Vocabulary
    words: list[TimedWord] = field(default_factory=list[TimedWord])
    """All words of the window, in order; filled by `read_words`."""
    probabilities: list[float] = field(default_factory=list[float])
    """One per text token of the window; filled by `read_words`."""
    spans: list[Span] = field(init=False)
    """The window's text cut at its timestamps; nothing where nobody speaks."""
    rest_from_s: float | None = field(init=False)
    """Where to go on if the text did not fit: behind the last span that was finished."""

    def __post_init__(self) -> None:
        window, attempt = self.job.window, self.attempt
        begin = self.vocabulary.base.timestamp_begin
        found = [] if attempt.silent else spans(attempt.tokens, begin, window.seconds)
        self.spans = [span for span in found if self.vocabulary.text(span.tokens).strip()]
        self.rest_from_s = None
        unfinished = attempt.cut_off and attempt.full_length and len(self.spans) > 1
        if unfinished or (self.spans and stops_early(attempt.tokens, begin)):
            behind_s = self.spans[-2 if unfinished else -1].end_s
            if _LEAST_ADVANCE_S <= behind_s < window.seconds - _LEAST_REST_S:
                self.rest_from_s = window.start_s + behind_s
                if unfinished:
                    self.spans.pop()

    @property
    def wants_alignment(self) -> bool:
        """Whether words or log-probabilities were asked for, and there is text to have them."""
        options = self.job.options
        return (options.word_timestamps or options.token_logprobs) and bool(self.text_tokens)

    @property
    def text_tokens(self) -> list[int]:
        """Tokens of the text, timestamps left out."""
        eot = self.vocabulary.base.eot
        return [token for span in self.spans for token in span.tokens if token < eot]

    @property
    def start_sequence(self) -> tuple[int, ...]:
        """Language and task as the decoder was told."""
        return tuple(self.vocabulary.tokenizer(self.language, self.job.options.task).sot_sequence)

    def result(self) -> WindowResult:
        """The window's segments in the recording's time."""
        segments: list[Segment] = []
        window = self.job.window
        # Alignment may reach beyond the timestamp behind which the rest is a window of its own.
        until_s = window.seconds if self.rest_from_s is None else self.rest_from_s - window.start_s
        words = monotone(self.words, until_s)
        token = 0
        for span in self.spans:
            behind = token + sum(1 for value in span.tokens if value < self.vocabulary.base.eot)
            own = self._words_between(words, token, behind)
            segments.append(self._segment(span, own, self._logprobs(token, behind)))
            token = behind
        return WindowResult(tuple(segments), self.language, self.rest_from_s)

    def _segment(
        self, span: Span, words: Sequence[TimedWord], logprobs: tuple[TokenLogprob, ...]
    ) -> Segment:
        offset_s = self.job.window.start_s
        attempt = self.attempt
        return Segment(
            seek=round(offset_s * FRAMES_PER_S),
            start_s=offset_s + (words[0].start_s if words else span.start_s),
            end_s=offset_s + (words[-1].end_s if words else span.end_s),
            text=self.vocabulary.text(span.tokens),
            tokens=span.tokens,
            temperature=attempt.temperature,
            avg_logprob=attempt.avg_logprob,
            compression_ratio=attempt.compression_ratio,
            no_speech_prob=attempt.no_speech_prob,
            words=tuple(
                Word(word.text, offset_s + word.start_s, offset_s + word.end_s, word.probability)
                for word in words
            ),
            logprobs=logprobs,
        )

    def _words_between(
        self, words: Sequence[TimedWord], begin: int, behind: int
    ) -> list[TimedWord]:
        """The words whose first token is one of the window's tokens `begin` to `behind`."""
        found: list[TimedWord] = []
        first = 0
        for word in words if self.job.options.word_timestamps else ():
            if begin <= first < behind and word.text.strip():
                found.append(word)
            first += len(word.tokens)
        return found

    def _logprobs(self, begin: int, end: int) -> tuple[TokenLogprob, ...]:
        if not self.job.options.token_logprobs:
            return ()
        pairs = zip(self.text_tokens[begin:end], self.probabilities[begin:end], strict=True)
        return tuple(
            self.vocabulary.logprob(token, math.log(max(value, _LEAST_PROBABILITY)))
            for token, value in pairs
        )


def read_words(
    model: Whisper, encoded: ctranslate2.StorageView, readings: Sequence[Reading]
) -> None:
    """Align the readings' text with the audio; `encoded` has one row for each of them."""
    starts = {reading.start_sequence for reading in readings}
    if len(starts) > 1:
        # CTranslate2 takes one start sequence a call: languages and tasks are aligned apart.
        for start in sorted(starts):
            rows = [row for row, reading in enumerate(readings) if reading.start_sequence == start]
            view = _rows(encoded, rows)
            read_words(model, view, [readings[row] for row in rows])
        return
    aligned = model.align(
        encoded,
        list(readings[0].start_sequence),
        [reading.text_tokens for reading in readings],
        [round(reading.job.window.seconds * FRAMES_PER_S) for reading in readings],
    )
    for reading, alignment in zip(readings, aligned, strict=True):
        tokenizer = reading.vocabulary.tokenizer(reading.language, reading.job.options.task)
        words, word_tokens = tokenizer.split_to_word_tokens(reading.text_tokens)
        reading.probabilities = list(alignment.text_token_probs)
        reading.words = timed_words(
            words,
            word_tokens,
            alignment.alignments,
            reading.probabilities,
            reading.job.window.seconds,
        )


def _rows(encoded: ctranslate2.StorageView, rows: Sequence[int]) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.array(encoded)[list(rows)]))
