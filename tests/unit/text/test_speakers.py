"""Words given to the speakers whose turns they fall into."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.text.speakers import SpeakerNames, SpeakerTurns, attributed
from myna.text.transcript import Segment, TokenLogprob, Turn, Word


def segment(*words: tuple[str, float, float], text: str | None = None) -> Segment:
    spoken = tuple(Word(said, start_s, end_s, 0.9) for said, start_s, end_s in words)
    text = "".join(word.text for word in spoken) if text is None else text
    logprobs = (TokenLogprob(text, text.encode(), -0.1),)
    ends = (spoken[0].start_s, spoken[-1].end_s) if spoken else (0.0, 4.0)
    return Segment(0, *ends, text, (1, 2, 3), 0.0, -0.1, 1.0, 0.0, spoken, logprobs)


def split(said: Segment, *turns: Turn, known: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    parts = attributed([said], SpeakerTurns(turns), SpeakerNames(known))
    return [(part.speaker, part.text) for part in parts]


QUESTION = segment((" Who", 0.0, 0.5), (" is", 0.5, 1.0), (" it?", 1.0, 1.5), (" Me.", 2.0, 2.5))


def test_a_segment_is_split_where_the_speaker_changes():
    parts = list(
        attributed([QUESTION], SpeakerTurns([Turn(0, 1.6, 7), Turn(1.9, 3, 3)]), SpeakerNames())
    )
    assert [(one.speaker, one.text, one.start_s, one.end_s) for one in parts] == [
        ("A", " Who is it?", 0.0, 1.5),
        ("B", " Me.", 2.0, 2.5),
    ]
    assert [one.tokens for one in parts] == [(1, 2, 3), ()]  # counted once
    assert [len(one.logprobs) for one in parts] == [1, 0]
    assert [len(one.words) for one in parts] == [3, 1]


def test_a_segment_of_one_speaker_stays_as_it_is():
    (one,) = attributed([QUESTION], SpeakerTurns([Turn(0, 3, 7)]), SpeakerNames())
    assert (one.speaker, one.text, one.end_s) == ("A", QUESTION.text, QUESTION.end_s)
    assert one.tokens == QUESTION.tokens


def test_a_word_goes_to_the_speaker_who_covers_most_of_it():
    assert split(segment((" hm", 1.0, 2.0)), Turn(0, 1.3, 0), Turn(1.3, 4, 1)) == [("A", " hm")]
    both = segment((" a", 0.0, 1.0), (" hm", 1.0, 2.0))
    assert split(both, Turn(0, 1.3, 0), Turn(1.3, 4, 1)) == [("A", " a"), ("B", " hm")]


def test_where_two_speak_at_once_it_is_who_has_the_longer_turn():
    said = segment((" and", 0.0, 1.0), (" so", 1.0, 2.0), (" on", 2.0, 3.0))
    assert split(said, Turn(0, 3, 0), Turn(0.9, 2.1, 1)) == [("A", " and so on")]


def test_a_word_outside_all_turns_goes_to_the_nearest():
    said = segment((" a", 0.0, 1.0), (" b", 2.0, 2.2), (" c", 3.5, 3.6), (" d", 9.0, 9.1))
    assert split(said, Turn(0, 1, 0), Turn(4, 5, 1)) == [("A", " a b"), ("B", " c d")]


def test_a_word_of_no_length_is_said_by_who_speaks_then():
    said = segment((" a", 0.0, 1.0), (" b", 3.0, 3.0))
    assert split(said, Turn(0, 2, 0), Turn(2, 4, 1)) == [("A", " a"), ("B", " b")]


def test_the_turn_that_ended_last_is_near_although_another_began_later():
    said = segment((" a", 2.2, 2.4))
    assert split(said, Turn(0, 2, 0), Turn(0.5, 1, 1), known=("x", "y")) == [("x", " a")]


def test_nobody_heard_but_something_said_is_one_speaker():
    assert split(QUESTION) == [("A", QUESTION.text)]


def test_a_segment_without_words_is_given_as_a_whole():
    assert split(segment(text=" Ja."), Turn(0, 1, 0), Turn(1, 4, 1)) == [("A", " Ja.")]


def test_text_is_never_lost_to_words_that_do_not_make_it_up():
    said = segment((" Who", 0.0, 0.5), (" Me.", 2.0, 2.5), text=" Who is it? Me.")
    assert split(said, Turn(0, 0.6, 0), Turn(1.9, 3, 1)) == [("A", " Who is it? Me.")]


def test_letters_are_in_order_of_appearance_and_known_names_come_first():
    turns = (Turn(0, 1.6, 9), Turn(1.9, 3, 0))
    assert split(QUESTION, *turns, known=("agent",)) == [("A", " Who is it?"), ("agent", " Me.")]


def test_a_letter_that_is_a_known_name_is_nobody_elses():
    names = SpeakerNames(("B", "agent"))
    assert [names.of(number) for number in (5, 0, 6, 5)] == ["A", "B", "C", "A"]


def test_there_are_letters_for_everybody():
    names = SpeakerNames()
    found = [names.of(number) for number in range(30)]
    assert found[25:29] == ["Z", "AA", "AB", "AC"]


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 20), st.integers(0, 3)), max_size=12),
    st.floats(0, 60),
    st.floats(0.01, 3),
)
def test_the_search_finds_what_looking_at_every_turn_finds(spans, start_s, length_s):
    turns = [Turn(at, at + long, who) for at, long, who in spans]
    end_s = start_s + length_s
    found = SpeakerTurns(turns).speaker(start_s, end_s)
    if not turns:
        assert found is None
        return
    covers = {
        who: sum(
            max(0.0, min(one.end_s, end_s) - max(one.start_s, start_s))
            for one in turns
            if one.speaker == who
        )
        for who in {one.speaker for one in turns}
    }
    if max(covers.values()) > 0:
        assert covers[found] >= max(covers.values()) - 0.03
    else:
        away = {
            who: min(
                max(one.start_s - end_s, start_s - one.end_s) for one in turns if one.speaker == who
            )
            for who in covers
        }
        assert away[found] == pytest.approx(min(away.values()))


def test_an_hour_of_words_is_one_pass():
    """Every word looks at a few turns, not at all: an hour took minutes otherwise."""
    words = [segment((f" {at}", at / 3, at / 3 + 0.3)) for at in range(10_000)]
    turns = [Turn(at, at + 2.5, at % 3) for at in range(0, 3400, 2)]
    found = list(itertools.islice(attributed(words, SpeakerTurns(turns), SpeakerNames()), 10_000))
    assert "".join(one.text for one in found) == "".join(one.text for one in words)
