"""Telephone speech, held against FFmpeg's decoders."""

import io

import av
import numpy as np
import pytest

from myna.audio import g711

EVERY_CODE = bytes(range(256))


def ffmpeg(data, name):
    """What FFmpeg makes of raw G.711, in int16."""
    with av.open(io.BytesIO(data), format=name, options={"sample_rate": "8000"}) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


@pytest.mark.parametrize(("law", "name"), [("mu", "mulaw"), ("A", "alaw")])
def test_every_code_is_the_sample_that_ffmpeg_says(law, name):
    assert (g711.expand(EVERY_CODE, law) * 32768).tolist() == ffmpeg(EVERY_CODE, name).tolist()


@pytest.mark.parametrize("law", ["mu", "A"])
def test_samples_stay_within_full_scale(law):
    samples = g711.expand(EVERY_CODE, law)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() < 1
    assert samples.min() == -samples.max()


def test_no_bytes_are_no_samples():
    assert g711.expand(b"", "mu").shape == (0,)
