"""What this process asks of the machine: how the C library keeps memory, how libraries wait."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8
_LARGEST = 2**31 - 1
_USUAL_MAPPINGS = 65_536
_LOADING_THRESHOLD = 8 << 20
"""From here on what is freed while a model is loaded goes back at once. To load Whisper base and a
Piper voice costs 210,000 page faults with it and 500,000 with glibc's usual 128 kB, and in the end
they hold as much memory with either, and with 2 or 4 MB."""

LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "ACTIVE",
    "GOMP_SPINCOUNT": "10000",
}
"""What numpy's OpenBLAS and CTranslate2's libgomp are to read when they are loaded.

OpenBLAS has a thread for each core, and after each product of matrices those spin for a twentieth
of a second on cores that the engines need; the products made here are too small to gain from them.
libgomp's threads wait for work much more often than a futex is quick: in a decoder there are fifty
microseconds from one step to the next. They spin for less than a millisecond instead."""

_TURN_S = 0.0002

_PROBE_BYTES = 8 << 20
"""A buffer of the size that engines allocate and free in every call."""


def tell_libraries() -> None:
    """Set LIBRARIES in this process's environment, but for what its user has set.

    To be called before numpy and CTranslate2 are imported; children inherit it.
    """
    for name, value in LIBRARIES.items():
        os.environ.setdefault(name, value)


def suit_engines(heaps: int) -> bool:
    """Have this process keep memory and share the interpreter as engines need it: `limit_heaps`,
    `take_turns_often` and `keep_freed_memory`, whose answer is returned.

    To be called while there is one thread, for `limit_heaps`.
    """
    limit_heaps(heaps)
    take_turns_often()
    return keep_freed_memory()


def take_turns_often() -> None:
    """Have a thread that waits for the interpreter's lock ask for it after a fifth of a
    millisecond, not five: an engine in Python needs it for some microseconds between any two steps,
    and stands still meanwhile.
    """
    sys.setswitchinterval(_TURN_S)


def limit_heaps(most: int) -> None:
    """Have malloc keep no more than so many heaps, of which each thread uses one: what is freed in
    one is of no use to another, and who allocates waits for whoever does so in the same.

    To be called while there is one thread: glibc asks when a second one allocates.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, most)


def keep_freed_memory() -> bool:
    """Let malloc reuse what CTranslate2 frees instead of giving it back to the kernel every time.

    CTranslate2 frees its buffers at the end of each call and faults them in again at the next:
    about 155,000 page faults for 30 s of audio, a third to a half of the encoder's time. Costs
    about 35 MB for each heap. Only glibc has these knobs; elsewhere, and where another allocator
    has taken glibc's place, nothing changes. Returns whether a buffer that is freed and allocated
    again has stopped to cost page faults.
    """
    libc = _glibc()
    if libc is None:
        return False
    libc.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    libc.mallopt.restype = ctypes.c_int
    knobs = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGEST))
    if not all(libc.mallopt(name, value) == 1 for name, value in knobs):
        return False
    _faults_of_a_buffer(libc)
    return _faults_of_a_buffer(libc) < _PROBE_BYTES // resource.getpagesize() // 8


@contextmanager
def loading() -> Generator[None]:
    """While a model is loaded, give large buffers back once freed; keep all for reuse afterwards.

    Who reads weights and packs them frees three times what stays, and kept, that would lie between
    what stays. With Whisper base held twice, a process takes 290 MB so, and 650 otherwise. Small
    ones are kept: the little that they come to is what the model works in, and to hand it back
    would take from models that are warm what they work in, too.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _LOADING_THRESHOLD)
        libc.mallopt(_M_MMAP_MAX, _USUAL_MAPPINGS)
    try:
        yield
    finally:
        keep_freed_memory()


def give_back_freed_memory() -> bool:
    """Hand the kernel what malloc keeps: for a server that has nothing to do.

    The next request faults it in again. Returns whether there was any.
    """
    libc = _glibc()
    return libc is not None and libc.malloc_trim(ctypes.c_size_t(0)) == 1


def resident_bytes() -> int:
    """What the process takes in memory; 0 where the kernel does not tell (it is asked in /proc)."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _glibc() -> ctypes.CDLL | None:
    on_glibc = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    return ctypes.CDLL(None) if on_glibc else None


def _faults_of_a_buffer(libc: ctypes.CDLL) -> int:
    """Page faults of allocating, filling and freeing one."""
    libc.malloc.argtypes = (ctypes.c_size_t,)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = (ctypes.c_void_p,)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = libc.malloc(_PROBE_BYTES)
    if buffer is None:
        return _LARGEST
    ctypes.memset(buffer, 1, _PROBE_BYTES)
    libc.free(buffer)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
