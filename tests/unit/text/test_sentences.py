"""How a text falls into the pieces that are spoken one after another."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from myna.text.sentences import FIRST_CHARS, MAX_CHARS, cuts, pieces, speakable


def uncut(text: str) -> list[str]:
    """Pieces at sizes where only a sentence end in the first three quarters of a text cuts it."""
    return list(pieces(text, first_chars=3 * len(text), max_chars=12 * len(text)))


def first_and_rest(text: str) -> list[str]:
    """The same where no script is denser than another: ends in its last three quarters count."""
    return list(pieces(text, first_chars=len(text), max_chars=4 * len(text)))


def without_space(text: str) -> str:
    return "".join(text.split())


LONG = (
    "It was a bright cold day in April, and the clocks were striking thirteen; the old man, his "
    "chin close to his chest in an effort to escape the wind, slipped through the glass doors of "
    "the house, though not quickly enough to keep a swirl of dust from entering along with him."
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("One two three.", "Four five."),
        ("One two three!", "Four five."),
        ("Is it true?", "It is."),
        ("What is it?!", "Nothing."),
        ("He waited...", "Then he spoke."),
        ("He waited…", "Then he spoke."),
        ('He said "Stop."', "Then he left."),
        ("“Are you there?”", "“I am.”"),
        ("(See the map.)", "Turn left."),
        ("**Bold words.**", "Plain words."),
        ("That was in 1999.", "Then came more."),
        ("It costs 3.50.", "Take it."),
        ("So do I.", "He left."),
        ("He lives in the U.S.", "He likes it."),
        ("Pears, plums, etc.", "The rest is gone."),
        ("He came at 5 p.m.", "Then he left."),
        ("The answer is no.", "Ask again."),
        ("See example.com.", "It works."),
        ("¿Cómo estás?", "¡Muy bien!"),
        ("Il est là !", "Elle aussi."),
        ("Wie geht es dir?", "Mir geht es gut."),
        ("Мне пора.", "До свидания."),
        ("안녕하세요.", "반갑습니다."),
        ("네.", "좋아요."),
        ("مرحبا كيف حالك؟", "أنا بخير."),
        ("यह एक घर है।", "वह बड़ा है।"),
        ("आप कैसे हैं?", "मैं ठीक हूँ।"),
        ("Բարեւ ձեզ։", "Ինչպես եք։"),
    ],
)
def test_a_piece_ends_with_its_sentence(before: str, after: str) -> None:
    assert first_and_rest(f"{before} {after}") == [before, after]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("今天天气很好。", "我们去公园吧。"),
        ("真的吗？！", "当然是真的。"),
        ("「はい。」", "彼は言った。"),
        ("元気ですか？", "元気です！"),
    ],
)
def test_marks_of_chinese_and_japanese_need_no_space_after_them(before: str, after: str) -> None:
    assert uncut(before + after) == [before, after]


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Smith met Mrs. Jones and Dr. Brown",
        "I asked Prof. Lee about St. John",
        "Some tools, e.g. Hammers, i.e. Those with a head",
        "Cats vs. Dogs",
        "Look at No. 5 and Fig. 3 on p. 12 in vol. 2",
        "A book by J. R. R. Tolkien and C. S. Lewis",
        "I. M. Pei built it",
        "The U.S. Army and the U.K. Government met",
        "He comes at 3 p.m. Tuesday or 9 a.m. Friday",
        "Acme Inc. Chairman Jones and Sammy Davis Jr. Sang",
        "On Jan. 5 or Dec. 12 perhaps",
        "Pears, plums, etc. and so on",
        "Pi is 3.14159 and e is 2.718",
        "It began at 10:30 and cost 1,000.50 dollars",
        "Write to jane.doe@mail.example.org about it",
        "Read https://example.org/a.b/c?d=e.f! today",
        "Version 2.0.1 of Node.js is out",
        "The .NET and ...or so they say",
        "Well... maybe so",
        "Yahoo! is a company",
        "“Really?” he asked",
        "Am 3. Mai kam Hr. Müller mit z. B. Blumen bzw. Obst",
        "M. Dupont et Mme. Durand",
        "La Sra. García y el Sr. López",
        "Er kam\u00a0(vgl. S.\u00a05.\u00a0Abs.) zurück",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert first_and_rest(text) == [text]


def test_an_abbreviation_before_a_small_letter_is_not_even_the_end_of_a_clause() -> None:
    text = "Somebody met the others at 3 p.m. on the corner of the market, and there they talked."
    assert next(pieces(text)) == text[: text.index(",") + 1]


def test_an_item_keeps_its_number() -> None:
    listed = "1. First we go there\n2. Then we come back"
    assert list(pieces(listed)) == ["1. First we go there", "2. Then we come back"]


@pytest.mark.parametrize("end", ["\n", "\n\n", "\r\n", " \n \n ", "\u2029"])
def test_a_line_end_ends_a_piece(end: str) -> None:
    assert list(pieces(f"A heading here{end}Some words")) == ["A heading here", "Some words"]
    assert list(pieces(f"Eggs{end}Milk")) == ["Eggs", "Milk"]


def test_lines_that_an_editor_wrapped_belong_together() -> None:
    wrapped = "Here is a sentence in a mail that goes on\nfor longer than a line. It ends here."
    assert list(pieces(wrapped)) == [
        "Here is a sentence in a mail that goes on\nfor longer than a line.",
        "It ends here.",
    ]


def test_an_empty_line_ends_a_piece_whatever_follows() -> None:
    text = "Here is a paragraph that has about forty-five letters\n\nand another one"
    assert list(pieces(text)) == text.split("\n\n")


def test_the_first_piece_is_the_first_sentence() -> None:
    text = "This is how it begins. " + LONG
    assert next(pieces(text)) == "This is how it begins."


def test_a_very_short_first_sentence_takes_the_next_along() -> None:
    assert next(pieces("Hi. How are you? I am well. " + LONG)) == "Hi. How are you?"


def test_a_long_first_sentence_is_cut_at_a_clause() -> None:
    assert next(pieces(LONG)) == "It was a bright cold day in April,"


@pytest.mark.parametrize("mark", [",", ";", ":", " –", "—", "،", "؛"])
def test_every_mark_of_a_clause_may_end_the_first_piece(mark: str) -> None:
    opening = f"This clause is long enough alone{mark}"
    assert next(pieces(f"{opening} and what follows makes it a long sentence.")) == opening


@pytest.mark.parametrize("mark", ["，", "、", "；", "："])
def test_the_wide_marks_of_a_clause_may_end_the_first_piece(mark: str) -> None:
    assert next(pieces(f"今天的天气非常好{mark}" + "所以我们去公园散步看花" * 2)).endswith(mark)


@pytest.mark.parametrize(
    "text",
    [
        "At 10:30 sharp the committee with its 1,000 members met in the very large hall today.",
        "Many sizes of 10–20 and well-known things are in the very large hall of that house today.",
    ],
)
def test_marks_inside_numbers_and_words_are_no_clause(text: str) -> None:
    assert list(pieces(text)) == [text]


def test_a_first_clause_too_short_to_stand_alone_is_not_cut_off() -> None:
    text = "Well, this sentence has no other mark and yet is longer than the first piece should be."
    assert list(pieces(text)) == [text]


def test_a_sentence_without_marks_stays_whole_up_to_half_as_long_again() -> None:
    text = ("word " * 18).strip() + "."
    assert FIRST_CHARS < len(text) <= 3 * FIRST_CHARS / 2
    assert list(pieces(text)) == [text]


UNBROKEN = (
    "after the long winter the farmers went back to the fields and found that the river had "
    "carried away the old bridge so they gathered wood from the forest and began to build another "
    "one while their children brought bread and cheese from the village and sang songs about the "
    "spring and the birds that return from the south when the snow is gone"
)


@pytest.mark.parametrize("first_chars", [36, 60, 100])
def test_without_marks_the_first_piece_is_cut_before_a_word_that_joins(first_chars: int) -> None:
    found = list(pieces(UNBROKEN, first_chars=first_chars))
    assert len(found[0]) <= 5 * first_chars / 4
    assert found[1].split()[0] in {"to", "and", "that", "so", "from", "while"}


def test_without_a_word_that_joins_no_article_is_parted_from_its_noun() -> None:
    text = "nobody here knows the old woman who sold the flowers every single summer morning again"
    assert next(pieces(text, first_chars=18)) == "nobody here knows"


@pytest.mark.parametrize("text", [UNBROKEN, "word " * 200, "x" * 700, "散步" * 200, "ก" * 700])
@pytest.mark.parametrize("first_chars", [24, 36, 60])
def test_without_marks_pieces_grow_no_faster_than_with_them(text: str, first_chars: int) -> None:
    said = 0
    for piece in pieces(text, first_chars=first_chars):
        assert len(piece) <= 3 * max(first_chars, 2 * said) / 2
        said += len(piece) + 1


def test_what_is_cut_where_no_mark_is_is_said_with_a_comma() -> None:
    text = f"It was late. {UNBROKEN}, as they say.\nThe end"
    found = list(cuts(text))
    assert [piece.said for piece in found if piece.marked] == [
        piece.text for piece in found if piece.text[-1] in ".,d" and piece.text[-2:] != "nd"
    ] + ["The end"]
    assert all(piece.said == f"{piece.text}," for piece in found if not piece.marked)
    assert not all(piece.marked for piece in found)


@pytest.mark.parametrize(
    ("between", "goes_on"),
    [
        (" ", True),
        (", ", True),
        (" – ", True),
        ("; ", True),
        (". ", False),
        ("?” ", False),
        ("\n\n", False),
    ],
)
def test_a_sentence_goes_on_behind_a_piece_that_no_stop_ends(between: str, goes_on: bool) -> None:
    half = "they walked along the river until it was too dark to see"
    first, *_, last = cuts(f"{half}{between}{half}")
    assert (first.goes_on, last.goes_on) == (goes_on, False)


def test_a_piece_tells_where_it_stands() -> None:
    text = f"  Now. {UNBROKEN}, as they say.\n\nThe end  "
    for piece in cuts(text):
        assert text[piece.start :].startswith(piece.text)


def test_later_pieces_grow_and_hold_whole_sentences() -> None:
    text = "These are ten words that make up one whole sentence. " * 20
    found = list(pieces(text))
    assert found[0] == "These are ten words that make up one whole sentence."
    assert all(piece.endswith("sentence.") for piece in found)
    sizes = [len(piece) for piece in found]
    assert sizes[:-1] == sorted(sizes[:-1])
    assert max(sizes) > MAX_CHARS // 2


def test_no_piece_is_more_than_twice_what_was_said_before_it_where_clauses_allow() -> None:
    said = 0
    for piece in pieces(LONG + " " + LONG):
        assert len(piece) <= max(FIRST_CHARS, 2 * (said + 2))
        said += len(piece) + 1


def test_chinese_is_cut_to_a_third_of_the_length() -> None:
    text = "今天天气很好，我们一起去公园散步。" * 40
    found = list(pieces(text))
    assert len(found[0]) <= FIRST_CHARS / 3
    assert max(map(len, found)) <= MAX_CHARS / 3


def test_a_sentence_beyond_the_greatest_size_is_cut_at_white_space() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    found = list(pieces(text))
    assert max(map(len, found)) <= MAX_CHARS
    assert [word for piece in found for word in piece.split()] == text.split()


def test_what_has_no_white_space_at_all_is_cut_to_size() -> None:
    found = list(pieces("x" * 1000))
    assert [len(piece) for piece in found[2:]] == [300, 300, 220]


@pytest.mark.parametrize(
    "grapheme",
    [
        "e\u0301",
        "a\u0323\u0302",
        "क\u094d\u200dष",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\U0001f44d\U0001f3fd",
        "❤\ufe0f",
    ],
)
@pytest.mark.parametrize("shift", range(5))
def test_a_forced_cut_leaves_letters_their_marks(grapheme: str, shift: int) -> None:
    text = "x" * shift + grapheme * 60
    found = list(pieces(text, first_chars=20, max_chars=20))
    assert "".join(found) == text
    for piece in found:
        assert unicodedata.category(piece[0])[0] != "M"
        assert piece[0] not in "\u200d\U0001f3fd"
        assert piece[-1] != "\u200d"


def test_a_letter_with_a_thousand_marks_is_still_cut_to_size() -> None:
    assert max(map(len, pieces("Z" + "\u0301" * 1000))) <= MAX_CHARS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("😀 Hello there my friend! 😀 What is up?", 2),
        ("Hello there my friend.\n---\nAnd then some", 2),
        ("--- Hello there my friend. ---", 1),
        ("***\nHello there\n***", 1),
        ("... ... ...", 1),
    ],
)
def test_what_cannot_be_said_goes_along_with_a_neighbour(text: str, expected: int) -> None:
    found = list(pieces(text))
    assert len(found) == expected
    assert without_space("".join(found)) == without_space(text)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "\u00a0\u2003"])
def test_white_space_has_no_pieces(text: str) -> None:
    assert list(pieces(text)) == []


WORDS = (
    "word",
    "Mr.",
    "U.S.",
    "3.14",
    "e.g.",
    "The end.",
    "so?!",
    "“Yes.”",
    "(no)",
    "5.",
    "x" * 50,
)
MARKS = (
    "…",
    ",",
    ";",
    "\n",
    "\n\n",
    " ",
    "。",
    "؟",
    "—",
    "\u00a0",
    "你好",
    "e\u0301",
    "👍🏽",
    "a@b.co",
)
PROSE = st.lists(st.sampled_from(WORDS + MARKS), max_size=60).map(" ".join)


@given(
    text=st.one_of(st.text(), PROSE, PROSE.map(lambda text: text.replace(" ", ""))),
    first_chars=st.integers(1, 80),
    max_chars=st.integers(1, 320),
)
@example(text=LONG, first_chars=1, max_chars=1)
@example(text="\ud800. \udfff", first_chars=1, max_chars=1)
@example(text="a\x00. B\x1f\x85c", first_chars=2, max_chars=2)
@example(text="——5.Mr.\u00a0a@b.co", first_chars=1, max_chars=192)
def test_cutting_never_changes_what_is_said(text: str, first_chars: int, max_chars: int) -> None:
    found = list(pieces(text, first_chars=first_chars, max_chars=max_chars))
    assert without_space("".join(found)) == without_space(text)
    for piece in found:
        assert piece == piece.strip()
        assert 0 < len(piece) <= max_chars


@given(text=PROSE)
def test_with_the_usual_sizes_every_piece_of_a_speakable_text_can_be_said(text: str) -> None:
    found = list(pieces(text))
    if speakable(text) and len(text) < MAX_CHARS / 3:
        assert all(map(speakable, found))


@pytest.mark.parametrize(
    "text",
    [
        "." * 40_000 + "a",
        "a. " * 14_000,
        "1. " * 14_000,
        "a,b, " * 8_000,
        "\n x" * 14_000,
        "—" * 40_000,
    ],
)
def test_hostile_texts_are_cut_like_any_other(text: str) -> None:
    found = list(pieces(text))
    assert without_space("".join(found)) == without_space(text)
    assert max(map(len, found)) <= MAX_CHARS


@pytest.mark.parametrize("text", ["a", "7", "  é ", "你", "ы!", "٣", "😀 ok", "½"])
def test_letters_and_digits_of_any_script_are_speakable(text: str) -> None:
    assert speakable(text)


@pytest.mark.parametrize("text", ["", " \n", "...", "😀👍", "—", "*_~", "\u200b\x00", "\ud800"])
def test_marks_emoji_and_white_space_are_not_speakable(text: str) -> None:
    assert not speakable(text)
