"""From a kept attempt to segments, with a vocabulary of ten words in place of a model's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from myna.engines.contract.samples import Window
from myna.engines.contract.transcriber import DecodingOptions, WindowJob
from myna.engines.whisper.alignment import TimedWord, timed_words
from myna.engines.whisper.fallback import Attempt
from myna.engines.whisper.reading import Reading
from myna.text.transcript import TokenLogprob

EOT = 50_257
BEGIN = 50_364
TEXT = (" zero", " one", " two", " three", " four", " five", " six", " seven", ".", " ")
WORDS = DecodingOptions(word_timestamps=True)


def at(seconds: float) -> int:
    return BEGIN + round(seconds / 0.02)


class Words:
    """A vocabulary in which token 3 is " three"."""

    base = SimpleNamespace(eot=EOT, timestamp_begin=BEGIN)

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(TEXT[token] for token in tokens if token < EOT)

    def logprob(self, token: int, logprob: float) -> TokenLogprob:
        return TokenLogprob(TEXT[token], TEXT[token].encode(), logprob)


def reading(
    *tokens: int,
    window_s: float = 30.0,
    start_s: float = 0.0,
    options: DecodingOptions | None = None,
    **attempt: Any,
) -> Reading:
    figures: dict[str, Any] = {
        "avg_logprob": -0.25,
        "no_speech_prob": 0.125,
        "cut_off": False,
        "full_length": True,
        "timestamps": True,
        "temperature": 0.0,
    }
    window = Window(np.zeros(round(window_s * 16_000), np.float32), start_s)
    words = cast("Any", Words())
    kept = Attempt(tokens=tokens, text=words.text(tokens), **(figures | attempt))
    return Reading(WindowJob(window, options or DecodingOptions()), "en", kept, words)


def word(text: str, *tokens: int, start_s: float, end_s: float) -> TimedWord:
    return TimedWord(text, tokens, start_s, end_s, 0.5)


def test_segments_are_in_the_recordings_time_and_carry_the_windows_figures():
    result = reading(at(0.5), 1, 2, at(2), at(2), 3, at(4), start_s=12.5, temperature=0.2).result()
    first, second = result.segments
    assert (first.text, second.text) == (" one two", " three")
    assert [first.start_s, first.end_s] == pytest.approx([13.0, 14.5])
    assert [second.start_s, second.end_s] == pytest.approx([14.5, 16.5])
    for segment in result.segments:
        assert segment.seek == 1250
        assert segment.temperature == 0.2
        assert segment.avg_logprob == -0.25
        assert segment.no_speech_prob == 0.125
        assert segment.words == segment.logprobs == ()
    assert first.tokens == (at(0.5), 1, 2, at(2))
    assert result.language == "en"


def test_silence_says_nothing_whatever_was_written():
    result = reading(at(0), 1, at(2), at(2), avg_logprob=-1.5, no_speech_prob=0.9).result()
    assert result.segments == ()
    assert result.rest_from_s is None


def test_blank_text_is_no_segment():
    assert reading(at(0), 9, at(2)).result().segments == ()


def test_a_window_that_closes_with_one_timestamp_is_done():
    assert reading(at(0), 1, at(2), at(2), 2, at(20)).result().rest_from_s is None


def test_a_window_that_closes_with_two_goes_on_from_there():
    result = reading(at(0), 1, at(2), at(2), 2, at(20), at(20), start_s=60.0).result()
    assert result.rest_from_s == pytest.approx(80.0)
    assert len(result.segments) == 2


def test_words_do_not_reach_into_what_is_sent_again():
    tokens = (at(0), 1, at(2), at(2), 2, at(20), at(20))
    read = reading(*tokens, start_s=60.0, options=WORDS)
    read.words = [word(" one", 1, start_s=0.5, end_s=1.5), word(" two", 2, start_s=19.0, end_s=21)]
    result = read.result()
    assert result.segments[-1].end_s == pytest.approx(80.0)
    assert result.segments[-1].words[-1].end_s == pytest.approx(80.0)


def test_less_than_the_silence_at_the_end_is_not_sent_again():
    assert reading(at(0), 1, at(29.3), at(29.3)).result().rest_from_s is None
    assert reading(at(0), 1, at(5.3), at(5.3), window_s=6.0).result().rest_from_s is None


def test_what_would_start_over_at_the_beginning_is_not_sent_again():
    assert reading(at(0), 1, at(0), at(0)).result().rest_from_s is None


def test_text_that_did_not_fit_is_written_again_from_its_last_whole_segment():
    result = reading(at(0), 1, at(9), at(9), 2, at(18), at(18), 3, cut_off=True).result()
    assert [segment.text for segment in result.segments] == [" one", " two"]
    assert result.rest_from_s == pytest.approx(18.0)


def test_a_single_segment_that_did_not_fit_is_kept():
    result = reading(at(0), 1, 2, 3, cut_off=True).result()
    assert [segment.text for segment in result.segments] == [" one two three"]
    assert result.rest_from_s is None


def test_text_that_did_not_fit_is_kept_where_nothing_is_left_to_write_it_again():
    result = reading(at(0), 1, at(29.5), at(29.5), 2, cut_off=True).result()
    assert [segment.text for segment in result.segments] == [" one", " two"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (DecodingOptions(), False),
        (DecodingOptions(word_timestamps=True), True),
        (DecodingOptions(token_logprobs=True), True),
    ],
)
def test_attention_is_read_only_where_words_or_probabilities_were_asked_for(options, wanted):
    assert reading(at(0), 1, at(2), options=options).wants_alignment is wanted
    assert not reading(at(0), at(2), options=options).wants_alignment


def test_words_move_their_segments_ends():
    read = reading(at(0), 1, 2, at(2), at(2), 3, at(4), start_s=10, options=WORDS)
    read.words = [
        word(" one", 1, start_s=0.3, end_s=0.8),
        word(" two", 2, start_s=0.8, end_s=1.5),
        word(" three", 3, start_s=2.2, end_s=2.9),
    ]
    first, second = read.result().segments
    assert [word.text for word in first.words] == [" one", " two"]
    assert [word.text for word in second.words] == [" three"]
    assert [first.start_s, first.end_s] == pytest.approx([10.3, 11.5])
    assert [second.start_s, second.end_s] == pytest.approx([12.2, 12.9])
    assert [second.words[0].start_s, second.words[0].end_s] == pytest.approx([12.2, 12.9])


def test_words_that_were_not_asked_for_are_not_given():
    """Attention is read for probabilities as well; times and words then stay the decoder's."""
    read = reading(at(0), 1, at(2), options=DecodingOptions(token_logprobs=True))
    read.words = [word(" one", 1, start_s=0.3, end_s=0.8)]
    read.probabilities = [0.5]
    (segment,) = read.result().segments
    assert segment.words == ()
    assert [segment.start_s, segment.end_s] == pytest.approx([0, 2])


def words_by_segment(read: Reading, *words: tuple[int, ...]) -> list[list[str]]:
    """What each segment gets where the text's tokens make up these words, half a second each."""
    texts = [read.vocabulary.text(tokens) for tokens in words]
    steps = [(token, 25 * token) for token in range(sum(map(len, words)) + 1)]
    read.words = timed_words(texts, words, steps, [0.5] * (len(steps) - 1), 30.0)
    return [[word.text for word in segment.words] for segment in read.result().segments]


def test_a_word_over_a_segments_end_does_not_shift_the_words_behind_it():
    """A closing mark may open the next segment; it is joined to the word in front of it."""
    read = reading(at(0), 1, at(2), at(2), 8, 2, at(4), at(4), 3, at(6), options=WORDS)
    assert words_by_segment(read, (1,), (8,), (2,), (3,)) == [[" one."], [" two"], [" three"]]


def test_a_blank_token_does_not_shift_the_words_behind_it():
    read = reading(at(0), 1, 9, at(2), at(2), 2, at(4), at(4), 3, at(6), options=WORDS)
    found = words_by_segment(read, (1,), (9,), (2,), (3,))
    assert [[text.strip() for text in texts] for texts in found] == [["one"], ["two"], ["three"]]


def test_each_text_token_has_its_logarithm():
    options = DecodingOptions(token_logprobs=True)
    read = reading(at(0), 1, 2, at(2), at(2), 3, at(4), options=options)
    read.probabilities = [1.0, 0.5, 0.0]
    first, second = read.result().segments
    assert [token.text for token in first.logprobs] == [" one", " two"]
    assert [token.logprob for token in first.logprobs] == [0.0, math.log(0.5)]
    assert [token.text for token in second.logprobs] == [" three"]
    assert -30 < second.logprobs[0].logprob < -20
    assert b"".join(token.utf8 for token in (*first.logprobs, *second.logprobs)) == (
        b" one two three"
    )
