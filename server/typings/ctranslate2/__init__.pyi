"""The parts of CTranslate2 that Myna calls; the library ships no types."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class StorageView:
    @staticmethod
    def from_array(array: NDArray[Any]) -> StorageView: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]: ...

def get_cuda_device_count() -> int: ...
def get_supported_compute_types(device: str, device_index: int = 0) -> set[str]: ...
