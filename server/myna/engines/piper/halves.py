"""A VITS network in two: what makes a latent of the phonemes, and what makes sound of the latent.

The second half, a HiFi-GAN decoder (Kong et al., 2020), is most of the work, and looks only some
frames around the one that it makes sound of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from myna.engines.onnx.graph import Network
from myna.engines.onnx.node import Node
from myna.engines.onnx.tensor import UnfitError

DURATIONS = "/Ceil_output_0"
"""What Piper's export calls the frames that the network gives each symbol."""

_DECODER = "/dec/"
"""What it puts before the names of the decoder's operators."""
_FIRST = "/dec/conv_pre/Conv"


@dataclass(frozen=True, slots=True)
class Halves:
    """Two networks."""

    front: Network
    """The whole's inputs to `latent`, DURATIONS if `times`, and `conditions`, in this order."""
    decoder: Network
    """`latent` and `conditions`, with an axis of size 1 put in before the last, to sound."""
    latent: str
    """Shape (1, n_channels, n_frames)."""
    conditions: tuple[str, ...]
    """The same for all frames, such as who speaks: shape (1, n_channels, 1)."""
    times: bool
    context: int
    """How many frames before and after one have a part in its sound."""

    def channels(self, name: str) -> int:
        """How many `latent` or one of `conditions` has, by the convolution that reads it.

        Raises UnfitError where none does.
        """
        for node in self.decoder.nodes:
            if node.operator == "Conv" and node.inputs[0] == name:
                return self.decoder.tensors[node.inputs[1]].shape[1] * node.groups
        raise UnfitError(f"{name} goes into no convolution")


def halved(file: bytes) -> Halves:
    """The halves of an .onnx file. Raises UnfitError where it is not built as Piper builds them."""
    network = Network.read(file)
    nodes = [node for node in network.nodes if node.name.startswith(_DECODER)]
    latent = next((node.inputs[0] for node in nodes if node.name == _FIRST), None)
    crossing = network.crossing(nodes)
    if latent not in crossing:
        raise UnfitError(f"it has no decoder that begins with {_FIRST}")
    conditions = tuple(name for name in crossing if name != latent)
    times = any(DURATIONS in node.outputs for node in network.nodes)
    told = (DURATIONS,) if times else ()
    decoder = network.part(dict.fromkeys(crossing, 4), nodes[-1].outputs, of=nodes).planar()
    return Halves(
        front=network.part({}, (latent, *told, *conditions)),
        decoder=decoder,
        latent=latent,
        conditions=conditions,
        times=times,
        context=math.ceil(_reach(decoder, latent)),
    )


def _reach(decoder: Network, latent: str) -> float:
    """How many frames on either side have a part in a sample, at most."""
    reach, rate = {latent: 0.0}, {latent: 1}
    for node in decoder.nodes:
        known = [name for name in node.inputs if name in reach]
        if not known:
            continue
        at = max(known, key=reach.__getitem__)
        own, stride = _own_reach(node)
        reach[node.outputs[0]] = reach[at] + own / rate[at]
        rate[node.outputs[0]] = rate[at] * stride
    return reach[decoder.outputs[0]]


def _own_reach(node: Node) -> tuple[float, int]:
    """How far an operator looks, in its input's samples, and how many it makes of each."""
    if "kernel_shape" not in node.attributes:
        return 0.0, 1
    size, stride = node.attributes["kernel_shape"][-1], node.attributes.get("strides", (1,))[-1]
    if node.operator == "ConvTranspose":
        return math.ceil(size / stride / 2), stride
    return (size - 1) / 2 * node.attributes.get("dilations", (1,))[-1], 1
