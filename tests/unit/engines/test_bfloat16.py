"""Small networks in bfloat16, beside the same in onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from myna.conversion.graph import Graph
from myna.engines.bfloat16 import Bfloat16Network, has_torch, is_quick
from myna.engines.onnx.graph import Network
from myna.engines.onnx.tensor import UnfitError

RANDOM = np.random.default_rng(7)
SOUND = RANDOM.normal(size=(1, 6, 1, 40)).astype(np.float32)


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.normal(size=shape) / 4).astype(np.float32)


def over(length: int, *, stride: int = 1, pads: int = 0, apart: int = 1) -> dict[str, Any]:
    return {
        "kernel_shape": [1, length],
        "strides": [1, stride],
        "dilations": [1, apart],
        "pads": [0, pads, 0, pads],
    }


def block() -> Network:
    """All that a HiFi-GAN is made of."""
    graph = Graph("block")
    at = graph.input("sound", (1, 6, 1, "length"))
    up, bias = graph.constant(weights(6, 8, 1, 8)), graph.constant(weights(8))
    at = graph.node("ConvTranspose", at, up, bias, **over(8, stride=4, pads=2))
    inner = graph.node("LeakyRelu", at, alpha=0.3)
    inner = graph.node(
        "Conv", inner, graph.constant(weights(8, 8, 1, 5)), **over(5, pads=6, apart=3)
    )
    summed = graph.node("Add", inner, at)
    shared = graph.node("Div", summed, graph.constant(np.array(3.0, np.float32)))
    grouped = graph.node(
        "Conv", shared, graph.constant(weights(8, 2, 1, 3)), group=4, **over(3, pads=1)
    )
    single = graph.node("Conv", grouped, graph.constant(weights(1, 8, 1, 7)), **over(7, pads=3))
    made = graph.node("Tanh", single)
    graph.output(made, "made", (1, 1, 1, "longer"))
    return Network.read(graph.serialised()).part({}, (made,))


def test_it_makes_what_onnxruntime_makes_up_to_its_precision() -> None:
    network = block()
    session = onnxruntime.InferenceSession(network.written(), providers=["CPUExecutionProvider"])
    exact = np.asarray(session.run(None, {"sound": SOUND})[0])
    made = Bfloat16Network(network, 1).run({"sound": SOUND})
    assert made.shape == exact.shape
    assert 10 * np.log10(np.sum(exact**2) / np.sum((made - exact) ** 2)) > 30


def test_the_first_of_two_may_be_the_smaller() -> None:
    graph = Graph("sum")
    who, at = graph.input("who", (1, 6, 1, 1)), graph.input("sound", (1, 6, 1, "length"))
    made = graph.node("Add", who, at)
    graph.output(made, "made", (1, 6, 1, "length"))
    network = Network.read(graph.serialised()).part({}, (made,))
    feed = {"who": SOUND[..., :1], "sound": SOUND}
    assert np.allclose(Bfloat16Network(network, 1).run(feed), SOUND[..., :1] + SOUND, atol=0.05)


def of(operator: str, *more: np.ndarray, **attributes: Any) -> Network:
    graph = Graph("one")
    at = graph.input("sound", (1, 6, 1, "length"))
    made = graph.node(operator, at, *(graph.constant(one) for one in more), **attributes)
    graph.output(made, "made", (1, 6, 1, "longer"))
    return Network.read(graph.serialised())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (of("Softmax"), "is a Softmax"),
        (of("Mul", weights(1, 6, 1, 1)), "numbers for each place"),
        (of("Conv", weights(6, 6, 1, 2), **(over(2) | {"pads": [0, 1, 0, 0]})), "edges"),
    ],
)
def test_what_is_not_known_here_is_unfit(network: Network, reason: str) -> None:
    with pytest.raises(UnfitError, match=reason):
        Bfloat16Network(network, 1)


@pytest.mark.parametrize(
    ("vendor", "flags", "quick"),
    [
        ("AuthenticAMD", "avx512f", False),
        ("AuthenticAMD", "avx512f avx512_bf16", True),
        ("GenuineIntel", "avx512f avx512_bf16", False),
        ("GenuineIntel", "avx512f avx512_bf16 amx_bf16 amx_tile", True),
    ],
)
def test_a_processor_says_whether_it_may_be_quick_at_bfloat16(
    tmp_path: Path, vendor: str, flags: str, *, quick: bool
) -> None:
    told = tmp_path / "cpuinfo"
    assert not is_quick(told)
    told.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu sse2 {flags}\n")
    assert is_quick(told) is quick


def test_a_torch_that_cannot_be_loaded_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.12: no such file')")
    assert has_torch()
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(tmp_path)
    assert not has_torch()
    assert "libcudart" in caplog.text
