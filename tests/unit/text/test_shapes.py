import pytest

from myna.text.shapes import shown_span_s, word_shape
from myna.text.transcript import Word


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (" Hello,", "Hello"),
        (" “Quoted”", "Quoted"),
        (" don't", "don't"),
        (" (50%)", "50%"),
        (" $5.", "$5"),
        (" 3.14,", "3.14"),
        (" -5", "-5"),
        (" well-known", "well-known"),
        ("你好。", "你好"),
        (" ¿Qué?", "Qué"),
        (" R&B", "R&B"),
        (" ♪", "♪"),
    ],
)
def test_words_lose_the_punctuation_around_them(said, shown):
    assert word_shape(Word(said, 0.0, 1.0, 1.0))["word"] == shown


@pytest.mark.parametrize(
    ("span_s", "shown_s"),
    [
        ((1.0004, 2.9996), (1.0, 3.0)),
        ((-0.5, -1.0), (0.0, 0.0)),
        ((5.0, 4.0), (5.0, 5.0)),
        ((float("nan"), float("inf")), (0.0, 9999.0)),
    ],
)
def test_a_span_is_shown_in_whole_milliseconds_and_never_ends_before_it_starts(span_s, shown_s):
    assert shown_span_s(Word("", *span_s, 1.0)) == shown_s
