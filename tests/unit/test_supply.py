"""The files of a model that nobody named at the start."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from myna.errors import Conflict, EngineFailure
from myna.store.cards import Catalogue
from myna.store.weights import Weights
from myna.supply import CardSupply

CARD = """
id = "a-model"
name = "A model"
task = "speak"
engine = "piper"
licence = "MIT"
languages = ["en"]
sample_rate_hz = 16000
voices = [{{ id = "a", name = "a", language = "en" }}]

[[files]]
path = "model.onnx"
bytes = {bytes}
sha256 = "{sha256}"
sources = ["path:{source}"]
"""
CONTENT = b"weights" * 100


@pytest.fixture
def supply(tmp_path: Path) -> Any:
    """Of a card whose one file lies in a folder of this machine, or in what `source` names."""
    cards, weights = tmp_path / "cards", tmp_path / "weights"
    cards.mkdir()
    (tmp_path / "origin").write_bytes(CONTENT)

    def make(source: Path = tmp_path / "origin", *, fetch: bool = True) -> CardSupply:
        digest = hashlib.sha256(CONTENT).hexdigest()
        text = CARD.format(bytes=len(CONTENT), sha256=digest, source=source)
        (cards / "a-model.toml").write_text(text)
        flags = ["--models-dir", str(cards), "--weights-dir", str(weights)]
        card = Catalogue.load(cards).find("a-model")
        assert card is not None
        return CardSupply(card, Weights(weights), fetch=fetch, flags=flags)

    return make


def test_what_is_missing_is_fetched_by_a_process_of_its_own_where_that_is_allowed(supply):
    ready = supply()
    asyncio.run(ready.ready())
    assert (ready.folder() / "model.onnx").read_bytes() == CONTENT
    assert ready.done is None


def test_what_is_missing_and_may_not_be_fetched_is_a_conflict_that_says_what_helps(supply):
    with pytest.raises(Conflict, match=r"a-model are not on this machine.*myna pull a-model"):
        asyncio.run(supply(fetch=False).ready())


def test_what_is_here_is_read_against_its_checksum_before_it_is_loaded(supply, tmp_path):
    ready = supply(fetch=False)
    own = tmp_path / "weights" / "a-model"
    own.mkdir(parents=True)
    (own / "model.onnx").write_bytes(b"x" * len(CONTENT))
    with pytest.raises(EngineFailure, match=r"a-model are damaged \(model.onnx\)") as caught:
        asyncio.run(ready.ready())
    assert str(tmp_path) not in caught.value.message
    (own / "model.onnx").write_bytes(CONTENT)
    asyncio.run(ready.ready())


def test_what_cannot_be_had_is_a_failure_that_names_no_path(supply, tmp_path, caplog):
    with pytest.raises(EngineFailure, match="cannot be fetched") as caught:
        asyncio.run(supply(tmp_path / "nowhere").ready())
    assert str(tmp_path) not in caught.value.message
    assert str(tmp_path / "nowhere") in caplog.text


def test_who_breaks_it_off_ends_the_process_that_fetches(supply, tmp_path):
    """The source is a pipe that says nothing: reading it would take for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def main() -> None:
        ready = supply(pipe)
        fetching = asyncio.create_task(ready.ready())
        writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)  # there is a reader now
        assert ready.done == 0.0
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert ready.done is None
        with pytest.raises(BrokenPipeError):  # and now there is none
            os.write(writer, b"x")
        os.close(writer)

    asyncio.run(main())
