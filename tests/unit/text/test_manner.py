"""What `instructions` come to, and what they must not."""

from __future__ import annotations

import pytest

from myna.text.manner import Manner, manner_of

USUAL = Manner()


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("Speak slowly.", Manner(pace=0.85)),
        ("SPEAK SLOWLY", Manner(pace=0.85)),
        ("very slow, please", Manner(pace=0.7)),
        ("Talk fast!", Manner(pace=1.2)),
        ("Go very quickly", Manner(pace=1.4)),
        ("Whisper.", Manner(gain_db=-10)),
        ("in a soft voice", Manner(gain_db=-5)),
        ("Make longer pauses.", Manner(pauses=2)),
        ("short pauses", Manner(pauses=0.5)),
        ("Calm and slow, with long pauses, quietly.", Manner(0.85, 2, -5)),
        ("Don't shout, but whisper", Manner(gain_db=-10)),
    ],
)
def test_words_of_the_vocabulary_are_followed(instructions: str, expected: Manner) -> None:
    assert manner_of(instructions) == expected


@pytest.mark.parametrize(
    "instructions",
    [
        "",
        "None",
        "Speak like a pirate who loves breakfast.",
        "Don't whisper.",
        "Don’t whisper",
        "do not speak too fast",
        "never pause",
        "without long pauses",
        "not slow and not fast",
        "a steadfast, slowcooked software voice",
        "slow-motion",
        "the whisperers",
    ],
)
def test_everything_else_is_ignored(instructions: str) -> None:
    assert manner_of(instructions) == USUAL
