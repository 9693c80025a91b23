"""Who speaks: the diarizing model's answers, to a conversation in the fake engine's voices."""

import base64

import openai
import pytest

MODEL = "gpt-4o-transcribe-diarize"
LINES = (
    ("alloy", "Good evening, who is there at this hour?"),
    ("echo", "It is only me, with a letter for you."),
    ("alloy", "Then come in, sit down, and read it."),
)
DIARIZED = {"model": MODEL, "response_format": "diarized_json", "chunking_strategy": "auto"}
SEGMENT = {"type", "id", "start", "end", "text", "speaker"}


@pytest.fixture(scope="module")
def conversation(talk):
    return talk(*LINES)


@pytest.fixture(scope="module")
def client(fake_server):
    with openai.OpenAI(
        base_url=f"{fake_server.url}/v1",
        api_key="sk-none",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def data_url(audio, kind="wav"):
    return f"data:audio/{kind};base64,{base64.b64encode(audio).decode()}"


def parts(segments):
    """Who says what, neighbouring segments of one speaker as one."""
    found = []
    for speaker, text in segments:
        if found and found[-1][0] == speaker:
            found[-1] = (speaker, f"{found[-1][1]} {text}")
        else:
            found.append((speaker, text))
    return found


def named(alloy="A", echo="B"):
    return [({"alloy": alloy, "echo": echo}[voice], text) for voice, text in LINES]


def test_diarized_json_says_who_said_what(fake_server, conversation):  # [51]
    body = fake_server.transcribe(conversation, DIARIZED).json()
    assert list(body) == ["task", "duration", "text", "segments", "usage"]
    assert body["task"] == "transcribe"
    assert isinstance(body["duration"], float)
    assert body["text"] == " ".join(text for _, text in LINES)
    assert all(set(segment) == SEGMENT for segment in body["segments"])
    numbers = range(1, len(body["segments"]) + 1)
    assert [segment["id"] for segment in body["segments"]] == [f"seg_{n:03d}" for n in numbers]
    assert parts((one["speaker"], one["text"]) for one in body["segments"]) == named()
    times = [at for one in body["segments"] for at in (one["start"], one["end"])]
    assert times == sorted(times)
    assert times[-1] <= body["duration"]
    assert body["usage"]["type"] == "tokens"


@pytest.mark.parametrize("model", ["whisper-1", "fake", "gpt-4o-transcribe"])
def test_every_model_name_has_diarized_json(fake_server, conversation, model):
    body = fake_server.transcribe(conversation, DIARIZED | {"model": model}).json()
    assert {segment["speaker"] for segment in body["segments"]} == {"A", "B"}


def test_the_sdk_takes_it(client, conversation):  # [51]
    answer = client.audio.transcriptions.create(
        file=("a.wav", conversation),
        model=MODEL,
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert parts((one.speaker, one.text) for one in answer.segments) == named()


def test_chunking_need_not_be_said(fake_server, conversation):  # [52]
    fields = {"model": MODEL, "response_format": "diarized_json"}
    assert fake_server.transcribe(conversation, fields).json()["segments"]


@pytest.mark.models
def test_strict_mode_wants_chunking_to_be_said(strict_server, clip):  # [52]
    fields = {"model": MODEL, "response_format": "diarized_json"}
    error = strict_server.transcribe(clip, fields).refused(code="invalid_value")
    assert error["param"] == "chunking_strategy"


def test_known_speakers_have_their_names(fake_server, conversation, talk):  # [53]
    asked = DIARIZED | {
        "known_speaker_names[]": ["postman", "nobody"],
        "known_speaker_references[]": [
            data_url(talk(("echo", "a few words that are long enough to know me by"))),
            data_url(talk(("onyx", "a few words that are long enough to know me by"))),
        ],
    }
    body = fake_server.transcribe(conversation, asked).json()
    spoken = parts((one["speaker"], one["text"]) for one in body["segments"])
    assert spoken == named(echo="postman")


def test_the_sdk_sends_known_speakers(client, conversation, talk):  # [53]
    reference = data_url(talk(("alloy", "a few words that are long enough to know me by")))
    answer = client.audio.transcriptions.create(
        file=("a.wav", conversation),
        model=MODEL,
        response_format="diarized_json",
        chunking_strategy="auto",
        extra_body={
            "known_speaker_names": ["host"],
            "known_speaker_references": [reference],
        },
    )
    spoken = parts((one.speaker, one.text) for one in answer.segments)
    assert spoken == named(alloy="host", echo="A")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"known_speaker_names[]": ["a"]}, "known_speaker_names"),
        (
            {
                "known_speaker_names[]": list("abcde"),
                "known_speaker_references[]": ["data:audio/wav;base64,AAAA"] * 5,
            },
            "known_speaker_names",
        ),
        (
            {"known_speaker_names[]": ["a"], "known_speaker_references[]": ["a.wav"]},
            "known_speaker_references",
        ),
        (
            {
                "known_speaker_names[]": ["a"],
                "known_speaker_references[]": ["data:audio/wav;base64,AAAA"],
            },
            "known_speaker_references",
        ),
        ({"max_speakers": "0"}, "max_speakers"),
    ],
)
def test_wrong_speakers_are_refused(fake_server, conversation, fields, param):  # [54]
    assert fake_server.transcribe(conversation, DIARIZED | fields).refused()["param"] == param


@pytest.mark.parametrize(("text", "said"), [("hi", "long, not 2 to 10 s"), ("hi " * 99, "longer")])
def test_a_reference_of_the_wrong_length_is_refused(fake_server, conversation, talk, text, said):
    asked = DIARIZED | {
        "known_speaker_names[]": ["a"],
        "known_speaker_references[]": [data_url(talk(("echo", text)))],
    }
    error = fake_server.transcribe(conversation, asked).refused(param="known_speaker_references")
    assert said in error["message"]


def test_a_stream_has_segments_then_done(fake_server, conversation):  # [55]
    *events, done = fake_server.transcribe(conversation, DIARIZED | {"stream": "true"}).events()
    deltas, segments = events[::2], events[1::2]
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert {event["type"] for event in segments} == {"transcript.text.segment"}
    assert all(set(segment) == SEGMENT for segment in segments)
    assert [event["segment_id"] for event in deltas] == [event["id"] for event in segments]
    assert parts((one["speaker"], one["text"]) for one in segments) == named()
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"]
    assert done["usage"]["type"] == "tokens"


def test_a_stream_and_a_whole_answer_agree(fake_server, conversation):
    whole = fake_server.transcribe(conversation, DIARIZED).json()
    *events, done = fake_server.transcribe(conversation, DIARIZED | {"stream": "true"}).events()
    assert events[1::2] == whole["segments"]
    assert done["text"] == whole["text"]


def test_the_sdk_takes_the_stream(client, conversation):  # [55]
    events = client.audio.transcriptions.create(
        file=("a.wav", conversation),
        model=MODEL,
        response_format="diarized_json",
        chunking_strategy="auto",
        stream=True,
    )
    found = [event for event in events if event.type == "transcript.text.segment"]
    assert parts((one.speaker, one.text) for one in found) == named()


def test_there_are_no_more_speakers_than_may_be(fake_server, conversation):
    body = fake_server.transcribe(conversation, DIARIZED | {"max_speakers": "1"}).json()
    assert {segment["speaker"] for segment in body["segments"]} == {"A"}


@pytest.mark.parametrize("response_format", ["json", "text"])
def test_formats_without_speakers_are_the_plain_text(fake_server, conversation, response_format):
    asked = DIARIZED | {"response_format": response_format}
    text = fake_server.transcribe(conversation, asked).text
    assert " ".join(text for _, text in LINES) in text
    assert "A:" not in text


@pytest.mark.parametrize("response_format", ["srt", "vtt"])
def test_no_cue_has_two_speakers(fake_server, conversation, response_format):
    asked = DIARIZED | {"response_format": response_format}
    plain = fake_server.transcribe(conversation, asked).text
    assert "A:" not in plain
    labelled = fake_server.transcribe(conversation, asked | {"speaker_labels": "true"}).text
    said = [line for line in labelled.splitlines() if line[:3] in {"A: ", "B: "}]
    assert parts((line[0], line[3:]) for line in said) == named()
    assert plain == "\n".join(line[3:] if line in said else line for line in labelled.split("\n"))


def test_text_can_name_its_speakers(fake_server, conversation):
    asked = {"response_format": "text", "speaker_labels": "true"}
    body = fake_server.transcribe(conversation, asked).text
    assert body == "".join(f"{who}: {text}\n" for who, text in named())


def test_silence_has_no_segments(fake_server, silence):
    body = fake_server.transcribe(silence, DIARIZED).json()
    assert (body["text"], body["segments"]) == ("", [])


def test_without_a_diarizer_the_answer_says_so_and_is_not_retried(deaf_server, conversation):
    reply = deaf_server.transcribe(conversation, DIARIZED)
    error = reply.refused(501, "server_error", param="response_format")
    assert "--diarize none" in error["message"]
    assert reply.headers["x-should-retry"] == "false"
    labelled = {"response_format": "srt", "speaker_labels": "true"}
    deaf_server.transcribe(conversation, labelled).refused(501, "server_error")


def test_without_a_diarizer_the_models_name_still_transcribes(deaf_server, conversation):
    body = deaf_server.transcribe(conversation, {"model": MODEL}).json()
    assert body["text"] == " ".join(text for _, text in LINES)
