"""The parts of scipy that Myna calls; the library ships no types."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

def linkage(y: NDArray[Any], method: str, metric: str) -> NDArray[np.float64]: ...
def fcluster(
    Z: NDArray[np.float64],  # noqa: N803
    t: float,
    criterion: Literal["distance", "maxclust"],
) -> NDArray[np.int32]: ...
