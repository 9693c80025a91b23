"""Subtitles from words."""

from __future__ import annotations

from myna.text.subtitles import LONGEST_CUE, subtitles, word_entry
from myna.text.transcript import Word
from myna.text.written import SpokenWord


def words(text: str) -> list[Word]:
    """A word a second, half of it spoken."""
    parts = text.split(" ")
    return [Word(f" {part}", at, at + 0.5, 1.0) for at, part in enumerate(parts)]


def test_a_sentence_is_a_cue() -> None:
    assert subtitles(words("One two. “Three!” he said."), "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne two.\n\n"
        "2\n00:00:02,000 --> 00:00:02,500\n“Three!”\n\n"
        "3\n00:00:03,000 --> 00:00:04,500\nhe said.\n\n\n"
    )


def test_webvtt_has_its_head() -> None:
    assert subtitles(words("Hi."), "vtt") == ("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nHi.\n\n")


def test_a_long_sentence_is_parted_between_words_and_loses_none() -> None:
    text = " ".join(["word"] * 100)
    cues = [block.split("\n")[-1] for block in subtitles(words(text), "vtt").split("\n\n")[1:]]
    assert " ".join(filter(None, cues)) == text
    assert max(map(len, cues)) <= LONGEST_CUE


def test_nothing_said_is_an_empty_file() -> None:
    assert subtitles([], "srt") == ""
    assert subtitles([], "vtt") == "WEBVTT\n\n"


def test_a_word_keeps_its_marks_and_tells_what_was_written() -> None:
    assert word_entry(SpokenWord(" dollars,”", 0.12345, 0.5, 1.0, "$5,”", 12)) == {
        "word": "dollars,”",
        "start": 0.123,
        "end": 0.5,
        "written": "$5,”",
        "offset": 12,
    }
