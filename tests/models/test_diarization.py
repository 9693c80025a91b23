"""The real networks, on made-up signals and on conversations of Kokoro's voices."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path

import av
import numpy as np
import pytest
import soxr

from myna.audio.joints import joined
from myna.audio.overlap import OverlappingWindows
from myna.audio.windows import Cutting
from myna.engines.contract.diarizer import SpeakerOptions, Voiceprint
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.engines.contract.transcriber import DecodingOptions
from myna.engines.diarizer import SpeakerDiarizer
from myna.engines.diarizer.frames import WINDOW_FRAMES, WINDOW_SAMPLES
from myna.engines.diarizer.segmentation import Segmenter
from myna.engines.diarizer.voiceprints import LEAST_SAMPLES, VoiceEncoder, log_mel
from myna.engines.sessions import onnx_session
from myna.scheduling.residents import Residents
from myna.store.cards import Catalogue
from myna.store.weights import Weights
from myna.text.speakers import SpeakerNames
from myna.text.transcript import Transcript, Turn

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "models/weights"
FOLDER = WEIGHTS / "speakers-campplus"

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the weights of speakers-campplus are not here"),
]
with_kokoro = pytest.mark.skipif(
    not (WEIGHTS / "kokoro-v1.0").is_dir(), reason="the weights of Kokoro are not here"
)

WOMAN, MAN, BRITON = "af_heart", "am_onyx", "bm_george"
DIALOGUE = (
    (WOMAN, "Good morning, and thank you for coming all the way out here today."),
    (MAN, "It was no trouble at all. The train was on time, and the weather is beautiful."),
    (WOMAN, "Then let us begin with the budget. Have you had time to read the report?"),
    (MAN, "I have read most of it, but I have a question about the second table."),
    (BRITON, "Excuse me for being late. The lift is broken, so I had to take the stairs."),
    (WOMAN, "Please sit down. We were just about to talk about the numbers for next year."),
    (BRITON, "Wonderful. I have brought the new figures, and they look rather better than before."),
    (MAN, "In that case my question can wait until we have seen them."),
)
REFERENCE = "The harbour was quiet that evening, and a cold wind came in from the open sea."


@pytest.fixture(scope="module")
def diarizer() -> Iterator[SpeakerDiarizer]:
    engine = SpeakerDiarizer(FOLDER, "speakers")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    return VoiceEncoder(FOLDER / "embedding.onnx")


def test_the_files_are_those_of_the_card() -> None:
    card = Catalogue.load(ROOT / "models").find("speakers")
    assert card is not None
    assert Weights(WEIGHTS, offline=True).verify(card) == []


def test_a_voiceprint_is_what_pytorch_made_of_the_same_features() -> None:
    """Figures of PyTorch 2.13 on the same checkpoint, without the ReLU that some add at its end."""
    session = onnx_session(FOLDER / "embedding.onnx", "cpu", threads=1)
    for frames, expected in (
        (200, {0: -0.56798, 1: -0.50714, 2: 0.42008, 3: -0.89525, 6: -0.12266}),
        (402, {188: -0.76505, 189: 0.12428, 190: -0.47618, 191: 0.52718}),
    ):
        time, mel = np.arange(frames)[:, None], np.arange(80)[None]
        features = (2 * np.sin(time * 0.05 * (1 + mel % 7) + mel)).astype(np.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: features[np.newaxis]})
        assert found.shape == (1, 192)
        for place, value in expected.items():
            assert found[0, place] == pytest.approx(value, abs=1e-3)
        assert 0.3 < (found < 0).mean() < 0.7


def test_segmentation_says_what_pytorch_said_of_the_same_sound() -> None:
    at = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    tone = np.sin(2 * np.pi * (120 + 40 * np.sin(2 * np.pi * 0.7 * at)) * at)
    hiss = np.sin(2 * np.pi * 3111 * at * at)
    samples = (0.3 * tone * (np.sin(2 * np.pi * 0.4 * at) > 0) + 0.01 * hiss).astype(np.float32)
    session = onnx_session(FOLDER / "segmentation.onnx", "cpu", threads=1)
    feed = {session.get_inputs()[0].name: samples[np.newaxis, np.newaxis]}
    (found,) = session.run(None, feed)
    assert found.shape == (1, WINDOW_FRAMES, 7)
    for frame, expected in {
        50: [-0.766, -5.892, -0.725, -3.748, -5.53, -7.911, -3.902],
        200: [-6.547, -9.455, -0.023, -6.588, -6.152, -11.227, -4.044],
    }.items():
        assert found[0, frame] == pytest.approx(expected, abs=0.01)


def test_features_are_80_a_frame_without_their_mean() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    features = log_mel(noise)
    assert features.shape == (98, 80)  # 25 ms every 10 ms
    assert np.abs(features.mean(axis=0)).max() < 1e-4


def test_voiceprints_have_length_one_and_say_nothing_of_loudness(encoder: VoiceEncoder) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE_HZ).astype(np.float32)
    loud, quiet = encoder.voiceprint(noise), encoder.voiceprint(noise * np.float32(0.05))
    assert loud is not None
    assert quiet is not None
    assert np.linalg.norm(loud) == pytest.approx(1.0, abs=1e-5)
    assert float(loud @ quiet) > 0.99


def test_too_little_sound_has_no_voiceprint(encoder: VoiceEncoder) -> None:
    assert encoder.voiceprint(np.ones(LEAST_SAMPLES - 1, np.float32)) is None
    assert encoder.voiceprint(np.zeros(SAMPLE_RATE_HZ, np.float32)) is None


@pytest.mark.parametrize("length", [0, 1, 500, 16_000, WINDOW_SAMPLES])
def test_silence_of_any_length_is_nobody(length: int) -> None:
    active = Segmenter(FOLDER / "segmentation.onnx").activity(np.zeros(length, np.float32))
    assert active.shape == (WINDOW_FRAMES, 3)
    assert not active.any()


def test_noise_has_no_speakers(diarizer: SpeakerDiarizer) -> None:
    noise = np.random.default_rng(3).normal(0, 0.05, 12 * SAMPLE_RATE_HZ).astype(np.float32)
    assert turns_of(diarizer, noise) == []


def turns_of(diarizer: SpeakerDiarizer, samples: Samples, **options: object) -> list[Turn]:
    following = diarizer.follow(SpeakerOptions(**options))  # pyright: ignore[reportArgumentType]
    windows = OverlappingWindows(diarizer.window_s, diarizer.step_s)
    turns: list[Turn] = []
    for window in [*windows.feed(samples), *windows.finish()]:
        following.add(diarizer.hear(window))
        turns += following.take()
    following.finish()
    return [*turns, *following.take()]


class Talk:
    """A conversation, and who speaks in each of its frames of 10 ms."""

    def __init__(self, lines: Sequence[tuple[str, Samples]], gap_s: float = 0.4) -> None:
        gap = np.zeros(int(gap_s * SAMPLE_RATE_HZ), np.float32)
        self.samples = np.concatenate([part for _, said in lines for part in (said, gap)])
        self.spoken: list[tuple[float, float, str]] = []
        at = 0
        for who, said in lines:
            loud = np.flatnonzero(np.abs(said) > 0.02)
            edges = (at + loud[0], at + loud[-1])
            self.spoken.append((edges[0] / SAMPLE_RATE_HZ, edges[1] / SAMPLE_RATE_HZ, who))
            at += len(said) + len(gap)

    def error(self, turns: Sequence[Turn]) -> float:
        """Diarization error rate: missed, false and confused speech over speech, without 0.25 s
        around the reference's edges, under the best mapping of speakers."""
        frames = int(len(self.samples) / SAMPLE_RATE_HZ * 100)
        scored = np.ones(frames, bool)
        reference: dict[str, np.ndarray] = {}
        for start_s, end_s, who in self.spoken:
            track = reference.setdefault(who, np.zeros(frames, bool))
            track[round(start_s * 100) : round(end_s * 100)] = True
            for edge_s in (start_s, end_s):
                scored[max(round((edge_s - 0.25) * 100), 0) : round((edge_s + 0.25) * 100)] = False
        found: dict[int, np.ndarray] = {}
        for turn in turns:
            track = found.setdefault(turn.speaker, np.zeros(frames, bool))
            track[round(turn.start_s * 100) : round(turn.end_s * 100)] = True
        said = np.stack([track[scored] for track in reference.values()])
        heard = [track[scored] for track in found.values()]
        heard += [np.zeros(said.shape[1], bool)] * max(0, len(said) - len(heard))
        total = np.stack(heard).sum(axis=0)
        right = max(
            sum((one & other).sum() for one, other in zip(said, chosen, strict=True))
            for chosen in permutations(heard, len(said))
        )
        return float((np.maximum(said.sum(axis=0), total).sum() - right) / said.sum())

    def numbers(self, turns: Sequence[Turn]) -> dict[str, set[int]]:
        """The speakers that are heard in the middle of each one's lines."""
        found: dict[str, set[int]] = {}
        for start_s, end_s, who in self.spoken:
            middle_s = (start_s + end_s) / 2
            found.setdefault(who, set()).update(
                turn.speaker for turn in turns if turn.start_s <= middle_s <= turn.end_s
            )
        return found


@pytest.fixture(scope="module")
def say(residents) -> Callable[[str, str], Samples]:
    """`say(voice, text)`: 16 kHz, with Kokoro."""
    kokoro = residents.speaker("kokoro", strict=True).service.engine
    voices = {voice.id: voice for voice in kokoro.voices}

    @cache
    def spoken(who: str, text: str) -> Samples:
        said = joined(kokoro.synthesize(text, voices[who], 1.0), kokoro.sample_rate_hz)
        samples = soxr.resample(said.samples, kokoro.sample_rate_hz, SAMPLE_RATE_HZ)
        return np.asarray(samples, np.float32)

    return spoken


@pytest.fixture(scope="module")
def dialogue(say) -> Talk:
    return Talk([(who, say(who, text)) for who, text in DIALOGUE])


@with_kokoro
@pytest.mark.parametrize("live", [False, True])
def test_three_voices_are_three_speakers(diarizer, dialogue, live) -> None:
    turns = turns_of(diarizer, dialogue.samples, live=live)
    assert len({turn.speaker for turn in turns}) == 3
    assert dialogue.error(turns) <= 0.05


def by_telephone(samples: Samples) -> Samples:
    narrow = soxr.resample(soxr.resample(samples, 16_000, 8_000), 8_000, 16_000)
    return np.asarray(narrow, np.float32)


@with_kokoro
def test_three_voices_by_telephone_are_three_speakers(diarizer, dialogue) -> None:
    turns = turns_of(diarizer, by_telephone(dialogue.samples))
    assert len({turn.speaker for turn in turns}) == 3
    assert dialogue.error(turns) <= 0.10


@with_kokoro
def test_no_more_speakers_than_may_be(diarizer, dialogue) -> None:
    turns = turns_of(diarizer, dialogue.samples, most=2)
    assert len({turn.speaker for turn in turns}) == 2


@with_kokoro
@pytest.mark.parametrize("live", [False, True])
def test_known_voices_are_recognised_by_another_sentence(diarizer, dialogue, say, live) -> None:
    known = tuple(diarizer.voice(say(who, REFERENCE)) for who in (MAN, "bf_emma", BRITON))
    turns = turns_of(diarizer, dialogue.samples, known=known, live=live)
    assert dialogue.numbers(turns) == {MAN: {0}, BRITON: {2}, WOMAN: {3}}


@with_kokoro
def test_known_voices_are_recognised_by_telephone(diarizer, dialogue, say) -> None:
    """Where strangers are more alike, and so more likeness is asked for."""
    references = [by_telephone(say(who, REFERENCE)) for who in (MAN, "bf_emma", BRITON)]
    known = tuple(diarizer.voice(reference) for reference in references)
    assert all(one.narrow for one in known)
    turns = turns_of(diarizer, by_telephone(dialogue.samples), known=known)
    assert dialogue.numbers(turns) == {MAN: {0}, BRITON: {2}, WOMAN: {3}}


@with_kokoro
def test_one_voice_is_like_itself_and_not_like_others(diarizer, say) -> None:
    prints: dict[str, list[Voiceprint]] = {}
    for who in (WOMAN, MAN, BRITON):
        prints[who] = [diarizer.voice(say(who, text)).print for text in (REFERENCE, DIALOGUE[1][1])]
    for who, (first, second) in prints.items():
        assert float(first @ second) > 0.6
        for other, (third, _) in prints.items():
            assert other == who or float(first @ third) < 0.4


@with_kokoro
def test_everybody_is_given_their_own_words(residents, dialogue) -> None:
    """The whole way: a file, Whisper's words, and whose turns they fall into."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        whole = (dialogue.samples * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    transcript = asyncio.run(transcribed(residents, file.getvalue()))
    names = SpeakerNames()
    letters = {who: names.of(at) for at, who in enumerate((WOMAN, MAN, BRITON))}
    said: dict[str, str] = {}
    for one in transcript.segments:
        said[one.speaker] = said.get(one.speaker, "") + one.text.lower()
    assert set(said) == set(letters.values())
    for who, words in {
        WOMAN: ("thank you for coming", "the budget", "next year"),
        MAN: ("no trouble", "second table", "can wait"),
        BRITON: ("being late", "stairs", "new figures"),
    }.items():
        for word in words:
            assert word in said[letters[who]], (who, word, said)


async def transcribed(residents: Residents, data: bytes) -> Transcript:
    service = residents.stt.residents[0].service
    hearing = residents.diarizer("response_format").begin(SpeakerOptions())
    options = DecodingOptions(language="en", word_timestamps=True)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        opened = await service.open(file.fileno(), options, Cutting(), hearing=hearing)
        return await opened.run()
