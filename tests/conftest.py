"""What tests of several kinds share: nothing here, nor what they are given, is left to chance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run, however long the machine takes over one.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

WEIGHTS = Path(__file__).parents[1] / "models" / "weights"
PIPER = "piper-en_US-joe-medium"


@pytest.fixture(scope="session")
def steady_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of this checkout, with Piper's noise set to nothing in the voice's own settings.

    Piper draws the length and the sound of each take at random, so what a test measures of a take,
    or Whisper hears in it, would be a matter of luck. Here a text is the same samples every time.
    Tests of the noise itself, and of what holds in spite of it, take the voice as it is.
    """
    steady = tmp_path_factory.mktemp("weights")
    for folder in WEIGHTS.iterdir():
        if folder.is_dir() and folder.name != PIPER:
            (steady / folder.name).symlink_to(folder)
    if (WEIGHTS / PIPER).is_dir():
        (steady / PIPER).mkdir()
        for file in (WEIGHTS / PIPER).glob("*.onnx"):
            (steady / PIPER / file.name).symlink_to(file)
            about = Path(f"{file}.json").read_text("utf-8")
            (steady / PIPER / f"{file.name}.json").write_text(without_noise(about), "utf-8")
    return steady


def without_noise(about: str) -> str:
    """A voice's .onnx.json with zeros for its noise; of the same size, which its card names."""
    noise = re.compile(r'(?<="noise_scale": )[\d.]+|(?<="noise_w": )[\d.]+')
    steady, count = noise.subn(lambda found: re.sub(r"\d", "0", found[0]), about)
    assert count == 2, "the voice's settings look different from what they were"
    return steady
