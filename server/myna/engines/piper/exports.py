"""How a part of Piper's export is known for what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from myna.engines.onnx.graph import Network


def is_known(
    network: Network, part: Network, inputs: Collection[str], counted: Mapping[str, int]
) -> bool:
    """Whether a part of the network takes all of `inputs` and nothing else, gives others nothing
    but its outputs, and has as many of some operators as are `counted`, in a version of ONNX that
    is drawn here: from 13 on, axes are an input."""
    found = Counter(node.operator for node in part.nodes)
    axes = {len(node.inputs) for node in part.nodes if node.operator == "Unsqueeze"}
    return (
        axes == {2}
        and all(found[name] == number for name, number in counted.items())
        and {*part.inputs} == {*inputs}
        and network.keeps(part.nodes, part.outputs)
    )
