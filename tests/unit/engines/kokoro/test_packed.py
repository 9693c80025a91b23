"""What Kokoro's network is given of a long text: no phoneme less than of its sentences alone."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hearing import sentences

from myna.engines.espeak_text import reading
from myna.engines.kokoro.engine import RUN_PHONEMES, KokoroSynthesizer
from myna.engines.kokoro.model import KokoroModel
from myna.engines.kokoro.phonemes import runs
from myna.text.sentences import cuts
from myna.text.spoken import spoken


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    """With espeak and the alphabet, without the network."""
    tokenizer = pytest.importorskip("kokoro_onnx.tokenizer").Tokenizer()
    nothing = SimpleNamespace(get_inputs=list, get_outputs=list)
    return KokoroModel(cast("Any", nothing), tokenizer.vocab)


def sounds(phonemes: str) -> str:
    """Without stress and marks, which differ where another word follows."""
    return re.sub(r"[^\w]|[ˈˌː]", "", phonemes)


def test_a_text_of_all_sentences_is_given_whole_and_as_its_sentences_alone(
    model: KokoroModel,
) -> None:
    def phonemes(text: str) -> str:
        return model.phonemize(reading(text, english=True), "en-US")

    written = [sentence.written for sentence in sentences()]
    pieces = cuts(spoken("\n\n".join(written), "en-US"), first_chars=KokoroSynthesizer.first_chars)
    given = [run for piece in pieces for run in runs(phonemes(piece.said), RUN_PHONEMES)]
    alone = [phonemes(spoken(text, "en-US")) for text in written]
    assert sounds("".join(given)) == sounds("".join(alone))
