"""Whisper's tokens: prompts, words and the bytes behind a token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import tokenizers
from faster_whisper.tokenizer import Tokenizer

from myna.engines.contract.transcriber import DecodingOptions
from myna.text.transcript import Task, TokenLogprob

MAX_PROMPT_TOKENS = 223
"""Half of Whisper's text context less one, as openai/whisper keeps."""
_MOST_CHARS = 8 * MAX_PROMPT_TOKENS
"""More text than this is not read: tokens are four characters long on average, and tokenising a
prompt of megabytes takes seconds."""


class Vocabulary:
    """The tokenizer of one model, in every language and task that it knows."""

    def __init__(self, folder: Path, *, multilingual: bool) -> None:
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._multilingual = multilingual
        self._known: dict[tuple[str, Task], Tokenizer] = {}
        self._lock = Lock()

    def tokenizer(self, language: str, task: Task) -> Tokenizer:
        """faster-whisper's tokenizer for this language and task; made once."""
        with self._lock:
            key = (language, task)
            if key not in self._known:
                self._known[key] = Tokenizer(self._tokens, self._multilingual, task, language)
            return self._known[key]

    @cached_property
    def base(self) -> Tokenizer:
        """For what does not depend on language or task."""
        return self.tokenizer("en", "transcribe")

    @cached_property
    def suppressed(self) -> list[int]:
        """Tokens that are never written: sound descriptions, and those that steer the model."""
        base = self.base
        steering = {base.transcribe, base.translate, base.sot, base.sot_prev, base.sot_lm}
        found = {*base.non_speech_tokens, *steering, base.no_speech}
        return sorted(token for token in found if token is not None)

    @cached_property
    def language_tokens(self) -> dict[str, str]:
        """`<|en|>` to `en`, for every language that the model has a token for."""
        names = [name for name in self._tokens.get_vocab() if name.startswith("<|")]
        return {name: name[2:-2] for name in names if name[2:-2].isalpha() and len(name) <= 7}

    def context(self, options: DecodingOptions) -> list[int]:
        """Tokens of the text that came before: hotwords, then the prompt's last tokens."""
        hotwords = ", ".join(options.hotwords)[:_MOST_CHARS]
        hot = self.base.encode(" " + hotwords) if hotwords else []
        hot = hot[:MAX_PROMPT_TOKENS]
        prompt = (options.prompt or "").strip()[-_MOST_CHARS:]
        room = MAX_PROMPT_TOKENS - len(hot)
        told = self.base.encode(" " + prompt)[-room:] if prompt and room > 0 else []
        return hot + told

    def prompt(
        self, context: Sequence[int], language: str, task: Task, *, timestamps: bool = True
    ) -> list[int]:
        """Everything that the decoder is given before it writes."""
        start = list(self.tokenizer(language, task).sot_sequence)
        if not timestamps:
            start.append(self.base.no_timestamps)
        return ([self.base.sot_prev, *context] if context else []) + start

    def text(self, tokens: Sequence[int]) -> str:
        """The tokens as text, timestamps left out."""
        return self.base.decode(list(tokens))

    def logprob(self, token: int, logprob: float) -> TokenLogprob:
        """A text token with its bytes."""
        name = self._tokens.id_to_token(token)
        raw = bytes(_BYTES[char] for char in name or "" if char in _BYTES)
        return TokenLogprob(raw.decode(errors="replace"), raw, logprob)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte (openai/gpt-2, `bytes_to_unicode`), turned round."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(256 + index): byte for index, byte in enumerate(others)}


_BYTES = _byte_alphabet()
