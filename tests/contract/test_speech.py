"""POST /audio/speech: formats, voices, fields, streaming.

Where sound matters the voice is Piper's; the fake engine says the same bytes each time, which is
what comparing needs.
"""

import base64
import io
import json
import struct

import av
import pytest

VOICES = [
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
]
FORMATS = {  # content types and beginnings
    "mp3": ("audio/mpeg", (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    "opus": ("audio/opus", (b"OggS",)),
    "aac": ("audio/aac", (b"\xff\xf1", b"\xff\xf9")),
    "flac": ("audio/flac", (b"fLaC",)),
    "wav": ("audio/wav", (b"RIFF",)),
    "pcm": ("audio/pcm", (b"",)),
}
SHORT = "Hi."
EMOJI = "\N{PARROT}"

TAKEN = [
    ("no voice", {"voice": None}),
    ("a voice as an object [70]", {"voice": {"id": "alloy"}}),
    ("a voice in capitals", {"voice": "Alloy"}),
    ("an unknown voice [72]", {"voice": "af_sky"}),
    ("the model of another server", {"model": "kokoro"}),
    ("the better model", {"model": "tts-1-hd"}),
    ("the instructed model", {"model": "gpt-4o-mini-tts", "instructions": "Whisper."}),
    ("instructions as Home Assistant leaves them out [79]", {"instructions": "None"}),
    ("the longest instructions [79]", {"instructions": "x" * 4096}),
    ("keys that other servers know [84]", {"backend": "openai", "user": "u", "stream": True}),
    ("a language code [84]", {"lang_code": "en-us"}),
    ("the text at its longest [74]", {"input": "word " * 819 + "!", "speed": 4}),
    ("a rate and a bitrate", {"sample_rate": 16_000, "bitrate": 32_000}),
    ("the longest text counted in code points [75]", {"input": "Hi " + EMOJI * 4093, "speed": 4}),
    ("control characters among words", {"input": "Hi\x00 \x07there\x1b[0m.\x7f"}),
    ("text with SSML in it", {"input": "<speak>Hi <break time='1s'/>there.</speak>"}),
    ("a tag that is not closed", {"input": "Hi <b there"}),
    ("Markdown", {"input": "# Hi\n\n- **there**\n\n```\ncode\n```"}),
    ("marks of other scripts", {"input": "\u200fمرحبا؟ 你好。"}),
    ("a long run without a space", {"input": "x" * 4096, "speed": 4}),
    ("a full stop, with which clients try a key", {"input": "."}),
    ("only punctuation", {"input": "?!... -- (,)"}),
    ("only the marks of Markdown", {"input": "***\n# \n```\n```"}),
]
NULLS = [
    "voice",
    "instructions",
    "response_format",
    "speed",
    "stream_format",
    "sample_rate",
    "bitrate",
]

REFUSED = [
    ("a voice object with another key [71]", {"voice": {"id": "alloy", "x": 1}}, "voice"),
    ("a voice object without id", {"voice": {}}, "voice"),
    ("a voice object whose id is a number", {"voice": {"id": 5}}, "voice"),
    ("a voice that is a number [71]", {"voice": 5}, "voice"),
    ("a voice that is a list", {"voice": ["alloy"]}, "voice"),
    ("an empty text [73]", {"input": ""}, "input"),
    ("no text [73]", {"input": None}, "input"),
    ("white space [73]", {"input": " \n\t\N{NO-BREAK SPACE}"}, "input"),
    ("only control characters", {"input": "\x00\x01\x1b\x7f"}, "input"),
    ("a text that is a number", {"input": 5}, "input"),
    ("a text that is a list", {"input": ["Hi."]}, "input"),
    ("one character too many [74]", {"input": "x" * 4097}, "input"),
    ("half of a surrogate pair", {"input": "\ud83e Hi."}, "input"),
    ("too slow [77]", {"speed": 0.2}, "speed"),
    ("too fast [77]", {"speed": 4.1}, "speed"),
    ("speed in words [77]", {"speed": "fast"}, "speed"),
    ("speed as a list", {"speed": [1]}, "speed"),
    ("speed as a truth value", {"speed": True}, "speed"),
    ("speed that is no number", {"speed": float("nan")}, "speed"),
    ("endless speed", {"speed": float("inf")}, "speed"),
    ("a format of the wrong name [78]", {"response_format": "ogg"}, "response_format"),
    ("a format that is a number", {"response_format": 5}, "response_format"),
    ("an unknown stream_format [83]", {"stream_format": "bogus"}, "stream_format"),
    ("a stream_format that is an object", {"stream_format": {}}, "stream_format"),
    ("instructions beyond their limit", {"instructions": "x" * 4097}, "instructions"),
    ("instructions that are a number", {"instructions": 5}, "instructions"),
    ("a rate that MP3 lacks", {"sample_rate": 23_000}, "sample_rate"),
    ("a rate of zero", {"sample_rate": 0, "response_format": "pcm"}, "sample_rate"),
    ("a rate in words", {"sample_rate": "24000"}, "sample_rate"),
    ("a rate with a fraction", {"sample_rate": 24_000.5}, "sample_rate"),
    ("a rate as a truth value", {"sample_rate": True}, "sample_rate"),
    ("an endless rate", {"sample_rate": 10**30, "response_format": "wav"}, "sample_rate"),
    ("a bitrate out of range", {"bitrate": 1_000_000}, "bitrate"),
    ("a bitrate below zero", {"bitrate": -64_000}, "bitrate"),
    ("a bitrate of a lossless format", {"bitrate": 64_000, "response_format": "flac"}, "bitrate"),
    ("a bitrate in words", {"bitrate": "64k"}, "bitrate"),
    ("words without events", {"timestamp_granularities": ["word"]}, "timestamp_granularities"),
    ("subtitles without events", {"subtitles": "srt"}, "subtitles"),
    ("subtitles of another kind", {"subtitles": "ass", "stream_format": "sse"}, "subtitles"),
    (
        "other granularities",
        {"timestamp_granularities": ["segment"], "stream_format": "sse"},
        "timestamp_granularities",
    ),
    (
        "granularities that are no list",
        {"timestamp_granularities[]": "word", "stream_format": "sse"},
        "timestamp_granularities",
    ),
    ("no model", {"model": None}, "model"),
    ("an empty model", {"model": ""}, "model"),
    ("a model that is a number", {"model": 5}, "model"),
    ("a model that only listens", {"model": "whisper-1"}, "model"),
]


def seconds(audio):
    with av.open(io.BytesIO(audio)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def deltas(reply):
    *events, done = reply.events()
    assert done["type"] == "speech.audio.done"
    assert events
    assert all(set(event) == {"type", "audio"} for event in events)
    assert {event["type"] for event in events} == {"speech.audio.delta"}
    return b"".join(base64.b64decode(event["audio"], validate=True) for event in events), done


@pytest.fixture(scope="module")
def spoken(server):
    """`spoken(format)`: a short text in Piper's voice, asked for once."""
    known = {}

    def ask(format_):
        if format_ not in known:
            known[format_] = server.speak(input="The birds sing.", response_format=format_)
            assert known[format_].status == 200, known[format_].body
        return known[format_]

    return ask


@pytest.mark.models
def test_speech_is_mp3_unless_asked_otherwise(server):  # [65]
    reply = server.speak(input=SHORT)
    assert (reply.status, reply.type) == (200, "audio/mpeg")
    assert reply.body.startswith(FORMATS["mp3"][1])
    assert 0.2 < seconds(reply.body) < 3


@pytest.mark.models
@pytest.mark.parametrize("format_", FORMATS)  # [66, 86]
def test_a_format_has_its_type_and_its_beginning(spoken, format_):
    reply = spoken(format_)
    content_type, beginnings = FORMATS[format_]
    assert reply.type == content_type
    assert reply.body.startswith(beginnings)
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.headers["content-length"] is None
    assert reply.headers["content-encoding"] is None


@pytest.mark.models
@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "pcm"])
def test_a_format_is_mono_at_24_khz(spoken, format_):
    with av.open(io.BytesIO(spoken(format_).body)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.layout.nb_channels == 1
        # Opus is always decoded at 48 kHz; its header says what went in.
        assert stream.codec_context.sample_rate == (48_000 if format_ == "opus" else 24_000)
    assert 0.5 < seconds(spoken(format_).body) < 3


@pytest.mark.models
def test_opus_is_in_ogg_with_the_rate_that_went_in(spoken):  # [66]
    at = spoken("opus").body.index(b"OpusHead")
    assert struct.unpack_from("<I", spoken("opus").body, at + 12) == (24_000,)


@pytest.mark.models
def test_the_wav_header_is_complete(spoken):  # [68]
    head = spoken("wav").body[:44]
    riff, _, wave, fmt, size, *shape, data, _ = struct.unpack("<4sI4s4sIHHIIHH4sI", head)
    assert (riff, wave, fmt, size, data) == (b"RIFF", b"WAVE", b"fmt ", 16, b"data")
    assert shape == [1, 1, 24_000, 48_000, 2, 16]
    assert len(spoken("wav").body) % 2 == 0


@pytest.mark.models
def test_pcm_is_48000_bytes_a_second_without_a_header(spoken):  # [66, 67]
    pcm = spoken("pcm").body
    assert len(pcm) % 2 == 0
    assert not pcm.startswith(b"RIFF")
    # The voice takes its time a little differently each time.
    assert 0.8 < len(pcm) / 48_000 / seconds(spoken("flac").body) < 1.25


def test_the_samples_of_wav_are_those_of_pcm(fake_server):  # [67]
    wav, pcm = (fake_server.speak(response_format=name).body for name in ("wav", "pcm"))
    assert wav[44:] == pcm


@pytest.mark.models
def test_rate_and_bitrate_may_be_chosen(server):
    asked = {"input": SHORT, "sample_rate": 16_000}
    pcm = server.speak(response_format="pcm", **asked)
    wav = server.speak(response_format="wav", **asked).body
    assert pcm.type == "audio/pcm"
    assert struct.unpack_from("<I", wav, 24) == (16_000,)
    assert 0.7 < len(wav) / len(pcm.body) < 1.4
    mp3 = server.speak(bitrate=32_000, **asked).body
    with av.open(io.BytesIO(mp3)) as container:
        assert container.streams.audio[0].sample_rate == 16_000
    assert len(mp3) * 8 / seconds(mp3) == pytest.approx(32_000, rel=0.05)


@pytest.mark.models
@pytest.mark.parametrize("voice", VOICES)  # [69]
def test_every_voice_of_openai_speaks(server, voice):
    reply = server.speak(input=SHORT, voice=voice, response_format="pcm")
    assert reply.status == 200
    assert len(reply.body) > 4800


@pytest.mark.models
def test_speed_scales_the_length(server):  # [76]
    lengths = {
        speed: len(server.speak(input="The birds sing.", speed=speed, response_format="pcm").body)
        for speed in (0.25, 1, 4)
    }
    assert 3 < lengths[0.25] / lengths[1] < 5
    assert 3 < lengths[1] / lengths[4] < 5


@pytest.mark.parametrize(("what", "fields"), TAKEN, ids=[case[0] for case in TAKEN])
def test_is_taken(fake_server, what, fields):
    reply = fake_server.speak(**fields)
    assert (reply.status, reply.type) == (200, "audio/mpeg"), reply.body
    assert reply.body


def test_a_text_of_4096_emoji_is_not_too_long(fake_server):  # [75]
    assert fake_server.speak(input=EMOJI * 4096).status == 200


@pytest.mark.models
@pytest.mark.parametrize("text", [".", "***\n# \n```\n```", EMOJI])
def test_marks_alone_are_a_moment_of_silence(server, text):
    """Hosted they are no error, and a client that tries its key with a full stop takes any answer
    but 2xx for a failure."""
    pcm = server.speak(input=text, response_format="pcm")
    assert pcm.status == 200
    assert not pcm.body.strip(b"\0")
    assert 0.1 < len(pcm.body) / 48_000 < 1


@pytest.mark.parametrize("name", NULLS)
def test_null_means_not_given(fake_server, name):
    content = fake_server.speech_body() | {name: None}
    assert fake_server.post_json("/v1/audio/speech", content).status == 200


@pytest.mark.parametrize(("what", "fields", "param"), REFUSED, ids=[case[0] for case in REFUSED])
def test_is_refused(fake_server, what, fields, param):
    fake_server.speak(**fields).refused(param=param)


@pytest.mark.models
@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize(
    "text", ["<speak><break time='1s'/></speak>", "<p><br/></p><!-- nothing -->", "<br/>"]
)
def test_markup_without_words_is_nothing_to_say(server, text, stream_format):
    server.speak(input=text, stream_format=stream_format).refused(param="input")


def test_the_limit_of_characters_is_a_setting(small_server):  # [74]
    assert small_server.speak(input="x" * 40).status == 200
    assert "40" in small_server.speak(input="x" * 41).refused(param="input")["message"]


@pytest.mark.models
@pytest.mark.parametrize(
    ("fields", "status", "also"),
    [
        ({"voice": "af_sky"}, 400, {"param": "voice"}),  # [72]
        ({"voice": "marin"}, 400, {"param": "voice"}),  # beyond the nine of tts-1
        ({"model": "kokoro"}, 404, {"code": "model_not_found"}),
    ],
)
def test_strict_mode_refuses(strict_server, fields, status, also):
    strict_server.speak(**fields).refused(status, **also)


@pytest.mark.models
@pytest.mark.parametrize(
    "fields", [{"voice": "marin", "model": "gpt-4o-mini-tts"}, {"voice": "en_US-joe-medium"}]
)
def test_strict_mode_takes(strict_server, fields):
    assert strict_server.speak(input=SHORT, **fields).status == 200


@pytest.mark.parametrize("format_", FORMATS)  # [80-82]
def test_sse_carries_the_same_file_in_pieces(fake_server, format_):
    streamed, done = deltas(fake_server.speak(stream_format="sse", response_format=format_))
    whole = fake_server.speak(response_format=format_).body
    if format_ in {"pcm", "wav"}:
        assert streamed == whole
    else:
        assert streamed.startswith(FORMATS[format_][1])
        assert seconds(streamed) == seconds(whole)
    usage = done["usage"]
    assert set(usage) == {"input_tokens", "output_tokens", "total_tokens"}
    assert all(type(count) is int for count in usage.values())
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]


@pytest.mark.models
def test_sse_of_a_real_voice_is_a_playable_file(server):
    streamed, _ = deltas(server.speak(input=SHORT, stream_format="sse"))
    assert 0.2 < seconds(streamed) < 3


@pytest.mark.parametrize("key", ["timestamp_granularities", "timestamp_granularities[]"])
def test_words_come_as_events_of_their_own_beside_the_standard_ones(fake_server, key):
    text = "One two three. " * 30
    reply = fake_server.speak(
        input=text, stream_format="sse", response_format="pcm", **{key: ["word"]}
    )
    events = reply.events()
    told = [word for event in events for word in event.get("words", [])]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta", "speech.audio.words"}
    assert events[-1]["type"] == "speech.audio.done"
    assert " ".join(word["word"] for word in told) == text.strip()
    assert all(set(word) == {"word", "start", "end", "written", "offset"} for word in told)
    starts = [word["start"] for word in told]
    assert starts == sorted(starts)
    plain = fake_server.speak(input=text, response_format="pcm").body
    audio = [base64.b64decode(event["audio"]) for event in events if "audio" in event]
    assert b"".join(audio) == plain
    assert told[-1]["end"] <= len(plain) / 48_000


@pytest.mark.parametrize(
    ("form", "head"), [("srt", "1\n00:00:00,"), ("vtt", "WEBVTT\n\n00:00:00.")]
)
def test_subtitles_come_before_done(fake_server, form, head):
    reply = fake_server.speak(input="One two. Three four.", stream_format="sse", subtitles=form)
    *_, told, done = reply.events()
    assert (told["type"], told["format"]) == ("speech.audio.subtitles", form)
    assert told["text"].startswith(head)
    assert told["text"].count("-->") == 2
    assert done["type"] == "speech.audio.done"


@pytest.mark.parametrize(
    ("instructions", "longer"), [("Speak slowly.", True), ("fast", False), ("None", None)]
)
def test_the_pace_of_instructions_is_followed(fake_server, instructions, longer):
    usual = fake_server.speak(response_format="pcm").body
    made = fake_server.speak(response_format="pcm", instructions=instructions).body
    assert (made == usual) if longer is None else ((len(made) > len(usual)) == longer)


@pytest.mark.parametrize("text", ["", " \x07"])
def test_an_error_of_an_sse_request_is_a_plain_error(fake_server, text):
    fake_server.speak(input=text, stream_format="sse").refused(param="input")


LONG = "A parrot repeats a word, and a child repeats a parrot. " * 70


@pytest.mark.models
@pytest.mark.parametrize("stream_format", ["audio", "sse"])  # [86, 87]
def test_sound_starts_while_the_rest_is_made_and_leaving_ends_it(server, stream_format):
    content = server.speech_body(input=LONG, stream_format=stream_format)
    head = {"Content-Type": "application/json"}
    cancelled = server.cancellations("speech")
    with server.asking("POST", "/v1/audio/speech", json.dumps(content), head) as response:
        request_id = response.headers["x-request-id"]
        assert response.read(1)
        assert request_id not in server.log, "the request had ended before its first byte"
    server.eventually(
        lambda: server.cancellations("speech") > cancelled, "the end of a request without client"
    )
    assert server.speak(input=SHORT).status == 200


@pytest.mark.parametrize("path", ["/audio/speech", "/openai/v1/audio/speech"])  # [103]
def test_the_route_also_answers_without_v1(fake_server, path):
    assert fake_server.post_json(path, fake_server.speech_body()).status == 200


def test_azures_path_gives_the_model(fake_server):
    content = fake_server.speech_body(model=None)
    path = "/openai/deployments/tts/audio/speech?api-version=2025-03-01-preview"
    assert fake_server.post_json(path, content).status == 200
