"""The decoding process and its children: what they may do, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from myna.audio import decoder as child_side
from myna.audio.decode import DecodeLimits, Decoder, PcmStream
from myna.errors import AudioTooLong, ClientGone, EngineFailure, Overloaded, UnsupportedAudio

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


def children_of(decoder: Decoder) -> list[int]:
    assert decoder._process is not None
    pid = decoder._process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_gone(pid: int, within_s: float = 120) -> None:
    """Return once the process has ended, be it long ago."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            assert select.select([handle], [], [], within_s)[0], f"process {pid} lives on"
        finally:
            os.close(handle)


def descriptors_of(pid: int) -> list[str]:
    """What they are open on; one that closes meanwhile is left out."""
    found: list[str] = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


def drain(stream: PcmStream) -> None:
    while len(stream.read(480_000)):
        pass


def wav_header(rate_hz: int, channels: int, data_bytes: int) -> bytes:
    align = 2 * channels
    kind = struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, rate_hz * align, align, 16)
    size = struct.pack("<I", data_bytes + 36)
    return b"RIFF" + size + b"WAVEfmt " + kind + b"data" + struct.pack("<I", data_bytes)


@pytest.fixture
def endless_file(tmp_path: Path) -> Path:
    """Ten minutes of silence at a high rate and with eight channels; takes no room on the disk."""
    path = tmp_path / "endless.wav"
    size = 600 * 192_000 * 16
    path.write_bytes(wav_header(192_000, 8, size))
    os.truncate(path, size + 44)
    return path


@needs_proc
def test_a_killed_child_costs_its_own_file_only(
    make_decoder, silent_flac, wav_file, open_file, decode_file
):
    decoder = make_decoder()
    doomed: PcmStream = open_file(decoder, silent_flac)
    doomed.read(16_000)
    (child,) = children_of(decoder)
    other: PcmStream = open_file(decoder, silent_flac)
    other.read(16_000)
    os.kill(child, signal.SIGKILL)
    with pytest.raises(UnsupportedAudio, match="the decoder stopped on this file"):
        drain(doomed)
    assert len(other.read(480_000)) == 480_000
    assert len(decode_file(decoder, wav_file)) == 32_000


@needs_proc
def test_a_child_that_crashes_costs_its_own_file_only(
    make_decoder, silent_flac, wav_file, open_file, decode_file
):
    decoder = make_decoder()
    doomed: PcmStream = open_file(decoder, silent_flac)
    doomed.read(16_000)
    (child,) = children_of(decoder)
    os.kill(child, signal.SIGSEGV)
    with pytest.raises(UnsupportedAudio):
        drain(doomed)
    assert len(decode_file(decoder, wav_file)) == 32_000


def test_a_dead_decoding_process_is_replaced_and_its_files_go_on(
    make_decoder, silent_flac, wav_file, open_file, decode_file
):
    decoder = make_decoder()
    running: PcmStream = open_file(decoder, silent_flac)
    running.read(16_000)
    first = decoder._process
    first.kill()
    first.wait()
    assert len(decode_file(decoder, wav_file)) == 32_000
    assert decoder._process is not first
    drain(running)
    assert running.seconds_read == 300


def test_a_decoding_process_that_dies_between_two_requests_is_noticed_while_sending(
    make_decoder, wav_file, decode_file, monkeypatch
):
    decoder = make_decoder()
    decode_file(decoder, wav_file)
    process = decoder._process
    process.kill()
    process.wait()
    with monkeypatch.context() as patch:
        patch.setattr(process, "poll", lambda: None)  # as if it had died a moment later
        assert len(decode_file(decoder, wav_file)) == 32_000
    assert decoder._process is not process


def test_a_decoding_process_that_cannot_start_is_the_servers_fault(
    make_decoder, wav_file, open_file, monkeypatch
):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(EngineFailure):
        open_file(make_decoder(), wav_file)


def test_a_decoding_process_that_dies_at_once_is_the_servers_fault_and_may_be_tried_again(
    make_decoder, wav_file, decode_file, monkeypatch
):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Overloaded):
        decode_file(make_decoder(), wav_file)


@needs_proc
def test_closing_in_the_middle_leaves_no_child(make_decoder, silent_flac, open_file):
    decoder = make_decoder()
    stream: PcmStream = open_file(decoder, silent_flac)
    stream.read(16_000)
    (child,) = children_of(decoder)
    stream.close()
    stream.close()
    wait_until_gone(child)
    until_s = time.monotonic() + 120
    while children_of(decoder):  # the kernel tells of an end before it forgets the process
        assert time.monotonic() < until_s
        time.sleep(0.01)
    with pytest.raises(ClientGone):
        stream.read(1)


@needs_proc
def test_a_stream_that_is_forgotten_unclosed_leaves_no_child(make_decoder, silent_flac):
    decoder = make_decoder()
    with silent_flac.open("rb") as file:
        stream = decoder.open(file.fileno())
    stream.read(16_000)
    (child,) = children_of(decoder)
    with pytest.warns(ResourceWarning):
        del stream
    wait_until_gone(child)


@needs_proc
def test_closing_wakes_a_reader_and_ends_a_child_that_gives_nothing(make_decoder):
    """A child that waits for its input stands for one that is busy: neither writes anything."""
    decoder = make_decoder()
    source, sink = os.pipe()
    stream = decoder.open(source)
    os.close(source)
    reading_on = threading.Event()

    def read() -> None:
        stream.read(16_000)
        reading_on.set()
        drain(stream)

    with ThreadPoolExecutor(1) as pool, os.fdopen(sink, "wb", buffering=0) as input_left_open:
        reader = pool.submit(read)
        input_left_open.write(wav_header(16_000, 1, 1_000_000) + bytes(4 * 32_000))
        assert reading_on.wait(120)
        (child,) = children_of(decoder)
        stream.close()
        wait_until_gone(child)
        with pytest.raises(ClientGone):
            reader.result(timeout=120)


@needs_proc
def test_children_end_with_the_server(silent_flac):
    """A server that is killed cannot close anything; the kernel does."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from myna.audio.decode import DecodeLimits, Decoder\n"
        "decoder = Decoder(DecodeLimits(3600, 60, 1 << 29))\n"
        "stream = decoder.open(os.open(sys.argv[1], os.O_RDONLY))\n"
        "stream.read(16_000)\n"
        "pid = decoder._process.pid\n"
        "children = Path(f'/proc/{pid}/task/{pid}/children').read_text()\n"
        "print(pid, children, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    killed = subprocess.run(
        [sys.executable, "-c", script, str(silent_flac)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=False,
    )
    left_behind = [int(pid) for pid in killed.stdout.split()]
    assert len(left_behind) == 2
    for pid in left_behind:
        wait_until_gone(pid)


@needs_proc
def test_processor_time_is_limited(make_decoder, endless_file, wav_file, open_file, decode_file):
    decoder = make_decoder(cpu_s=1)
    stream: PcmStream = open_file(decoder, endless_file)
    with pytest.raises(UnsupportedAudio, match="the decoder stopped on this file"):
        drain(stream)
    assert len(decode_file(decoder, wav_file)) == 32_000


@needs_proc
def test_memory_is_limited(make_decoder, endless_file, wav_file, decode_file):
    with pytest.raises(UnsupportedAudio):
        decode_file(make_decoder(memory_bytes=1 << 20), endless_file)


@needs_proc
def test_a_child_can_open_nothing_write_no_file_and_start_nothing(
    make_decoder, silent_flac, open_file
):
    decoder = make_decoder(cpu_s=7, memory_bytes=64 << 20)
    stream: PcmStream = open_file(decoder, silent_flac)
    stream.read(16_000)
    (child,) = children_of(decoder)
    soft = {
        name: resource.prlimit(child, getattr(resource, f"RLIMIT_{name}"))[0]
        for name in ("CPU", "FSIZE", "CORE", "NOFILE", "NPROC")
    }
    assert soft == {"CPU": 7, "FSIZE": 0, "CORE": 0, "NOFILE": 0, "NPROC": 0}
    zygote = resource.prlimit(decoder._process.pid, resource.RLIMIT_AS)[0]
    assert zygote == resource.RLIM_INFINITY
    assert 64 << 20 < resource.prlimit(child, resource.RLIMIT_AS)[0] < 2 << 30
    assert "NoNewPrivs:\t1" in Path(f"/proc/{child}/status").read_text()


@needs_proc
def test_a_child_holds_its_own_file_and_no_other(make_decoder, silent_flac, open_file):
    decoder = make_decoder()
    streams = [open_file(decoder, silent_flac) for _ in range(3)]
    for stream in streams:
        stream.read(16_000)
    for child in children_of(decoder):
        held = descriptors_of(child)
        assert held.count(str(silent_flac)) == 1
        assert not [name for name in held if name.startswith("socket:")]


@needs_proc
def test_the_decoding_process_gets_no_secrets(make_decoder, wav_file, decode_file, monkeypatch):
    monkeypatch.setenv("MYNA_API_KEYS", "sk-secret")
    decoder = make_decoder()
    decode_file(decoder, wav_file)
    environment = Path(f"/proc/{decoder._process.pid}/environ").read_bytes()
    assert b"sk-secret" not in environment


@needs_proc
def test_opening_and_closing_leaks_no_descriptors(
    make_decoder, silent_flac, wav_file, open_file, decode_file
):
    decoder = make_decoder()
    decode_file(decoder, wav_file)
    before = len(descriptors_of(os.getpid()))
    for turn in range(200):
        if turn % 2:
            decode_file(decoder, wav_file)
        else:
            stream = open_file(decoder, silent_flac)
            stream.read(100)
            stream.close()
    # One of each turn would be 100 more. A few come and go with what else runs in this process.
    assert len(descriptors_of(os.getpid())) < before + 25


def test_twenty_threads_decode_at_the_same_time(make_decoder, wav_file, decode_file):
    decoder = make_decoder()
    with ThreadPoolExecutor(20) as pool:
        lengths = list(pool.map(lambda _: len(decode_file(decoder, wav_file)), range(20)))
    assert lengths == [32_000] * 20


@needs_proc
def test_closing_the_decoder_ends_its_process_and_it_may_start_again(wav_file, decode_file):
    decoder = Decoder(DecodeLimits(3600, 60, 1 << 29))
    decoder.start()
    pid = decoder._process.pid
    decoder.close()
    decoder.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(decode_file(decoder, wav_file)) == 32_000
    decoder.close()


# What a child that a file has taken over may say.


def stream_of(*frames: bytes, max_audio_s: float = 10) -> PcmStream:
    output, write_end = os.pipe()
    read_end, leash = os.pipe()
    os.close(read_end)
    os.write(write_end, b"".join(frames))
    os.close(write_end)
    return PcmStream(output, leash, DecodeLimits(max_audio_s, 1, 1))


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return child_side.HEADER.pack(kind, len(payload)) + payload


STARTED = frame(child_side.STARTED)


@pytest.mark.parametrize(
    "frames",
    [
        [b"A\1"],
        [child_side.HEADER.pack(child_side.AUDIO, 0xFFFFFFFF), b"12"],
        [child_side.HEADER.pack(child_side.UNSUPPORTED, 0xFFFFFFFF), b"12"],
        [frame(b"?", b"what")],
        [frame(child_side.DECLARED, b"1")],
        [frame(child_side.UNSUPPORTED, b"\xff\xfe")],
    ],
    ids=["cut header", "cut audio", "endless reason", "unknown", "short", "no UTF-8"],
)
def test_a_child_that_talks_nonsense_is_one_bad_file(frames):
    with stream_of(STARTED, *frames) as stream, pytest.raises(UnsupportedAudio):
        stream.read(16_000)


def test_the_server_counts_for_itself():
    audio = frame(child_side.AUDIO, bytes(3_200))
    with stream_of(audio, audio, audio, max_audio_s=0.2) as stream:
        stream.read(3_200)
        with pytest.raises(AudioTooLong):
            stream.read(1_600)


def test_a_failure_that_is_not_the_files_fault_is_the_servers():
    with (
        stream_of(frame(child_side.BROKEN, b"cannot fork")) as stream,
        pytest.raises(EngineFailure, match="cannot fork"),
    ):
        stream.read(1)


def test_a_child_that_never_started_is_the_servers_fault_and_may_be_tried_again():
    with stream_of() as stream, pytest.raises(Overloaded):
        stream.read(1)
