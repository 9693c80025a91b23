"""The allocator's settings do what they are there for, in a process of their own."""

import platform
import subprocess
import sys

import pytest

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the knobs are glibc's")

PROBE = """
import resource
from myna.machine import give_back_freed_memory, keep_freed_memory

def faults(size=64 << 20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = bytearray(size)
    for at in range(0, size, 4096):
        buffer[at] = 1
    del buffer
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults(), keep_freed_memory(), faults() and faults(), give_back_freed_memory(), faults())
"""


@on_glibc
def test_freed_memory_is_kept_for_reuse_and_can_be_given_back():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=240
    )
    stock, kept, reused, given_back, afterwards = done.stdout.split()
    assert (kept, given_back) == ("True", "True")
    assert int(reused) < int(stock) / 10
    assert int(afterwards) > int(stock) / 2


def test_without_glibc_nothing_is_touched(monkeypatch):
    from myna import machine

    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not machine.keep_freed_memory()
    assert not machine.give_back_freed_memory()
