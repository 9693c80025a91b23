from dataclasses import replace

import pytest

from myna.text.events import delta_event, done_event
from myna.text.transcript import Segment, TokenLogprob, Transcript

HELLO = Segment(
    seek=0,
    start_s=0.0,
    end_s=8.0,
    text=" Hello, world.",
    tokens=(2425, 11, 1002, 13),
    temperature=0.0,
    avg_logprob=-0.25,
    compression_ratio=0.9,
    no_speech_prob=0.01,
)
TRANSCRIPT = Transcript("transcribe", "en", 8.47, (HELLO,), prompt_tokens=3)
TRANSLATION = replace(TRANSCRIPT, task="translate", language="de")


def test_a_delta_event_carries_logprobs_where_given():
    assert delta_event(" Hi") == {"type": "transcript.text.delta", "delta": " Hi"}
    assert delta_event(" Hi", [TokenLogprob(" Hi", b" Hi", -0.5)]) == {
        "type": "transcript.text.delta",
        "delta": " Hi",
        "logprobs": [{"token": " Hi", "logprob": -0.5, "bytes": [32, 72, 105]}],
    }


def test_the_done_event_carries_the_whole_text_and_typed_token_usage():
    event = done_event(TRANSCRIPT, output_tokens=7)
    assert list(event) == ["type", "text", "usage"]
    assert event["type"] == "transcript.text.done"
    assert event["text"] == TRANSCRIPT.text
    assert event["usage"]["type"] == "tokens"
    assert event["usage"]["total_tokens"] == 95
    full = done_event(TRANSCRIPT, logprobs=True, languages=True)
    assert list(full) == ["type", "text", "logprobs", "languages", "usage"]


def test_the_done_event_of_a_translation_has_usage_too():
    assert done_event(TRANSLATION)["usage"]["type"] == "tokens"


def test_a_delta_event_names_the_speakers_segment_where_given():
    assert delta_event("Hello", segment_id="seg_001")["segment_id"] == "seg_001"


def test_the_openai_sdk_accepts_every_event_in_its_strict_mode():
    models = pytest.importorskip("openai.types.audio")
    models.TranscriptionTextDoneEvent.model_validate(done_event(TRANSCRIPT), strict=True)
    models.TranscriptionTextDeltaEvent.model_validate(delta_event("x"), strict=True)
