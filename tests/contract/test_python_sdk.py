"""The official Python SDK with strict checks of every answer, as the examples of OpenAI's audio
reference use it."""

import io
import json

import httpx
import openai
import pytest
from openai.types.audio import (
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)

pytestmark = pytest.mark.models

KEY = "sk-alice-4f1d0c7e9b2a6835"


def connect(server, key="sk-none", **options):
    options = {"max_retries": 0, "timeout": 240} | options
    return openai.OpenAI(
        base_url=f"{server.url}/v1", api_key=key, _strict_response_validation=True, **options
    )


@pytest.fixture(scope="module")
def client(server):
    with connect(server) as client:
        yield client


@pytest.fixture(scope="module")
def file(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("sdk") / "speech.wav"
    path.write_bytes(clip)
    return path


@pytest.fixture
def transcribe(client, file):
    def call(**options):
        with file.open("rb") as audio:
            options = {"model": "whisper-1"} | options
            return client.audio.transcriptions.create(file=audio, **options)

    return call


def test_transcription(transcribe):  # [105]
    answer = transcribe()
    assert "birds" in answer.text.lower()
    assert answer.usage.type == "duration"
    assert answer._request_id.startswith("req_")


@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "gpt-transcribe"])
def test_transcription_with_a_newer_model(transcribe, model):
    answer = transcribe(model=model, response_format="json")
    assert "birds" in answer.text.lower()


@pytest.mark.parametrize(
    ("format_", "beginning"), [("text", "The"), ("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:")]
)
def test_text_formats_are_strings_without_quotes(transcribe, format_, beginning):
    answer = transcribe(response_format=format_)
    assert isinstance(answer, str)
    assert answer.startswith(beginning)


def test_verbose_json_is_checked_field_by_field(transcribe):  # [105]
    answer = transcribe(response_format="verbose_json")
    assert isinstance(answer, TranscriptionVerbose)
    assert (answer.language, answer.words) == ("english", None)
    assert answer.segments[0].text.startswith(" ")


@pytest.mark.parametrize("asked", [["word"], ["segment"], ["word", "segment"]])
def test_word_and_segment_timestamps(transcribe, asked):
    answer = transcribe(response_format="verbose_json", timestamp_granularities=asked)
    assert (answer.words is not None) == ("word" in asked)
    assert (answer.segments is not None) == ("segment" in asked)


def test_every_option_at_once(transcribe):
    answer = transcribe(
        language="en",
        prompt="Birds in the garden.",
        temperature=0.0,
        response_format="json",
        include=["logprobs"],
        chunking_strategy={
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 200,
        },
        stream=False,
        extra_body={"hotwords": "myna", "vad_filter": True, "n": {"a": 1}},
    )
    assert answer.logprobs[0].bytes
    assert "birds" in answer.text.lower()


def test_a_file_from_memory_needs_no_name(client, clip):
    for audio in (clip, io.BytesIO(clip), ("x.mp3", clip)):
        answer = client.audio.transcriptions.create(model="whisper-1", file=audio)
        assert "birds" in answer.text.lower()


def test_streaming_gives_typed_events(transcribe):  # [42]
    *deltas, done = transcribe(model="gpt-4o-mini-transcribe", stream=True)
    assert all(isinstance(event, TranscriptionTextDeltaEvent) for event in deltas)
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert "".join(event.delta for event in deltas) == done.text
    assert done.usage.type == "tokens"


def test_translation(client, file):  # [105]
    with file.open("rb") as audio, pytest.warns(DeprecationWarning, match="deprecated|stream"):
        answer = client.audio.translations.create(model="whisper-1", file=audio)
    assert "birds" in answer.text.lower()


@pytest.mark.parametrize("format_", ["verbose_json", "text", "srt", "vtt"])
def test_translation_in_other_formats(client, file, format_):
    with file.open("rb") as audio, pytest.warns(DeprecationWarning, match="deprecated|stream"):
        answer = client.audio.translations.create(
            model="whisper-1", file=audio, response_format=format_
        )
    assert "birds" in (answer.text if format_ == "verbose_json" else answer).lower()


def test_speech_streamed_to_a_file(client, tmp_path):
    target = tmp_path / "speech.mp3"
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice="coral",
        input="Today is a wonderful day to build something people love!",
        instructions="Speak in a cheerful and positive tone.",
    ) as response:
        response.stream_to_file(target)
    assert target.stat().st_size > 5000


def test_speech_as_the_old_example_has_it(client, tmp_path):
    target = tmp_path / "speech.mp3"
    response = client.audio.speech.create(model="tts-1", voice="alloy", input="The quick brown fox")
    with pytest.warns(DeprecationWarning, match="deprecated|stream"):
        response.stream_to_file(target)
    assert target.read_bytes()[:2] in {b"ID", b"\xff\xfb", b"\xff\xf3"}


@pytest.mark.parametrize("format_", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_speech_in_every_format_goes_back_in(client, format_):
    audio = client.audio.speech.create(
        model="tts-1-hd", voice="nova", input="Two birds.", response_format=format_, speed=0.9
    ).content
    if format_ == "pcm":
        assert len(audio) > 20_000
    else:
        answer = client.audio.transcriptions.create(
            model="whisper-1", file=(f"a.{format_}", audio), language="en"
        )
        assert "bird" in answer.text.lower()


def test_speech_events_can_be_read_line_by_line(client):
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="ash", input="Hi.", stream_format="sse"
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["type"] for event in events][-2:] == ["speech.audio.delta", "speech.audio.done"]


def test_models(client):  # [92, 105]
    listed = {model.id for model in client.models.list()}
    assert {"whisper-1", "tts-1"} <= listed
    slashed = next(name for name in listed if "/" in name)
    assert client.models.retrieve(slashed).id == slashed
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("nope/nothing")
    assert refused.value.code == "model_not_found"


def test_bad_requests_have_their_fields_and_request_id(transcribe):
    with pytest.raises(openai.BadRequestError) as refused:
        transcribe(language="xx")
    error = refused.value
    assert (error.type, error.param) == ("invalid_request_error", "language")
    assert error.request_id.startswith("req_")
    assert "xx" in error.message


def test_a_wrong_key_is_an_authentication_error(keyed_server):
    with (
        connect(keyed_server, "sk-wrong-0123456789abcdef") as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.models.list()
    assert refused.value.code == "invalid_api_key"
    with connect(keyed_server, KEY) as client:
        assert client.models.list().data


def test_azures_client_is_served(keyed_server, phrase):
    with openai.AzureOpenAI(
        azure_endpoint=keyed_server.url, api_key=KEY, api_version="2024-06-01", max_retries=0
    ) as client:
        answer = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", phrase))
        assert answer.text == "The myna repeats what it hears."


def test_too_large_a_file_is_a_status_error(small_server):
    with connect(small_server) as client, pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", bytes(300_000)))
    assert refused.value.status_code == 413


def test_a_strict_servers_unknown_model_is_not_found(strict_server, clip):
    with connect(strict_server) as client, pytest.raises(openai.NotFoundError) as refused:
        client.audio.transcriptions.create(model="whisper-9", file=("a.wav", clip))
    assert refused.value.code == "model_not_found"


def test_what_will_never_work_is_asked_for_once(server):  # [101]
    asked = []
    with httpx.Client(event_hooks={"request": [asked.append]}) as transport:
        client = connect(server, max_retries=2, http_client=transport)
        with pytest.raises(openai.InternalServerError) as refused:
            client.audio.voices.create(name="Ann", type="prompt", prompt="A warm voice")
    assert refused.value.status_code == 501
    assert len(asked) == 1
