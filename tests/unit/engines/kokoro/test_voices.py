"""The voices of a folder."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.contract.voice import Voice
from myna.engines.kokoro.voices import SHAPE, read_table, styles_of, voices_in
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


# Files that somebody sent

TABLE = np.random.default_rng(0).normal(0, 0.2, SHAPE).astype("<f4")


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def with_value(value: float) -> bytes:
    table = TABLE.copy()
    table[17, 0, 4] = value
    return table.tobytes()


@pytest.mark.parametrize("data", [TABLE.tobytes(), npy(TABLE)], ids=["bare", "npy"])
def test_a_table_is_read_bare_and_from_npy(data: bytes) -> None:
    table = read_table(data)
    assert (table.shape, table.dtype) == (SHAPE, np.float32)
    assert (table == TABLE).all()


class Bomb:
    """Unpickling it would leave a mark."""

    exploded = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (Bomb, "exploded", True)


ODD_HEADER = npy(TABLE).replace(b"(510, 1, 256)", b"(510,1,10**9)")
HUGE = npy(TABLE).replace(b"(510, 1, 256), }", b"(999999999999,),}")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (TABLE.tobytes()[:-4], "522236 bytes"),
        (TABLE.tobytes() + b"\0", "522241 bytes"),
        (npy(TABLE) + b"\0", "522241 bytes"),
        (npy(TABLE)[:-1], "522239 bytes"),
        (npy(TABLE.astype(np.float64)), r"float64 of shape \(510, 1, 256\)"),
        (npy(TABLE.astype(">f4")), ">f4 of shape"),
        (npy(TABLE.reshape(510, 256)), r"float32 of shape \(510, 256\)"),
        (npy(np.asfortranarray(TABLE[:, :, :])[::1, :, :].copy(order="F")), "of shape"),
        (npy(np.array([Bomb()], dtype=object), allow_pickle=True), "object of shape"),
        (HUGE, r"shape \(999999999999,\)"),
        (ODD_HEADER, "header cannot be read"),
        (b"\x93NUMPY", "header cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "header cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "header cannot be read"),
        (pickle.dumps(Bomb()), "may hold code"),
        (b"PK\x03\x04" + bytes(100), "may hold code"),
        (with_value(float("nan")), "no finite numbers"),
        (with_value(float("inf")), "no finite numbers"),
        (with_value(1e6), "as large as 1e"),
        (bytes(TABLE.nbytes), "rows of nothing but zeros"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_table(data)
    assert not Bomb.exploded


@given(st.binary(max_size=300), st.integers(0, 128), st.booleans())
def test_no_bytes_do_more_than_be_refused(noise: bytes, at: int, whole: bool) -> None:
    data = noise if whole else npy(TABLE)[:at] + noise
    with pytest.raises(ValueError, match=r"^its? "):
        read_table(data)
