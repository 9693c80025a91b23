"""Kokoro's network written for less work, with a small one in its place."""

from __future__ import annotations

import logging

import numpy as np
import onnxruntime
import pytest

from myna import protobuf
from myna.engines.kokoro import network
from myna.engines.kokoro.network import exact_products, lean
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import Tensor
from myna.onnx_messages import float_value

RANDOM = np.random.default_rng(3)
KERNEL = RANDOM.integers(65, 192, size=(4, 2, 3)).astype(np.uint8)


def file_of(operator: str) -> bytes:
    """A convolution of floats, or of 8-bit numbers."""
    kernel = KERNEL if operator == "ConvInteger" else KERNEL.astype(np.float32)
    tensors = {"kernel": kernel, "zero": np.array(128, np.uint8)}
    quantised = Node.new("DynamicQuantizeLinear", ["sound"], ["numbers", "step", "silence"])
    inputs = {"ConvInteger": ["numbers", "kernel", "silence", "zero"], "Conv": ["sound", "kernel"]}
    return Network(
        nodes=(quantised, Node.new(operator, inputs[operator], ["made"], kernel_shape=[3])),
        tensors={name: Tensor.new(name, numbers) for name, numbers in tensors.items()},
        inputs={"sound": float_value("sound", (1, 2, "length"))},
        outputs=("made",),
        about=protobuf.integer(1, 8) + protobuf.data(8, protobuf.integer(2, 17)),
    ).written()


def run(file: bytes) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    sound = np.random.default_rng(4).normal(size=(1, 2, 20)).astype(np.float32)
    return np.asarray(session.run(None, {"sound": sound})[0])


def products_are(monkeypatch: pytest.MonkeyPatch, *, exact: bool) -> None:
    monkeypatch.setattr(network, "exact_products", lambda: exact)


def test_a_network_of_8_bits_makes_the_same_without_its_convolutions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    products_are(monkeypatch, exact=True)
    file = file_of("ConvInteger")
    made = lean(file)
    assert b"ConvInteger" not in made
    assert np.array_equal(run(made), run(file))


def test_where_sums_overflow_the_network_is_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    products_are(monkeypatch, exact=False)
    file = file_of("ConvInteger")
    assert lean(file) is file


def test_a_network_of_floats_is_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    products_are(monkeypatch, exact=True)
    file = file_of("Conv")
    assert lean(file) is file


def test_what_cannot_be_read_is_run_as_it_is_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    products_are(monkeypatch, exact=True)
    caplog.set_level(logging.INFO)
    file = b"no network, and yet ConvInteger"
    assert lean(file) is file
    assert "run as it is: not to be read as ONNX" in caplog.text


def test_the_trial_tells_sums_of_16_bits_from_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def exact(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return left.astype(np.int64) @ right.astype(np.int64)

    def overflowing(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        products = left[:, :, None].astype(np.int64) * right.astype(np.int64)
        pairs = products.reshape(len(left), -1, 2, right.shape[1]).sum(axis=2)
        return np.minimum(pairs, np.iinfo(np.int16).max).sum(axis=1)

    monkeypatch.setattr(network, "_product", exact)
    assert exact_products()
    monkeypatch.setattr(network, "_product", overflowing)
    assert not exact_products()


def test_the_trial_multiplies_as_numpy_does_where_nothing_can_overflow() -> None:
    left, right = RANDOM.integers(0, 100, (64, 64)), RANDOM.integers(-64, 64, (64, 64))
    made = network._product(left, right.astype(np.int8))
    assert np.array_equal(made, left @ right)
