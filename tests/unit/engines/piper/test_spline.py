"""The splines of Piper's durations, beside the same by their formula in 64 bits."""

import numpy as np
import pytest

from myna import protobuf
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.piper.spline import Spline, drawn, with_short_splines
from myna.engines.sessions import onnx_session
from myna.onnx_messages import float_value

BINS, BOUND, SCALE, COUNT = 10, 5.0, 4.0, 500
LEAST = 1e-3

numbers = np.random.default_rng(0)


def run(values: np.ndarray, shape: np.ndarray) -> np.ndarray:
    drawing = drawn(Spline("shape", "values", "made", BINS, SCALE, BOUND))
    network = Network(
        tuple(drawing.nodes),
        drawing.tensors,
        {
            "shape": float_value("shape", (1, 3 * BINS - 1, "n")),
            "values": float_value("values", (1, 1, "n")),
        },
        ("made",),
        protobuf.integer(1, 8) + protobuf.data(8, protobuf.integer(2, 15)),
    )
    session = onnx_session(network.written(), "cpu", 1)
    feed = {"shape": shape[None].astype(np.float32), "values": values[None, None]}
    return session.run(None, feed)[0][0, 0]


def forwards(values: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Rational quadratics of Durkan et al. (2019), equation 4, whose bins `shape` tells."""
    widths, heights = (edges(part) for part in (shape[:BINS], shape[BINS : 2 * BINS]))
    inner = LEAST + np.log1p(np.exp(shape[2 * BINS :]))
    slopes = np.pad(inner, ((1, 1), (0, 0)), constant_values=1)
    made = values.copy()
    for place, value in enumerate(values):
        if abs(value) > BOUND:
            continue
        across, upwards, slope = widths[:, place], heights[:, place], slopes[:, place]
        at = min(int(np.searchsorted(across, value, "right")) - 1, BINS - 1)
        width, height = across[at + 1] - across[at], upwards[at + 1] - upwards[at]
        share, mean = (value - across[at]) / width, height / width
        left = share * (1 - share)
        risen = height * (mean * share**2 + slope[at] * left)
        bend = mean + (slope[at] + slope[at + 1] - 2 * mean) * left
        made[place] = upwards[at] + risen / bend
    return made


def edges(shares: np.ndarray) -> np.ndarray:
    raised = np.exp(shares / SCALE - (shares / SCALE).max(axis=0))
    sizes = LEAST + (1 - LEAST * BINS) * raised / raised.sum(axis=0)
    ends = np.pad(sizes.cumsum(axis=0), ((1, 0), (0, 0)))
    return 2 * BOUND * ends / ends[-1] - BOUND


@pytest.fixture
def shape() -> np.ndarray:
    return numbers.normal(size=(3 * BINS - 1, COUNT)) * 2


def test_what_it_makes_comes_back_by_the_formula(shape):
    values = numbers.uniform(-BOUND, BOUND, COUNT)
    made = run(values.astype(np.float32), shape)
    assert not np.allclose(made, values, atol=0.1)
    assert np.allclose(forwards(made.astype(np.float64), shape), values, atol=1e-4)


def test_what_is_outside_the_bounds_stays_as_it_was(shape):
    values = numbers.uniform(BOUND, 9, COUNT).astype(np.float32) + np.float32(1e-5)
    values[::2] *= -1
    assert np.array_equal(run(values, shape), values)


def test_the_bounds_themselves_stay_where_they_are(shape):
    values = np.full(COUNT, BOUND, np.float32)
    values[::2] *= -1
    assert np.allclose(run(values, shape), values, atol=1e-4)


def test_a_network_without_splines_stays_as_it_is():
    network = Network(
        (Node.new("ScatterND", ("values", "places", "new"), ("made",)),),
        {},
        {name: float_value(name, ("n",)) for name in ("values", "places", "new")},
        ("made",),
        b"",
    )
    assert with_short_splines(network) == network


def test_what_is_called_a_spline_and_is_none_stays_as_it_is():
    name = "/dp/flows.3/ScatterND_9"
    network = Network((Node.new("Abs", ("values",), (name,)),), {}, {}, (name,), b"")
    assert network.nodes[0].name == name
    assert with_short_splines(network) == network
