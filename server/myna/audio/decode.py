"""Uploaded files to mono 16 kHz audio, decoded outside the server a block at a time.

`Decoder` owns the decoding process (`myna.audio.decoder`, which says how the two talk), and
`Decoder.open` gives a `PcmStream` per file. Memory does not grow with a file's length: the child
that decodes it waits, on a full pipe, for whoever reads the stream.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from myna.audio import decoder
from myna.audio.decoder import (
    AUDIO,
    BROKEN,
    DECLARED,
    END,
    HEADER,
    SECONDS,
    STARTED,
    TOO_LONG,
    UNSUPPORTED,
    DecodeLimits,
)
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.errors import AudioTooLong, ClientGone, EngineFailure, Overloaded, UnsupportedAudio

__all__ = ["DecodeLimits", "Decoder", "PcmStream"]

PIPE_BYTES = 1 << 20
"""Asked for between child and server: 33 s of audio decoded ahead."""
MESSAGE_BYTES = 1 << 10
"""No frame but audio is longer; a child that says otherwise is not itself any more."""
_STARTING_AGAIN = "The audio decoder is starting again; send the file once more."
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_", "PYTHON", "LD_", "DYLD_", "VIRTUAL_ENV")
"""Beginnings of the variables that the decoding process gets: no keys or tokens for it."""
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Decoder:
    """Opens files for decoding. Every method may be called from any thread.

    The decoding process starts with `start` or the first `open`, and again when it has died.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def start(self) -> None:
        """Start the decoding process (a few ms; it is ready some 0.2 s later, and `open` need not
        wait for that). Does nothing if it runs. Raises OSError."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the decoding process. Streams that are open go on until they are closed."""
        with self._lock:
            self._discard()

    def open(self, fd: int, growth: int | None = None) -> PcmStream:
        """Begin to decode a file: `fd` is a regular file, read from its beginning whatever its
        offset, or a pipe. `growth` is the end to read of a pipe that is written to whenever a file
        that is not complete has grown, and closed when it is. The caller keeps both and may close
        them at once.

        Does not wait for the file to be looked at: what is wrong with it is raised by the first
        `read`. Raises EngineFailure if there is no decoding process to be had, and
        Overloaded if it dies as soon as it runs.
        """
        with ExitStack() as theirs, ExitStack() as ours:
            output, child_output = os.pipe()
            ours.callback(os.close, output)
            theirs.callback(os.close, child_output)
            child_leash, leash = os.pipe()
            ours.callback(os.close, leash)
            theirs.callback(os.close, child_leash)
            _enlarge(output)
            with self._lock:
                try:
                    self._send([fd, child_output, child_leash, *([growth] if growth else [])])
                except ConnectionError as error:  # it died before it could be asked anything
                    raise Overloaded(_STARTING_AGAIN) from error
                except OSError as error:
                    raise EngineFailure(f"the audio decoder does not start: {error}") from error
            ours.pop_all()
        return PcmStream(output, leash, self._limits)

    def _send(self, descriptors: list[int]) -> None:
        """Hand the descriptors to the decoding process, to a new one if the old one has died."""
        try:
            socket.send_fds(self._running(), [b"\0"], descriptors)
        except ConnectionError:
            self._discard()
            socket.send_fds(self._running(), [b"\0"], descriptors)

    def _running(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._discard()
        if self._process is None or self._requests is None:
            self._process, self._requests = _spawn(self._limits)
        return self._requests

    def _discard(self) -> None:
        if self._requests is not None:
            self._requests.close()  # the process ends when it reads this
            self._requests = None
        if self._process is not None:
            try:
                self._process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _spawn(limits: DecodeLimits) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        arguments = [theirs.fileno(), limits.max_audio_s, limits.cpu_s, limits.memory_bytes]
        kept = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                [sys.executable, "-P", decoder.__file__, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=kept | SINGLE_THREAD,
                start_new_session=True,  # Ctrl-C is for the server
            )
        except OSError:
            ours.close()
            raise
    return process, ours


def _enlarge(pipe: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # the user's share of pipe memory is used up: slower, no worse
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class PcmStream:
    """The audio of one file while it is being decoded. One thread reads; any thread may close.

    It closes itself at the end of the audio and on any error.
    """

    declared_s: float | None
    """The length in seconds that the container states, where it states one; None before the first
    `read`. Only a hint: files lie."""

    def __init__(self, output: int, leash: int, limits: DecodeLimits) -> None:
        self.declared_s = None
        self._samples_read = 0
        self._max_audio_s = limits.max_audio_s
        # File objects, not descriptors: a stream that is forgotten unclosed still ends its child.
        self._frames = open(output, "rb")  # noqa: SIM115 - closed by `close`
        self._leash = open(leash, "wb", buffering=0)  # noqa: SIM115 - closed by `close`
        self._started = False
        self._audio_bytes_left = 0  # of the current AUDIO frame
        self._ended = False
        self._lock = threading.Lock()  # guards the two below, and who closes `_frames`
        self._reading = False
        self._closed = False

    def __enter__(self) -> PcmStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds_read(self) -> float:
        """Seconds of audio that `read` has given so far."""
        return self._samples_read / SAMPLE_RATE_HZ

    def read(self, n_samples: int) -> Samples:
        """The next `n_samples` of audio; fewer only at its end, and shape (0,) after that.

        float32 in [-1, 1), int16 / 32768. Blocks until they are decoded. Raises UnsupportedAudio
        if the file cannot be decoded, AudioTooLong beyond the limit, EngineFailure if it is not
        the file's fault, and ClientGone once the stream is closed.
        """
        if self._ended:
            return np.zeros(0, np.float32)
        with self._lock:
            if self._closed:
                raise ClientGone("the audio stream is closed")
            self._reading = True
        try:
            samples = self._fill(np.empty(n_samples, "<i2"))
        except BaseException:
            self.close()
            raise
        finally:
            with self._lock:
                self._reading = False
                if self._closed:
                    self._frames.close()
        return samples.astype(np.float32) / np.float32(32768)

    def close(self) -> None:
        """Stop decoding: the child ends, and a `read` that waits for it raises ClientGone.

        Does not block, and may be called again.
        """
        with self._lock:
            self._closed = True
            self._leash.close()
            if not self._reading:
                self._frames.close()

    def _fill(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """As many of `samples` as there is audio for."""
        room = samples.data.cast("B")
        filled = 0
        while filled < len(room) and (self._audio_bytes_left or self._next_audio()):
            count = self._frames.readinto(room[filled : filled + self._audio_bytes_left])
            if not count:
                self._cut_off()
            filled += count
            self._audio_bytes_left -= count
        self._samples_read += filled // 2
        if self.seconds_read > self._max_audio_s:  # the child counts too, but is not trusted
            raise AudioTooLong(self._max_audio_s)
        return samples[: filled // 2]

    def _next_audio(self) -> bool:
        """Go to the next AUDIO frame; False if the end comes first."""
        while not self._ended:
            kind, length = HEADER.unpack(self._exactly(HEADER.size))
            if kind == AUDIO:
                self._audio_bytes_left = length
                return True
            if length > MESSAGE_BYTES:
                self._cut_off()
            self._note(kind, self._exactly(length))
        return False

    def _note(self, kind: bytes, payload: bytes) -> None:
        """Take a frame that is no audio."""
        if kind == STARTED:
            self._started = True
        elif kind == END:
            self._ended = True
            self.close()
        elif kind == DECLARED and len(payload) == SECONDS.size:
            (self.declared_s,) = SECONDS.unpack(payload)
        elif kind == UNSUPPORTED:
            raise UnsupportedAudio(payload.decode(errors="replace"))
        elif kind == TOO_LONG:
            raise AudioTooLong(self._max_audio_s, self.declared_s)
        elif kind == BROKEN:
            raise EngineFailure(payload.decode(errors="replace"))
        else:
            self._cut_off()

    def _exactly(self, size: int) -> bytes:
        data = self._frames.read(size)
        if len(data) < size:
            self._cut_off()
        return data

    def _cut_off(self) -> NoReturn:
        """The child said no END and no ERROR: it was stopped by us, or died."""
        if self._closed:
            raise ClientGone("the audio stream is closed")
        if not self._started:
            raise Overloaded(_STARTING_AGAIN)
        raise UnsupportedAudio("the decoder stopped on this file")
