"""The attention of a VITS network's text encoder, drawn with a fifth of the operators.

Each position looks at all others, and at those within a few places by where they are as well (Shaw
et al., 2018): to what a query finds in each key, it adds what it finds in an embedding of their
distance, and values have an embedding of theirs. As exported, a hundred operators of each layer pad
and reshape matrices to move what belongs to distances to where positions are. Here a table of
places, made once for all layers, says where each is to be had. It is the same up to rounding.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myna.engines.onnx.convolutions import is_full
from myna.engines.onnx.drawing import TRANSPOSITION, Drawing, with_drawings
from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import UnfitError
from myna.engines.piper.exports import is_known
from myna.onnx_messages import FLOAT

_LAST = re.compile(r"(/enc_p/encoder/attn_layers\.\d+)/conv_o/Conv$")
"""What Piper's export calls the convolution that a layer's attention ends in."""
_EMBEDDINGS = ("emb_rel_k", "emb_rel_v")
_COUNTED = {"Softmax": 1, "MatMul": 4, "Pad": 6, "Where": 1, "Div": 1, "Conv": 3}
"""How many of some operators there are between what goes in and that. By these it is known."""
_PLACES = "/enc_p/encoder/places"


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's."""

    source: str
    """What goes in, shape (1, channels, n)."""
    output: str
    """The same shape."""
    weights: NDArray[np.float32]
    """Of queries, keys and values in turn, shape (3 channels, channels)."""
    bias: NDArray[np.float32]
    keys: NDArray[np.float32]
    """Embeddings of distances from -w to w, shape (2 w + 1, channels of a head)."""
    values: NDArray[np.float32]

    @property
    def heads(self) -> int:
        """How many look at a time."""
        return self.weights.shape[1] // self.keys.shape[1]


def with_short_attention(network: Network) -> Network:
    """The network, for one text at a time; what is not known as attention stays as it is."""
    found = [one for node in network.nodes if (one := _attention(network, node))]
    if not found or len({(one.heads, one.keys.shape) for one in found}) > 1:
        return network
    layers = {one.output: drawn(one) for one in found}
    places, first = places_of(found[0]), layers[found[0].output]
    first.nodes[:0] = places.nodes
    first.tensors |= places.tensors
    return with_drawings(network, lambda node: layers.get(node.outputs[0]))


def _attention(network: Network, last: Node) -> Attention | None:
    """The layer whose attention ends in an operator; None where it does not."""
    named = _LAST.match(last.name)
    if named is None:
        return None
    try:
        return _layer(network, named[1], last.inputs[0])
    except (UnfitError, LookupError):
        return None


def _layer(network: Network, name: str, output: str) -> Attention:
    """Raises UnfitError or LookupError where it is not what is known here."""
    makers = {node.name: node for node in network.nodes}
    convolutions = [makers[f"{name}/conv_{one}/Conv"] for one in "qkv"]
    source, mask = convolutions[0].inputs[0], makers[f"{name}/Where"].inputs[0]
    part = network.part({source: 3, mask: 4}, [output])
    known = is_known(network, part, (source, mask), _COUNTED)
    if not (known and all(is_full(one) for one in convolutions)):
        raise UnfitError(f"{name} is built otherwise")
    weights, bias = (
        [network.tensors[one.inputs[place]].numbers for one in convolutions] for place in (1, 2)
    )
    keys, values = (_embeddings(part, one) for one in _EMBEDDINGS)
    (divided,) = (node for node in part.nodes if node.operator == "Div")
    scale, (channels, *_) = network.tensors[divided.inputs[1]].number, weights[0].shape
    size = keys.shape[1]
    fits = (
        {one.shape for one in weights} == {(channels, channels, 1)}
        and channels % size == 0
        and keys.shape == values.shape
        and math.isclose(scale, math.sqrt(size), rel_tol=1e-6)
    )
    if not fits:
        raise UnfitError(f"{name} is of other sizes")
    weights[0], bias[0] = weights[0] / scale, bias[0] / scale
    return Attention(
        source,
        output,
        np.concatenate(weights).astype(np.float32)[..., 0],
        np.concatenate(bias).astype(np.float32),
        keys,
        values,
    )


def _embeddings(part: Network, name: str) -> NDArray[np.float32]:
    """Those that all heads share. Raises UnfitError where there are no such."""
    found = [tensor for key, tensor in part.tensors.items() if key.endswith(f".{name}")]
    if len(found) != 1 or len(found[0].shape) != 3 or found[0].shape[0] != 1:
        raise UnfitError(f"there are {len(found)} tensors {name}, or one for each head")
    return found[0].numbers[0]


def places_of(attention: Attention) -> Drawing:
    """Where in embeddings each pair of positions is, and in positions each embedding: `keys`, shape
    (1, heads, n, n), and `values`, shape (1, heads, n, 2 w + 1), of which `within` are there."""
    draft = Drawing(_PLACES)
    count, heads = len(attention.keys), attention.heads
    shape = draft.add("Shape", attention.source)
    length = draft.add("Gather", shape, draft.constant(np.array(2)))
    line = draft.add("Range", draft.constant(np.array(0)), length, draft.constant(np.array(1)))
    across, down = (draft.add("Reshape", line, draft.integers(*to)) for to in ((1, -1), (-1, 1)))
    apart = draft.add("Add", draft.add("Sub", across, down), draft.integers(count // 2))
    # The one behind the last is of those that are farther apart; so is the one before the first.
    bounds = (draft.constant(np.array(at)) for at in (-1, count))
    near = draft.add("Clip", apart, *bounds)
    lengths = draft.add("Reshape", length, draft.integers(1))
    every = draft.add("Concat", draft.integers(1, heads), lengths, lengths, axis=0)
    draft.add("Expand", near, every, output=f"{_PLACES}/keys")
    offsets = draft.integers(*range(-(count // 2), count // 2 + 1))
    wanted = draft.add("Add", down, offsets)
    end = draft.add("Sub", length, draft.constant(np.array(1)))
    there = draft.add("Clip", wanted, draft.constant(np.array(0)), end)
    some = draft.add("Concat", draft.integers(1, heads), lengths, draft.integers(count), axis=0)
    draft.add("Expand", there, some, output=f"{_PLACES}/values")
    same = draft.add("Equal", wanted, there)
    draft.add("Cast", same, output=f"{_PLACES}/within", to=FLOAT)
    return draft


def drawn(attention: Attention) -> Drawing:
    """What takes the place of one; of shape (1, heads, n, channels of a head) where not said
    otherwise."""
    draft = Drawing(attention.output)
    heads, (_, size) = attention.heads, attention.keys.shape
    given = (draft.constant(attention.weights[..., None]), draft.constant(attention.bias))
    seen = draft.add("Conv", attention.source, *given, kernel_shape=(1,), pads=(0, 0), strides=(1,))
    rows = draft.add("Transpose", seen, perm=TRANSPOSITION)
    apart = draft.add("Reshape", rows, draft.integers(1, -1, 3 * heads, size))
    by_head = draft.add("Transpose", apart, perm=(0, 2, 1, 3))
    queries, keys, values = draft.split(by_head, (heads,) * 3, axis=1)
    found = draft.add("MatMul", queries, draft.add("Transpose", keys, perm=(0, 1, 3, 2)))
    table = np.pad(attention.keys, ((0, 1), (0, 0))).T
    by_distance = draft.add("MatMul", queries, draft.constant(table))
    moved = draft.add("GatherElements", by_distance, f"{_PLACES}/keys", axis=3)
    shares = draft.add("Softmax", draft.add("Add", found, moved), axis=-1)
    near = draft.add("GatherElements", shares, f"{_PLACES}/values", axis=3)
    near = draft.add("Mul", near, f"{_PLACES}/within")
    made = draft.add(
        "Add",
        draft.add("MatMul", shares, values),
        draft.add("MatMul", near, draft.constant(attention.values)),
    )
    rows = draft.add("Transpose", made, perm=(0, 2, 1, 3))
    rows = draft.add("Reshape", rows, draft.integers(1, -1, heads * size))
    draft.add("Transpose", rows, output=draft.name, perm=TRANSPOSITION)
    return draft
