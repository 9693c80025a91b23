"""Settings: who wins, what is refused, and what is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from myna.settings import Settings, load


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("MYNA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "myna.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_the_defaults_need_nothing():
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.stt == ("whisper-base",)
    assert settings.api_keys is None


def test_every_setting_says_what_it_is():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(toml, monkeypatch):
    file = toml('port = 1\nhost = "file"\nbeam_size = 2\n')
    monkeypatch.setenv("MYNA_PORT", "3")
    monkeypatch.setenv("MYNA_HOST", "variable")
    settings = load(file, port=4)
    assert (settings.port, settings.host, settings.beam_size) == (4, "variable", 2)
    assert settings.batch_size == Settings.model_fields["batch_size"].default


def test_variables_count_without_a_file(monkeypatch):
    monkeypatch.setenv("MYNA_STRICT", "true")
    monkeypatch.setenv("MYNA_MODELS_DIR", "/srv/models")
    settings = load()
    assert settings.strict is True
    assert settings.models_dir == Path("/srv/models")


def test_files_do_not_leak_into_one_another(toml):
    assert load(toml("port = 1\n")).port == 1
    assert load().port == 8000


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["prot = 1\n", "[server]\nport = 1\n"])
def test_an_unknown_name_in_the_file_is_refused(text, toml):
    with pytest.raises(ValidationError, match=r"prot|server"):
        load(toml(text))


def test_an_unknown_flag_is_refused():
    with pytest.raises(ValidationError, match="prot"):
        load(prot=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65_536),
        ("port", "eighty"),
        ("beam_size", 0),
        ("batch_size", 65),
        ("threads", -1),
        ("max_audio_s", 0),
        ("max_audio_s", float("nan")),
        ("device", "tpu"),
        ("log_level", "chatty"),
        ("max_upload_bytes", 10),
        ("stt", 5),
        ("stt", None),
        ("stt", ["whisper-base", 7]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValidationError, match=name):
        load(**{name: value})


@pytest.mark.parametrize("name", ["stt", "tts", "cors_origins"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (" a , b,, ", ("a", "b")),
        ("org/name@v1", ("org/name@v1",)),
        ("none", ()),
        (" none ", ()),
        ("", ()),
    ],
)
def test_lists_are_separated_by_commas_and_none_is_empty(name, text, value, monkeypatch):
    monkeypatch.setenv(f"MYNA_{name.upper()}", text)
    assert getattr(load(), name) == value
    monkeypatch.delenv(f"MYNA_{name.upper()}")
    assert getattr(load(**{name: text}), name) == value


def test_a_list_in_the_file_is_a_list_or_a_text(toml):
    assert load(toml('stt = ["a", "b"]\ntts = "c,d"\n')).stt == ("a", "b")
    assert load(toml('stt = ["none"]\ntts = []\n')).stt == ()
    assert load(toml('tts = "c,d"\n')).tts == ("c", "d")


def test_settings_do_not_change():
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_keys_are_taken_from_everywhere_and_shown_nowhere(way, toml, monkeypatch):
    if way == "variable":
        monkeypatch.setenv("MYNA_API_KEYS", "sk-secret")
        settings = load()
    elif way == "file":
        settings = load(toml('api_keys = "sk-secret"\n'))
    else:
        settings = load(api_keys="sk-secret")
    assert settings.api_keys is not None
    assert settings.api_keys.get_secret_value() == "sk-secret"
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    assert "secret" not in "".join(shown)


def test_a_key_under_a_misspelt_name_is_not_shown_in_the_refusal(toml):
    with pytest.raises(ValidationError) as caught:
        load(toml('api_key = "sk-secret"\n'))
    assert "api_key" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["alloy=af_heart,onyx=am_onyx+am_echo", " Alloy = af_heart , onyx=am_onyx+am_echo,"]
)
def test_voices_are_pairs_with_commas_between_them(text, monkeypatch):
    pairs = {"alloy": "af_heart", "onyx": "am_onyx+am_echo"}
    assert load(voices=text).voices == pairs
    monkeypatch.setenv("MYNA_VOICES", text)
    assert load().voices == pairs


def test_in_the_file_voices_may_be_a_table_too(toml):
    assert load(toml('[voices]\nalloy = "af_heart"\n')).voices == {"alloy": "af_heart"}
    assert load(toml('voices = "alloy=af_heart"\n')).voices == {"alloy": "af_heart"}
    assert load().voices == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alloy=af_heart,onyx", "'onyx' is not NAME=VOICE"),
        ("=af_heart", "'=af_heart' is not NAME=VOICE"),
        ("alloy=", "'alloy=' is not NAME=VOICE"),
        ("alloy=af_heart,ALLOY=am_onyx", "'ALLOY' is given twice"),
    ],
)
def test_a_pair_that_is_none_is_named(text, said):
    with pytest.raises(ValidationError, match=said):
        load(voices=text)
