"""Speech probabilities, block by block, against faster-whisper's for the whole file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from myna.audio import vad
from myna.audio.activity import FRAME
from myna.audio.vad import SpeechDetector, VadModel
from myna.errors import EngineFailure


@pytest.fixture(scope="module")
def model() -> VadModel:
    return VadModel()


@pytest.fixture(scope="module")
def audio(tone) -> np.ndarray:
    """Noise that comes and goes, with tones in it: 5 s and not a whole number of frames."""
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, 80_001).astype(np.float32)
    samples *= np.repeat(random.uniform(0, 1, 100), 801)[:80_001].astype(np.float32)
    for hz in (150, 300, 900):
        samples[20_000:50_000] += tone(30_000 / 16_000, hz=hz) / 3
    return samples


@pytest.fixture(scope="module")
def expected(audio) -> np.ndarray:
    """What faster-whisper says of the same audio: it pads to whole frames."""
    padding = FRAME - len(audio) % FRAME
    return get_vad_model()(np.pad(audio, (0, padding)))


def in_blocks(model: VadModel, audio: np.ndarray, lengths: list[int]) -> np.ndarray:
    """Lengths are used in turn until the audio is at its end."""
    detector = SpeechDetector(model)
    found = []
    at = turn = 0
    while at < len(audio):
        length = lengths[turn % len(lengths)]
        found.append(detector.probabilities(audio[at : at + length]))
        at, turn = at + length, turn + 1
    return np.concatenate([*found, detector.flush()])


@pytest.mark.parametrize(
    "lengths", [[1_000_000], [512], [511], [513], [160], [16_000], [1, 63, 64, 65, 0, 448, 5_000]]
)
def test_blocks_of_any_length_give_what_faster_whisper_gives_for_the_whole(
    lengths, model, audio, expected
):
    found = in_blocks(model, audio, lengths)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


def test_the_state_is_carried_between_runs_of_one_long_block(model, audio, expected, monkeypatch):
    monkeypatch.setattr(vad, "FRAMES_A_RUN", 7)
    found = in_blocks(model, audio, [len(audio)])
    assert np.abs(found - expected).max() < 1e-5


def test_the_audio_makes_a_difference(expected):
    assert expected.max() - expected.min() > 0.01


def test_each_complete_frame_gives_one_probability(model):
    detector = SpeechDetector(model)
    lengths = [len(detector.probabilities(np.zeros(n, np.float32))) for n in (511, 1, 1, 1_023)]
    assert lengths == [0, 1, 0, 2]
    assert len(detector.flush()) == 0


def test_flushing_pads_the_last_frame_once(model):
    detector = SpeechDetector(model)
    detector.probabilities(np.ones(1, np.float32))
    assert len(detector.flush()) == 1
    assert len(detector.flush()) == 0


def test_the_end_of_the_last_frame_is_heard(model):
    """faster-whisper silences the last 64 samples of what it is given."""
    quiet = np.zeros(FRAME, np.float32)
    loud_end = quiet.copy()
    loud_end[-64:] = np.random.default_rng(0).normal(0, 0.3, 64)
    found = [SpeechDetector(model).probabilities(samples)[0] for samples in (quiet, loud_end)]
    assert found[0] != found[1]


def test_the_callers_block_is_neither_changed_nor_kept(model, audio):
    detector, other = SpeechDetector(model), SpeechDetector(model)
    block = audio[:1_000].copy()
    detector.probabilities(block)
    assert np.array_equal(block, audio[:1_000])
    block[:] = 0
    other.probabilities(audio[:1_000])
    after = audio[1_000:3_000]
    assert np.array_equal(detector.probabilities(after), other.probabilities(after))


def test_requests_share_a_model_and_no_state(model, audio, expected):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: in_blocks(model, audio, [3_000]), range(8)))
    for probabilities in found:
        assert np.abs(probabilities - expected).max() < 1e-5


def test_a_missing_model_says_what_to_install(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(vad, "find_spec", lambda _name: None)
    with pytest.raises(EngineFailure, match=r"faster-whisper"):
        VadModel()
