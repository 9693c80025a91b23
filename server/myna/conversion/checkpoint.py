"""PyTorch checkpoints, read without PyTorch.

Since PyTorch 1.6 a checkpoint is a zip file: `data.pkl` is a pickle of the objects, in which each
tensor names its storage, and `data/KEY` holds that storage's numbers, little-endian. Only the few
names that tensors are made of are resolved, so that a pickle cannot run anything.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[np.float32]]
"""A network's parameters by name; integers (counters of training steps) are left out."""

_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class CheckpointError(Exception):
    """The bytes are no checkpoint, or not of the network that was expected."""


def read_checkpoint(data: bytes) -> Tensors:
    """All float tensors of a checkpoint: of its `state_dict` where it has one.

    Raises:
        CheckpointError: it is damaged, or holds anything but tensors and plain values.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            prefix = index.removesuffix("data.pkl") + "data/"
            found: Any = _Reader(io.BytesIO(archive.read(index)), archive, prefix).load()
    except (StopIteration, zipfile.BadZipFile, pickle.UnpicklingError, KeyError, ValueError) as bad:
        raise CheckpointError(f"this is no PyTorch checkpoint: {bad}") from bad
    if not isinstance(found, dict):
        raise CheckpointError("the checkpoint holds no parameters by name")
    named = cast("dict[str, Any]", found)
    state = cast("dict[str, Any]", named.get("state_dict", named))
    tensors = cast(
        "dict[str, NDArray[Any]]",
        {name: value for name, value in state.items() if isinstance(value, np.ndarray)},
    )
    return {name: value for name, value in tensors.items() if value.dtype == np.float32}


class _Reader(pickle.Unpickler):
    """Resolves what a state_dict is made of, and nothing else."""

    def __init__(self, stream: io.BytesIO, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(stream)
        self._archive = archive
        self._prefix = prefix

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Ordered dictionaries, tensors and the names of storage types."""
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", name if name in _TYPES:
                return _TYPES[name]
            case _:
                raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of a tensor")

    def persistent_load(self, pid: Any, /) -> NDArray[Any]:
        """The numbers of a storage, shape (n,)."""
        kind, dtype, key, _, length = pid
        if kind != "storage" or dtype not in _TYPES.values():
            raise pickle.UnpicklingError(f"{kind} is no storage")
        numbers: NDArray[Any] = np.frombuffer(self._archive.read(f"{self._prefix}{key}"), dtype)
        return numbers[: int(length)]


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[Any]:
    """A contiguous view into a storage; a transposed one is none of these networks'."""
    count = math.prod(shape)
    expected = tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))
    if stride != expected and count > 1:
        raise pickle.UnpicklingError("a tensor does not lie in order")
    return storage[offset : offset + count].reshape(shape)
