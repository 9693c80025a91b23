"""The parts of kaldi-native-fbank that Myna calls."""

import numpy as np
from numpy.typing import NDArray

class FrameExtractionOptions:
    samp_freq: float
    dither: float

class MelBanksOptions:
    num_bins: int

class FbankOptions:
    frame_opts: FrameExtractionOptions
    mel_opts: MelBanksOptions

class OnlineFbank:
    num_frames_ready: int
    def __init__(self, opts: FbankOptions) -> None: ...
    def accept_waveform(self, sampling_rate: float, waveform: NDArray[np.float32]) -> None: ...
    def input_finished(self) -> None: ...
    def get_frame(self, frame: int) -> NDArray[np.float32]: ...
