"""POST /audio/transcriptions on a real model: what is said, when, and in which file.

Numbers in brackets are the checks of the contract.
"""

import base64
import json

import pytest

pytestmark = pytest.mark.models

WORDS = {"birds", "sing", "in", "the", "garden", "early", "every", "morning"}
CONTAINERS = (
    "mp3",
    "m4a",
    "webm with opus",
    "ogg with opus",
    "flac",
    "mp4 with a video track",
    "wav with mu-law",
)


def words_in(text):
    return {word.strip(".,!?").lower() for word in text.split()}


def understood(reply):
    """The text of an answer, which must have nearly all the words that were said."""
    text = reply.json()["text"]
    assert len(WORDS - words_in(text)) <= 1, text
    return text


def test_a_recording_comes_back_as_its_words_without_leading_space(server, clip):  # [1]
    text = understood(server.transcribe(clip))
    assert text == text.strip()


def test_json_is_compact_and_counts_whole_seconds(server, clip):  # [2, 57]
    reply = server.transcribe(clip, {"response_format": "json"})
    content = reply.json()
    seconds = content["usage"]["seconds"]
    assert content["usage"] == {"type": "duration", "seconds": seconds}
    assert isinstance(seconds, int)
    assert 2 <= seconds <= 5
    assert set(content) == {"text", "usage"}
    assert b'": ' not in reply.body
    assert not reply.body.endswith(b"\n")


def test_the_gpt_4o_family_counts_tokens(server, clip):  # [57]
    usage = server.transcribe(clip, {"model": "gpt-4o-transcribe"}).json()["usage"]
    assert usage["type"] == "tokens"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] >= len(WORDS)
    assert all(isinstance(usage[key], int) for key in ("input_tokens", "output_tokens"))
    assert server.transcribe(clip, {"model": " GPT-4o-Transcribe "}).json()["usage"] == usage


def test_gpt_transcribe_names_the_language_that_it_heard(server, clip):
    content = server.transcribe(clip, {"model": "gpt-transcribe"}).json()
    assert content["languages"] == [{"code": "en"}]


@pytest.mark.parametrize("name", CONTAINERS)  # [25]
def test_a_container_is_decoded(server, contained, name):
    audio, filename = contained(name)
    understood(server.transcribe(audio, filename=filename, content_type="application/octet-stream"))


@pytest.mark.parametrize(  # [20-22]
    ("container", "filename", "content_type"),
    [
        ("mp3", "upload", "application/octet-stream"),
        ("flac", "unknown_file", "application/octet-stream"),
        ("ogg with opus", "speech.mp3", "audio/mpeg"),
        ("mp3", "speech.wav", None),
    ],
)
def test_the_bytes_decide_and_not_the_name(server, contained, container, filename, content_type):
    audio, _ = contained(container)
    understood(server.transcribe(audio, filename=filename, content_type=content_type))


def test_a_wav_may_call_itself_mp3(server, clip):  # [21]
    understood(server.transcribe(clip, filename="x.mp3", content_type="audio/mpeg"))


def test_speech_that_was_streamed_as_wav_is_understood(server):
    """Its header gives 0xFFFFFFFF as length."""
    wav = server.speak(
        input="The birds sing in the garden early every morning.", response_format="wav"
    ).body
    understood(server.transcribe(wav))


def test_audio_in_a_json_body_is_understood(server, clip):  # [58]
    audio = {"data": base64.b64encode(clip).decode(), "format": "wav"}
    content = {"model": "whisper-1", "input_audio": audio, "language": "en"}
    understood(server.post_json("/v1/audio/transcriptions", content))


@pytest.mark.parametrize("format_", ["json", "text", "srt", "vtt", "verbose_json"])  # [29, 30]
def test_silence_gives_no_words(server, silence, format_):
    reply = server.transcribe(silence, {"response_format": format_})
    assert reply.status == 200
    if format_ == "json":
        assert reply.json()["text"] == ""
    elif format_ == "verbose_json":
        content = reply.json()
        assert (content["text"], content["segments"]) == ("", [])
        assert abs(content["duration"] - 10) < 0.1
    else:
        assert reply.text in {"text": ["\n", ""], "srt": ["", "\n"], "vtt": ["WEBVTT\n\n"]}[format_]


def test_word_times_rise_and_end_with_the_speech(server, clip):  # [8]
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
    content = server.transcribe(clip, fields).json()
    words = content["words"]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= content["duration"]
    assert content["duration"] - times[-1] < 0.8, "the clip has 0.3 s of silence behind the speech"
    assert all(set(word) == {"word", "start", "end"} for word in words)
    assert all(word["word"] == word["word"].strip(" .,!?") for word in words)


def test_logprobs_are_the_models_own_and_spell_the_text(server, clip):  # [45]
    fields = {"model": "gpt-4o-transcribe", "include[]": ["logprobs"]}
    content = server.transcribe(clip, fields).json()
    said = b"".join(bytes(token["bytes"]) for token in content["logprobs"]).decode()
    assert said.strip() == content["text"]
    assert all(set(token) == {"token", "logprob", "bytes"} for token in content["logprobs"])
    assert all(-20 < token["logprob"] <= 0 for token in content["logprobs"])


def test_a_prompt_sways_the_spelling_and_is_not_repeated(server, clip):
    said = server.transcribe(clip, {"prompt": "A poem about birds, by Ann Hale."}).json()["text"]
    assert "Hale" not in said
    assert len(WORDS - words_in(said)) <= 1


def test_server_vad_is_applied_with_its_parameters(server, clip):  # [48]
    fields = {
        "chunking_strategy[type]": "server_vad",
        "chunking_strategy[threshold]": "0.5",
        "chunking_strategy[prefix_padding_ms]": "300",
        "chunking_strategy[silence_duration_ms]": "200",
    }
    understood(server.transcribe(clip, fields))


def test_the_same_recording_says_the_same_twice(server, clip):
    first, second = (json.loads(server.transcribe(clip).body) for _ in range(2))
    assert first == second
