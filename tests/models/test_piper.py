"""A real Piper voice: what it says, how long it takes to say it, and several at a time.

Without its noise, so that a take is the same in every run; what the noise does has tests below.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soxr
from whisper_normalizer.english import EnglishTextNormalizer

from myna.audio.joints import PAUSES_S, joined
from myna.engines.contract.voice import Voice
from myna.engines.onnx.convolutions import in_eight_bits, in_phases, in_products
from myna.engines.onnx.tensor import Tensor
from myna.engines.onnx.transposes import with_few_transposes
from myna.engines.piper import PiperSynthesizer
from myna.engines.piper.attention import with_short_attention
from myna.engines.piper.halves import Halves, halved
from myna.engines.piper.spline import with_short_splines
from myna.engines.piper.vocoder import SplitVocoder, WholeVocoder, load_vocoder, shortened
from myna.engines.sessions import onnx_session

FOLDER = Path(__file__).parents[2] / "models/weights/piper-en_US-joe-medium"
FOX = "The quick brown fox jumps over the lazy dog."

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the starter weights are not here"),
]


@pytest.fixture(scope="module")
def joe(steady_weights: Path) -> Iterator[PiperSynthesizer]:
    yield from loaded(steady_weights / FOLDER.name)


@pytest.fixture(scope="module")
def noisy_joe() -> Iterator[PiperSynthesizer]:
    """The voice as it comes."""
    yield from loaded(FOLDER)


def loaded(folder: Path) -> Iterator[PiperSynthesizer]:
    synthesizer = PiperSynthesizer.load(folder, "tts-1", device="cpu", threads=1)
    synthesizer.warm_up()
    yield synthesizer
    synthesizer.close()


def said(joe: PiperSynthesizer, text: str, speed: float = 1.0) -> np.ndarray:
    return joined(
        joe.synthesize(text, joe.voices[0], speed), joe.sample_rate_hz, speed=speed
    ).samples


def seconds(joe: PiperSynthesizer, text: str, speed: float = 1.0) -> float:
    return len(said(joe, text, speed)) / joe.sample_rate_hz


def pitch_hz(samples: np.ndarray, rate_hz: int) -> float:
    """Median of the voiced frames' pitch by autocorrelation, between 60 and 250 Hz."""
    found: list[float] = []
    samples = samples * (0.9 / np.abs(samples).max())
    for at in range(0, len(samples) - 1024, 512):
        frame = samples[at : at + 1024] * np.hanning(1024)
        scores = np.correlate(frame, frame, "full")[1023:]
        low, high = rate_hz // 250, rate_hz // 60
        lag = low + int(np.argmax(scores[low:high]))
        if scores[0] > 3 and scores[lag] > 0.5 * scores[0]:
            found.append(rate_hz / lag)
    return float(np.median(found))


def test_the_voice_describes_itself(joe: PiperSynthesizer) -> None:
    assert joe.voices == [Voice("en_US-joe-medium", "Joe (en-US, medium)", "en-US")]
    assert (joe.name, joe.sample_rate_hz) == ("tts-1", 22_050)
    assert joe.workers >= 1


def test_a_sentence_is_some_seconds_of_sound(joe: PiperSynthesizer) -> None:
    samples = said(joe, FOX)
    assert samples.dtype == np.float32
    assert 2 < len(samples) / joe.sample_rate_hz < 5
    assert 0.1 < np.abs(samples).max() <= 1
    assert np.sqrt(np.mean(samples**2)) > 0.02
    assert not samples[-round(PAUSES_S["sentence"] * joe.sample_rate_hz) :].any()


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 3.0, 4.0])
def test_speed_scales_the_duration_and_keeps_the_pitch(joe: PiperSynthesizer, speed: float) -> None:
    text = FOX + " She sells fresh bread and butter in a small shop by the harbour."
    normal, changed = said(joe, text), said(joe, text, speed)
    assert len(changed) * speed == pytest.approx(len(normal), rel=0.15)
    rate_hz = joe.sample_rate_hz
    assert pitch_hz(changed, rate_hz) == pytest.approx(pitch_hz(normal, rate_hz), rel=0.25)


def test_every_sentence_of_a_longer_text_is_said(joe: PiperSynthesizer) -> None:
    text = " ".join([FOX] * 5)
    assert len(list(joe.synthesize(text, joe.voices[0], 1.0))) == 5
    assert seconds(joe, text) == pytest.approx(5 * seconds(joe, FOX), rel=0.1)


def test_a_title_is_no_sentence_of_its_own(joe: PiperSynthesizer) -> None:
    assert len(list(joe.synthesize("Mr. Smith met Dr. Brown.", joe.voices[0], 1.0))) == 1


def test_a_text_without_any_marks_is_said_in_bounded_runs(joe: PiperSynthesizer) -> None:
    made = list(joe.synthesize("word and more " * 40, joe.voices[0], 1.0))
    lengths_s = [len(each.samples) / joe.sample_rate_hz for each in made]
    assert max(lengths_s) < 15 < sum(lengths_s)


@pytest.mark.parametrize("text", ["", " \n", "...", "😀🎉", "!?", "—", "\x00", "\ud800", "\u200b"])
def test_what_cannot_be_said_is_silence_of_no_length(joe: PiperSynthesizer, text: str) -> None:
    assert seconds(joe, text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "Hello\x00world",
        "a \ud800 b",
        "\x1b[31mred\x1b[0m",
        "[brackets] and (more)",
        "<speak>Hi</speak> & <b>you</b>",
        "Hi 😀!",
        "你好, مرحبا, привет",
        "$5.99 at 10:30 for 100%",
        "http://example.com/a.b?c=d",
        "_^$ one",
        "A\u030a\u0301\u0301",
        "He said: “No.”",
    ],
)
def test_odd_text_is_said_all_the_same(joe: PiperSynthesizer, text: str) -> None:
    assert seconds(joe, text) > 0.3


def test_phonemes_in_brackets_are_read_as_text(joe: PiperSynthesizer) -> None:
    """As phonemes they would be "hello", which is less than half as long as their names."""
    pause_s = PAUSES_S["sentence"]
    as_text, as_phonemes = (seconds(joe, text) - pause_s for text in ("[[ h@l@U ]]", "hello"))
    assert as_text > 1.6 * as_phonemes


def test_several_threads_speak_at_the_same_time(joe: PiperSynthesizer) -> None:
    texts = [f"{FOX} This is number {number}." for number in range(6)]
    alone = [said(joe, text) for text in texts]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda text: said(joe, text), texts))
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other)
        assert np.abs(one - other).max() < 0.01


def test_the_noise_is_what_the_voices_settings_say(
    joe: PiperSynthesizer, noisy_joe: PiperSynthesizer
) -> None:
    assert np.array_equal(said(joe, FOX), said(joe, FOX))
    one, other = said(noisy_joe, FOX), said(noisy_joe, FOX)
    assert len(one) != len(other) or not np.array_equal(one, other)


def test_a_voice_with_its_noise_is_understood(noisy_joe: PiperSynthesizer, studio: Any) -> None:
    """A word in three may be lost to it; a voice that is broken loses them all."""
    texts = (FOX, "She bought three apples and two oranges.", "The weather was cold and windy.")
    samples = np.concatenate([said(noisy_joe, text) for text in texts])
    heard = studio.hear(soxr.resample(samples, noisy_joe.sample_rate_hz, 24_000), language="en")
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(" ".join(texts)), normal(heard.text)) < 1 / 3


IDS = np.arange(120)[None] % 60 + 3
CALM = {
    "input": IDS,
    "input_lengths": np.array([120]),
    "scales": np.array([0.0, 1.0, 0.0], np.float32),
}
"""Numbers of phonemes, without the voice's noise."""


def plain_vocoder(halves: Halves) -> SplitVocoder:
    """The halves as they are."""
    front, decoder = (
        onnx_session(half.written(), "cpu", 1) for half in (halves.front, halves.decoder)
    )
    return SplitVocoder(halves, front, lambda feed: np.asarray(decoder.run(None, dict(feed))[0]))


def test_the_network_in_halves_makes_what_it_makes_whole() -> None:
    """Without its noise, to the last bit but rounding; begun early, the same again."""
    (file,) = FOLDER.glob("*.onnx")
    split = plain_vocoder(halved(file.read_bytes()))
    whole = WholeVocoder(onnx_session(file, "cpu", 1))
    made, frames = split.speak(CALM)
    assert np.allclose(made, whole.speak(CALM)[0], atol=1e-4)
    assert frames is not None
    assert frames.sum() * 256 == len(made)
    parts = [part for part, _ in split.begin(CALM)]
    assert len(parts) == 2
    assert len(parts[0]) < 0.5 * 22_050 < len(made)
    assert np.allclose(np.concatenate(parts), made, atol=1e-5)


def test_what_is_less_work_speaks_nearly_alike() -> None:
    """Symbols a frame longer or shorter at most, and what the decoder does, the same."""
    (file,) = FOLDER.glob("*.onnx")
    halves = halved(file.read_bytes())
    lean, plain = load_vocoder(file, "cpu", 1), plain_vocoder(halves)
    frames = [np.asarray(vocoder.speak(CALM)[1], np.int64) for vocoder in (lean, plain)]
    assert np.abs(frames[0] - frames[1]).max() <= 1
    assert abs(frames[0].sum() / frames[1].sum() - 1) < 0.03
    latent = np.random.default_rng(5).normal(size=(1, 192, 1, 40)).astype(np.float32)
    sounds = [
        onnx_session(decoder.written(), "cpu", 1).run(None, {halves.latent: latent})[0]
        for decoder in (halves.decoder, in_phases(halves.decoder))
    ]
    assert np.allclose(sounds[0], sounds[1], atol=1e-5)


@pytest.mark.parametrize("flow", ["/dp/flows.3", "/dp/flows.5", "/dp/flows.7"])
def test_splines_of_a_fifth_of_the_operators_make_the_same(flow: str) -> None:
    (file,) = FOLDER.glob("*.onnx")
    exported = halved(file.read_bytes()).front
    inputs = {f"{flow}/{name}_output_0": 3 for name in ("Mul", "Split")}
    inputs[values := f"{flow}/Split_output_1"] = 3
    numbers = np.random.default_rng(0)
    noise = numbers.normal(size=(1, 1, 200)).astype(np.float32) * 3
    noise[0, 0, :4] = [-5, 5, -5.001, 5.001]
    feed = dict.fromkeys(inputs, noise)
    feed[f"{flow}/Mul_output_0"] = numbers.normal(size=(1, 29, 200)).astype(np.float32) * 5
    made: list[Any] = []
    for network in (exported, with_short_splines(exported)):
        part = network.part(inputs, [f"{flow}/ScatterND_9_output_0"])
        session = onnx_session(part.written(), "cpu", 1)
        wanted = {one.name: feed[one.name] for one in session.get_inputs()}
        made.append((len(part.nodes), session.run(None, wanted)[0]))
    (many, known), (few, found) = made
    assert few < many / 5
    assert not np.allclose(known, feed[values], atol=0.1)
    assert np.allclose(found, known, atol=1e-4)


@pytest.mark.parametrize("count", [3, 5, 31, 120])
def test_a_text_encoder_of_a_third_of_the_operators_makes_the_same(count: int) -> None:
    (file,) = FOLDER.glob("*.onnx")
    exported = halved(file.read_bytes()).front
    short = with_few_transposes(in_products(shortened(exported)))
    assert len(short.nodes) < len(exported.nodes) / 3
    layers = [
        sum("attn_layers.3" in name for node in network.nodes for name in node.outputs)
        for network in (exported, short)
    ]
    assert layers[1] < layers[0] / 4
    feed = {**CALM, "input": IDS[:, :count], "input_lengths": np.array([count])}
    made = [
        onnx_session(network.written(), "cpu", 1).run(None, feed) for network in (exported, short)
    ]
    (latent, frames), (found, counted) = made
    assert np.array_equal(counted, frames)
    assert np.allclose(found, latent, atol=2e-4)


def test_attention_that_others_look_into_stays_as_it_is() -> None:
    (file,) = FOLDER.glob("*.onnx")
    exported = halved(file.read_bytes()).front
    inner = "/enc_p/encoder/attn_layers.3/Softmax_output_0"
    watched = replace(exported, outputs=(*exported.outputs, inner))
    made = {name for node in with_short_attention(watched).nodes for name in node.outputs}
    assert inner in made
    assert inner.replace("3", "2") not in made


def test_attention_of_another_scale_stays_as_it_is() -> None:
    (file,) = FOLDER.glob("*.onnx")
    exported = halved(file.read_bytes()).front
    (scale,) = {
        node.inputs[1]
        for node in exported.nodes
        if node.operator == "Div" and "attn_layers" in node.name
    }
    other = Tensor.new(scale, exported.tensors[scale].numbers + 1)
    changed = replace(exported, tensors={**exported.tensors, scale: other})
    assert with_short_attention(changed) == changed


def test_in_bfloat16_the_voice_is_far_louder_than_the_error() -> None:
    """And pauses are as quiet; begun early, it is the same sound again."""
    (file,) = FOLDER.glob("*.onnx")
    exact, _ = load_vocoder(file, "cpu", 1).speak(CALM)
    vocoder = load_vocoder(file, "cpu", 1, "bfloat16")
    made, _ = vocoder.speak(CALM)
    assert len(made) == len(exact)
    error = made - exact
    assert 10 * np.log10(np.sum(exact**2) / np.sum(error**2)) > 30
    loud, wrong = (np.sqrt(np.mean(one.reshape(-1, 256) ** 2, axis=1)) for one in (exact, error))
    assert wrong[loud < np.quantile(loud, 0.1)].max() < 3e-4
    begun = np.concatenate([part for part, _ in vocoder.begin(CALM)])
    assert 10 * np.log10(np.sum(exact**2) / np.sum((begun - exact) ** 2)) > 30


def test_what_is_said_in_bfloat16_is_understood(steady_weights: Path, studio: Any) -> None:
    quick = PiperSynthesizer.load(steady_weights / FOLDER.name, "tts-1", compute_type="bfloat16")
    samples = said(quick, FOX)
    heard = studio.hear(soxr.resample(samples, quick.sample_rate_hz, 24_000), language="en")
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(FOX), normal(heard.text)) < 0.2


def test_in_eight_bits_the_latent_is_far_louder_than_its_error() -> None:
    """The flow alone, so that the symbols are as long."""
    (file,) = FOLDER.glob("*.onnx")
    halves = halved(file.read_bytes())
    exact, made = (
        np.asarray(onnx_session(front.written(), "cpu", 1).run([halves.latent], CALM)[0])
        for front in (halves.front, in_eight_bits(halves.front, "/enc/"))
    )
    assert 10 * np.log10(np.sum(exact**2) / np.sum((made - exact) ** 2)) > 25
