from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window
from myna.engines.contract.synthesizer import Synthesizer
from myna.engines.contract.transcriber import DecodingOptions, Transcriber, WindowJob
from myna.engines.contract.voice import Voice
from myna.engines.fake import FakeSynthesizer, FakeTranscriber
from myna.text.languages import WHISPER_LANGUAGES

SPEAKER: Synthesizer = FakeSynthesizer()
LISTENER: Transcriber = FakeTranscriber()
TEXT = "The quick brown fox jumps over the lazy dog, 42 times! Größe 你好世界 😀 zzzz aaaa."


def speech(text=TEXT, voice=0, speed=1.0):
    """float32 at 24 kHz."""
    made = SPEAKER.synthesize(text, SPEAKER.voices[voice], speed)
    return np.concatenate([np.zeros(0, np.float32), *(stretch.samples for stretch in made)])


def recorded(samples):
    """As 16-bit PCM, resampled to 16 kHz."""
    pcm = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], "s16", "mono")
    frame.sample_rate = SPEAKER.sample_rate_hz
    frame.time_base = Fraction(1, SPEAKER.sample_rate_hz)
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in made])


def heard(samples, start_s=0.0, **options):
    job = WindowJob(Window(samples.astype(np.float32), start_s), DecodingOptions(**options))
    LISTENER.prepare(job)
    return LISTENER.run([job])[0]


def said(samples):
    return "".join(segment.text for segment in heard(samples).segments).strip()


def test_the_same_text_always_sounds_the_same():
    assert np.array_equal(speech(), speech())
    again = FakeSynthesizer()
    (stretch,) = again.synthesize(TEXT, again.voices[0], 1.0)
    assert np.array_equal(stretch.samples, speech())


def test_speech_is_mono_float32_within_bounds():
    (stretch,) = SPEAKER.synthesize("one two three", SPEAKER.voices[-1], 1.0)
    assert (stretch.samples.dtype, stretch.samples.ndim) == (np.float32, 1)
    assert 0.2 < np.abs(stretch.samples).max() < 1.0


@pytest.mark.parametrize(("text", "ending"), [("One.", "sentence"), ("and so, ", "clause")])
def test_a_stretch_ends_as_its_text_does(text, ending):
    assert [stretch.ending for stretch in SPEAKER.synthesize(text, SPEAKER.voices[0], 1.0)] == [
        ending
    ]


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_words_are_where_the_listener_hears_them(speed):
    text = "one two " + "long" * 20 + " end"
    (stretch,) = SPEAKER.synthesize(text, SPEAKER.voices[0], speed, words=True)
    told = stretch.words
    assert "".join(word.text for word in told).split() == text.split()
    found = heard(recorded(stretch.samples), word_timestamps=True).segments
    first, last = found[0].words[0], found[-1].words[-1]
    assert told[0].start_s == pytest.approx(first.start_s, abs=0.02)
    assert told[-1].end_s == pytest.approx(last.end_s, abs=0.02)
    assert told[-1].end_s <= len(stretch.samples) / SPEAKER.sample_rate_hz


def test_speech_is_about_as_long_as_people_take():
    text = "I often walk along the river when the weather is good enough. " * 5
    seconds = len(speech(text)) / SPEAKER.sample_rate_hz
    assert 130 < len(text.split()) / seconds * 60 < 180


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_divides_the_length(speed):
    assert len(speech(speed=speed)) == pytest.approx(len(speech()) / speed, rel=0.01)


def test_all_13_voices_are_there_and_differ():
    assert [voice.id for voice in SPEAKER.voices] == [
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx",
        "sage", "shimmer", "verse",
    ]  # fmt: skip
    assert len({speech("hi", voice).tobytes() for voice in range(13)}) == 13


def test_any_file_is_a_voice_the_same_for_the_same_file():
    about = Voice("voice_1", "Ann", "de-DE")
    taken = [SPEAKER.read_voice(file, about) for file in (b"one", b"two", b"one")]
    assert [voice.id for voice in taken] == ["voice_1"] * 3
    said = [next(SPEAKER.synthesize("hi", voice, 1.0)).samples.tobytes() for voice in taken]
    assert said[0] == said[2] != said[1]


def test_an_unknown_voice_speaks_like_the_first():
    (stretch,) = SPEAKER.synthesize("hi", Voice("custom", "Custom", "de-DE"), 1.0)
    assert np.array_equal(stretch.samples, speech("hi"))


@pytest.mark.parametrize("text", ["", "  ", "...", "?!", "😀", "—\n"])
def test_nothing_to_say_sounds_like_nothing(text):
    assert list(SPEAKER.synthesize(text, SPEAKER.voices[0], 1.0)) == []


@pytest.mark.parametrize("place", range(10))
def test_windows_cut_in_a_pause_make_the_whole_text(place):
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    samples = recorded(speech(" ".join(words)))
    parts = heard(samples, word_timestamps=True).segments[0].words
    pause_s = parts[place].start_s - 0.02
    cut = round(pause_s * SAMPLE_RATE_HZ)
    assert said(samples[:cut]) == " ".join(words[:place])
    assert said(samples[cut:]) == " ".join(words[place:])


@settings(max_examples=40)
@given(st.floats(0, 1))
def test_windows_cut_anywhere_spoil_one_letter_at_most(where):
    samples = recorded(speech("one two three four five six seven"))
    cut = round(where * len(samples))
    joined = "".join(
        segment.text
        for half in (samples[:cut], samples[cut:])
        for segment in heard(half).segments
        if "fake" not in segment.text
    )
    letters = joined.replace(" ", "")
    assert abs(len(letters) - len("onetwothreefourfivesixseven")) <= 1
    assert letters.startswith("on") or cut < SAMPLE_RATE_HZ * 0.4
    assert letters.endswith("en") or cut > len(samples) - SAMPLE_RATE_HZ * 0.4


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.5, 30.0])
def test_silence_says_nothing(seconds):
    quiet = np.random.default_rng(1).normal(0, 1e-5, round(seconds * SAMPLE_RATE_HZ))
    assert heard(quiet).segments == ()
    assert heard(np.zeros_like(quiet)).segments == ()


SECONDS = np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
SOUNDS = {
    "noise": np.random.default_rng(2).normal(0, 0.1, len(SECONDS)),
    "tone": 0.3 * np.sin(2 * np.pi * 440 * SECONDS),
    "sweep": 0.3 * np.sin(2 * np.pi * (200 + 400 * SECONDS) * SECONDS),
    "buzz": 0.2 * np.sign(np.sin(2 * np.pi * 130 * SECONDS)),
    "pulses": np.random.default_rng(3).normal(0, 0.1, len(SECONDS))
    * (np.sin(2 * np.pi * 3 * SECONDS) > 0),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_other_sound_gets_words_that_tell_its_length(name):
    assert said(SOUNDS[name]) == "fake transcript of 3.0 seconds"


def test_samples_that_are_no_numbers_do_not_break():
    assert heard(np.full(16_000, np.nan)).segments == ()


def test_the_placeholder_lies_where_the_sound_is():
    samples = np.concatenate([np.zeros(16_000), SOUNDS["noise"][:16_000], np.zeros(16_000)])
    (segment,) = heard(samples, start_s=10.0, word_timestamps=True).segments
    assert (segment.start_s, segment.end_s) == (pytest.approx(11.0), pytest.approx(12.0))
    assert [word.text for word in segment.words] == [
        " fake",
        " transcript",
        " of",
        " 3.0",
        " seconds",
    ]


def test_sentences_become_segments_with_times_of_the_recording():
    samples = recorded(speech("Hello there. How are you?"))
    first, second = heard(samples, start_s=30.0).segments
    assert (first.text, second.text) == (" Hello there.", " How are you?")
    assert first.seek == second.seek == 3000
    assert 30.0 < first.start_s < first.end_s < second.start_s < second.end_s
    assert second.end_s < 30.0 + len(samples) / SAMPLE_RATE_HZ
    assert first.end_s - first.start_s == pytest.approx(14 * 0.06, abs=0.02)


def test_a_segment_without_an_end_of_sentence_is_cut_after_ten_seconds():
    segments = heard(recorded(speech("word " * 60))).segments
    assert len(segments) > 1
    assert all(segment.end_s - segment.start_s < 11 for segment in segments)


def test_figures_are_plausible_and_the_same_every_time():
    samples = recorded(speech())
    result = heard(samples, temperature=0.4, word_timestamps=True, token_logprobs=True)
    assert result == heard(samples, temperature=0.4, word_timestamps=True, token_logprobs=True)
    for segment in result.segments:
        assert segment.temperature == 0.4
        assert -1 < segment.avg_logprob <= 0
        assert 0 < segment.compression_ratio < 2.4
        assert 0 <= segment.no_speech_prob < 0.6
        first, *text, last = segment.tokens
        assert 50_364 <= first < last <= 51_864
        assert len(text) == len(segment.words)
        assert all(token < 50_257 for token in text)


def test_words_and_logprobs_come_only_where_asked_for():
    samples = recorded(speech("Hello there."))
    (bare,) = heard(samples).segments
    assert bare.words == bare.logprobs == ()
    (full,) = heard(samples, word_timestamps=True, token_logprobs=True).segments
    assert "".join(word.text for word in full.words) == full.text == " Hello there."
    assert all(0 < word.probability <= 1 for word in full.words)
    times = [time for word in full.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert b"".join(token.utf8 for token in full.logprobs).decode() == full.text
    assert all(token.logprob <= 0 for token in full.logprobs)


def test_the_language_is_the_one_given_or_english():
    assert heard(recorded(speech("hi")), language="de").language == "de"
    assert heard(recorded(speech("hi"))).language == "en"
    assert heard(np.zeros(100), task="translate").language == "en"


def test_it_serves_whispers_languages_unless_told_otherwise():
    assert LISTENER.languages == frozenset(WHISPER_LANGUAGES)
    assert FakeTranscriber(languages=frozenset({"en"})).languages == {"en"}


def test_every_job_of_a_batch_gets_its_own_result():
    windows = [Window(recorded(speech(word)), 0.0) for word in ("one", "two")]
    jobs = [WindowJob(window, DecodingOptions()) for window in windows]
    results = LISTENER.run(jobs)
    assert [result.segments[0].text for result in results] == [" one", " two"]
    assert LISTENER.batch_key(jobs[0]) == LISTENER.batch_key(jobs[1])
    assert LISTENER.cost_s(jobs[0]) == windows[0].seconds


def test_prompt_tokens_are_words():
    options = DecodingOptions(prompt="three little words", hotwords=("Myna", "base url"))
    assert LISTENER.prompt_tokens(options) == 6
    assert LISTENER.prompt_tokens(DecodingOptions()) == 0


def test_warming_up_and_closing_do_no_harm():
    for engine in (FakeSynthesizer("a"), FakeTranscriber("b")):
        engine.warm_up()
        engine.close()
        assert engine.workers == 2
        assert engine.name in {"a", "b"}
