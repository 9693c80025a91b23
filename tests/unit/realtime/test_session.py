"""A session from a client's first message to its last word."""

import json
from dataclasses import replace

import numpy as np
import pytest

from myna.audio.activity import AnySound
from myna.engines.contract.transcriber import WindowJob
from myna.engines.fake import FakeTranscriber
from myna.errors import EngineFailure, ModelNotFound
from myna.realtime.configuration import Configuration, ServerVad
from myna.realtime.dialects import BETA, LOGPROBS

from .conftest import FakeHearing, silence, spoken

TEXT = "The myna repeats what it hears."
MANUAL = Configuration(turn_detection=None)
ITEM = "conversation.item.input_audio_transcription"


def types(events):
    return [event["type"].removeprefix(f"{ITEM}.") for event in events]


def text_of(events, item_id):
    deltas = [
        e["delta"] for e in events if e["type"] == f"{ITEM}.delta" and e["item_id"] == item_id
    ]
    return "".join(deltas)


COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def test_the_first_event_shows_the_session(talk):
    (event,) = talk(expires_at=1_900_000_000).events
    assert event["type"] == "session.created"
    assert event["event_id"].startswith("event_")
    assert event["session"] == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "whisper-1", "language": None, "prompt": None},
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            }
        },
        "include": [],
        "expires_at": 1_900_000_000,
    }


def test_what_is_committed_is_transcribed(talk):
    client = talk(MANUAL)
    assert client.append(spoken(TEXT)) == []
    events = client.commit()
    assert types(events) == COMMITTED
    item_id = events[0]["item_id"]
    assert events[0]["previous_item_id"] is None
    assert events[1]["item"] == {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    delta, completed = client.answer()
    assert (delta["item_id"], delta["content_index"], delta["delta"]) == (item_id, 0, TEXT)
    del completed["event_id"]
    assert completed == {
        "type": f"{ITEM}.completed",
        "item_id": item_id,
        "content_index": 0,
        "transcript": TEXT,
        "usage": {"type": "duration", "seconds": 3},
    }


def test_items_name_the_one_before(talk):
    client = talk(MANUAL)
    ids = []
    for text in ("One.", "Two.", "Three."):
        client.append(spoken(text))
        ids.append(client.commit()[0])
        client.answer()
    assert [event["previous_item_id"] for event in ids] == [None, *(e["item_id"] for e in ids[:2])]
    assert [event["transcript"] for event in client.said("completed")] == ["One.", "Two.", "Three."]


@pytest.mark.parametrize("length_s", [0, 0.05, 0.0999])
def test_a_commit_of_less_than_a_tenth_of_a_second_is_an_error(talk, length_s):
    client = talk(MANUAL)
    client.append(silence(length_s))
    (event,) = client.commit(event_id="mine")
    assert event["type"] == "error"
    assert event["error"]["type"] == "invalid_request_error"
    assert event["error"]["code"] == "input_audio_buffer_commit_empty"
    assert event["error"]["event_id"] == "mine"
    assert "buffer too small. Expected at least 100ms" in event["error"]["message"]


def test_what_was_too_little_is_still_there_for_the_next_commit(talk):
    client = talk(MANUAL)
    words = spoken(TEXT)
    client.append(words[:1200])
    assert types(client.commit()) == ["error"]
    client.append(words[1200:])
    assert types(client.commit()) == COMMITTED
    assert client.answer()[-1]["transcript"] == TEXT


def test_a_commit_of_silence_is_completed_with_nothing(talk):
    client = talk(MANUAL)
    client.append(silence(1))
    *committed, completed = client.commit()
    assert types(committed) == COMMITTED
    assert completed["transcript"] == ""
    assert completed["usage"] == {"type": "duration", "seconds": 2}  # with the last frame's padding
    assert client.asks == []


def test_every_commit_gets_its_last_word_though_the_engine_is_behind(talk):
    client = talk(MANUAL)
    for number in range(5):
        client.append(spoken(f"Number {number}."))
        client.commit()
    assert client.session.backlog == 10
    client.answer()
    assert [e["transcript"] for e in client.said("completed")] == [f"Number {n}." for n in range(5)]
    assert client.session.backlog == 0


def test_long_audio_is_decoded_in_windows_while_it_comes(talk):
    client = talk(MANUAL)
    text = " ".join(f"Sentence number {number} of many." for number in range(60))
    client.append(spoken(text))
    assert {ask.kind for ask in client.asks} == {"final"}
    client.answer()
    assert len(client.asks) > 3
    assert text.startswith(text_of(client.events, client.events[1]["item_id"]))
    client.commit()
    client.answer()
    (completed,) = client.said("completed")
    assert completed["transcript"] == text
    assert text_of(client.events, completed["item_id"]) == text
    assert max(ask.window.seconds for ask in client.asks) <= 30


def test_clear_forgets_what_was_not_committed(talk):
    client = talk(MANUAL)
    client.append(spoken("Forget this."))
    (event,) = client.send({"type": "input_audio_buffer.clear"})
    assert event["type"] == "input_audio_buffer.cleared"
    assert types(client.commit()) == ["error"]
    client.append(spoken("Keep this."))
    client.commit()
    client.answer()
    assert [event["transcript"] for event in client.said("completed")] == ["Keep this."]


def test_a_turn_is_told_and_committed_by_itself(talk):
    client = talk()
    client.append(np.concatenate([silence(1), spoken(TEXT), silence(1)]))
    events = client.events[1:]
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
    ]
    started, stopped, *_ = events
    client.answer()
    (completed,) = client.said("completed")
    assert completed["transcript"] == TEXT
    assert started["item_id"] == stopped["item_id"] == events[2]["item_id"] == completed["item_id"]


@pytest.mark.parametrize("padding_ms", [0, 100, 300, 900])
@pytest.mark.parametrize("silence_ms", [200, 500, 1000])
def test_padding_and_silence_are_as_asked(talk, padding_ms, silence_ms):
    client = talk()
    client.update(
        turn_detection={
            "type": "server_vad",
            "prefix_padding_ms": padding_ms,
            "silence_duration_ms": silence_ms,
        }
    )
    words = spoken(TEXT)
    client.append(np.concatenate([silence(2), words, silence(2)]))
    (started,), (stopped,) = client.said("speech_started"), client.said("speech_stopped")
    assert 2000 + 60 - started["audio_start_ms"] == pytest.approx(padding_ms, abs=40)
    until_ms = 2000 + len(words) / 24 - 60
    assert stopped["audio_end_ms"] - until_ms == pytest.approx(silence_ms, abs=45)


def test_a_threshold_that_nothing_reaches_hears_no_turn(talk):
    class Unsure(AnySound):
        """Whatever is no silence is speech with a probability of 0.6."""

        def probabilities(self, samples):
            return super().probabilities(samples) * np.float32(0.6)

    hearing = FakeHearing()
    hearing.speech = Unsure
    for threshold, turns in ((0.5, 1), (0.7, 0)):
        client = talk(find=lambda _: hearing)
        client.update(turn_detection={"type": "server_vad", "threshold": threshold})
        client.append(spoken(TEXT))
        assert len(client.said("speech_started")) == turns


def test_two_turns_are_two_items(talk):
    client = talk()
    client.append(np.concatenate([spoken("One."), silence(1), spoken("Two."), silence(1)]))
    client.answer()
    assert [event["transcript"] for event in client.said("completed")] == ["One.", "Two."]
    first, second = (event["item_id"] for event in client.said("committed"))
    assert first != second


def test_a_client_may_commit_in_the_middle_of_a_turn(talk):
    client = talk()
    client.append(spoken(TEXT))
    assert types(client.commit()) == COMMITTED
    client.append(silence(2))
    client.answer()
    (completed,) = client.said("completed")
    assert completed["transcript"] == TEXT
    assert client.said("speech_stopped") == []


def test_clear_in_the_middle_of_a_turn_takes_it_back(talk):
    client = talk()
    client.append(spoken("Forget this."))
    client.send({"type": "input_audio_buffer.clear"})
    client.append(np.concatenate([silence(1), spoken("Keep this."), silence(1)]))
    client.answer()
    assert [event["transcript"] for event in client.said("completed")] == ["Keep this."]


def test_silence_for_minutes_says_nothing_and_holds_nothing(talk):
    client = talk()
    for _ in range(180):
        assert client.append(silence(1)) == []
    assert client.session.backlog == 0


def test_silence_for_the_idle_timeout_is_told_and_committed(talk):
    client = talk(Configuration(turn_detection=ServerVad(idle_timeout_ms=5000)))
    events = client.append(silence(6))
    assert types(events) == ["input_audio_buffer.timeout_triggered", *COMMITTED, "completed"]
    assert events[0]["audio_end_ms"] == pytest.approx(5000, abs=40)


def test_deltas_come_while_somebody_is_speaking(talk):
    client = talk()
    text = "The birds sing in the garden early every morning and nobody minds at all."
    client.append(spoken(text), step_s=0.1)
    item_id = client.said("speech_started")[0]["item_id"]
    before = text_of(client.events, item_id)
    assert len(client.said("delta")) > 2
    assert len(before.split()) > 6
    assert text.startswith(before)
    client.append(silence(1), step_s=0.1)
    (completed,) = client.said("completed")
    assert completed["transcript"] == text
    assert text_of(client.events, item_id) == text


def test_a_pause_is_asked_about_at_once_so_that_the_end_waits_for_nothing(talk):
    client = talk()
    client.append(spoken(TEXT), step_s=0.1)
    client.append(silence(1), step_s=0.1)
    assert client.asks[-1].kind == "early"
    stopped = client.said("speech_stopped")[0]
    behind = client.events[client.events.index(stopped) + 1 :]
    assert types(behind) == [*COMMITTED, "delta", "completed"]


def test_an_early_answer_that_is_still_awaited_becomes_the_last_word(talk):
    client = talk()
    words = spoken(TEXT)
    client.append(words, step_s=0.1)
    client.now_s += 0.4
    client.append(silence(0.3))
    early = client.asked
    assert early.kind == "early"
    client.append(silence(0.5))
    assert client.asked is early
    assert early.kind == "final"
    assert client.answer()[-1]["transcript"] == TEXT


def test_audio_is_written_down_once_however_often_it_was_tried(talk):
    client = talk(MANUAL)
    for word in ("One.", "Two.", "Three.", "Four."):
        client.append(spoken(word), step_s=0.1)
        client.append(silence(0.4), step_s=0.1)
    assert [ask.kind for ask in client.asks].count("early") == 4
    assert client.written_s == 0.0
    client.commit()
    client.answer()
    (completed,) = client.said("completed")
    assert completed["transcript"] == "One. Two. Three. Four."
    assert 0.0 < client.written_s <= completed["usage"]["seconds"] + 1.0


def test_audio_that_was_tried_and_cleared_counts_as_written_down(talk):
    client = talk(MANUAL)
    client.append(spoken("One."), step_s=0.1)
    client.append(silence(0.4), step_s=0.1)
    assert [ask.kind for ask in client.asks] == ["early"]
    tried_s = client.session.left()
    client.send({"type": "input_audio_buffer.clear"})
    assert client.written_s == tried_s > 0.0
    assert client.session.left() == 0.0


def test_audio_that_comes_in_a_burst_is_not_guessed_at(talk):
    client = talk(MANUAL)
    words = spoken(TEXT)
    for at in range(0, len(words), 2400):
        client.append(words[at : at + 2400])
    assert client.asks == []


def test_hypotheses_become_rare_where_they_take_long(talk):
    def count(cost_s):
        client = talk()
        client.update(transcription={"delay": "minimal"})
        words = spoken("word " * 60)
        for at in range(0, len(words), 2400):
            client.now_s += 0.1
            client.append(words[at : at + 2400])
            if client.asked and client.now_s - client.asked.asked_s >= cost_s:
                client.answer()
        return len([ask for ask in client.asks if ask.kind == "partial"])

    assert count(0.1) > 2 * count(1.5)


def test_what_was_shown_is_never_taken_back(talk):
    class Fickle(FakeTranscriber):
        """Its last word on a window differs from its hypotheses."""

        def run(self, jobs):
            (result,) = super().run(jobs)
            if not jobs[0].options.draft:
                parts = [replace(s, text=s.text.replace("eleven", "11")) for s in result.segments]
                return [replace(result, segments=tuple(parts))]
            return [result]

    client = talk(find=lambda _: FakeHearing(Fickle()))
    client.append(spoken("He counted eleven fish under the old wooden bridge today."), step_s=0.1)
    client.append(silence(1), step_s=0.1)
    (completed,) = client.said("completed")
    assert completed["transcript"] == text_of(client.events, completed["item_id"])
    assert completed["transcript"] == "He counted eleven fish under the old wooden bridge today."


def test_log_probabilities_are_there_where_they_are_included(talk):
    client = talk()
    session = {"type": "transcription", "include": [LOGPROBS]}
    client.send({"type": "session.update", "session": session})
    client.append(spoken("The birds sing in the garden early every morning."), step_s=0.1)
    client.append(silence(1), step_s=0.1)
    (completed,) = client.said("completed")
    joined = "".join(token["token"] for token in completed["logprobs"])
    assert joined.strip() == completed["transcript"]
    assert [t for e in client.said("delta") for t in e["logprobs"]] == completed["logprobs"]
    assert set(completed["logprobs"][0]) == {"token", "logprob", "bytes"}


def test_usage_counts_tokens_for_models_that_do(talk):
    client = talk(MANUAL)
    client.update(transcription={"model": "gpt-4o-transcribe", "prompt": "two words"})
    client.append(spoken("Three short words."))
    client.commit()
    assert client.answer()[-1]["usage"] == {
        "type": "tokens",
        "input_tokens": 17,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 15},
        "output_tokens": 5,
        "total_tokens": 22,
    }


def test_languages_are_listed_for_models_that_do(talk):
    client = talk(MANUAL)
    client.update(transcription={"model": "gpt-transcribe", "language": "de"})
    client.append(spoken(TEXT))
    client.commit()
    assert client.answer()[-1]["languages"] == [{"code": "de"}]


def test_an_item_whose_decoding_fails_says_so_and_the_next_one_does_not(talk):
    client = talk(MANUAL)
    client.append(spoken(TEXT))
    item_id = client.commit()[0]["item_id"]
    (failed,) = client.answer(EngineFailure("it broke"))
    assert failed["type"] == f"{ITEM}.failed"
    assert (failed["item_id"], failed["content_index"]) == (item_id, 0)
    assert failed["error"] == {
        "type": "server_error",
        "code": None,
        "message": "it broke",
        "param": None,
    }
    client.append(spoken(TEXT))
    client.commit()
    assert client.answer()[-1]["transcript"] == TEXT


def test_a_hypothesis_that_fails_is_no_failure(talk):
    client = talk()
    words = spoken(TEXT)
    client.append(words[: len(words) // 2], step_s=0.1)
    client.now_s += 1
    client.append(words[len(words) // 2 :])
    assert client.asked.kind == "partial"
    assert client.answer(EngineFailure("it broke")) == []
    client.append(silence(1))
    client.answer()
    (completed,) = client.said("completed")
    assert completed["transcript"] == TEXT


def test_an_answer_that_nobody_waits_for_any_more_changes_nothing(talk):
    client = talk()
    client.append(spoken(TEXT), step_s=0.1)
    client.now_s += 1
    client.append(spoken("More."))
    stale = client.asked
    client.send({"type": "input_audio_buffer.clear"})
    assert client.asked is None
    (late,) = FakeTranscriber().run([WindowJob(stale.window, stale.options)])
    assert client.session.answered(stale, late).events == []


def test_a_setting_that_is_left_out_keeps_its_value(talk):
    client = talk()
    client.update(transcription={"model": "gpt-4o-transcribe", "language": "de", "prompt": "Hallo"})
    client.update(turn_detection={"type": "server_vad", "threshold": 0.7})
    client.update(turn_detection={"silence_duration_ms": 250}, transcription={"language": "fr"})
    shown = client.events[-1]["session"]["audio"]["input"]
    assert shown["transcription"] == {
        "model": "gpt-4o-transcribe",
        "language": "fr",
        "prompt": "Hallo",
    }
    assert shown["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 250,
    }


def test_audio_from_before_the_settings_is_kept_and_follows_them(talk):
    client = talk()
    words = spoken(TEXT)
    client.append(words[:24_000])
    client.update(turn_detection=None, transcription={"language": "de", "model": "gpt-transcribe"})
    client.append(words[24_000:])
    client.commit()
    completed = client.answer()[-1]
    assert completed["transcript"] == TEXT
    assert completed["languages"] == [{"code": "de"}]


def test_a_turn_goes_on_where_detection_is_turned_on_in_its_middle(talk):
    client = talk(MANUAL)
    words = spoken(TEXT)
    client.append(words[:24_000])
    client.update(turn_detection={"type": "server_vad"})
    client.append(np.concatenate([words[24_000:], silence(1)]))
    client.answer()
    assert [event["transcript"] for event in client.said("completed")] == [TEXT]


def test_a_model_that_knows_no_detection_leaves_turns_to_the_client(talk):
    client = talk()
    (event,) = client.update(transcription={"model": "gpt-realtime-whisper"})
    assert event["session"]["audio"]["input"]["turn_detection"] is None
    client.append(np.concatenate([spoken(TEXT), silence(2)]))
    assert client.said("speech_started") == []
    (event,) = client.update(transcription={"model": "whisper-1"})
    assert event["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_the_older_dialect_is_answered_in_kind(talk):
    client = talk()
    session = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": None,
        "input_audio_noise_reduction": {"type": "near_field"},
        "include": [LOGPROBS],
    }
    (event,) = client.send({"type": "transcription_session.update", "session": session})
    assert event["type"] == "transcription_session.updated"
    assert event["session"] == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": None},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": None,
        "modalities": ["text"],
        "include": [LOGPROBS],
    }


def test_the_older_dialect_has_its_own_names_for_events(talk):
    client = talk(MANUAL, dialect=BETA)
    assert types(client.events) == ["transcription_session.created"]
    client.append(spoken(TEXT))
    assert types(client.commit()) == ["input_audio_buffer.committed", "conversation.item.created"]


def test_old_web_pages_put_the_settings_beside_the_type(talk):
    (event,) = talk().send({"type": "transcription_session.update", "turn_detection": None})
    assert event["session"]["turn_detection"] is None


def refusal(client, message):
    (event,) = client.send(message)
    assert event["type"] == "error"
    error = event["error"]
    assert set(error) == {"type", "code", "message", "param", "event_id"}
    assert error["type"] == "invalid_request_error"
    return error


BAD_MESSAGES = [
    ("{", None),
    ("", None),
    ("[]", None),
    ('"text"', None),
    ("[" * 100_000, None),
    (b"\x00\x01", None),
    ({}, "type"),
    ({"type": None}, "type"),
    ({"type": 7}, "type"),
    ({"type": "response.create"}, "type"),
    ({"type": "input_audio_buffer.append"}, "audio"),
    ({"type": "input_audio_buffer.append", "audio": 7}, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "%%%"}, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "AAA="}, None),
    ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "é"}, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "A" * (15 * 1024 * 1024 + 4)}, "audio"),
    ({"type": "session.update", "session": 7}, "session"),
    ({"type": "session.update", "session": {"type": "realtime"}}, "session.type"),
    ({"type": "session.update", "session": {"include": ["x"]}}, "session.include"),
    ({"type": "session.update", "session": {"audio": []}}, "session.audio"),
]


@pytest.mark.parametrize(("message", "param"), BAD_MESSAGES)
def test_what_makes_no_sense_is_an_error_and_the_session_goes_on(talk, message, param):
    client = talk(MANUAL)
    if message == {"type": "input_audio_buffer.append", "audio": "AAA="}:
        assert client.send(message) == []  # one sample
    else:
        assert refusal(client, message)["param"] == param
    client.append(spoken(TEXT))
    client.commit()
    assert client.answer()[-1]["transcript"] == TEXT


AT = "session.audio.input"
BAD_SETTINGS = [
    ({"format": {"type": "audio/mp3"}}, f"{AT}.format.type"),
    ({"format": {"type": "audio/pcm", "rate": 16000}}, f"{AT}.format.rate"),
    ({"transcription": "whisper-1"}, f"{AT}.transcription"),
    ({"transcription": {"model": 7}}, f"{AT}.transcription.model"),
    ({"transcription": {"language": "xx"}}, f"{AT}.transcription.language"),
    ({"transcription": {"languages": ["en", "xx"]}}, f"{AT}.transcription.languages"),
    ({"transcription": {"languages": "en"}}, f"{AT}.transcription.languages"),
    ({"transcription": {"keywords": ["<b>"]}}, f"{AT}.transcription.keywords"),
    ({"transcription": {"delay": "soon"}}, f"{AT}.transcription.delay"),
    ({"noise_reduction": {"type": "none"}}, f"{AT}.noise_reduction.type"),
    ({"turn_detection": {"type": "vad"}}, f"{AT}.turn_detection.type"),
    ({"turn_detection": {"threshold": 1.5}}, f"{AT}.turn_detection.threshold"),
    ({"turn_detection": {"threshold": "0.5"}}, f"{AT}.turn_detection.threshold"),
    ({"turn_detection": {"threshold": True}}, f"{AT}.turn_detection.threshold"),
    ({"turn_detection": {"silence_duration_ms": -1}}, f"{AT}.turn_detection.silence_duration_ms"),
    ({"turn_detection": {"silence_duration_ms": 0.5}}, f"{AT}.turn_detection.silence_duration_ms"),
    ({"turn_detection": {"prefix_padding_ms": 1e99}}, f"{AT}.turn_detection.prefix_padding_ms"),
    ({"turn_detection": {"idle_timeout_ms": 10}}, f"{AT}.turn_detection.idle_timeout_ms"),
    (
        {"turn_detection": {"type": "semantic_vad", "eagerness": "very"}},
        f"{AT}.turn_detection.eagerness",
    ),
]


@pytest.mark.parametrize(("settings", "param"), BAD_SETTINGS)
def test_a_wrong_setting_is_named_and_changes_nothing(talk, settings, param):
    client = talk()
    session = {"type": "transcription", "audio": {"input": settings}}
    error = refusal(client, {"type": "session.update", "session": session, "event_id": "e1"})
    assert (error["param"], error["event_id"]) == (param, "e1")
    (event,) = client.update()
    assert event["session"] == client.events[0]["session"]


def test_nan_is_no_number(talk):
    message = '{"type":"session.update","session":{"audio":{"input":{"turn_detection":'
    message += '{"threshold":NaN}}}}}'
    assert refusal(talk(), message)["param"] == f"{AT}.turn_detection.threshold"


def test_a_model_that_is_not_here_is_an_error(talk):
    def find(model):
        if model == "nope":
            raise ModelNotFound(model)
        return FakeHearing()

    client = talk(find=find)
    error = refusal(
        client,
        {
            "type": "session.update",
            "session": {"audio": {"input": {"transcription": {"model": "nope"}}}},
        },
    )
    assert error["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("event_id", "named"), [("e1", "e1"), ("x" * 512, "x" * 512), (None, None)]
)
def test_an_error_names_the_event_that_caused_it(talk, event_id, named):
    error = refusal(talk(), {"type": "nonsense", "event_id": event_id})
    assert error["event_id"] == named


@pytest.mark.parametrize("event_id", [7, "x" * 513])
def test_a_name_that_is_none_is_refused_itself(talk, event_id):
    error = refusal(talk(), {"type": "input_audio_buffer.clear", "event_id": event_id})
    assert (error["param"], error["event_id"]) == ("event_id", None)


def test_a_session_that_has_lasted_too_long_says_so(talk):
    (event,) = talk().session.expire(3600).events
    assert event["error"]["code"] == "session_expired"
    assert "60 minutes" in event["error"]["message"]


def test_every_event_has_an_id_of_its_own(talk):
    client = talk()
    client.append(np.concatenate([spoken(TEXT), silence(1)]))
    client.answer()
    ids = [event["event_id"] for event in client.events]
    assert len(set(ids)) == len(ids) > 5
    assert json.dumps(client.events)
