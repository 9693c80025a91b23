import json

from myna.text.encoding import encode_json, encode_text


def test_event_json_stays_on_one_line_for_readers_that_break_at_unicode_line_ends():
    line = encode_json({"delta": "a\u2028b\u2029c\u0085d\ne\x0bf\x1cg"}).decode()
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"delta": "a\u2028b\u2029c\u0085d\ne\x0bf\x1cg"}


def test_half_a_character_is_marked_and_two_halves_are_joined():
    assert encode_text("a\ud800b \ud83d\ude00") == "a\ufffdb 😀".encode()
