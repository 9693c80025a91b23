"""The arrays of a CTranslate2 model are read by name."""

import numpy as np
import pytest
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.model_spec import visit_spec

from myna.engines.whisper.weights import UnreadableError, Weights

from .model_file import write

ROWS = np.array([[1.0, -2.0], [0.5, 0.25]], np.float32)


@pytest.mark.parametrize("kind", ["float32", "float16", "int16", "int32"])
def test_numbers_come_as_they_were_written(tmp_path, kind):
    file = write(tmp_path / "model.bin", {"a": ROWS.astype(kind), "b": np.array(3, np.int32)})
    weights = Weights(file)
    assert np.array_equal(weights.numbers("a"), ROWS.astype(kind))
    assert weights.numbers("a").dtype == np.float32
    assert weights.numbers("b").item() == 3


def test_what_ctranslate2_writes_is_read(tmp_path):
    spec = WhisperSpec(1, 2, 1, 2)
    numbers = np.random.default_rng(0)

    def fill(about, name, value):
        if name.endswith(("weight", "bias", "gamma", "beta", "encodings")):
            setattr(about, name.split("/")[-1], numbers.normal(size=(4, 4)).astype(np.float32))

    visit_spec(spec, fill)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.register_vocabulary([f"<{index}>" for index in range(4)])
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(tmp_path))
    weights = Weights(tmp_path / "model.bin")
    known = spec.encoder.layer[0].ffn.linear_0.weight.numpy()
    assert np.array_equal(weights.numbers("encoder/layer_0/ffn/linear_0/weight"), known)
    known = spec.decoder.embeddings.weight.numpy()
    assert np.array_equal(weights.numbers("decoder/projection/weight"), known)


def test_numbers_of_eight_bits_are_what_their_rows_steps_come_to(tmp_path):
    scale = 127 / np.abs(ROWS).max(axis=1)
    steps = np.rint(ROWS * scale[:, None]).astype(np.int8)
    arrays = {"a": steps, "a_scale": scale.astype(np.float32)}
    found = Weights(write(tmp_path / "model.bin", arrays)).numbers("a")
    assert np.allclose(found, ROWS, atol=0.01)


def test_another_name_stands_for_the_same_numbers(tmp_path):
    weights = Weights(write(tmp_path / "model.bin", {"a": ROWS}, {"b": "a", "c": "nothing"}))
    assert np.array_equal(weights.numbers("b"), ROWS)
    assert ("a" in weights, "b" in weights, "c" in weights) == (True, True, False)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UnreadableError, match="there is no b"):
        Weights(write(tmp_path / "model.bin", {"a": ROWS})).numbers("b")


def test_every_file_that_ends_early_is_refused(tmp_path):
    file = write(tmp_path / "model.bin", {"a": ROWS}, {"b": "a"})
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(UnreadableError):
            Weights(file)


@pytest.mark.parametrize("version", [2, 7, 2**32 - 1])
def test_other_versions_are_refused(tmp_path, version):
    file = write(tmp_path / "model.bin", {"a": ROWS}, version=version)
    with pytest.raises(UnreadableError, match=f"its version is {version}"):
        Weights(file)
