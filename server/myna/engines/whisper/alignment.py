"""Word timestamps, from where the decoder's cross-attention looks while it reads its own text back.

CTranslate2 gives the path of dynamic time warping through the attention (`Whisper.align`); this
module turns the path into words. The method is that of openai/whisper's `timing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

TOKENS_PER_S = 50
"""The encoder's output has one position every 20 ms."""
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"
_SENTENCE_END = ".。!！?？"
_LONGEST_MEDIAN_S = 0.7


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word, where it is, and the tokens that it is made of."""

    text: str
    tokens: tuple[int, ...]
    start_s: float
    """Seconds from the window's beginning."""
    end_s: float
    """Seconds from the window's beginning."""
    probability: float


def timed_words(
    words: Sequence[str],
    word_tokens: Sequence[Sequence[int]],
    path: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    window_s: float,
) -> list[TimedWord]:
    """Words with their times.

    `words` and `word_tokens` are one window's text split into words; `path` pairs token indexes
    with positions in the encoder's output; `probabilities` has one value per token.
    """
    if not words or not path:
        return []
    token_index = np.array([pair[0] for pair in path])
    position = np.array([pair[1] for pair in path])
    jumps = np.pad(np.diff(token_index), (1, 0), constant_values=1).astype(bool)
    token_start_s = position[jumps] / TOKENS_PER_S
    bounds = np.pad(np.cumsum([len(tokens) for tokens in word_tokens]), (1, 0))
    last = len(token_start_s) - 1
    timed: list[TimedWord] = []
    for index, (text, tokens) in enumerate(zip(words, word_tokens, strict=True)):
        begin, end = int(bounds[index]), int(bounds[index + 1])
        until_s = float(token_start_s[end]) if end <= last else float(position[-1]) / TOKENS_PER_S
        timed.append(
            TimedWord(
                text=text,
                tokens=tuple(tokens),
                start_s=min(float(token_start_s[min(begin, last)]), window_s),
                end_s=min(until_s, window_s),
                probability=float(np.mean(probabilities[begin:end])) if end > begin else 0.0,
            )
        )
    return _joined_punctuation(_without_overlong(timed))


def _without_overlong(words: list[TimedWord]) -> list[TimedWord]:
    """Cut words that swallowed a pause: at sentence ends attention has nothing to hold on to."""
    lengths = [word.end_s - word.start_s for word in words if word.end_s > word.start_s]
    if not lengths:
        return words
    longest_s = 2 * min(_LONGEST_MEDIAN_S, float(np.median(lengths)))
    cut = list(words)
    for index, word in enumerate(cut):
        if word.end_s - word.start_s <= longest_s:
            continue
        if word.text.strip() in _SENTENCE_END or index == len(cut) - 1:
            cut[index] = replace(word, end_s=word.start_s + longest_s)
        elif index == 0 or cut[index - 1].text.strip()[-1:] in tuple(_SENTENCE_END):
            cut[index] = replace(word, start_s=word.end_s - longest_s)
    return cut


def _joined_punctuation(words: list[TimedWord]) -> list[TimedWord]:
    """Opening marks belong to the word behind them, closing ones to the word before."""
    joined: list[TimedWord] = []
    for word in words:
        before = joined[-1] if joined else None
        if before is not None and word.text in _APPENDED and not before.text.endswith(" "):
            joined[-1] = _merged(before, word, end_s=before.end_s)
        elif before is not None and _opens(before.text):
            joined[-1] = _merged(before, word, start_s=word.start_s, end_s=word.end_s)
        else:
            joined.append(word)
    return joined


def _opens(text: str) -> bool:
    return text.startswith(" ") and bool(text.strip()) and text.strip() in _PREPENDED


def _merged(
    first: TimedWord, second: TimedWord, *, end_s: float, start_s: float | None = None
) -> TimedWord:
    return TimedWord(
        text=first.text + second.text,
        tokens=first.tokens + second.tokens,
        start_s=first.start_s if start_s is None else start_s,
        end_s=end_s,
        probability=first.probability if start_s is None else second.probability,
    )


def monotone(words: Sequence[TimedWord], window_s: float) -> list[TimedWord]:
    """Words that start and end inside the window and never before the word in front of them."""
    clean: list[TimedWord] = []
    last = 0.0
    for word in words:
        start_s = min(max(word.start_s, last), window_s)
        end_s = min(max(word.end_s, start_s), window_s)
        clean.append(replace(word, start_s=start_s, end_s=end_s))
        last = end_s
    return clean
