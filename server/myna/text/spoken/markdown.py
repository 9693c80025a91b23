"""Markdown to its words. What is code stays as it is written, but for the marks around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from myna.text.spoken.markup import untagged, without_entities

_MOST = 1000
"""Characters between two marks that belong together: beyond it they are no pair, and looking for
one takes no longer."""

_FENCED = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n`]*(?:\n|\Z)"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SPAN = re.compile(rf"(?<!`)(?P<ticks>`+)(?!`)(?P<code>[^\n]{{1,{_MOST}}}?)(?<!`)(?P=ticks)(?!`)")
_HELD = re.compile("\ue000(\\d+)\ue001")
"""Where code was; the two characters have no meaning and no sound of their own."""

_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+")
_HEADING_END = re.compile(r"[ \t]+#+$")
_QUOTE = re.compile(r"[ \t]{0,3}(?:>[ \t]?)+")
_BULLET = re.compile(r"[ \t]*[-*+•◦▪‣·][ \t]+(?:\[[ xX]\][ \t]+)?")
_RULE = re.compile(r"[ \t]*(?:[-*_=][ \t]*){3,}")
_DEFINITION = re.compile(r"[ \t]{0,3}\[[^\]\n]+\]:[ \t]*<?(?:[a-z]+:|www\.|[/#.])\S*.*")
_NOTE = re.compile(r"[ \t]{0,3}\[\^[^\]\n]{1,100}\]:[ \t]*")
_COLUMN_RULE = re.compile(r"[ \t]*:?-+:?[ \t]*")

_TARGET = (
    rf"\((?:<[^<>\n]{{0,{_MOST}}}>|(?:[^()\s]|\([^()\s]{{0,{_MOST}}}\)){{0,{_MOST}}})"
    r"""(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'))?\)"""
)
_INLINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"!\[(?P<words>[^\[\]\n]{{0,{_MOST}}})\]{_TARGET}"), r"\g<words>"),
    (re.compile(rf"\[(?P<words>[^\[\]\n]{{0,{_MOST}}})\]{_TARGET}"), r"\g<words>"),
    (re.compile(r"\[\^[^\[\]\s]{1,100}\]"), ""),
    (re.compile(rf"!?\[(?P<words>[^\[\]\n]{{1,{_MOST}}})\]\[[^\[\]\n]{{0,100}}\]"), r"\g<words>"),
    (
        re.compile(r"<(?P<address>(?:https?://|mailto:)[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>"),
        r"\g<address>",
    ),
    *(
        (
            re.compile(
                rf"(?<![\w{re.escape(mark[0])}\\]){re.escape(mark)}(?![\s{re.escape(mark[0])}])"
                rf"(?P<words>(?:(?!\n[ \t]*\n)[\s\S]){{1,{_MOST}}}?)"
                rf"(?<![\s\\]){re.escape(mark)}(?![\w{re.escape(mark[0])}])"
            ),
            r"\g<words>",
        )
        for mark in ("***", "**", "*", "___", "__", "_", "~~")
    ),
    (re.compile(r"\\(?P<mark>[!-/:-@\[-`{-~])"), r"\g<mark>"),
)


def unmarked(text: str) -> str:
    """The words of a Markdown text with HTML or SSML in it, line by line."""
    held: list[str] = []
    text = _HELD.sub("", text.replace("\r\n", "\n"))
    for code in (_FENCED, _SPAN):
        text = code.sub(lambda found: _hold(found["code"], held), text)
    text = untagged(text)
    text = "\n".join(_rows(text.split("\n")))
    text = without_entities(_inline(text))
    return _HELD.sub(lambda found: held[int(found[1])], text)


def _hold(code: str, held: list[str]) -> str:
    held.append(_HELD.sub("", code).strip("\n"))
    return f"\ue000{len(held) - 1}\ue001"


def _inline(text: str) -> str:
    for pattern, words in _INLINE:
        text = pattern.sub(words, text)
    return text


def _rows(lines: list[str]) -> Iterator[str]:
    """Lines without the marks at their beginnings, and the rows of tables as lists."""
    table = False
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if table and "|" in line and _rules_columns(line):
            continue
        table = "|" in line and (table or _rules_columns(below))
        yield ", ".join(filter(None, _cells(line))) if table else _line(line)


def _rules_columns(line: str) -> bool:
    return "|" in line and all(map(_COLUMN_RULE.fullmatch, line.strip().strip("|").split("|")))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _line(line: str) -> str:
    if _RULE.fullmatch(line) or _DEFINITION.fullmatch(line):
        return ""
    for mark in (_QUOTE, _NOTE, _BULLET):
        if found := mark.match(line):
            line = line[found.end() :]
    if found := _HEADING.match(line):
        return _HEADING_END.sub("", line[found.end() :].rstrip())
    return line
