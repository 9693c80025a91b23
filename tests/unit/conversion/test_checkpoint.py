"""PyTorch checkpoints read without PyTorch: files laid out as torch.save lays them out."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from myna.conversion.checkpoint import CheckpointError, read_checkpoint

NUMBERS = np.arange(6, dtype="<f4")


class Named:
    """Stands for a name of PyTorch's: pickled as a reference to it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Tensor:
    def __init__(self, kind: str, key: str, offset: int, shape: tuple, stride: tuple) -> None:
        self.kind, self.key, self.place = kind, key, (offset, shape, stride)


class Writer(pickle._Pickler):
    """Writes references to PyTorch's names where PyTorch would, although it is not installed."""

    def persistent_id(self, obj):
        return obj.id if isinstance(obj, Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            storage = Storage(("storage", Named("torch", obj.kind), obj.key, "cpu", 6))
            self.save((storage, *obj.place, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


class Storage:
    def __init__(self, id_: tuple) -> None:
        self.id = id_


def checkpoint(content: object, storages: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    Writer(stream, 2).dump(content)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for key, data in (storages or {"0": NUMBERS.tobytes()}).items():
            archive.writestr(f"archive/data/{key}", data)
    return file.getvalue()


def test_tensors_come_with_their_names_shapes_and_numbers():
    content = OrderedDict(w=Tensor("FloatStorage", "0", 2, (2, 2), (2, 1)))
    found = read_checkpoint(checkpoint(content))
    assert list(found) == ["w"]
    assert found["w"].tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_a_state_dict_inside_is_what_counts():
    inner = {"b": Tensor("FloatStorage", "0", 0, (6,), (1,))}
    found = read_checkpoint(checkpoint({"version": 1, "state_dict": inner}))
    assert found["b"].tolist() == NUMBERS.tolist()


def test_counters_and_plain_values_are_left_out():
    counted = {"steps": Tensor("LongStorage", "1", 0, (), ()), "rate": 0.1}
    storages = {"1": np.array([7], "<i8").tobytes()}
    assert read_checkpoint(checkpoint(counted, storages)) == {}


def test_a_pickle_can_call_nothing():
    with pytest.raises(CheckpointError, match=r"os\.system is no part of a tensor"):
        read_checkpoint(checkpoint({"w": Named("os", "system")}))


def test_a_tensor_that_does_not_lie_in_order_is_refused():
    with pytest.raises(CheckpointError, match="does not lie in order"):
        read_checkpoint(checkpoint({"w": Tensor("FloatStorage", "0", 0, (2, 3), (1, 2))}))


@pytest.mark.parametrize("data", [b"", b"no zip", checkpoint([1, 2])])
def test_other_bytes_are_no_checkpoint(data):
    with pytest.raises(CheckpointError):
        read_checkpoint(data)
