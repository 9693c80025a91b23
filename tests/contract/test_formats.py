"""Every `response_format` on a real model: keys, number types, spacing, content types."""

import re

import pytest

pytestmark = pytest.mark.models

SEGMENT = {
    "id": int,
    "seek": int,
    "start": float,
    "end": float,
    "text": str,
    "tokens": list,
    "temperature": float,
    "avg_logprob": float,
    "compression_ratio": float,
    "no_speech_prob": float,
}


@pytest.fixture(scope="module")
def answered(server, clip):
    """`answered(format, granularities…)`: the answer for the clip, asked for once."""
    known = {}

    def ask(format_, *granularities, name="timestamp_granularities[]"):
        key = (format_, granularities, name)
        if key not in known:
            fields = {"response_format": format_, name: list(granularities)}
            known[key] = server.transcribe(clip, fields)
            assert known[key].status == 200, known[key].body
        return known[key]

    return ask


def plain(reply):
    assert reply.type == "text/plain; charset=utf-8"
    return reply.text


def spoken(answered):
    return answered("json").json()["text"]


def test_text_is_the_bare_text_and_one_line_feed(answered):  # [3]
    assert plain(answered("text")) == spoken(answered) + "\n"


def test_srt_has_numbered_cues_and_commas(answered):  # [4]
    body = plain(answered("srt"))
    assert re.match(r"1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n\S.*\n\n", body)
    numbers = [int(line) for line in re.findall(r"^(\d+)\n", body, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert re.search(r"[^\n]\n\n\n$", body), "the hosted body ends with three line feeds"


def test_vtt_has_a_header_hours_and_points_and_no_numbers(answered):  # [5]
    reply = answered("vtt")
    assert reply.type in {"text/plain; charset=utf-8", "text/vtt; charset=utf-8"}
    clock = r"\d\d:\d\d:\d\d\.\d{3}"
    assert re.fullmatch(rf"WEBVTT\n\n(?:{clock} --> {clock}\n\S.*\n\n)+", reply.text)


def test_verbose_json_has_the_hosted_keys(answered):  # [6]
    content = answered("verbose_json").json()
    assert set(content) <= {"task", "language", "duration", "text", "segments", "usage"}
    assert (content["task"], content["language"]) == ("transcribe", "english")
    assert isinstance(content["duration"], float)
    assert content["text"] == spoken(answered)
    assert content["usage"]["type"] == "duration"


def test_a_segment_has_exactly_ten_fields_of_the_right_types(answered):  # [7]
    segments = answered("verbose_json").json()["segments"]
    assert [segment["id"] for segment in segments] == list(range(len(segments)))
    for segment in segments:
        types = {name: type(value) for name, value in segment.items()}
        assert types == SEGMENT
        assert all(type(token) is int for token in segment["tokens"])
        assert segment["start"] <= segment["end"]
        assert segment["text"].startswith(" ")


def test_a_segments_figures_are_the_models_own(answered):
    (segment,) = answered("verbose_json").json()["segments"]
    assert -1.5 < segment["avg_logprob"] < 0
    assert 0.3 < segment["compression_ratio"] < 2.4
    assert 0 <= segment["no_speech_prob"] < 0.6
    assert segment["temperature"] == 0.0
    assert len(segment["tokens"]) >= 9


@pytest.mark.parametrize(  # [8-10]
    ("asked", "name", "present", "absent"),
    [
        (("word",), "timestamp_granularities[]", {"words"}, {"segments"}),
        (("word",), "timestamp_granularities", {"words"}, {"segments"}),
        (("word",), "timestamp_granularities[0]", {"words"}, {"segments"}),
        (("segment",), "timestamp_granularities[]", {"segments"}, {"words"}),
        (("word", "segment"), "timestamp_granularities[]", {"words", "segments"}, set()),
        (("word", "segment"), "timestamp_granularities", {"words", "segments"}, set()),
    ],
)
def test_granularities_choose_words_segments_or_both(answered, asked, name, present, absent):
    content = answered("verbose_json", *asked, name=name).json()
    assert present <= set(content)
    assert not absent & set(content)


def test_granularities_are_ignored_without_verbose_json(answered):  # [11]
    assert set(answered("json", "word").json()) == {"text", "usage"}


def test_every_format_says_the_same(answered):
    def bare(text):
        return " ".join(text.split())

    text = spoken(answered)
    cue = r"^.* --> .*$"
    assert bare(re.sub(rf"^\d+$|{cue}", "", answered("srt").text, flags=re.MULTILINE)) == text
    assert bare(re.sub(rf"^WEBVTT$|{cue}", "", answered("vtt").text, flags=re.MULTILINE)) == text
    content = answered("verbose_json", "word", "segment").json()
    assert "".join(segment["text"] for segment in content["segments"]).strip() == text
    letters = re.compile(r"[\w']+")
    assert letters.findall(" ".join(w["word"] for w in content["words"])) == letters.findall(text)
