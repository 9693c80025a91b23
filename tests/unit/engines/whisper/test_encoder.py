"""Whisper's encoder in onnxruntime makes what its weights say."""

import logging
import math

import numpy as np
import pytest

from myna.engines.whisper import encoder
from myna.engines.whisper.encoder import Encoder, load_encoder
from myna.engines.whisper.encoder_network import encoder_network
from myna.engines.whisper.weights import UnreadableError, Weights

from .model_file import write

BANDS, WIDTH, HEADS, LAYERS, POSITIONS = 8, 64, 4, 2, 60

numbers = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return (numbers.normal(size=shape) / math.sqrt(math.prod(shape[1:]))).astype(np.float32)


def norm(name: str) -> dict[str, np.ndarray]:
    return {f"{name}/gamma": 1 + 0.1 * random(WIDTH), f"{name}/beta": 0.1 * random(WIDTH)}


def linear(name: str, out: int, into: int) -> dict[str, np.ndarray]:
    return {f"{name}/weight": random(out, into), f"{name}/bias": 0.1 * random(out)}


def weights() -> dict[str, np.ndarray]:
    found = {
        "encoder/num_heads": np.array(HEADS, np.int16),
        "encoder/conv1/weight": random(WIDTH, BANDS, 3),
        "encoder/conv1/bias": 0.1 * random(WIDTH),
        "encoder/conv2/weight": random(WIDTH, WIDTH, 3),
        "encoder/conv2/bias": 0.1 * random(WIDTH),
        "encoder/position_encodings/encodings": random(POSITIONS, WIDTH),
        **norm("encoder/layer_norm"),
    }
    for index in range(LAYERS):
        attention = f"encoder/layer_{index}/self_attention"
        feed = f"encoder/layer_{index}/ffn"
        found |= norm(f"{attention}/layer_norm") | norm(f"{feed}/layer_norm")
        found |= linear(f"{attention}/linear_0", 3 * WIDTH, WIDTH)
        found |= linear(f"{attention}/linear_1", WIDTH, WIDTH)
        found |= linear(f"{feed}/linear_0", 4 * WIDTH, WIDTH)
        found |= linear(f"{feed}/linear_1", WIDTH, 4 * WIDTH)
    return found


class Reference:
    """Whisper's encoder, word for word as its paper and model card have it, in 64 bits."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = {name: array.astype(np.float64) for name, array in arrays.items()}

    def encode(self, features: np.ndarray) -> np.ndarray:
        values = gelu(self.convolved(features.astype(np.float64), "encoder/conv1", 1))
        values = gelu(self.convolved(values, "encoder/conv2", 2)).T
        values = values + self.arrays["encoder/position_encodings/encodings"][: len(values)]
        for index in range(LAYERS):
            name = f"encoder/layer_{index}"
            values = values + self.attention(values, f"{name}/self_attention")
            inner = self.normalized(values, f"{name}/ffn/layer_norm")
            inner = gelu(self.linear(inner, f"{name}/ffn/linear_0"))
            values = values + self.linear(inner, f"{name}/ffn/linear_1")
        return self.normalized(values, "encoder/layer_norm")

    def attention(self, values: np.ndarray, name: str) -> np.ndarray:
        mixed = self.linear(self.normalized(values, f"{name}/layer_norm"), f"{name}/linear_0")
        query, key, value = (
            part.reshape(len(part), HEADS, -1).swapaxes(0, 1) for part in np.split(mixed, 3, 1)
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(WIDTH // HEADS)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = shares / shares.sum(axis=-1, keepdims=True) @ value
        return self.linear(seen.swapaxes(0, 1).reshape(len(values), WIDTH), f"{name}/linear_1")

    def convolved(self, values: np.ndarray, name: str, stride: int) -> np.ndarray:
        padded = np.pad(values, ((0, 0), (1, 1)))
        places = range(0, values.shape[1], stride)
        seen = np.stack([padded[:, at : at + 3] for at in places])
        kernel, bias = self.arrays[f"{name}/weight"], self.arrays[f"{name}/bias"]
        return np.einsum("oik,nik->on", kernel, seen) + bias[:, None]

    def normalized(self, values: np.ndarray, name: str) -> np.ndarray:
        spread = values.std(axis=-1, keepdims=True) ** 2 + 1e-5
        centred = (values - values.mean(axis=-1, keepdims=True)) / np.sqrt(spread)
        return centred * self.arrays[f"{name}/gamma"] + self.arrays[f"{name}/beta"]

    def linear(self, values: np.ndarray, name: str) -> np.ndarray:
        return values @ self.arrays[f"{name}/weight"].T + self.arrays[f"{name}/bias"]


def gelu(values: np.ndarray) -> np.ndarray:
    return 0.5 * values * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def decibels(known: np.ndarray, found: np.ndarray) -> float:
    """Of what is known above the error."""
    return 10 * math.log10((known**2).sum() / ((known - found) ** 2).sum())


@pytest.fixture
def processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx avx2\n")
    return file


@pytest.fixture
def model(tmp_path):
    return write(tmp_path / "model.bin", weights())


@pytest.mark.parametrize("frames", [2, 50, 2 * POSITIONS])
def test_it_makes_what_the_weights_say_to_within_eight_bits(tmp_path, frames):
    arrays = weights()
    made = Encoder(write(tmp_path / "model.bin", arrays), 1)
    features = random(BANDS, frames)
    found = made.encode(features)
    assert found.shape == (frames // 2, WIDTH)
    assert decibels(Reference(arrays).encode(features), found) > 30


@pytest.mark.parametrize("alike", [False, True], ids=["as trained", "all the same size"])
def test_no_two_products_next_to_each_other_overflow_sixteen_bits(tmp_path, alike):
    arrays = weights()
    if alike:
        arrays |= {
            name: np.sign(array) * np.float32(0.1)
            for name, array in arrays.items()
            if array.ndim == 2 and name.endswith("/weight")
        }
    network = encoder_network(Weights(write(tmp_path / "model.bin", arrays)))
    multiplied = [
        network.tensors[node.inputs[1]].eight_bits.astype(int)
        for node in network.nodes
        if node.operator == "MatMulIntegerToFloat"
    ]
    assert len(multiplied) == LAYERS * 6
    for weight in multiplied:
        assert 255 * (np.abs(weight[::2]) + np.abs(weight[1::2])).max() < 2**15


def test_one_position_that_is_louder_than_all_others_does_not_drown_them(tmp_path):
    arrays = weights()
    arrays["encoder/position_encodings/encodings"][7] *= 300
    known = Reference(arrays)
    features = random(BANDS, 2 * POSITIONS)
    found = Encoder(write(tmp_path / "model.bin", arrays), 1).encode(features)
    assert decibels(known.encode(features), found) > 25


def test_how_many_threads_there_are_makes_no_difference(model):
    features = random(BANDS, 2 * POSITIONS)
    one, two = (Encoder(model, threads).encode(features) for threads in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("compute_type", ["int8", "int8_float32"])
def test_it_is_used_for_models_in_eight_bits(model, processor, compute_type):
    assert load_encoder(model, compute_type, 1, processor) is not None


@pytest.mark.parametrize("compute_type", ["float32", "float16", "int16"])
def test_it_is_not_used_for_other_number_formats(model, processor, compute_type):
    assert load_encoder(model, compute_type, 1, processor) is None


def test_it_is_not_used_on_processors_that_it_was_not_measured_on(model, processor):
    processor.write_text("flags\t\t: fpu avx sse4_2\n")
    assert load_encoder(model, "int8", 1, processor) is None
    processor.unlink()
    assert load_encoder(model, "int8", 1, processor) is None


def test_it_is_not_used_for_large_models(model, processor, monkeypatch):
    monkeypatch.setattr(encoder, "SMALL_MODEL_BYTES", 1000)
    assert load_encoder(model, "int8", 1, processor) is None


def test_a_model_that_it_does_not_know_is_left_to_ctranslate2(tmp_path, processor, caplog):
    arrays = weights()
    del arrays["encoder/layer_1/ffn/linear_0/bias"]
    file = write(tmp_path / "model.bin", arrays)
    with caplog.at_level(logging.INFO):
        assert load_encoder(file, "int8", 1, processor) is None
    assert "there is no encoder/layer_1/ffn/linear_0/bias" in caplog.text
    with pytest.raises(UnreadableError):
        Encoder(file, 1)
