"""Times of day, and ratios, which look alike."""

from __future__ import annotations

import re

from myna.text.spoken.english.rules import Rule, applied

_HOUR = r"(?P<hour>[01]?\d|2[0-4])"
_MINUTE = r"(?P<minute>[0-5]\d)"
_HALF = r"(?P<half>\s?[AaPp](?:\.[Mm]\.?|[Mm]\b))"
_BEFORE = r"(?<![\w.,:/])"


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found["hour"]), int(found["minute"]), found["half"] or ""
    half = f" {half.strip()}" if half else ""
    if minute:
        return f"{hour} oh {minute}{half}" if minute < 10 else f"{hour}:{minute}{half}"
    if half:
        return f"{hour}{half}"
    if hour % 24 == 0:
        return "midnight"
    return f"{hour} o'clock" if hour <= 12 else f"{hour} hundred"


def _to_the_second(found: re.Match[str]) -> str:
    parts: tuple[str, ...] = (found["minute"], found["second"])
    said = [part if part[0] != "0" else f"oh {part[1]}" for part in parts]
    return f"{int(found['hour'])} {' '.join(said)}"


_RULES: tuple[Rule, ...] = (
    (
        re.compile(rf"{_BEFORE}{_HOUR}:{_MINUTE}:(?P<second>[0-5]\d)(?![:\d])(?:Z\b)?"),
        _to_the_second,
    ),
    (
        re.compile(
            r"(?<=\d)(?P<half>\s?[AaPp]\.?[Mm]\.?)?\s?[–-]\s?(?=(?:[01]?\d|2[0-4]):[0-5]\d\b)"
        ),
        lambda found: f"{found['half'] or ''} to ",
    ),
    (re.compile(rf"{_BEFORE}{_HOUR}:{_MINUTE}(?![:\d]){_HALF}?"), _time),
    (re.compile(rf"{_BEFORE}(?P<hour>1[0-2]|0?[1-9])\.{_MINUTE}{_HALF}"), _time),
    (
        re.compile(
            rf"{_BEFORE}(?!(?:[01]?\d|2[0-4]):[0-5]\d(?!\d))(?P<a>\d+(?:\.\d+)?):(?P<b>\d+(?:\.\d+)?)"
            r"(?![\w:/])"
        ),
        r"\g<a> to \g<b>",
    ),
)


def times_said(text: str) -> str:
    """The text with "9:05" as "9 oh 5", "9:00" as "9 o'clock" and "16:9" as "16 to 9".

    "10:30" stays: that espeak says as a time.
    """
    return applied(_RULES, text)
