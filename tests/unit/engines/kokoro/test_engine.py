"""What surrounds Kokoro's network: runs, styles, pace, pauses and failures. Needs no weights."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from myna.engines.contract.synthesizer import Stretch, Synthesizer, VoiceMixer, VoiceReader
from myna.engines.contract.voice import Voice
from myna.engines.kokoro import KokoroSynthesizer
from myna.engines.kokoro.engine import (
    FASTEST,
    LEAST_PHONEMES,
    MOST_PHONEMES,
    RUN_PHONEMES,
)
from myna.engines.kokoro.voices import SHAPE
from myna.engines.word_times import Said
from myna.errors import BadRequest, EngineFailure

RATE_HZ = 24_000
HEART = Voice("af_heart", "Heart", "en-US")
ONYX = Voice("am_onyx", "Onyx", "en-GB")
KUMO = Voice("jm_kumo", "Kumo", "ja-JP")
VOICES = (HEART, ONYX, KUMO)


class LetterModel:
    """Every character is its own phoneme and 10 ms of a steady tone, in silence as Kokoro's is."""

    sample_rate_hz = RATE_HZ
    times = True

    def __init__(self, level: float = 0.3) -> None:
        self.level = level
        self.spoken: list[tuple[str, np.ndarray, float]] = []
        self.languages: list[str] = []

    def phonemize(self, text: str, language: str) -> str:
        self.languages.append(language)
        return text.strip()

    def speak(self, phonemes: str, style: np.ndarray, speed: float) -> Said:
        self.spoken.append((phonemes, style, speed))
        at = np.arange(round(len(phonemes) * RATE_HZ / 100 / speed)) / RATE_HZ
        sound = (self.level * np.sin(2 * math.pi * 220 * at)).astype(np.float32)
        around = np.zeros(RATE_HZ // 3, np.float32)
        bounds_s = 1 / 3 + np.arange(len(phonemes) + 1) / 100 / speed
        return Said(np.concatenate([around, sound, around]), bounds_s)


@pytest.fixture
def model() -> LetterModel:
    return LetterModel()


@pytest.fixture
def synthesizer(model: LetterModel) -> KokoroSynthesizer:
    rows = np.arange(1, MOST_PHONEMES + 1, dtype=np.float32)[:, None, None]
    styles = {
        voice.id: np.broadcast_to(100 * number + rows, SHAPE) for number, voice in enumerate(VOICES)
    }
    return KokoroSynthesizer(
        model, "tts-test", VOICES, styles, stand_ins={"alloy": "am_onyx"}, workers=2
    )


def said(stretches: Sequence[Stretch]) -> float:
    """Seconds of sound, whatever silence is around it."""
    return (
        sum(float((np.abs(each.samples) > 1e-4).mean()) * len(each.samples) for each in stretches)
        / RATE_HZ
    )


def endings(stretches: Sequence[Stretch]) -> list[str]:
    return [stretch.ending for stretch in stretches]


def test_it_is_a_synthesizer_that_mixes_voices(synthesizer: KokoroSynthesizer) -> None:
    taken: Synthesizer = synthesizer
    assert (taken.kind, taken.name, taken.sample_rate_hz) == ("kokoro", "tts-test", RATE_HZ)
    assert (taken.workers, taken.voices[0]) == (2, HEART)
    assert isinstance(taken, VoiceMixer)
    assert taken.stand_ins == {"alloy": "am_onyx"}


def test_a_piece_is_one_run(synthesizer: KokoroSynthesizer, model: LetterModel) -> None:
    made = list(synthesizer.synthesize("One. Two three four five!", HEART, 1.0))
    assert [text for text, _, _ in model.spoken] == ["One. Two three four five!"]
    assert endings(made) == ["sentence"]
    assert said(made) == pytest.approx(0.25, abs=0.02)
    assert all((each.samples.dtype, each.samples.ndim) == (np.float32, 1) for each in made)


@pytest.mark.parametrize("text", ["and so,", "and so, ", "namely:", "well;"])
def test_a_piece_that_ends_in_a_clause_says_so(synthesizer: KokoroSynthesizer, text: str) -> None:
    assert endings(list(synthesizer.synthesize(text, HEART, 1.0))) == ["clause"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("word " * 100, {"word"}),
        ("word and more, " * 40, {"clause"}),
        ("All is said. " * 40, {"sentence"}),
        ("“All is said.” " * 40, {"sentence"}),
    ],
)
def test_what_is_run_in_parts_ends_as_each_part_does(
    synthesizer: KokoroSynthesizer, text: str, expected: set[str]
) -> None:
    *parts, last = endings(list(synthesizer.synthesize(text, HEART, 1.0)))
    assert set(parts) == expected
    assert last == ("clause" if expected == {"clause"} else "sentence")


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_words_are_told_with_every_run_where_their_sound_is(
    synthesizer: KokoroSynthesizer, speed: float
) -> None:
    text = "Hello there. " + "word and more, " * 40
    made = list(synthesizer.synthesize(text, HEART, speed, words=True))
    assert "".join(word.text for each in made for word in each.words) == text.rstrip()
    for each in made:
        loud = np.flatnonzero(np.abs(each.samples) > 0.01) / RATE_HZ
        assert each.words[0].start_s == pytest.approx(loud[0], abs=0.06)
        assert each.words[-1].end_s == pytest.approx(loud[-1], abs=0.06)
    assert [each.words for each in synthesizer.synthesize("Hi.", HEART, speed)] == [()]


@pytest.mark.parametrize("text", ["", " ", "...", "!", "😀👍", "— –", "\x00\x1b", "\ud800"])
def test_text_with_nothing_to_say_yields_nothing(
    synthesizer: KokoroSynthesizer, model: LetterModel, text: str
) -> None:
    assert list(synthesizer.synthesize(text, HEART, 1.0)) == []
    assert model.spoken == []


@pytest.mark.parametrize("voice", [HEART, ONYX])
def test_the_style_is_the_voices_row_for_so_many_phonemes(
    synthesizer: KokoroSynthesizer, model: LetterModel, voice: Voice
) -> None:
    list(synthesizer.synthesize("seven c", voice, 1.0))
    _, style, _ = model.spoken[0]
    assert style.shape == (1, 256)
    assert (style == 100 * VOICES.index(voice) + 7).all()
    assert model.languages == [voice.language]


@pytest.mark.parametrize("text", ["word " * 300, "word and more, " * 100, "a" * 1500])
@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 4.0])
def test_a_long_text_is_run_in_bounded_parts_that_lose_nothing(
    synthesizer: KokoroSynthesizer, model: LetterModel, text: str, speed: float
) -> None:
    list(synthesizer.synthesize(text, HEART, speed))
    most = {0.25: LEAST_PHONEMES, 0.5: RUN_PHONEMES // 2}.get(speed, RUN_PHONEMES)
    assert max(len(run) for run, _, _ in model.spoken) <= most
    assert "".join(run.replace(" ", "") for run, _, _ in model.spoken) == text.replace(" ", "")


def test_runs_are_within_what_the_network_takes() -> None:
    assert LEAST_PHONEMES < RUN_PHONEMES <= MOST_PHONEMES == SHAPE[0]


def test_the_first_run_can_be_heard_before_the_second_is_made(
    synthesizer: KokoroSynthesizer, model: LetterModel
) -> None:
    next(synthesizer.synthesize("word " * 300, HEART, 1.0))
    assert len(model.spoken) == 1


@pytest.mark.parametrize("speed", [0.25, 1.0, 1.7, 3.0, 4.0])
def test_speed_is_the_networks_and_beyond_what_it_can_made_afterwards(
    synthesizer: KokoroSynthesizer, model: LetterModel, speed: float
) -> None:
    blocks = list(synthesizer.synthesize("a" * 60, HEART, speed))
    assert model.spoken[0][2] == pytest.approx(min(speed, FASTEST))
    assert said(blocks) == pytest.approx(0.6 / speed, abs=0.08)


def test_what_is_too_loud_is_held_within_bounds() -> None:
    styles = {"af_heart": np.zeros(SHAPE, np.float32)}
    loud = KokoroSynthesizer(LetterModel(1.5), "tts-test", [HEART], styles)
    assert np.abs(next(loud.synthesize("Hello there.", HEART, 1.0)).samples).max() == 1


# Blends


def test_a_blend_is_a_voice_in_the_language_of_its_first_part(
    synthesizer: KokoroSynthesizer,
) -> None:
    assert synthesizer.blend("af_heart") is None
    mixed = synthesizer.blend("am_onyx(1)+af_heart(3)")
    assert mixed == Voice("am_onyx*0.25+af_heart*0.75", "am_onyx*0.25+af_heart*0.75", "en-GB")
    assert synthesizer.blend(mixed.id) == mixed


def test_a_blend_speaks_with_the_mean_of_its_styles(
    synthesizer: KokoroSynthesizer, model: LetterModel
) -> None:
    mixed = synthesizer.blend("af_heart(3)+alloy(1)")
    assert mixed is not None
    list(synthesizer.synthesize("seven c", mixed, 1.0))
    assert model.spoken[0][1] == pytest.approx(7 + 100 / 4)


@pytest.mark.parametrize("name", ["af_heart+", "af_heart+nobody", "af_heart(0)+am_onyx"])
def test_a_wrong_blend_is_a_bad_request_for_the_voice(
    synthesizer: KokoroSynthesizer, name: str
) -> None:
    with pytest.raises(BadRequest, match="Invalid 'voice'") as refused:
        synthesizer.blend(name)
    assert refused.value.param == "voice"


def test_a_stand_in_that_is_a_blend_can_be_part_of_another(
    synthesizer: KokoroSynthesizer, model: LetterModel
) -> None:
    synthesizer.stand_ins = {"alloy": "af_heart*0.5+am_onyx*0.5"}
    mixed = synthesizer.blend("alloy+am_onyx")
    assert mixed is not None
    assert mixed.id == "af_heart*0.25+am_onyx*0.75"


# Voices of the user's


def table_of(value: float) -> bytes:
    return np.full(SHAPE, value, "<f4").tobytes()


def test_it_reads_voices_of_the_users_and_clones_none(synthesizer: KokoroSynthesizer) -> None:
    taken: Synthesizer = synthesizer
    assert isinstance(taken, VoiceReader)
    assert not taken.clones


def test_a_voice_of_the_users_speaks_with_its_table_in_its_language(
    synthesizer: KokoroSynthesizer, model: LetterModel
) -> None:
    voice = synthesizer.read_voice(table_of(0.5), Voice("voice_1", "Ann", "fr-FR"))
    assert (voice.id, voice.name, voice.language) == ("voice_1", "Ann", "fr-FR")
    list(synthesizer.synthesize("seven c", voice, 1.0))
    assert model.spoken[0][1].shape == (1, 256)
    assert (model.spoken[0][1] == 0.5).all()
    assert model.languages == ["fr-FR"]


@pytest.mark.parametrize(
    ("file", "language", "param", "hint"),
    [
        (b"noise", "en-US", "voice_file", r"\(510, 1, 256\)"),
        (table_of(0.5), "de-DE", "language", "use one of en-US"),
    ],
)
def test_a_wrong_voice_file_and_a_language_it_does_not_speak_are_bad_requests(
    synthesizer: KokoroSynthesizer, file: bytes, language: str, param: str, hint: str
) -> None:
    with pytest.raises(BadRequest, match=hint) as refused:
        synthesizer.read_voice(file, Voice("voice_1", "Ann", language))
    assert refused.value.param == param


# Failures


def test_kanji_are_refused_where_espeak_cannot_read_them(synthesizer: KokoroSynthesizer) -> None:
    assert list(synthesizer.synthesize("こんにちは", KUMO, 1.0))
    with pytest.raises(BadRequest, match=r"kana only.*'日本語'") as refused:
        list(synthesizer.synthesize("これは日本語です", KUMO, 1.0))
    assert refused.value.param == "input"


def test_a_failure_of_the_network_is_an_engine_failure(
    synthesizer: KokoroSynthesizer, model: LetterModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Said:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "speak", broken)
    with pytest.raises(EngineFailure, match="tts-test failed on a text: out of memory"):
        list(synthesizer.synthesize("Hello.", HEART, 1.0))


def test_a_closed_voice_says_so_and_a_call_that_runs_ends_as_it_should(
    synthesizer: KokoroSynthesizer,
) -> None:
    blocks = synthesizer.synthesize("word " * 100, HEART, 1.0)
    next(blocks)
    synthesizer.close()
    synthesizer.close()
    assert len(list(blocks)) == 1
    with pytest.raises(EngineFailure, match="closed"):
        list(synthesizer.synthesize("Hello.", HEART, 1.0))


def test_warming_up_speaks_a_word(synthesizer: KokoroSynthesizer, model: LetterModel) -> None:
    synthesizer.warm_up()
    assert len(model.spoken) == 1


# Files


@pytest.mark.parametrize("names", [[], ["a.onnx", "b.onnx"]])
def test_a_folder_without_exactly_one_network_is_refused_by_name(
    tmp_path: Path, names: list[str]
) -> None:
    pytest.importorskip("kokoro_onnx")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(EngineFailure, match="should hold one Kokoro network") as refused:
        KokoroSynthesizer.load(tmp_path, "tts-test")
    assert str(tmp_path) in refused.value.message


def test_a_broken_network_is_an_engine_failure_that_names_it(tmp_path: Path) -> None:
    pytest.importorskip("kokoro_onnx")
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(EngineFailure, match=r"cannot load the Kokoro network .*a\.onnx"):
        KokoroSynthesizer.load(tmp_path, "tts-test")


def test_without_the_extra_its_name_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kokoro_onnx", "kokoro_onnx.tokenizer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineFailure, match=r"pip install 'myna\[kokoro\]'"):
        KokoroSynthesizer.load(tmp_path, "tts-test")


def test_importing_the_engine_imports_neither_espeak_nor_onnxruntime() -> None:
    code = (
        "import sys, myna.engines.kokoro; "
        "print({'kokoro_onnx', 'phonemizer', 'onnxruntime', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
