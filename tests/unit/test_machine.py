"""What is asked of the C library and of others does what it is there for."""

import os
import platform
import subprocess
import sys

import pytest

from myna import machine

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


LOADING = """
from myna.machine import keep_freed_memory, loading, resident_bytes

kept = []
keep_freed_memory()
with loading():
    before = resident_bytes()
    scrap = [bytearray(b"x") * (8 << 20) for _ in range(20)]
    kept += [bytearray(b"x") * (64 << 10) for _ in range(20)]
    del scrap
    print(resident_bytes() - before)
before = resident_bytes()
scrap = [bytearray(b"x") * (8 << 20) for _ in range(20)]
del scrap
print(resident_bytes() - before)
"""


@on_glibc
def test_what_is_freed_while_a_model_is_loaded_goes_back_at_once_and_later_is_kept():
    done = subprocess.run(
        [sys.executable, "-c", LOADING], capture_output=True, text=True, check=True, timeout=240
    )
    after_loading, later = map(int, done.stdout.split())
    assert after_loading < 20 << 20
    assert later > 100 << 20


HEAPS = """
import re, threading
from pathlib import Path
from myna.machine import keep_freed_memory, limit_heaps

limit_heaps({most})
keep_freed_memory()
begun, end = threading.Barrier(9), threading.Event()

def work():
    kept = bytearray(100_000)
    begun.wait()
    end.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
begun.wait()
import ctypes
libc = ctypes.CDLL(None)
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
libc.fopen.restype = ctypes.c_void_p
stream = libc.fopen(b"{path}", b"w")
libc.malloc_info(0, stream)
libc.fclose(ctypes.c_void_p(stream))
print(len(re.findall("<heap nr", Path("{path}").read_text())))
end.set()
"""


@on_glibc
@pytest.mark.parametrize("most", [1, 2])
def test_threads_share_no_more_heaps_than_there_may_be(tmp_path, most):
    code = HEAPS.format(most=most, path=tmp_path / "malloc.xml")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    assert int(done.stdout) == most


SUITED = """
import sys
from myna.machine import suit_engines

print(suit_engines(1), sys.getswitchinterval())
"""


def test_a_process_with_engines_keeps_what_is_freed_and_has_threads_take_turns_sooner():
    """The second everywhere, the first where the C library has a setting for it."""
    done = subprocess.run(
        [sys.executable, "-c", SUITED], capture_output=True, text=True, check=True, timeout=240
    )
    keeps, interval_s = done.stdout.split()
    assert keeps == str(platform.libc_ver()[0] == "glibc")
    assert float(interval_s) <= 0.0005


def test_without_glibc_nothing_is_touched(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not machine.keep_freed_memory()
    assert not machine.give_back_freed_memory()
    machine.limit_heaps(1)
    with machine.loading():
        pass


LIBRARIES = """
import os, sys, threading
from myna.cli import main

main(["models", "--help"], standalone_mode=False)
assert "numpy" not in sys.modules and "ctranslate2" not in sys.modules
import numpy

before = len(os.listdir("/proc/self/task"))
numpy.ones((600, 600), numpy.float32) @ numpy.ones((600, 600), numpy.float32)
print(os.environ["OMP_WAIT_POLICY"], len(os.listdir("/proc/self/task")) - before, before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_the_command_line_tells_libraries_how_to_wait_before_they_are_loaded():
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
        env=without(os.environ, "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY") | {"LANG": "C"},
    )
    assert done.stdout.split()[-3:] == ["ACTIVE", "0", "1"]


def test_what_the_user_has_set_for_libraries_stays(monkeypatch):
    environment = {"OPENBLAS_NUM_THREADS": "4"}
    monkeypatch.setattr("os.environ", environment)
    machine.tell_libraries()
    assert environment == machine.LIBRARIES | {"OPENBLAS_NUM_THREADS": "4"}


def without(environment, *names):
    return {name: value for name, value in environment.items() if name not in names}
