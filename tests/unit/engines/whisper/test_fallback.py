"""The ladder: what is good enough, what is tried next, and which attempt is kept."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.whisper.fallback import LADDER, Attempt, Step, best, next_step

GOOD = Attempt(
    tokens=(1, 2, 3),
    text=" All is well.",
    temperature=0.0,
    avg_logprob=-0.3,
    no_speech_prob=0.1,
    cut_off=False,
    full_length=True,
    timestamps=True,
)
LOOP = " and so on" * 30


def tried(**changes: object) -> Attempt:
    return replace(GOOD, **changes)


def climb(first: Attempt, asked: float, **changes: object) -> list[Step]:
    """Every step that follows while no attempt is good."""
    steps: list[Step] = []
    attempt = first
    while step := next_step(attempt, asked):
        steps.append(step)
        assert len(steps) < 20
        attempt = replace(
            attempt,
            temperature=step.temperature,
            full_length=step.full_length,
            timestamps=step.timestamps,
            **changes,
        )
    return steps


def test_a_good_attempt_stands():
    assert GOOD.good
    assert next_step(GOOD, 0.0) is None


@pytest.mark.parametrize("text", ["", " ", " Hi.", LOOP, " naïve 日本語"])
def test_the_compression_ratio_is_openai_whispers(text):
    raw = text.strip().encode()
    assert tried(text=text).compression_ratio == len(raw) / len(zlib.compress(raw))


def test_text_that_compresses_too_well_repeats_itself():
    assert tried(text=LOOP).repeats
    assert not tried(text=LOOP).good


@pytest.mark.parametrize(
    ("full_length", "avg_logprob", "good"),
    [(True, -1.0, True), (True, -1.01, False), (False, -0.8, True), (False, -0.81, False)],
)
def test_a_right_sized_window_has_to_be_surer_of_itself(full_length, avg_logprob, good):
    assert tried(full_length=full_length, avg_logprob=avg_logprob).good is good


def test_a_right_sized_window_that_used_up_its_budget_loops():
    assert not tried(cut_off=True, full_length=False).good
    assert tried(cut_off=True, full_length=True).good


@pytest.mark.parametrize("doubtful", [{"text": LOOP}, {"avg_logprob": -1.2}, {"cut_off": True}])
def test_doubtful_text_without_timestamps_is_written_again_with_them_in_the_same_window(doubtful):
    """The window need not be encoded again for it."""
    attempt = tried(timestamps=False, full_length=False, **doubtful)
    assert next_step(attempt, 0.0) == Step(0.0, full_length=False, timestamps=True)


def test_text_without_timestamps_that_did_not_fit_is_written_again_with_them():
    """They tell where to go on; without, what did not fit would be lost."""
    attempt = tried(cut_off=True, timestamps=False)
    assert next_step(attempt, 0.0) == Step(0.0, full_length=True, timestamps=True)
    assert next_step(replace(attempt, temperature=0.4), 0.4) == Step(0.4, True, True)
    assert tried(timestamps=False).good


@pytest.mark.parametrize(
    "text",
    [
        " Please close the window tonight. Please close the window tonight.",
        " Please close the window tonight. Please close the window tonight!",
        " Yes, I think so. yes, I think so. Yes, I think so.",
    ],
)
def test_a_right_sized_window_that_says_everything_twice_is_tried_at_full_length(text):
    """It happens behind long prompts; such text is probable and does not compress too well."""
    attempt = tried(text=text, full_length=False)
    assert attempt.compression_ratio < 2.4
    assert next_step(attempt, 0.0) == Step(0.0, full_length=True, timestamps=True)
    assert tried(text=text, full_length=True).good  # at full length somebody said it


@pytest.mark.parametrize("text", [" Bye bye.", " No, no.", " Ha ha ha.", " Very, very good."])
def test_a_word_may_be_said_twice(text):
    assert tried(text=text, full_length=False).good


@pytest.mark.parametrize(
    ("no_speech_prob", "avg_logprob", "silent"),
    [(0.61, -1.01, True), (0.61, -1.0, False), (0.6, -1.01, False), (0.99, -0.2, False)],
)
def test_silence_needs_a_likely_no_speech_token_and_an_unlikely_text(
    no_speech_prob, avg_logprob, silent
):
    attempt = tried(no_speech_prob=no_speech_prob, avg_logprob=avg_logprob)
    assert attempt.silent is silent
    assert attempt.good is (silent or avg_logprob >= -1)


def test_silence_is_not_tried_again_even_where_it_repeats():
    attempt = tried(no_speech_prob=0.9, avg_logprob=-2.0, text=LOOP, full_length=False)
    assert next_step(attempt, 0.0) is None


def test_the_ladder_begins_at_full_length_and_goes_up_by_fifths():
    steps = climb(tried(text=LOOP, full_length=False), 0.0)
    assert steps == [Step(temperature, full_length=True, timestamps=True) for temperature in LADDER]


def test_a_full_window_begins_on_the_second_rung():
    steps = climb(tried(text=LOOP), 0.0)
    assert [step.temperature for step in steps] == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_a_temperature_that_was_asked_for_is_the_only_one():
    assert climb(tried(text=LOOP, temperature=0.4), 0.4) == []
    doubtful = tried(text=LOOP, temperature=0.4, full_length=False)
    assert climb(doubtful, 0.4) == [Step(0.4, full_length=True, timestamps=True)]


attempts = st.builds(
    Attempt,
    tokens=st.just((1,)),
    text=st.sampled_from(["", " Fine.", LOOP]),
    temperature=st.sampled_from(LADDER),
    avg_logprob=st.floats(-5, 0),
    no_speech_prob=st.floats(0, 1),
    cut_off=st.booleans(),
    full_length=st.booleans(),
    timestamps=st.booleans(),
)


@settings(max_examples=200)
@given(attempts, st.sampled_from([0.0, 0.3, 1.0]))
def test_no_step_goes_down_or_back_to_a_right_sized_window_or_to_text_without_times(attempt, asked):
    step = next_step(attempt, asked)
    if step is not None:
        assert not attempt.good
        assert step.timestamps
        assert step.full_length >= attempt.full_length
        assert step.temperature >= attempt.temperature
        assert step != Step(attempt.temperature, attempt.full_length, attempt.timestamps)


def test_the_last_attempt_is_kept_where_it_is_good():
    earlier = tried(avg_logprob=-0.1, text=LOOP)
    assert best([earlier, GOOD]) is GOOD


def test_where_none_is_good_the_most_probable_that_does_not_repeat_is_kept():
    loop = tried(text=LOOP, avg_logprob=-0.1)
    unlikely, likelier = tried(avg_logprob=-1.9), tried(avg_logprob=-1.2)
    assert best([loop, unlikely, likelier, unlikely]) is likelier


def test_where_all_repeat_the_most_probable_is_kept():
    likelier = tried(text=LOOP, avg_logprob=-0.2)
    assert best([tried(text=LOOP, avg_logprob=-0.4), likelier, tried(text=LOOP)]) is likelier
