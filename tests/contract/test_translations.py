"""POST /audio/translations on a real model.

The repository has no speech but English of its own, so these tests look at the shape of answers.
How well other languages become English is measured on real recordings by `bench`.
"""

import re

import pytest

pytestmark = pytest.mark.models

PATH = "/v1/audio/translations"


@pytest.fixture(scope="module")
def translated(server, clip):
    known = {}

    def ask(format_="json"):
        if format_ not in known:
            known[format_] = server.transcribe(clip, {"response_format": format_}, path=PATH)
        return known[format_]

    return ask


def test_json_is_the_text_alone(translated):  # [60]
    content = translated().json()
    assert set(content) == {"text"}
    assert "birds" in content["text"].lower()


def test_verbose_json_says_translate_and_english(translated):  # [61]
    content = translated("verbose_json").json()
    assert (content["task"], content["language"]) == ("translate", "english")
    assert isinstance(content["duration"], float)
    assert len(content["segments"][0]) == 10


def test_text_is_plain(translated):  # [62]
    assert translated("text").type == "text/plain; charset=utf-8"
    assert "birds" in translated("text").text.lower()


def test_srt_and_vtt_are_laid_out_as_for_transcriptions(translated):  # [62]
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n\S", translated("srt").text)
    assert translated("vtt").text.startswith("WEBVTT\n\n00:00:0")
    assert translated("srt").type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "fields",
    [
        {"language": "de"},  # [64]
        {"language": "en", "prompt": "Birds."},
        {"temperature": "0.2"},
        {"timestamp_granularities[]": ["word"], "include[]": ["logprobs"]},
        {"model": "whisper-base"},
    ],
)
def test_fields_that_only_transcriptions_have_are_tolerated(server, clip, fields):
    assert isinstance(server.transcribe(clip, fields, path=PATH).json()["text"], str)


def test_streaming_is_tolerated(server, clip):
    assert server.transcribe(clip, {"stream": "true"}, path=PATH).events()[-1]["text"]


def test_silence_is_translated_to_nothing(server, silence):
    assert server.transcribe(silence, path=PATH).json() == {"text": ""}


def test_speaker_labels_are_refused(server, clip):  # [63]
    fields = {"response_format": "diarized_json"}
    server.transcribe(clip, fields, path=PATH).refused(param="response_format")


def test_a_model_that_only_knows_english_says_that_it_cannot_translate(strict_server, clip):
    error = strict_server.transcribe(clip, path=PATH).refused(param="model")
    assert "whisper-tiny.en" in error["message"]
    assert "translate" in error["message"]
