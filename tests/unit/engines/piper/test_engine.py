"""What surrounds Piper's network: runs, pace, pauses and failures. Needs no voice."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.contract.synthesizer import QuickStarter, Stretch, Synthesizer
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.engines.piper import PiperSynthesizer
from myna.engines.piper.engine import LEAST_PHONEMES, MOST_PHONEMES, pace, runs
from myna.engines.piper.voices import voices_of
from myna.engines.word_times import Said
from myna.errors import EngineFailure
from myna.scheduling.voices import voice_named

RATE_HZ = 22_050
SYMBOL_FRAMES = 1.76
VOICE = Voice("xx-test", "Test", "en-US")


class LetterModel:
    """Every character is its own phoneme and 10 ms of a steady tone; sentences end at . ! or ?"""

    sample_rate_hz = RATE_HZ
    hop_samples = 256
    times = True

    def __init__(self, level: float = 0.3) -> None:
        self.level = level
        self.spoken: list[tuple[str, int | None, float]] = []
        self.halves = 0
        """Second ones that were asked for."""
        self.phonemizing = 0
        self.most_phonemizing = 0
        self._lock = threading.Lock()

    def phonemize(self, text: str) -> list[list[str]]:
        with self._lock:
            self.phonemizing += 1
            self.most_phonemizing = max(self.most_phonemizing, self.phonemizing)
        sentences: list[list[str]] = [[]]
        for char in text:
            sentences[-1].append(char)
            if char in ".!?":
                sentences.append([])
        with self._lock:
            self.phonemizing -= 1
        return sentences

    def speak(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Said:
        self.spoken.append(("".join(phonemes), speaker, factor))
        at = np.arange(round(len(phonemes) * RATE_HZ / 100)) / RATE_HZ
        sound = (self.level * np.sin(2 * math.pi * 220 * at)).astype(np.float32)
        return Said(sound, np.arange(len(phonemes) + 1) / 100)

    def begin(
        self, phonemes: Sequence[str], speaker: int | None, factor: float
    ) -> Iterator[tuple[np.ndarray, bool]]:
        """In halves."""
        sound = self.speak(phonemes, speaker, factor).samples
        yield sound[: len(sound) // 2], False
        self.halves += 1
        yield sound[len(sound) // 2 :], True


@pytest.fixture
def model() -> LetterModel:
    return LetterModel()


@pytest.fixture
def synthesizer(model: LetterModel) -> PiperSynthesizer:
    return PiperSynthesizer(model, "tts-test", [VOICE], workers=2)


def endings(stretches: Sequence[Stretch]) -> list[str]:
    return [stretch.ending for stretch in stretches]


def test_it_is_a_synthesizer(synthesizer: PiperSynthesizer) -> None:
    taken: Synthesizer = synthesizer
    assert (taken.name, taken.sample_rate_hz, taken.workers) == ("tts-test", RATE_HZ, 2)
    assert taken.voices[0] == VOICE


def test_each_sentence_is_spoken_by_itself(
    synthesizer: PiperSynthesizer, model: LetterModel
) -> None:
    made = list(synthesizer.synthesize("One. Two!", VOICE, 1.0))
    assert [text for text, _, _ in model.spoken] == ["One.", " Two!"]
    assert endings(made) == ["sentence", "sentence"]
    assert all((each.samples.dtype, each.samples.ndim) == (np.float32, 1) for each in made)


def test_the_first_sentence_can_be_heard_before_the_second_is_made(
    synthesizer: PiperSynthesizer, model: LetterModel
) -> None:
    next(synthesizer.synthesize("One. Two. Three.", VOICE, 1.0))
    assert len(model.spoken) == 1


def test_a_beginning_is_heard_before_the_rest_of_its_sentence_is_made(
    synthesizer: PiperSynthesizer, model: LetterModel
) -> None:
    assert isinstance(synthesizer, QuickStarter)
    stretches = synthesizer.begin("One, two. Three.", VOICE, 1.0)
    first = next(stretches)
    assert (first.ending, len(model.spoken), model.halves) == ("open", 1, 0)
    rest = list(stretches)
    assert endings(rest) == ["sentence", "sentence"]
    assert model.halves == 1, "the second sentence is made whole"
    whole = list(synthesizer.synthesize("One, two. Three.", VOICE, 1.0))
    begun = np.concatenate([first.samples, *(each.samples for each in rest)])
    assert np.array_equal(begun, np.concatenate([each.samples for each in whole]))


def test_what_is_stretched_afterwards_is_stretched_whole(
    synthesizer: PiperSynthesizer, model: LetterModel
) -> None:
    assert endings(list(synthesizer.begin("One two three four.", VOICE, 4.0))) == ["sentence"]
    assert model.halves == 0


@pytest.mark.parametrize("text", ["and so,", "and so, ", "namely:", "well;"])
def test_a_piece_that_ends_in_a_clause_says_so(synthesizer: PiperSynthesizer, text: str) -> None:
    assert endings(list(synthesizer.synthesize(text, VOICE, 1.0))) == ["clause"]


def test_a_sentence_in_parts_goes_on_until_its_end(synthesizer: PiperSynthesizer) -> None:
    text = "word " * 30 + "clause, " + "word " * 30
    assert endings(list(synthesizer.synthesize(text, VOICE, 1.0))) == ["clause", "sentence"]
    found = endings(list(synthesizer.synthesize("word " * 80, VOICE, 1.0)))
    assert found == ["word"] * (len(found) - 1) + ["sentence"]


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_words_are_told_with_every_run_in_the_time_of_its_samples(
    synthesizer: PiperSynthesizer, speed: float
) -> None:
    text = "Hello there. " + "word and more, " * 40
    made = list(synthesizer.synthesize(text, VOICE, speed, words=True))
    assert "".join(word.text for each in made for word in each.words) == text.rstrip()
    for each in made:
        assert each.words
        assert all(word.start_s < word.end_s for word in each.words)
        assert each.words[-1].end_s <= len(each.samples) / RATE_HZ * (4 if speed < 1 else 1) + 0.01
    assert [each.words for each in synthesizer.synthesize("Hi.", VOICE, speed)] == [()]


@pytest.mark.parametrize("text", ["", " ", "...", "!", "😀👍", "— –", "\x00\x1b", "\ud800"])
def test_text_with_nothing_to_say_yields_nothing(
    synthesizer: PiperSynthesizer, model: LetterModel, text: str
) -> None:
    assert list(synthesizer.synthesize(text, VOICE, 1.0)) == []
    assert model.spoken == []


@pytest.mark.parametrize(("level", "peak"), [(0.1, 0.1), (0.5, 0.5), (3.0, 1.0)])
def test_a_sentence_is_as_loud_as_the_network_makes_it_within_bounds(
    level: float, peak: float
) -> None:
    synthesizer = PiperSynthesizer(LetterModel(level), "tts-test", [VOICE], workers=1)
    made = next(synthesizer.synthesize("Hello there.", VOICE, 1.0))
    assert np.abs(made.samples).max() == pytest.approx(peak, rel=0.01)


def test_the_speaker_of_the_voice_speaks(synthesizer: PiperSynthesizer, model: LetterModel) -> None:
    list(synthesizer.synthesize("Hi.", Voice("a#b", "B", "en-US", speaker=7), 1.0))
    assert model.spoken[0][1] == 7


@pytest.mark.parametrize(("speed", "most"), [(1.0, MOST_PHONEMES), (0.25, LEAST_PHONEMES)])
def test_a_long_sentence_is_run_in_bounded_parts_that_lose_nothing(
    synthesizer: PiperSynthesizer, model: LetterModel, speed: float, most: int
) -> None:
    text = "word and more, " * 100
    list(synthesizer.synthesize(text, VOICE, speed))
    assert max(len(spoken) for spoken, _, _ in model.spoken) <= most
    assert "".join(spoken for spoken, _, _ in model.spoken) == text


@pytest.mark.parametrize("speed", [1.8, 2.5, 4.0])
def test_speech_too_fast_for_the_network_is_made_faster_afterwards(
    synthesizer: PiperSynthesizer, model: LetterModel, speed: float
) -> None:
    said = sum(len(each.samples) for each in synthesizer.synthesize("a" * 150, VOICE, speed))
    factor = model.spoken[0][2]
    assert factor == pytest.approx(0.4)
    assert said < 1.5 * RATE_HZ


def test_a_failure_of_the_network_is_an_engine_failure(
    synthesizer: PiperSynthesizer, model: LetterModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Said:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "speak", broken)
    with pytest.raises(EngineFailure, match="tts-test failed on a text: out of memory"):
        list(synthesizer.synthesize("Hello.", VOICE, 1.0))


def test_a_closed_voice_says_so(synthesizer: PiperSynthesizer) -> None:
    synthesizer.close()
    synthesizer.close()
    with pytest.raises(EngineFailure, match="closed"):
        list(synthesizer.synthesize("Hello.", VOICE, 1.0))


def test_a_call_that_runs_while_the_voice_is_closed_ends_as_it_should(
    synthesizer: PiperSynthesizer,
) -> None:
    blocks = synthesizer.synthesize("One. Two.", VOICE, 1.0)
    next(blocks)
    synthesizer.close()
    assert len(list(blocks)) == 1


def test_warming_up_speaks_a_word(synthesizer: PiperSynthesizer, model: LetterModel) -> None:
    synthesizer.warm_up()
    assert len(model.spoken) == 1


def test_only_one_thread_at_a_time_phonemizes(
    synthesizer: PiperSynthesizer, model: LetterModel
) -> None:
    barrier = threading.Barrier(4)

    def speak() -> None:
        barrier.wait()
        for _ in range(20):
            list(synthesizer.synthesize("Hello there. " * 5, VOICE, 1.0))

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.spoken) == 4 * 20 * 5
    assert model.most_phonemizing == 1


# Runs


@given(st.text("ab ,;:.", max_size=200), st.integers(1, 40))
def test_runs_are_bounded_and_lose_no_sound(text: str, most: int) -> None:
    found = ["".join(run) for run in runs(list(text), most)]
    assert all(0 < len(run) <= most for run in found)
    letters = [char for char in text if char.isalpha()]
    assert [char for run in found for char in run if char.isalpha()] == letters
    assert all(any(char.isalpha() for char in run) for run in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcdefgh", ["abcdefgh"]),
        ("aaaa bbbb, cccc dddd", ["aaaa bbbb,", " cccc dddd"]),
        ("aaaa bbbb cccc dddd", ["aaaa bbbb ", "cccc dddd"]),
        ("aa, bbbbbbbbbbbbbb", ["aa, bbbbbbbb", "bbbbbb"]),
        ("aaaaaaaaaaaaaaaa", ["aaaaaaaaaaaa", "aaaa"]),
        ("aaaaaaaaaaaa,;:. ,", ["aaaaaaaaaaaa"]),
    ],
)
def test_runs_end_after_a_clause_or_else_after_a_word(text: str, expected: list[str]) -> None:
    assert ["".join(run) for run in runs(list(text), 12)] == expected


# Pace


def symbol_frames(factor: float, mean: float = SYMBOL_FRAMES) -> float:
    """What the network makes of a symbol: durations spread exponentially, rounded up."""
    spread = -np.log(1 - (np.arange(200_000) + 0.5) / 200_000)
    return float(np.ceil(spread * mean * factor).mean())


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("mean", [1.28, 1.76])
def test_factor_and_tempo_together_make_the_speed(speed: float, mean: float) -> None:
    factor, tempo = pace(speed, mean)
    made = symbol_frames(1.0, mean) / symbol_frames(factor, mean) * tempo
    assert made == pytest.approx(speed, rel=0.01)


def test_at_speed_one_the_voice_keeps_its_own_pace() -> None:
    assert pace(1.0, SYMBOL_FRAMES) == pytest.approx((1.0, 1.0))


def test_the_network_never_hurries_beyond_what_can_be_understood() -> None:
    assert min(pace(speed, SYMBOL_FRAMES)[0] for speed in (1.5, 2.0, 4.0)) >= 0.399
    assert pace(0.25, SYMBOL_FRAMES)[1] == 1.0


# Files


ABOUT = {
    "audio": {"sample_rate": 22050, "quality": "medium"},
    "espeak": {"voice": "en-us"},
    "language": {"code": "en_US"},
    "dataset": "libritts_r",
    "speaker_id_map": {"p1": 0, "p2": 1},
}


def test_a_voice_of_several_speakers_is_a_voice_and_each_of_them() -> None:
    assert voices_of("en_US-libritts_r-medium", ABOUT) == [
        Voice("en_US-libritts_r-medium", "Libritts R (en-US, medium)", "en-US"),
        Voice("en_US-libritts_r-medium#p1", "Libritts R p1 (en-US, medium)", "en-US", 0),
        Voice("en_US-libritts_r-medium#p2", "Libritts R p2 (en-US, medium)", "en-US", 1),
    ]


class Session:
    """The network's inputs, for piper-tts as it is; half a second of a tone comes out."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.speakers: list[int | None] = []

    def get_outputs(self) -> list[str]:
        return ["output"]

    def run(self, _names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.ids = inputs["input"][0].tolist()
        self.speakers.append(int(inputs["sid"][0]) if "sid" in inputs else None)
        return [np.sin(np.arange(RATE_HZ // 2, dtype=np.float32) / 10)[None, None, None]]


LETTERS = "^_$ .ˈːaehklnotuyɑəɛɡʊ"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session()
    monkeypatch.setattr("myna.engines.piper.vocoder.onnx_session", lambda *_, **_also: made)
    return made


def loaded(folder: Path, espeak: str, speakers: dict[str, int]) -> PiperSynthesizer:
    about = {
        **ABOUT,
        "espeak": {"voice": espeak},
        "language": {"code": espeak},
        "num_symbols": len(LETTERS),
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": speakers,
        "phoneme_id_map": {letter: [number] for number, letter in enumerate(LETTERS)},
    }
    (folder / "xx.onnx").write_bytes(b"")
    (folder / "xx.onnx.json").write_text(json.dumps(about))
    return PiperSynthesizer.load(folder, "xx", workers=1)


@pytest.mark.parametrize(
    ("espeak", "expected"),
    [("de", "ɡˈuːtən tˈɑːk."), ("fr", "ɡytˈɛn tˈaɡ."), ("es", "ɡˈuten tˈaɡ.")],
)
def test_the_voices_own_language_turns_the_text_into_phonemes(
    tmp_path: Path, session: Session, espeak: str, expected: str
) -> None:
    voice = loaded(tmp_path, espeak, {})
    assert list(voice.synthesize("Guten Tag.", voice.voices[0], 1.0))
    said = "".join(LETTERS[number] for number in session.ids).replace("_", "")
    assert said == f"^{expected}$"


def test_each_speaker_of_a_voice_speaks_under_a_name_of_openais(
    tmp_path: Path, session: Session
) -> None:
    voice = loaded(tmp_path, "en-us", {"ann": 0, "bob": 1, "eve": 2})
    spoken = [voice_named(name, voice) for name in OPENAI_VOICES[:4]]
    assert [each.id for each in spoken] == ["xx#ann", "xx#bob", "xx#eve", "xx#ann"]
    for each in (*spoken, voice.voices[0]):
        assert list(voice.synthesize("Hello.", each, 1.0))
    assert session.speakers == [0, 1, 2, 0, 0]


@pytest.mark.parametrize(
    ("espeak", "language"), [("en-us", "en-US"), ("de", "de"), ("pt-br", "pt-BR")]
)
def test_an_old_voice_without_a_language_has_that_of_espeak(espeak: str, language: str) -> None:
    assert voices_of("old", {"espeak": {"voice": espeak}})[0] == Voice(
        "old", f"Old ({language})", language
    )


@pytest.mark.parametrize(
    "names", [[], ["a.onnx"], ["a.onnx.json"], ["a.onnx", "a.onnx.json", "b.onnx", "b.onnx.json"]]
)
def test_a_folder_without_exactly_one_voice_is_refused_by_name(
    tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(EngineFailure, match="should hold one Piper voice") as refused:
        PiperSynthesizer.load(tmp_path, "tts-test")
    assert str(tmp_path) in refused.value.message


@pytest.mark.parametrize("about", ["", "{}", json.dumps(ABOUT)])
def test_broken_files_are_an_engine_failure_that_names_them(tmp_path: Path, about: str) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    (tmp_path / "a.onnx.json").write_text(about)
    with pytest.raises(EngineFailure, match=r"cannot load the Piper voice .*a\.onnx"):
        PiperSynthesizer.load(tmp_path, "tts-test")


def test_a_gpu_that_is_not_there_names_the_extra_to_install(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    (tmp_path / "a.onnx").write_bytes(b"")
    (tmp_path / "a.onnx.json").write_text(json.dumps(ABOUT))
    with pytest.raises(EngineFailure, match=r"myna\[cuda\]"):
        PiperSynthesizer.load(tmp_path, "tts-test", device="cuda")


def test_importing_the_engine_imports_neither_piper_nor_onnxruntime() -> None:
    code = (
        "import sys, myna.engines.piper; print({'piper', 'onnxruntime', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
