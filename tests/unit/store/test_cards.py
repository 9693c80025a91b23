import re
from pathlib import Path

import pytest

from myna.engines.contract.voice import OPENAI_VOICES
from myna.store.cards import CardError, Catalogue, default_directory, read_card
from myna.store.sources import HubFile

MINIMAL = """
id = "tiny"
name = "Tiny"
task = "transcribe"
engine = "whisper"
licence = "MIT"
languages = ["en"]
sample_rate_hz = 16000
sources = ["hf:o/r@v1/{path}"]

[[files]]
path = "model.bin"
bytes = 3
sha256 = "%s"
""" % ("0" * 64)


VOICED = 'name = "Tiny"\nvoices = [{ id = "x", name = "X", language = "en" }]\n'


@pytest.fixture
def card_file(tmp_path: Path):
    def write(text: str, name: str = "tiny.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_every_card_in_the_repository_is_read():
    catalogue = Catalogue.load()
    assert {"whisper-base", "whisper-tiny.en", "piper-en_US-joe-medium", "kokoro-v1.0"} <= {
        card.id for card in catalogue
    }
    assert len(catalogue) == len(list(default_directory().glob("*.toml")))


@pytest.mark.parametrize("card", list(Catalogue.load()), ids=lambda card: card.id)
def test_every_card_is_complete_and_pinned(card):
    names = [name.casefold() for name in card.names]
    assert len(set(names)) == len(names)
    assert len({file.path for file in card.files}) == len(card.files)
    for file in card.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        pieces = [piece for source in file.sources for piece in source.pieces]
        revisions = [piece.revision for piece in pieces if isinstance(piece, HubFile)]
        assert all(re.fullmatch(r"[0-9a-f]{40}|v[\d.]+", revision) for revision in revisions)


@pytest.mark.parametrize("card", list(Catalogue.load()), ids=lambda card: card.id)
def test_no_card_claims_a_hosted_name(card):
    hosted = re.compile(r"whisper-1|tts-1.*|gpt-.*")
    assert not [name for name in card.names if hosted.fullmatch(name)]


def test_kokoro_has_a_voice_of_its_own_for_each_of_openais():
    kokoro = Catalogue.load().find("kokoro")
    assert kokoro is not None
    assert set(kokoro.openai_voices) == set(OPENAI_VOICES)
    assert len(set(kokoro.openai_voices.values())) == len(OPENAI_VOICES)


def test_every_kokoro_voice_has_its_file():
    kokoro = Catalogue.load().find("kokoro")
    assert kokoro is not None
    files = {file.path for file in kokoro.files}
    assert {f"voices/{voice.id}.bin" for voice in kokoro.voices} == files - {
        "kokoro-v1.0.int8.onnx"
    }
    assert len(kokoro.voices) == 54


def test_a_card_is_found_by_id_and_alias_in_any_case():
    catalogue = Catalogue.load()
    base = catalogue.find("whisper-base")
    assert base is not None
    assert catalogue.find("SYSTRAN/Faster-Whisper-Base") is base
    assert catalogue.find("no-such-model") is None


def test_a_file_without_sources_takes_those_of_its_card(card_file):
    card = read_card(card_file(MINIMAL))
    assert [str(source) for source in card.files[0].sources] == ["hf:o/r@v1/model.bin"]


def test_a_files_own_sources_replace_those_of_its_card(card_file):
    card = read_card(card_file(MINIMAL + 'sources = ["path:/srv/model.bin"]'))
    assert [str(source) for source in card.files[0].sources] == ["path:/srv/model.bin"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('task = "transcribe"', 'task = "sing"', "task"),
        ("bytes = 3", "bytes = 0", "files.0.bytes"),
        ('sha256 = "0000', 'sha256 = "ZZZZ', "files.0.sha256"),
        ("hf:o/r@v1/{path}", "hf:{path}", "files.0.sources.0: Value error, 'hf:model.bin'"),
        ('path = "model.bin"', 'path = "../model.bin"', "files.0.path"),
        ('path = "model.bin"', 'path = "/model.bin"', "files.0.path"),
        ('path = "model.bin"', 'path = ".lock"', "files.0.path"),
        ('path = "model.bin"', 'path = "a//model.bin"', "files.0.path"),
        ('licence = "MIT"', 'license = "MIT"', "license"),
        ('id = "tiny"', 'id = ".."', "id"),
        ('id = "tiny"', 'id = "huge"', "id: 'huge' is not the file's name"),
        ('id = "tiny"', "id = ", "line 2"),
        ('sources = ["hf:o/r@v1/{path}"]', "", "files.0.sources"),
        ('name = "Tiny"', 'name = "Tiny"\nopenai_voices = { alloy = "x" }', "openai_voices"),
        ('name = "Tiny"', VOICED + "openai_voices = { aloy = 'x' }", "OpenAI has no voice aloy"),
        (
            'name = "Tiny"',
            VOICED + "openai_voices = { alloy = 'x', ash = 'x' }",
            "openai_voices: two names for x",
        ),
        ('"transcribe"\nengine = "whisper"', '"speak"\nengine = "piper"', "voices"),
        (
            'name = "Tiny"',
            'name = "Tiny"\nvoices = [{ id = "x", name = "X", language = "en", pitch = 1 }]',
            "voices.0.pitch",
        ),
    ],
)
def test_a_faulty_card_is_refused_with_file_and_key(card_file, old, new, named):
    assert old in MINIMAL
    with pytest.raises(CardError, match=re.escape(named)) as caught:
        read_card(card_file(MINIMAL.replace(old, new, 1)))
    assert "tiny.toml" in str(caught.value)


def test_two_cards_with_one_name_are_refused(card_file, tmp_path):
    card_file(MINIMAL)
    other = MINIMAL.replace('id = "tiny"', 'id = "other"\naliases = ["TINY"]')
    card_file(other, "other.toml")
    with pytest.raises(CardError, match="names two cards: other and tiny"):
        Catalogue.load(tmp_path)


def test_a_folder_without_cards_is_refused(tmp_path):
    with pytest.raises(CardError, match="no cards"):
        Catalogue.load(tmp_path)
