from typing import Any

import numpy as np
from numpy.typing import NDArray

def linear_sum_assignment(
    cost_matrix: NDArray[Any], maximize: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]: ...
