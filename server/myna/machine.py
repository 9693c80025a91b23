"""The memory of this process, and what the C library does with it."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
from pathlib import Path

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let malloc reuse what CTranslate2 frees instead of giving it back to the kernel every time.

    CTranslate2 frees its buffers at the end of each call and faults them in again at the next:
    about 155,000 page faults for 30 s of audio, a third to a half of the encoder's time. Costs
    about 35 MB. Only glibc has these knobs; elsewhere nothing is done. Returns whether it was.
    """
    if not _has_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    knobs = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGEST), (_M_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in knobs)


def give_back_memory() -> bool:
    """Give what has been freed back to the kernel, `keep_freed_memory` or not: a model is gone.

    Returns whether there was a way to.
    """
    gc.collect()
    if not _has_glibc():
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True


def resident_bytes() -> int:
    """What the process takes in memory; 0 where the kernel does not tell (it is asked in /proc)."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _has_glibc() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
