"""Numbers in other signs: words, ordinals, Roman numerals."""

from __future__ import annotations

_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
_LETTERS = {"I": 1, "V": 5, "X": 10, "L": 50}

ROMAN = r"(?P<roman>(?!XL\b)(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
"""A Roman numeral up to 89, or nothing; 40 alone is a size of clothes."""


def in_words(number: int) -> str:
    """A number below a hundred: `seven`, `thirty`, `eighty-four`."""
    if number < 20:
        return _BELOW_TWENTY[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_BELOW_TWENTY[ones]}" if ones else "")


def ordinal(number: int) -> str:
    """In digits: `1st`, `22nd`, `113th`."""
    teen = 10 < number % 100 < 20
    return f"{number}{'th' if teen else _SUFFIXES.get(number % 10, 'th')}"


def round_ordinal(number: int) -> str:
    """Of a number of whole hundreds: `2 hundredth`, `5 millionth`, `1 thousand 2 hundredth`."""
    for size, name in ((10**9, "billionth"), (10**6, "millionth"), (1000, "thousandth")):
        if number % size == 0:
            return f"{number // size} {name}"
    thousands, hundreds = divmod(number // 100, 10)
    return f"{thousands} thousand {hundreds} hundredth" if thousands else f"{hundreds} hundredth"


def roman_value(numeral: str) -> int:
    """Of a numeral of the letters I, V, X and L."""
    values = [_LETTERS[letter] for letter in numeral]
    return sum(-value if value < max(values[at:]) else value for at, value in enumerate(values))
