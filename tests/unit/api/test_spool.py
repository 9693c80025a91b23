"""Uploads never fill the disk."""

from __future__ import annotations

import errno
import os
from collections import namedtuple

import pytest

from myna.api.spool import Spool, unstorable
from myna.errors import MynaError, Overloaded


def test_files_together_take_no_more_than_the_limit(tmp_path):
    spool = Spool(tmp_path, limit_bytes=100)
    first, second = spool.file(), spool.file()
    first.write(b"x" * 60)
    second.write(b"x" * 40)
    with pytest.raises(Overloaded, match="no room") as caught:
        second.write(b"x")
    assert caught.value.retry_after_s
    first.close()
    second.write(b"x")
    assert spool.held_bytes == second.size == 41
    second.close()
    second.close()
    assert spool.held_bytes == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_reads_back_what_was_written(tmp_path):
    file = Spool(tmp_path).file()
    file.write(b"ab")
    file.write(b"c")
    file.rewind()
    assert (file.read(), file.closed) == (b"abc", False)
    file.close()
    assert file.closed


def test_who_follows_a_file_is_told_when_it_grows_and_when_it_is_complete(tmp_path):
    file = Spool(tmp_path).file()
    file.write(b"a")
    growth = file.follow()
    assert os.pread(file.fileno(), 10, 0) == b"a"
    for _ in range(100_000):  # more than a pipe holds: nobody has to listen
        file.write(b"b")
    assert os.fstat(file.fileno()).st_size == 100_001
    while os.read(growth, 1 << 20) == b"+" * (1 << 20):
        pass
    file.write(b"c")
    assert os.read(growth, 1 << 20) == b"+"
    file.rewind()
    assert os.read(growth, 1 << 20) == b""
    os.close(growth)
    file.write(b"d")
    file.close()


def test_a_file_that_nobody_follows_any_more_can_be_written_and_closed(tmp_path):
    file = Spool(tmp_path).file()
    growth = file.follow()
    os.close(growth)
    file.write(b"a")
    file.close()
    file.close()


def test_a_disk_that_is_nearly_full_takes_no_more(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    free = [1 << 40]
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1 << 40, 0, free[0]))
    file = Spool(tmp_path).file()
    file.write(b"x")
    free[0] = 1 << 20
    file.write(b"x" * (8 << 20))  # looked at every 8 MiB
    with pytest.raises(Overloaded, match="nearly full"):
        file.write(b"x")
    file.close()


def test_a_disk_that_fills_up_under_a_file_is_said_to_be_full():
    with pytest.raises(Overloaded, match="full"):
        unstorable(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(MynaError, match="Permission denied") as caught:
        unstorable(OSError(errno.EACCES, "Permission denied"))
    assert caught.value.status == 500
