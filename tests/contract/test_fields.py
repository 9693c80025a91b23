"""Every field of a transcription request: what is taken, what is refused, and in which words.

How fields are read does not depend on the model, so these run on the fake engine, which says the
phrase back letter by letter.
"""

import pytest

PHRASE = "The myna repeats what it hears."
JSON_VAD = '{"type":"server_vad","threshold":0.5,"silence_duration_ms":200}'

TAKEN = [
    ("no field but the model", {}),
    ("a language [31]", {"language": "en"}),
    ("a language in capitals [32]", {"language": "EN"}),
    ("a language with a region [32]", {"language": "en-US"}),
    ("a language by name [32]", {"language": "english"}),
    ("an empty language [32]", {"language": ""}),
    ("automatic language", {"language": "auto"}),
    ("Filipino as Home Assistant writes it [34]", {"language": "fil"}),
    ("Chinese with a region", {"language": "zh-CN"}),
    ("Norwegian bokmål", {"language": "nb"}),
    ("Hebrew's old code", {"language": "iw"}),
    ("Cantonese", {"language": "yue"}),
    ("several languages [56]", {"languages[]": ["en", "de"], "model": "gpt-transcribe"}),
    ("several languages without brackets", {"languages": ["en", "de"]}),
    ("language and languages together", {"language": "en", "languages[]": ["en"]}),
    ("keywords [56]", {"keywords[]": ["foo"]}),
    ("two keywords, without brackets", {"keywords": ["foo", "Myna"]}),
    ("hotwords", {"hotwords": "Myna, aviary"}),
    ("a prompt", {"prompt": "Birds and what they say."}),
    ("a prompt far beyond what Whisper keeps", {"prompt": "so many words " * 2000}),
    ("an empty prompt", {"prompt": ""}),
    ("temperature as Python writes it [35]", {"temperature": "0.0"}),
    ("temperature as Node writes it [35]", {"temperature": "0"}),
    ("temperature as Go writes it [35]", {"temperature": "0.30"}),
    ("the highest temperature [35]", {"temperature": "1"}),
    ("an empty temperature", {"temperature": ""}),
    ("an unknown field [37]", {"bogus_param": "xyz"}),
    ("unknown lists and objects", {"hot[]": ["a", "b"], "n[a]": "1", "vad_filter": "true"}),
    ("stream as false [38]", {"stream": "false"}),
    ("stream as False [38]", {"stream": "False"}),
    ("stream as 0 [38]", {"stream": "0"}),
    ("an empty stream [38]", {"stream": ""}),
    ("an empty response_format", {"response_format": ""}),
    ("a scalar sent twice: the last one counts", {"temperature": ["7", "0.5"]}),
    ("automatic chunking [47]", {"chunking_strategy": "auto"}),
    (
        "chunking in bracketed keys [48]",
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "0.5"},
    ),
    ("chunking as a JSON string [49]", {"chunking_strategy": JSON_VAD}),
    ("an empty chunking_strategy", {"chunking_strategy": ""}),
    ("log-probabilities, bracketed [45]", {"include[]": ["logprobs"]}),
    ("log-probabilities, not bracketed [45]", {"include": "logprobs"}),
    ("words without verbose_json [11]", {"timestamp_granularities[]": ["word"]}),
    ("the diarizing model's name without chunking [52]", {"model": "gpt-4o-transcribe-diarize"}),
    ("a model that only other servers have", {"model": "Systran/faster-whisper-large-v3"}),
]

REFUSED = [
    ("an unknown granularity [12]", {"timestamp_granularities[]": ["bogus"]}, None),
    ("one good and one unknown granularity", {"timestamp_granularities[]": ["word", "x"]}, None),
    ("an unknown format [13]", {"response_format": "bogus"}, "response_format"),
    ("no model [15]", {"model": None}, "model"),
    ("an empty model", {"model": ""}, "model"),
    ("an unknown language [33]", {"language": "xx"}, "language"),
    ("a number as language", {"language": "5"}, "language"),
    ("an unknown language among several", {"languages[]": ["en", "xx"]}, "languages"),
    ("languages as JSON text", {"languages": '["no","en"]'}, "languages"),
    ("a temperature above 1 [36]", {"temperature": "2"}, "temperature"),
    ("a temperature below 0", {"temperature": "-0.1"}, "temperature"),
    ("a temperature in words [36]", {"temperature": "abc"}, "temperature"),
    ("a temperature that is no number", {"temperature": "nan"}, "temperature"),
    ("an infinite temperature", {"temperature": "inf"}, "temperature"),
    ("a stream that is neither true nor false", {"stream": "maybe"}, "stream"),
    ("an unknown include [46]", {"include[]": ["bogus"]}, "include"),
    ("unknown chunking [50]", {"chunking_strategy": "bogus"}, "chunking_strategy"),
    ("chunking of unknown type [50]", {"chunking_strategy[type]": "x"}, "chunking_strategy"),
    ("chunking without a type", {"chunking_strategy[threshold]": "0.5"}, "chunking_strategy"),
    ("chunking in broken JSON", {"chunking_strategy": '{"type":'}, "chunking_strategy"),
    ("chunking as a JSON list", {"chunking_strategy": "[1]"}, "chunking_strategy"),
    (
        "chunking with an unknown key",
        {"chunking_strategy": '{"type":"server_vad","bogus":1}'},
        "chunking_strategy",
    ),
    (
        "chunking with a threshold above 1",
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "1.5"},
        "chunking_strategy",
    ),
    (
        "chunking with a threshold in words",
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "loud"},
        "chunking_strategy",
    ),
    (
        "chunking with a threshold that is a list",
        {"chunking_strategy": '{"type":"server_vad","threshold":[0.5]}'},
        "chunking_strategy",
    ),
    (
        "chunking with a negative pause",
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[silence_duration_ms]": "-1"},
        "chunking_strategy",
    ),
    ("a keyword of two lines", {"keywords[]": ["foo\nbar"]}, "keywords"),
    ("a keyword with a tag", {"keywords[]": ["<b>"]}, "keywords"),
    ("speakers without references [54]", {"known_speaker_names[]": ["ann"]}, None),
    (
        "five speakers [54]",
        {
            "known_speaker_names[]": ["a", "b", "c", "d", "e"],
            "known_speaker_references[]": ["data:audio/wav;base64,AAAA"] * 5,
        },
        None,
    ),
]

STRICTLY_REFUSED = [
    ("an unknown model [16]", {"model": "whisper-9"}, 404, {"code": "model_not_found"}),
    ("words without verbose_json [11]", {"timestamp_granularities[]": ["word"]}, 400, {}),
    (
        "srt of a model that only does json and text",
        {"model": "gpt-4o-transcribe", "response_format": "srt"},
        400,
        {"code": "unsupported_value", "param": "response_format"},
    ),
    (
        "diarization without chunking [52]",
        {"model": "gpt-4o-transcribe-diarize"},
        400,
        {"code": "invalid_value", "param": "chunking_strategy"},
    ),
    (
        "a prompt for diarization",
        {"model": "gpt-4o-transcribe-diarize", "chunking_strategy": "auto", "prompt": "Hello."},
        400,
        {"param": "prompt"},
    ),
    (
        "log-probabilities of diarization",
        {
            "model": "gpt-4o-transcribe-diarize",
            "chunking_strategy": "auto",
            "include[]": ["logprobs"],
        },
        400,
        {"param": "include"},
    ),
    ("a language beyond the model's own", {"language": "de"}, 400, {"param": "language"}),
    ("the name of a speech model", {"model": "tts-1"}, 400, {"param": "model"}),
]


@pytest.mark.parametrize(("what", "fields"), TAKEN, ids=[case[0] for case in TAKEN])
def test_is_taken(fake_server, phrase, what, fields):
    assert fake_server.transcribe(phrase, fields).json()["text"] == PHRASE


@pytest.mark.parametrize(("what", "fields", "param"), REFUSED, ids=[case[0] for case in REFUSED])
def test_is_refused(fake_server, phrase, what, fields, param):
    error = fake_server.transcribe(phrase, fields).refused()
    assert param is None or error["param"] == param


@pytest.mark.models
@pytest.mark.parametrize(
    ("what", "fields", "status", "also"),
    STRICTLY_REFUSED,
    ids=[case[0] for case in STRICTLY_REFUSED],
)
def test_strict_mode_refuses(strict_server, clip, what, fields, status, also):
    strict_server.transcribe(clip, fields).refused(status, **also)


@pytest.mark.parametrize("file_first", [True, False])  # [23]
def test_the_file_may_stand_before_or_behind_the_fields(fake_server, phrase, file_first):
    parts = [("file", phrase, "a.wav", "audio/wav"), ("model", "whisper-1"), ("language", "en")]
    body = fake_server.multipart(parts if file_first else parts[::-1])
    reply = fake_server.send("POST", "/v1/audio/transcriptions", body, fake_server.form_headers)
    assert reply.json()["text"] == PHRASE


def test_a_body_in_chunks_is_taken(fake_server, phrase):  # [24]
    body = fake_server.form(phrase)
    chunks = (body[at : at + 1000] for at in range(0, len(body), 1000))
    reply = fake_server.send("POST", "/v1/audio/transcriptions", chunks, fake_server.form_headers)
    assert reply.json()["text"] == PHRASE


@pytest.mark.parametrize(  # [103]
    "path",
    [
        "/audio/transcriptions",
        "/openai/v1/audio/transcriptions",
        "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01",
    ],
)
def test_the_route_also_answers_without_v1_and_at_azures_paths(fake_server, phrase, path):
    assert fake_server.transcribe(phrase, path=path).json()["text"] == PHRASE


def test_azures_path_gives_the_model(fake_server, phrase):
    path = "/openai/deployments/whisper/audio/transcriptions"
    assert fake_server.transcribe(phrase, {"model": None}, path=path).json()["text"] == PHRASE
