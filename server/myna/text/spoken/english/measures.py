"""Units behind numbers, and what something is per."""

from __future__ import annotations

import re

from myna.text.spoken.english.rules import ARTICLE, FIGURE, MINUS, is_one

_SIMPLE = {
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "µm": "micrometer",
    "μm": "micrometer", "nm": "nanometer", "in.": "inch", "ft": "foot", "yd": "yard", "mi": "mile",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "µg": "microgram", "μg": "microgram",
    "lb": "pound", "lbs": "pound", "oz": "ounce",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "l": "liter", "L": "liter",
    "gal": "gallon",
    "ms": "millisecond", "s": "second", "sec": "second", "secs": "second", "min": "minute",
    "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour",
    "B": "byte", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte",
    "TB": "terabyte", "PB": "petabyte", "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt hour",
    "V": "volt", "mA": "milliamp", "mAh": "milliamp hour", "kcal": "kilocalorie", "J": "joule",
    "kJ": "kilojoule", "Pa": "pascal", "kPa": "kilopascal", "dB": "decibel", "px": "pixel",
    "°C": "degree Celsius", "° C": "degree Celsius", "℃": "degree Celsius",
    "°F": "degree Fahrenheit", "° F": "degree Fahrenheit", "℉": "degree Fahrenheit",
}  # fmt: skip
_RATES = {
    "mph": "mile per hour", "kph": "kilometer per hour", "rpm": "revolution per minute",
    "bpm": "beat per minute", "fps": "frame per second", "kbps": "kilobit per second",
    "Kbps": "kilobit per second", "Mbps": "megabit per second", "Gbps": "gigabit per second",
    "Mbit/s": "megabit per second", "Gbit/s": "gigabit per second",
}  # fmt: skip
_AREAS = {
    short.format(unit): f"{power} {word}"
    for unit, word in (
        ("m", "meter"), ("km", "kilometer"), ("cm", "centimeter"), ("mm", "millimeter"),
        ("ft", "foot"), ("in", "inch"), ("mi", "mile"), ("yd", "yard"),
    )
    for short, power in (("{}²", "square"), ("sq {}", "square"), ("{}³", "cubic"))
}  # fmt: skip
_UNITS = _SIMPLE | _RATES | _AREAS
_PLURALS = {"foot": "feet", "inch": "inches"}


def _alternatives(words: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_UNIT = re.compile(
    rf"{ARTICLE}{MINUS}(?<![\w.,/:])(?P<number>{FIGURE})(?P<gap>[ \u00a0\u202f-]?)"
    rf"(?P<unit>{_alternatives(_UNITS)})(?:/(?P<per>{_alternatives(_UNITS)}))?"
    r"(?![\w'’/²³-]|\.\w)"
)
_PER = re.compile(
    r"(?P<before>(?:\d|%|\b(?:dollars?|cents?|euros?|pounds?|pence|yen|thousand|million|billion"
    rf"|{'|'.join(sorted({word.split()[-1] for word in _UNITS.values()}))})s?))\s?/\s?"
    r"(?P<per>second|minute|hour|day|night|week|month|quarter|year|person|people|user|seat|head|item"
    r"|piece|page|mile|gallon|sec|min|hr|h|mo|yr|wk|kg|lb|l|m|km)\b(?!/)"
)
_SHORT = {"mo": "month", "yr": "year", "wk": "week"}


def measures_said(text: str) -> str:
    """The text with units in words where a number stands before them: "5 kg" as "5 kilograms"."""
    text = _UNIT.sub(_said, text)
    return _PER.sub(_per, text)


def _said(found: re.Match[str]) -> str:
    number = found["number"]
    singular = is_one(number) or found["article"] or found["gap"] == "-"
    name = _UNITS[found["unit"]]
    minus = "minus " if found["minus"] else ""
    per = f" per {_UNITS[found['per']]}" if found["per"] else ""
    return f"{found['article'] or ''}{minus}{number} {name if singular else _plural(name)}{per}"


def _plural(name: str) -> str:
    """Of the last word, or of the one before "per" or "Celsius"."""
    head, sign, rest = name.partition(" per ")
    if not sign and head.startswith("degree "):
        return f"degrees {head.removeprefix('degree ')}"
    before, _, last = head.rpartition(" ")
    many = last if last.endswith("hertz") else _PLURALS.get(last, f"{last}s")
    return f"{before} {many}".strip() + sign + rest


def _per(found: re.Match[str]) -> str:
    per = found["per"]
    return f"{found['before']} per {_SHORT.get(per) or _UNITS.get(per, per)}"
