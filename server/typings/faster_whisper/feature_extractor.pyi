import numpy as np
from numpy.typing import NDArray

class FeatureExtractor:
    @staticmethod
    def get_mel_filters(sr: int, n_fft: int, n_mels: int = 128) -> NDArray[np.float64]: ...
