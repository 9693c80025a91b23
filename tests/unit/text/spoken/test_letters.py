"""Letters in disguise."""

from __future__ import annotations

import pytest

from myna.text.spoken.letters import plain_letters


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("𝐁𝐨𝐥𝐝 𝓼𝓬𝓻𝓲𝓹𝓽 𝟙𝟚", "Bold script 12"),
        ("＄５ ＆ １０％", "$5 & 10%"),
        ("好！（是）。", "好！（是）。"),
        ("٣٤٥, १२, Step ① ⓗⓘ, 5㎏", "345, 12, Step 1 hi, 5kg"),
        ("１．５，１２：３０", "1.5,12:30"),
        ("１，２００ ２．", "1,200 2．"),
        ("naïve ﬁne x² ½", "naïve ﬁne x² ½"),
    ],
)
def test_letters_are_those_that_are_meant(written: str, plain: str) -> None:
    assert plain_letters(written) == plain
