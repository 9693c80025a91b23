"""Markdown to its words."""

from __future__ import annotations

import pytest

from myna.text.spoken.markdown import unmarked


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("# Title", "Title"),
        ("###### Title ##", "Title"),
        ("#hashtag and #1", "#hashtag and #1"),
        ("# About C#", "About C#"),
        ("Title\n=====\nText", "Title\n\nText"),
        ("* * *", ""),
        ("- one\n* two\n+ three\n• four", "one\ntwo\nthree\nfour"),
        ("- [ ] open\n- [x] done", "open\ndone"),
        ("-5 degrees", "-5 degrees"),
        ("1. one\n2) two", "1. one\n2) two"),
        ("> quoted\n>> twice", "quoted\ntwice"),
        ("[text](https://example.com/a_(b))", "text"),
        ('[text](<a b> "title")', "text"),
        ("![alt](a.png)", "alt"),
        ("[![alt](a.png)](b)", "alt"),
        ("[text][ref]\n\n[ref]: https://example.com 'title'", "text\n\n"),
        ("[Note]: this is text", "[Note]: this is text"),
        ("a note[^1]\n\n[^1]: its text", "a note\n\nits text"),
        ("array[0] and [brackets]", "array[0] and [brackets]"),
        ("**bold** *it* ***both*** __b__ _i_ ~~gone~~", "bold it both b i gone"),
        ("**bold *in* it**", "bold in it"),
        ("**two\nlines**", "two\nlines"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("2*3*4", "2*3*4"),
        ("snake_case_name", "snake_case_name"),
        ("**open", "**open"),
        (r"\*not\* it", "*not* it"),
        ("`a*b*c` and ``x`y``", "a*b*c and x`y"),
        ("`<b>` **x**", "<b> x"),
        ("```python\n# no heading\n*a*\n```\nend", "# no heading\n*a*\nend"),
        ("~~~\ncode", "code"),
        ("a | b\n--|--\nc | d\n\nx | y", "a, b\nc, d\n\nx | y"),
        ("either | or", "either | or"),
        ("one\r\ntwo", "one\ntwo"),
        ("AT&amp;T &lt;b&gt; &copy; &nosuch;", "AT&T <b> © &nosuch;"),
    ],
)
def test_marks_go_and_words_stay(written: str, words: str) -> None:
    assert unmarked(written) == words
