"""G.711: telephone speech at 8 kHz, a byte a sample, in mu-law and A-law (ITU-T G.711, 1988)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples

RATE_HZ = 8_000
Law = Literal["mu", "A"]

_FULL_SCALE = 32_768
"""Both laws are expanded to 16 bits."""
_MU_BIAS = 0x84
_A_TOGGLED = 0x55
"""Bits that A-law turns round on the line."""


def _mu_table() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = code >> 4 & 7, code & 0xF
    size = ((mantissa << 3) + _MU_BIAS << exponent) - _MU_BIAS
    return _scaled(np.where(code & 0x80, -size, size))


def _a_table() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ _A_TOGGLED
    exponent, mantissa = code >> 4 & 7, code & 0xF
    size = (mantissa << 4) + np.where(exponent, 0x108, 8) << np.maximum(exponent - 1, 0)
    return _scaled(np.where(code & 0x80, size, -size))


def _scaled(values: NDArray[np.int32]) -> Samples:
    return (values / _FULL_SCALE).astype(np.float32)


_TABLES: dict[Law, Samples] = {"mu": _mu_table(), "A": _a_table()}


def expand(data: bytes, law: Law) -> Samples:
    """A sample in [-1, 1] for every byte, shape (n,)."""
    return _TABLES[law][np.frombuffer(data, np.uint8)]
