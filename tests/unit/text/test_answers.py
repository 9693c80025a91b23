import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.text.answers import JSON_TYPE, RENDERERS, TEXT_TYPE, render
from myna.text.transcript import Segment, TokenLogprob, Transcript, Word

HELLO = Segment(
    seek=0,
    start_s=0.0,
    end_s=2.5,
    text=" Hello, world.",
    tokens=(50364, 2425, 11, 1002, 13, 50489),
    temperature=0.0,
    avg_logprob=-0.25,
    compression_ratio=0.9,
    no_speech_prob=0.01,
    words=(Word(" Hello,", 0.0, 1.0, 0.9), Word(" world.", 1.0, 2.5, 0.8)),
    logprobs=(TokenLogprob(" Hello", b" Hello", -0.1), TokenLogprob("\ufffd", b"\xc3", -0.2)),
)
BYE = replace(HELLO, seek=300, start_s=3661.0004, end_s=3662.9996, text=" Good bye. ", words=())
TRANSCRIPT = Transcript("transcribe", "en", 8.47, (HELLO, BYE), prompt_tokens=3)
SILENCE = Transcript("transcribe", "en", 10.0, (), language_detected=True)
TRANSLATION = replace(TRANSCRIPT, task="translate", language="de")


def body_of(transcript, response_format, **wishes):
    return json.loads(render(transcript, response_format, **wishes).body)


def test_json_is_compact_with_the_keys_in_the_hosted_order():
    rendered = render(TRANSCRIPT, "json")
    assert rendered.content_type == JSON_TYPE == "application/json"
    assert rendered.body == (
        b'{"text":"Hello, world. Good bye.","usage":{"type":"duration","seconds":9}}'
    )


def test_json_is_utf8_and_not_escaped():
    transcript = replace(TRANSCRIPT, segments=(replace(HELLO, text=" Größe 你好 😀"),))
    assert "Größe 你好 😀".encode() in render(transcript, "json").body


def test_json_counts_tokens_where_asked():
    assert body_of(TRANSCRIPT, "json", usage="tokens", output_tokens=7)["usage"] == {
        "type": "tokens",
        "input_tokens": 88,
        "input_token_details": {"text_tokens": 3, "audio_tokens": 85},
        "output_tokens": 7,
        "total_tokens": 95,
    }


def test_json_carries_logprobs_between_text_and_usage():
    body = body_of(TRANSCRIPT, "json", logprobs=True)
    assert list(body) == ["text", "logprobs", "usage"]
    assert body["logprobs"][:2] == [
        {"token": " Hello", "logprob": -0.1, "bytes": [32, 72, 101, 108, 108, 111]},
        {"token": "\ufffd", "logprob": -0.2, "bytes": [195]},
    ]


def test_json_names_the_language_for_gpt_transcribe():
    assert body_of(TRANSCRIPT, "json", languages=True)["languages"] == [{"code": "en"}]
    assert body_of(SILENCE, "json", languages=True)["languages"] == []
    echoed = replace(SILENCE, language_detected=False)
    assert body_of(echoed, "json", languages=True)["languages"] == [{"code": "en"}]


def test_json_of_a_translation_is_the_text_alone():
    assert render(TRANSLATION, "json").body == b'{"text":"Hello, world. Good bye."}'


def test_verbose_json_has_segments_and_no_words_by_default():
    rendered = render(TRANSCRIPT, "verbose_json")
    assert rendered.content_type == JSON_TYPE
    assert rendered.body.startswith(
        b'{"task":"transcribe","language":"english","duration":8.47,'
        b'"text":"Hello, world. Good bye.",'
        b'"segments":[{"id":0,"seek":0,"start":0.0,"end":2.5,"text":" Hello, world.",'
        b'"tokens":[50364,2425,11,1002,13,50489],"temperature":0.0,"avg_logprob":-0.25,'
        b'"compression_ratio":0.9,"no_speech_prob":0.01},{"id":1,"seek":300,'
    )
    assert rendered.body.endswith(b'],"usage":{"type":"duration","seconds":9}}')
    assert list(json.loads(rendered.body)) == [
        "task", "language", "duration", "text", "segments", "usage",
    ]  # fmt: skip


def test_verbose_json_with_words_alone_has_no_segments():
    body = body_of(TRANSCRIPT, "verbose_json", granularities=["word"])
    assert list(body) == ["task", "language", "duration", "text", "words", "usage"]
    assert body["words"] == [
        {"word": "Hello", "start": 0.0, "end": 1.0},
        {"word": "world", "start": 1.0, "end": 2.5},
    ]


def test_verbose_json_with_both_granularities_has_both():
    body = body_of(TRANSCRIPT, "verbose_json", granularities=["segment", "word"])
    assert list(body) == ["task", "language", "duration", "text", "words", "segments", "usage"]


def test_verbose_json_asked_for_words_that_nobody_said_has_an_empty_list():
    assert body_of(SILENCE, "verbose_json", granularities=["word"])["words"] == []


def test_no_granularity_at_all_means_segments():
    assert "segments" in body_of(TRANSCRIPT, "verbose_json", granularities=[])


def test_verbose_json_of_a_translation_is_english_without_usage():
    body = body_of(TRANSLATION, "verbose_json")
    assert (body["task"], body["language"]) == ("translate", "english")
    assert list(body) == ["task", "language", "duration", "text", "segments"]


def test_whole_seconds_are_still_numbers_with_a_point():
    assert b'"duration":10.0,' in render(SILENCE, "verbose_json").body


@pytest.mark.parametrize("said", [" -", "...", " ", "", "“", " —", "。"])
def test_a_word_of_punctuation_alone_is_no_word(said):
    words = (Word(said, 0, 1, 1), Word(" yes", 1, 2, 1))
    transcript = replace(TRANSCRIPT, segments=(replace(HELLO, words=words),))
    shown = body_of(transcript, "verbose_json", granularities=["word"])["words"]
    assert [word["word"] for word in shown] == ["yes"]


def test_text_ends_with_one_line_feed():
    rendered = render(TRANSCRIPT, "text")
    assert rendered.content_type == TEXT_TYPE == "text/plain; charset=utf-8"
    assert rendered.body == b"Hello, world. Good bye.\n"


def test_srt_is_laid_out_as_the_hosted_one_to_the_byte():
    rendered = render(TRANSCRIPT, "srt")
    assert rendered.content_type == TEXT_TYPE
    assert rendered.body == (
        b"1\n00:00:00,000 --> 00:00:02,500\nHello, world.\n\n"
        b"2\n01:01:01,000 --> 01:01:03,000\nGood bye.\n\n\n"
    )


def test_vtt_is_laid_out_as_the_hosted_one_to_the_byte():
    rendered = render(TRANSCRIPT, "vtt")
    assert rendered.content_type == TEXT_TYPE
    assert rendered.body == (
        b"WEBVTT\n\n"
        b"00:00:00.000 --> 00:00:02.500\nHello, world.\n\n"
        b"01:01:01.000 --> 01:01:03.000\nGood bye.\n\n"
    )


def test_a_hundred_hours_are_written_with_three_digits():
    late = replace(HELLO, start_s=360_000.0, end_s=360_001.0)
    body = render(replace(TRANSCRIPT, segments=(late,)), "srt").body
    assert body.startswith(b"1\n100:00:00,000 --> 100:00:01,000\n")


def test_silence_leaves_nothing_but_the_frame_of_each_format():
    assert render(SILENCE, "srt").body == b""
    assert render(SILENCE, "vtt").body == b"WEBVTT\n\n"
    assert render(SILENCE, "text").body == b"\n"
    assert body_of(SILENCE, "json")["text"] == ""
    assert body_of(SILENCE, "verbose_json")["segments"] == []


def test_cues_leave_out_empty_segments_and_count_on():
    segments = (replace(HELLO, text="  "), HELLO, replace(HELLO, text="\n"), BYE)
    srt = render(replace(TRANSCRIPT, segments=segments), "srt").body
    assert srt == render(TRANSCRIPT, "srt").body


@pytest.mark.parametrize("text", [" a --> b", " a ---> b", " a -----> b"])
def test_an_arrow_in_the_text_cannot_be_taken_for_a_cue(text):
    transcript = replace(TRANSCRIPT, segments=(replace(HELLO, text=text),))
    for name in ("srt", "vtt"):
        assert render(transcript, name).body.count(b"-->") == 1
        assert b"\na -> b\n" in render(transcript, name).body


def test_lines_of_a_segment_stay_in_one_cue():
    transcript = replace(
        TRANSCRIPT, segments=(replace(HELLO, text=" one\r\n\n \r two\u2028three"),)
    )
    assert render(transcript, "vtt").body == (
        b"WEBVTT\n\n00:00:00.000 --> 00:00:02.500\none\ntwo\nthree\n\n"
    )


def test_a_segment_that_ends_before_it_starts_is_shown_without_length():
    odd = replace(HELLO, start_s=-0.5, end_s=-1.0)
    transcript = replace(TRANSCRIPT, segments=(odd,))
    segment = body_of(transcript, "verbose_json")["segments"][0]
    assert (segment["start"], segment["end"]) == (0.0, 0.0)
    assert b"00:00:00,000 --> 00:00:00,000" in render(transcript, "srt").body


def test_lone_surrogates_become_replacement_characters_and_pairs_become_one_character():
    transcript = replace(TRANSCRIPT, segments=(replace(HELLO, text=" a\ud800b \ud83d\ude00"),))
    for name in RENDERERS:
        assert "a\ufffdb 😀" in render(transcript, name).body.decode()


def test_the_openai_sdk_accepts_every_json_body_in_its_strict_mode():
    models = pytest.importorskip("openai.types.audio")
    for kind in ("duration", "tokens"):
        body = body_of(TRANSCRIPT, "json", usage=kind, logprobs=True, languages=True)
        models.Transcription.model_validate(body, strict=True)
    verbose = body_of(TRANSCRIPT, "verbose_json", granularities=["word", "segment"])
    models.TranscriptionVerbose.model_validate(verbose, strict=True)
    models.TranslationVerbose.model_validate(body_of(TRANSLATION, "verbose_json"), strict=True)


any_text = st.text(st.characters(codec=None), max_size=30)
any_float = st.floats(allow_nan=True, allow_infinity=True)
words = st.builds(Word, any_text, any_float, any_float, any_float)
logprobs = st.builds(TokenLogprob, any_text, st.binary(max_size=4), any_float)
segments = st.builds(
    Segment,
    st.integers(0, 10**6),
    any_float,
    any_float,
    any_text,
    st.lists(st.integers(0, 51_865), max_size=4).map(tuple),
    any_float,
    any_float,
    any_float,
    any_float,
    st.lists(words, max_size=3).map(tuple),
    st.lists(logprobs, max_size=3).map(tuple),
)
transcripts = st.builds(
    Transcript,
    st.sampled_from(["transcribe", "translate"]),
    st.sampled_from(["en", "yue", "xx"]),
    any_float,
    st.lists(segments, max_size=3).map(tuple),
    st.integers(0, 1000),
)


def assert_finite(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_finite(item)
    elif isinstance(value, float):
        assert math.isfinite(value)


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


@given(transcripts, st.sampled_from(["duration", "tokens"]))
def test_any_transcript_gives_valid_json_without_nan_or_infinity(transcript, usage):
    for name in ("json", "verbose_json"):
        body = render(
            transcript, name, granularities=["word", "segment"], usage=usage, logprobs=True
        ).body
        parsed = json.loads(body.decode(), parse_constant=refuse_constant)
        assert_finite(parsed)
        assert isinstance(parsed["text"], str)
        for segment in parsed.get("segments", []):
            assert 0 <= segment["start"] <= segment["end"]
            assert len(segment) == 10


@given(transcripts)
def test_any_transcript_gives_subtitles_with_one_arrow_and_one_gap_for_each_cue(transcript):
    vtt = render(transcript, "vtt").body.decode()
    head, *cues = vtt.split("\n\n")
    assert head == "WEBVTT"
    assert cues.pop() == ""
    srt = render(transcript, "srt").body.decode()
    assert srt.count("-->") == vtt.count("-->") == len(cues)
    assert srt == "" or srt.endswith("\n\n\n")
    for cue in cues:
        times, _, text = cue.partition("\n")
        assert "-->" in times
        assert text.strip()


TALK = replace(
    TRANSCRIPT,
    segments=(
        replace(HELLO, speaker="agent"),
        replace(HELLO, text="  ", speaker="agent"),
        replace(BYE, speaker="A"),
    ),
)


def test_diarized_json_has_the_hosted_shape():
    body = body_of(TALK, "diarized_json", usage="tokens", output_tokens=7)
    assert list(body) == ["task", "duration", "text", "segments", "usage"]
    assert (body["task"], body["duration"]) == ("transcribe", 8.47)
    assert body["segments"] == [
        {
            "type": "transcript.text.segment",
            "id": "seg_001",
            "start": 0.0,
            "end": 2.5,
            "text": "Hello, world.",
            "speaker": "agent",
        },
        {
            "type": "transcript.text.segment",
            "id": "seg_002",
            "start": 3661.0,
            "end": 3663.0,
            "text": "Good bye.",
            "speaker": "A",
        },
    ]
    assert body["usage"]["output_tokens"] == 7


def test_silence_in_diarized_json_is_no_segments():
    body = body_of(SILENCE, "diarized_json")
    assert (body["text"], body["segments"]) == ("", [])
    assert body["usage"] == {"type": "duration", "seconds": 10}


def test_labels_name_the_speaker_of_every_cue():
    srt = render(TALK, "srt", labels=True).body.decode()
    assert "\nagent: Hello, world.\n" in srt
    assert "\nA: Good bye.\n" in srt
    assert "\nagent: Hello, world.\n" in render(TALK, "vtt", labels=True).body.decode()
    assert "agent" not in render(TALK, "srt").body.decode()


def test_labels_in_text_name_each_speakers_part():
    twice = replace(TALK, segments=(TALK.segments[0], *TALK.segments))
    text = render(twice, "text", labels=True).body.decode()
    assert text == "agent: Hello, world. Hello, world.\nA: Good bye.\n"
    assert render(SILENCE, "text", labels=True).body == b"\n"


def test_a_name_cannot_end_a_cue():
    named = replace(TALK, segments=(replace(HELLO, speaker="x --> y"),))
    body = render(named, "srt", labels=True).body.decode()
    assert body.count("-->") == 1
