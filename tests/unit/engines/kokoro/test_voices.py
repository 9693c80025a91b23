"""The voices of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from myna.engines.contract import Voice
from myna.engines.kokoro.voices import SHAPE, styles_of, voices_in
from myna.errors import EngineFailure


def folder_with(tmp_path: Path, *names: str) -> Path:
    (tmp_path / "voices").mkdir()
    for number, name in enumerate(names):
        np.full(SHAPE, number, np.float32).tofile(tmp_path / "voices" / f"{name}.bin")
    return tmp_path


def test_a_voices_first_letter_tells_its_language_and_heart_is_the_default(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "zf_xiaobei", "af_alloy", "af_heart", "bm_fable", "q_other")
    assert voices_in(folder) == [
        Voice("af_heart", "Heart", "en-US"),
        Voice("af_alloy", "Alloy", "en-US"),
        Voice("bm_fable", "Fable", "en-GB"),
        Voice("zf_xiaobei", "Xiaobei", "zh-CN"),
    ]


def test_a_folder_without_voices_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure, match="should hold Kokoro's voices") as refused:
        voices_in(tmp_path)
    assert str(tmp_path) in refused.value.message


def test_each_voice_is_a_table_of_styles(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "af_alloy", "af_heart")
    styles = styles_of(folder, voices_in(folder))
    assert set(styles) == {"af_alloy", "af_heart"}
    assert styles["af_heart"].shape == SHAPE
    assert (styles["af_heart"] == 1).all()


@pytest.mark.parametrize("content", [b"", b"1234", None])
def test_a_voice_that_is_broken_or_missing_is_named(tmp_path: Path, content: bytes | None) -> None:
    folder = folder_with(tmp_path)
    if content is not None:
        (folder / "voices" / "af_heart.bin").write_bytes(content)
    with pytest.raises(EngineFailure, match=r"cannot read the Kokoro voice .*af_heart\.bin"):
        styles_of(folder, [Voice("af_heart", "Heart", "en-US")])
