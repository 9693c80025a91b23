"""What espeak-ng reads wrongly in English, in words and digits that it reads rightly.

Digits stay digits wherever it can read them: "$5" becomes "5 dollars", not "five dollars".
"""

from __future__ import annotations

from myna.text.spoken.english.abbreviations import abbreviations_said
from myna.text.spoken.english.dates import dates_said
from myna.text.spoken.english.measures import measures_said
from myna.text.spoken.english.money import money_said
from myna.text.spoken.english.numbers import numbers_said
from myna.text.spoken.english.phones import phones_said
from myna.text.spoken.english.symbols import symbols_said
from myna.text.spoken.english.times import times_said

__all__ = ["read_out"]


def read_out(text: str, *, british: bool) -> str:
    """English as it is said. `british` decides which number of "3/4/2025" is the month."""
    text = phones_said(text)  # before its digits look like ranges
    text = dates_said(abbreviations_said(text), british=british)
    text = money_said(times_said(text))
    return symbols_said(numbers_said(measures_said(text)))
