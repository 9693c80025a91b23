"""Real Whisper models on speech that a real Piper voice makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soxr
from ctranslate2 import StorageView
from ctranslate2.models import Whisper

from myna.audio.joints import joined
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.contract.transcriber import DecodingOptions, WindowJob, WindowResult
from myna.engines.piper import PiperSynthesizer
from myna.engines.whisper import WhisperTranscriber
from myna.engines.whisper.decoder import Decoder
from myna.engines.whisper.encoder import load_encoder
from myna.engines.whisper.mel import LogMel
from myna.engines.whisper.vocabulary import MAX_PROMPT_TOKENS
from myna.engines.whisper.windowing import FULL_FRAMES, Sizing
from myna.errors import EngineFailure
from myna.text.transcript import Segment

WEIGHTS = Path(__file__).parents[2] / "models/weights"
JOE = "piper-en_US-joe-medium"
TINY, BASE = (WEIGHTS / name for name in ("whisper-tiny.en", "whisper-base"))

FOX = "The quick brown fox jumps over the lazy dog."
HARBOUR = "Yesterday we walked to the old harbor and watched the ships come in."
NUMBERS = "My sister has three cats, two dogs and a very old horse."
RAIN = "It has been raining since the early morning."
WINDOW = "Please close the window before you leave the house tonight."

MINUTES = """
The meeting was opened at nine by the mayor, who welcomed the guests from abroad. She spoke of
the winter, of the new bridge and of the money that it had cost. Several members asked about the
school; the answer was that it would open in May. Mr. Brown was thanked for twenty years of
service. The treasurer read his report, which was accepted without a vote. After a short break
the fishing rights were discussed at length, since the boats from the north had come closer than
they ever had. It was agreed that a letter should be sent. The library asked for a new roof, and
the council promised to look at it before the autumn. A young man from the paper wanted to know
why the lamps in Queen Street had been dark for a week; nobody knew. The last item was the
summer fair, which will be held on the second Saturday of July in the park behind the church,
with music, cakes, a race for the children and a prize for the finest vegetable. The mayor
closed the meeting at noon.
"""
"""A prompt as people write them, of more tokens than are kept."""

ENGLISH = DecodingOptions(language="en")

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        not all(folder.is_dir() for folder in (WEIGHTS / JOE, TINY, BASE)),
        reason="the starter weights are not here",
    ),
]

Spoken = Callable[[str], Samples]


@pytest.fixture(scope="module")
def spoken(steady_weights: Path) -> Iterator[Spoken]:
    """Text as sound, 16 kHz."""
    joe = PiperSynthesizer.load(steady_weights / JOE, "joe", threads=1)

    @cache
    def say(text: str) -> Samples:
        said = joined(joe.synthesize(text, joe.voices[0], 1.0), joe.sample_rate_hz)
        samples = soxr.resample(said.samples, joe.sample_rate_hz, SAMPLE_RATE_HZ)
        return np.asarray(samples, np.float32)

    yield say
    joe.close()


@pytest.fixture(scope="module")
def tiny() -> Iterator[WhisperTranscriber]:
    engine = WhisperTranscriber(TINY, "whisper-tiny.en", device="cpu")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base() -> Iterator[WhisperTranscriber]:
    engine = WhisperTranscriber(BASE, "whisper-base", device="cpu", cores=2)
    yield engine
    engine.close()


def decode(
    engine: WhisperTranscriber,
    asked: Sequence[tuple[Samples, DecodingOptions]],
    *,
    start_s: float = 0.0,
) -> list[WindowResult]:
    """What each window says; windows share batches as the scheduler would let them."""
    jobs = [WindowJob(Window(samples, start_s), options) for samples, options in asked]
    results: dict[int, WindowResult] = {}
    while len(results) < len(jobs):
        waiting = [index for index in range(len(jobs)) if index not in results]
        key = engine.batch_key(jobs[waiting[0]])
        batch = [index for index in waiting if engine.batch_key(jobs[index]) == key][:8]
        for index in batch:
            engine.prepare(jobs[index])
        outcomes = engine.run([jobs[index] for index in batch])
        assert len(outcomes) == len(batch)
        for index, outcome in zip(batch, outcomes, strict=True):
            assert not isinstance(outcome, Exception), outcome
            if isinstance(outcome, WindowResult):
                results[index] = outcome
            else:
                assert outcome is jobs[index]
    return [results[index] for index in range(len(jobs))]


def one(
    engine: WhisperTranscriber,
    samples: Samples,
    options: DecodingOptions = ENGLISH,
    start_s: float = 0.0,
) -> WindowResult:
    return decode(engine, [(samples, options)], start_s=start_s)[0]


def text(result: WindowResult) -> str:
    return "".join(segment.text for segment in result.segments).strip()


def plain(words: str) -> list[str]:
    return "".join(char for char in words.lower() if char.isalpha() or char == " ").split()


def tokens(result: WindowResult) -> list[tuple[int, ...]]:
    return [segment.tokens for segment in result.segments]


def speech_end_s(samples: Samples) -> float:
    """Where the last sound is, 50 ms at a time."""
    frame = SAMPLE_RATE_HZ // 20
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt(np.mean(frames**2, axis=1)) > 0.01)
    return (int(loud[-1]) + 1) / 20


@pytest.mark.parametrize("model", ["tiny", "base"])
def test_what_is_said_is_written(request, spoken, model):
    """To one word in twenty: 8-bit sums come out otherwise from one processor to the next."""
    engine = request.getfixturevalue(model)
    said = (FOX, HARBOUR, NUMBERS, RAIN, WINDOW)
    heard = [" ".join(plain(text(one(engine, spoken(words))))) for words in said]
    assert jiwer.wer([" ".join(plain(words)) for words in said], heard) <= 0.05, heard


def test_models_say_what_they_can(tiny, base):
    assert tiny.translates is False
    assert tiny.languages == {"en"}
    assert base.translates is True
    assert len(base.languages) == 99
    assert {"en", "de", "zh", "haw"} <= base.languages
    assert "transcribe" not in base.languages


def test_a_window_says_the_same_alone_and_in_any_company(base, spoken):
    """Padding, other languages, other tasks and other prompts in the batch change nothing."""
    asked = [
        (spoken(FOX), ENGLISH),
        (spoken(HARBOUR), replace(ENGLISH, task="translate")),
        (spoken(FOX), DecodingOptions(language="de")),
        (spoken(RAIN), DecodingOptions(language="fr", task="translate")),
        (spoken(NUMBERS), ENGLISH),
        (spoken(FOX), DecodingOptions()),
        (spoken(RAIN), replace(ENGLISH, word_timestamps=True, token_logprobs=True)),
        (spoken(HARBOUR), DecodingOptions(language="de", word_timestamps=True)),
        (spoken(FOX), replace(ENGLISH, timestamps=False)),
    ]
    alone = [one(base, samples, options) for samples, options in asked]
    # What is drawn at random differs by itself.
    assert {segment.temperature for result in alone for segment in result.segments} == {0.0}
    for together in (decode(base, asked), decode(base, asked[::-1])[::-1], decode(base, asked[:3])):
        for mine, theirs in zip(alone, together, strict=False):
            assert theirs.language == mine.language
            assert text(theirs) == text(mine)
            assert tokens(theirs) == tokens(mine)
            for segment, other in zip(mine.segments, theirs.segments, strict=True):
                assert_alike(segment, other)


def assert_alike(segment: Segment, other: Segment) -> None:
    assert other.avg_logprob == pytest.approx(segment.avg_logprob, abs=1e-3)
    assert other.no_speech_prob == pytest.approx(segment.no_speech_prob, abs=1e-3)
    assert [word.text for word in other.words] == [word.text for word in segment.words]
    assert [word.end_s for word in other.words] == pytest.approx(
        [word.end_s for word in segment.words], abs=0.041
    )
    assert [token.logprob for token in other.logprobs] == pytest.approx(
        [token.logprob for token in segment.logprobs], abs=1e-2
    )


def test_prompts_of_one_length_share_a_batch_and_keep_to_themselves(base, spoken):
    asked = [(spoken(FOX), replace(ENGLISH, prompt=word)) for word in ("ships", "horses")]
    asked.append((spoken(HARBOUR), replace(ENGLISH, prompt="ships")))
    keys = {base.batch_key(WindowJob(Window(samples, 0.0), how)) for samples, how in asked}
    assert len(keys) == 1
    alone = [one(base, *row) for row in asked]
    assert [tokens(result) for result in decode(base, asked)] == [tokens(one) for one in alone]


def test_a_translation_is_asked_for_in_the_prompt(base, spoken):
    told, meant = (
        one(base, spoken(FOX), DecodingOptions(language="de", task=task))
        for task in ("transcribe", "translate")
    )
    assert tokens(told) != tokens(meant) or told.segments[0].avg_logprob != (
        meant.segments[0].avg_logprob
    )
    prompts = [base._vocabulary.prompt((), "de", task) for task in ("transcribe", "translate")]
    assert len(prompts[0]) == len(prompts[1]) == 3
    assert [a == b for a, b in zip(*prompts, strict=True)] == [True, True, False]


def test_the_language_is_found_and_chosen_among_candidates(base, spoken):
    assert one(base, spoken(HARBOUR), DecodingOptions()).language == "en"
    options = DecodingOptions(candidates=frozenset({"de", "fr"}))
    assert one(base, spoken(HARBOUR), options).language in {"de", "fr"}


def test_an_english_model_always_hears_english(tiny, spoken):
    assert one(tiny, spoken(FOX), DecodingOptions()).language == "en"


def test_each_token_has_its_probability_and_its_bytes(base, spoken):
    result = one(base, spoken(NUMBERS), replace(ENGLISH, token_logprobs=True))
    for segment in result.segments:
        assert segment.logprobs
        assert all(token.logprob <= 0 for token in segment.logprobs)
        assert b"".join(token.utf8 for token in segment.logprobs).decode() == segment.text
        assert "".join(token.text for token in segment.logprobs) == segment.text
        assert segment.words == ()


def test_words_are_in_order_inside_their_window_and_end_where_speech_ends(tiny, base, spoken):
    samples = spoken(f"{HARBOUR} {NUMBERS}")
    options = replace(ENGLISH, word_timestamps=True)
    for engine in (tiny, base):
        result = one(engine, samples, options, start_s=60.0)
        words = [word for segment in result.segments for word in segment.words]
        assert "".join(word.text for word in words).strip() == text(result)
        times = [time for word in words for time in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert times[0] >= 60.0
        assert times[-1] <= 60.0 + len(samples) / SAMPLE_RATE_HZ
        assert times[-1] == pytest.approx(60.0 + speech_end_s(samples), abs=0.5)
        assert all(0 < word.probability <= 1 for word in words)
        for segment in result.segments:
            assert segment.start_s == segment.words[0].start_s
            assert segment.end_s == segment.words[-1].end_s


def test_segments_are_in_the_recordings_time_and_in_order(base, spoken):
    samples = spoken(f"{HARBOUR} {NUMBERS} {RAIN}")
    result = one(base, samples, start_s=30.0)
    assert {segment.seek for segment in result.segments} == {3000}
    for segment in result.segments:
        assert 30.0 <= segment.start_s < segment.end_s <= 30.0 + len(samples) / SAMPLE_RATE_HZ
    for before, behind in pairwise(result.segments):
        assert before.end_s <= behind.start_s


def test_prompt_and_hotwords_are_counted_and_cut(base):
    count = base.prompt_tokens
    assert count(ENGLISH) == 0
    assert count(replace(ENGLISH, prompt="   ")) == 0
    prompted, hot = replace(ENGLISH, prompt="Good morning"), replace(ENGLISH, hotwords=("Myna",))
    assert count(prompted) > 0
    assert count(hot) > 0
    both = replace(prompted, hotwords=("Myna",))
    assert count(both) == count(prompted) + count(hot)
    assert count(replace(ENGLISH, prompt="word " * 1_000)) == MAX_PROMPT_TOKENS
    assert count(replace(ENGLISH, hotwords=("word",) * 1_000)) == MAX_PROMPT_TOKENS
    assert count(replace(prompted, hotwords=("word",) * 1_000)) == MAX_PROMPT_TOKENS


def test_the_end_of_a_long_prompt_is_what_counts(base):
    vocabulary = base._vocabulary
    context = vocabulary.context(replace(ENGLISH, prompt="first " + "word " * 500 + "last"))
    assert vocabulary.text(context).endswith("last")
    assert "first" not in vocabulary.text(context)


def test_a_prompt_steers_the_spelling(base, spoken):
    """Piper's voice says "harbor"; the prompt has the other spelling."""
    assert "harbor" in text(one(base, spoken(HARBOUR)))
    prompted = replace(ENGLISH, prompt="The harbour was grey, the colour of the neighbour's wall.")
    assert "harbour" in text(one(base, spoken(HARBOUR), prompted))


@pytest.mark.parametrize("length", [300, 600, len(MINUTES)])
def test_a_long_prompt_does_not_change_what_was_said(length, base, spoken):
    """A right-sized window behind a long prompt is at times written twice."""
    options = replace(ENGLISH, prompt=MINUTES[-length:])
    said = (FOX, HARBOUR, NUMBERS, RAIN, WINDOW)
    results = decode(base, [(spoken(words), options) for words in said])
    for words, result in zip(said, results, strict=True):
        # Piper never says a sentence twice alike, so a word may be misheard; none may come again.
        assert abs(len(plain(text(result))) - len(plain(words))) <= 1, text(result)


def test_text_tokens_are_counted_without_timestamps(base, spoken):
    result = one(base, spoken(FOX), replace(ENGLISH, token_logprobs=True))
    count = sum(len(segment.logprobs) for segment in result.segments)
    assert base.count_tokens(result.segments) == count


def test_text_without_timestamps_is_one_segment_and_says_the_same(base, spoken):
    untimed = replace(ENGLISH, timestamps=False)
    said = (FOX, HARBOUR, NUMBERS, RAIN, WINDOW)
    results = decode(base, [(spoken(words), untimed) for words in said])
    wanted = [" ".join(plain(words)) for words in said]
    assert jiwer.wer(wanted, [" ".join(plain(text(result))) for result in results]) <= 0.04
    assert [len(result.segments) for result in results] == [1] * len(said)


def test_faint_noise_says_nothing(base):
    noise = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE_HZ).astype(np.float32) * 0.003
    assert one(base, noise).segments == ()


def test_a_right_sized_window_says_what_a_full_one_says(base, spoken):
    full = WhisperTranscriber(BASE, "full", device="cpu", sizing=Sizing(enabled=False))
    job = WindowJob(Window(spoken(FOX), 0.0), ENGLISH)
    assert full.cost_s(job) == 30
    assert base.cost_s(WindowJob(job.window, ENGLISH)) == 8
    said = (FOX, HARBOUR, NUMBERS, RAIN, WINDOW)
    wanted = [" ".join(plain(words)) for words in said]
    for engine in (base, full):
        results = decode(engine, [(spoken(words), ENGLISH) for words in said])
        assert jiwer.wer(wanted, [" ".join(plain(text(result))) for result in results]) <= 0.04
    full.close()


@pytest.mark.parametrize("folder", [TINY, BASE], ids=["tiny", "base"])
def test_long_windows_are_encoded_as_well_as_by_ctranslate2(folder, spoken):
    own = load_encoder(folder / "model.bin", "int8", 2)
    if own is None:
        pytest.skip("it was not measured on this processor")
    silence = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    speech = np.concatenate(
        [part for words in (FOX, HARBOUR, NUMBERS) for part in (spoken(words), silence)]
    )
    features = LogMel(80).features(speech, FULL_FRAMES)
    exact, known = (
        np.array(
            Whisper(str(folder), compute_type=compute_type).encode(
                StorageView.from_array(features[None]), to_cpu=True
            )
        )[0]
        for compute_type in ("float32", "int8")
    )
    error = np.square(own.encode(features) - exact).mean()
    assert error <= 2 * np.square(known - exact).mean()
    assert error <= 0.02 * np.square(exact).mean()


def test_a_long_window_says_the_same_alone_and_in_any_company(base, spoken):
    silence = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    said = [(FOX, HARBOUR, NUMBERS, RAIN, WINDOW), (WINDOW, RAIN, NUMBERS, HARBOUR, FOX)]
    asked = [
        (np.concatenate([part for line in lines for part in (spoken(line), silence)]), ENGLISH)
        for lines in said
    ]
    assert all(base.cost_s(WindowJob(Window(samples, 0.0), ENGLISH)) >= 20 for samples, _ in asked)
    together = decode(base, asked)
    assert [one(base, samples) for samples, _ in asked] == together
    for lines, result in zip(said, together, strict=True):
        wanted = " ".join(plain(" ".join(lines)))
        assert jiwer.wer(wanted, " ".join(plain(text(result)))) <= 0.04


def test_an_asked_temperature_is_used_and_reported(base, spoken):
    result = one(base, spoken(FOX), replace(ENGLISH, temperature=0.2))
    assert {segment.temperature for segment in result.segments} == {0.2}
    assert plain(text(result))[-3:] == ["the", "lazy", "dog"]


def test_jobs_of_other_lengths_prompts_beams_or_temperatures_go_in_other_batches(base, spoken):
    def key(samples: Samples, options: DecodingOptions = ENGLISH) -> object:
        return base.batch_key(WindowJob(Window(samples, 0.0), options))

    short, long = spoken(FOX), np.tile(spoken(FOX), 4)
    same = (DecodingOptions(), replace(ENGLISH, task="translate", word_timestamps=True))
    assert {key(short, options) for options in (ENGLISH, *same)} == {key(short)}
    others = (
        replace(ENGLISH, prompt="Good morning"),
        replace(ENGLISH, beam_size=1),
        replace(ENGLISH, temperature=0.5),
    )
    assert len({key(short), key(long), *(key(short, options) for options in others)}) == 5


def test_warming_up_makes_no_fuss(tiny):
    tiny.warm_up()


def test_warming_up_decodes_in_each_way_what_it_has_encoded_once(monkeypatch):
    engine = WhisperTranscriber(TINY, "warm", device="cpu", cores=2)
    done: list[str] = []
    for owner, name in ((WhisperTranscriber, "_encode"), (Decoder, "decode")):
        method = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *args, name=name, method=method: done.append(name) or method(*args)
        )
    engine.warm_up()
    engine.close()
    assert done == ["_encode", *["decode"] * 4]


def test_a_closed_engine_refuses_every_job(spoken):
    for folder in (TINY, BASE):
        engine = WhisperTranscriber(folder, "closed", device="cpu")
        one(engine, spoken(FOX))
        engine.close()
        for _ in range(3):
            jobs = [WindowJob(Window(spoken(FOX), 0.0), ENGLISH) for _ in range(2)]
            outcomes = engine.run(jobs)
            assert [type(outcome) for outcome in outcomes] == [EngineFailure, EngineFailure]
