from collections.abc import Sequence

import tokenizers

class Tokenizer:
    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        multilingual: bool,
        task: str | None = None,
        language: str | None = None,
    ) -> None: ...
    transcribe: int
    translate: int
    sot: int
    sot_lm: int
    sot_prev: int
    eot: int
    no_timestamps: int
    no_speech: int | None
    timestamp_begin: int
    sot_sequence: list[int]
    non_speech_tokens: tuple[int, ...]
    def encode(self, text: str) -> list[int]: ...
    def decode(self, tokens: Sequence[int]) -> str: ...
    def split_to_word_tokens(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]: ...
