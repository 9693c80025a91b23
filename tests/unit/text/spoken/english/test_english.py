"""English as it is read out, beside what `tests/spoken.toml` has: cases that look alike."""

from __future__ import annotations

import pytest

from myna.text.spoken.english import read_out
from myna.text.spoken.english.numerals import in_words, ordinal, roman_value, round_ordinal


def us(text: str) -> str:
    return read_out(text, british=False)


SAID = [
    # Money.
    ("$1.00 and $0.05 and $0.01", "1 dollar and 5 cents and 1 cent"),
    ("-$5", "minus 5 dollars"),
    ("$1,000", "1,000 dollars"),
    ("$5 million, $2.5M, $3k", "5 million dollars, 2.5 million dollars, 3 thousand dollars"),
    ("£5m, $2t, $5mil", "5 million pounds, 2 trillion dollars, 5 million dollars"),
    ("$100USD, $20ea", "100 dollars USD, 20 dollars ea"),
    ("a $5 million house", "a 5 million dollar house"),
    ("$5-$10", "5 to 10 dollars"),
    ("20€, 20 EUR, EUR 20", "20 euros, 20 euros, 20 euros"),
    ("£1.01", "1 pound and 1 penny"),
    ("$1.5", "1.5 dollars"),
    ("$HOME and US$", "$HOME and US$"),
    # Units.
    ("1 kg, 1.5 kg, 10kg", "1 kilogram, 1.5 kilograms, 10 kilograms"),
    ("a 10-kg bag", "a 10 kilogram bag"),
    ("5 m/s and 60 mph", "5 meters per second and 60 miles per hour"),
    ("3 ft and 1 ft", "3 feet and 1 foot"),
    ("2 GHz", "2 gigahertz"),
    ("5G, 4K, 3D, I'm 5 m", "5G, 4K, 3D, I'm 5 meters"),
    ("-5 °C to 5 °C", "minus 5 degrees Celsius to 5 degrees Celsius"),
    ("10-15 kg", "10 to 15 kilograms"),
    ("5 in a row, 5 a day", "5 in a row, 5 a day"),
    ("kg alone", "kg alone"),
    ("10 million/year", "10 million per year"),
    # Dates and years.
    ("2024-02-30", "2024-02-30"),
    ("31.12.1999", "December 31st, nineteen ninety-nine"),
    ("13/1/2020", "January 13th, twenty twenty"),
    ("3/4/99", "March 4th, nineteen ninety-nine"),
    ("2024-03-15T09:30:00Z", "March 15th, twenty twenty-four, 9 30 oh 0"),
    ("In March 3 people came", "In March 3 people came"),
    ("May 5, 2010", "May 5th, twenty ten"),
    ("the 3rd of May", "the 3rd of May"),
    ("1 Jan 2001", "the 1st of January, 2001"),
    ("in 1066", "in 1066"),
    ("since 1900, by 1907", "since nineteen hundred, by nineteen oh seven"),
    ("between 1914 and 1918", "between nineteen fourteen and nineteen eighteen"),
    ("1500 people, 2000 words", "1500 people, 2000 words"),
    ("in 1500%", "in 1500%"),
    ("the 1800s and 60s", "the eighteen hundreds and sixties"),
    # Times and ratios.
    ("10:30, 9:05, 9:00, 14:00", "10:30, 9 oh 5, 9 o'clock, 14 hundred"),
    ("0:00 and 24:00", "midnight and midnight"),
    ("3:00pm, 3:05 PM", "3 pm, 3 oh 5 PM"),
    ("7.30 pm but 7.30", "7:30 pm but 7.30"),
    ("9:30-10:30", "9:30 to 10:30"),
    ("4:3 and 1:100", "4 to 3 and 1 to 100"),
    # Numbers.
    ("3-2 and A4-3 and 1-2-3", "3 to 2 and A4-3 and 1-2-3"),
    ("5 - 3 = 2", "5 minus 3 = 2"),
    ("1.2.3 and 192.168.1.1", "1.2.3 and 192.168.1.1"),
    ("1/2, 2 3/4, 5/8, 11/13", "1 half, 2 and 3 quarters, 5 eighths, 11/13"),
    ("200th, 1,200th, 101st", "2 hundredth, 1 thousand 2 hundredth, 101st"),
    ("Louis XIV, Henry I, World War II", "Louis the 14th, Henry I, World War 2"),
    ("Super Bowl LVIII, size XL, Vitamin C", "Super Bowl 58, size XL, Vitamin C"),
    ("COVID-19, MP3, H2O", "COVID-19, MP3, H2O"),
    # Telephone numbers and codes.
    ("555-123-4567", "5 5 5, 1 2 3, 4 5 6 7"),
    ("+44 20 7946 0958", "plus 4 4, 2 0, 7 9 4 6, 0 9 5 8"),
    ("PIN 1234", "pin 1 2 3 4"),
    ("1990-1995", "nineteen ninety to nineteen ninety-five"),
    # Abbreviations.
    ("Dr. Brown", "Dr. Brown"),
    ("St. Mary on Elm St. near it", "Saint Mary on Elm Street near it"),
    ("on Elm St. The dog", "on Elm Street. The dog"),
    ("No. 5", "Number 5"),
    ("No. I will not.", "No. I will not."),
    ("Tom vs. Tim", "Tom versus Tim"),
    ("the sun. It sat. Sat., Oct. 5", "the sun. It sat. Saturday, October 5th"),
    ("w/o and w/ milk", "without and with milk"),
    ("King Jr. spoke", "King Junior spoke"),
    # Signs.
    ("#5 here. #6", "Number 5 here. Number 6"),
    ("we are #1", "we are number 1"),
    ("a > b, a < b", "a is greater than b, a is less than b"),
    ("p<0.05, 3>2", "p is less than 0.05, 3 is greater than 2"),
    ("Children <5 of >50. <5 there", "Children less than 5 of more than 50. Less than 5 there"),
    ("x² + y³, 10^6", "x squared + y cubed, 10 to the power of 6"),
    ("2 * 3", "2 times 3"),
    ("~5 but ~/home", "About 5 but ~/home"),
]


@pytest.mark.parametrize(("written", "said"), SAID)
def test_is_read_out(written: str, said: str) -> None:
    assert us(written) == said


@pytest.mark.parametrize(
    ("number", "words"), [(0, "zero"), (13, "thirteen"), (20, "twenty"), (99, "ninety-nine")]
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert in_words(number) == words


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (112, "112th"), (23, "23rd")],
)
def test_ordinals_in_digits(number: int, said: str) -> None:
    assert ordinal(number) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (300, "3 hundredth"),
        (5000, "5 thousandth"),
        (2_000_000, "2 millionth"),
        (10**9, "1 billionth"),
    ],
)
def test_round_ordinals(number: int, said: str) -> None:
    assert round_ordinal(number) == said


@pytest.mark.parametrize(("numeral", "value"), [("IV", 4), ("XIX", 19), ("XL", 40), ("LVIII", 58)])
def test_roman_numerals(numeral: str, value: int) -> None:
    assert roman_value(numeral) == value
