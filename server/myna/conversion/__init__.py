"""Networks whose makers publish PyTorch checkpoints only, made into ONNX files.

Neither PyTorch nor the onnx package is needed: a checkpoint is read as the zip file that it is, and
the graph is written down node by node. The same checkpoint gives the same bytes everywhere, so that
a card can pin the checksum of a file that is made as it pins that of one that is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from myna.conversion.campplus import campplus
from myna.conversion.checkpoint import CheckpointError, Tensors, read_checkpoint
from myna.conversion.graph import Graph
from myna.conversion.segmentation import pyannote_segmentation

__all__ = ["CONVERSIONS", "CheckpointError", "convert"]

CONVERSIONS: Mapping[str, Callable[[Tensors], Graph]] = MappingProxyType(
    {"campplus": campplus, "pyannote-segmentation": pyannote_segmentation}
)
"""The networks that are known, by the name that a card uses."""


def convert(network: str, checkpoint: bytes) -> bytes:
    """The ONNX file of a network, from its PyTorch checkpoint.

    Raises:
        CheckpointError: it is no checkpoint, or not of this network.
    """
    tensors = read_checkpoint(checkpoint)
    try:
        return CONVERSIONS[network](tensors).serialised()
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(f"the checkpoint is not one of {network}: {error}") from error
