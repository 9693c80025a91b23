"""The decoding process: the server runs this file, and it forks a confined child per upload.

Native decoders crash on hostile bytes, so none of them runs inside the server. This process has
one thread, has PyAV loaded and warm, and waits on a socket inherited from the server. A request is
one byte with three descriptors beside it (SCM_RIGHTS), and is answered by a fork:

    source   the file's bytes: a regular file, read from its beginning, or a pipe
    output   a pipe that takes frames: one byte of kind, uint32 length (little endian), payload
    leash    a pipe that the server holds at the other end; when it lets go, the child dies
    growth   only for a file that is still being written: a pipe that says something whenever it
             has grown, and ends when it is complete

The child gives up everything it does not need (see `confine`), decodes, and writes its frames.
Output that stops without a last frame came from a child that died. The server's side of this is
`myna.audio.decode`. Nothing else of Myna is imported here, so that little is in reach of a file
that takes a decoder over.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import io
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast

import av
import av.logging
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

HEADER = struct.Struct("<cI")
"""Kind and payload bytes of a frame."""
STARTED = b"S"
"""First frame: whatever happens from here on is about the file."""
AUDIO = b"A"
"""Mono 16 kHz s16le samples."""
DECLARED = b"D"
"""The length that the container states, as `SECONDS`."""
END = b"E"
"""Last frame: all of the file's audio has been sent."""
UNSUPPORTED = b"U"
"""Last frame: the file cannot be decoded; the reason in UTF-8."""
TOO_LONG = b"L"
"""Last frame: the file has, or declares, more audio than the limit."""
BROKEN = b"B"
"""Last frame: not the file's fault; the reason in UTF-8."""
SECONDS = struct.Struct("<d")
DESCRIPTORS = 3
"""Source, output and leash, in this order; growth may follow."""
FRONT_TO_BACK = (b"RIFF", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"\xff\xf1", b"\xff\xf9")
"""Beginnings of files that come out the same when they are read while they grow: wav, FLAC, Ogg,
Matroska and WebM, AAC in ADTS. MP4 may have its index at its end, and FFmpeg trims the silence at
the end of an MP3 only where the file's size bears its header out."""

RATE_HZ = 16_000
BLOCK_BYTES = 1 << 16
"""An AUDIO frame is written when this much has gathered: 2 s."""
MIN_RATE_HZ = 1_000
"""No recording has a lower rate; one second of it would become thousands."""

CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,ogg,"
    "tta,w64,wav,wv"
)
"""FFmpeg's demuxers of single media files: no playlist, concatenation, device, image, raw data."""
CODECS = frozenset(
    (  # noqa: SIM905 - a list would take sixty lines
        "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,alac,amrnb,amrwb,ape,eac3,flac,g722,"
        "g726,g726le,gsm,gsm_ms,ilbc,libopencore_amrnb,libopencore_amrwb,libopus,libspeex,mp1,"
        "mp1float,mp2,mp2float,mp3,mp3float,opus,pcm_alaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,"
        "pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,"
        "pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_s32be,pcm_s32le,pcm_s32le_planar,pcm_s64be,"
        "pcm_s64le,pcm_s8,pcm_s8_planar,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,"
        "pcm_u32le,pcm_u8,speex,tta,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2,wmavoice"
    ).split(",")
)
"""FFmpeg's decoders that recordings use. No video decoder runs, not even to look at a stream."""
MEASURED_DURATIONS = frozenset({"flac", "matroska", "mov", "ogg", "wav"})
"""Containers that write their length down. Elsewhere FFmpeg guesses it from the bit rate."""

PR_SET_NO_NEW_PRIVS = 38
"""From linux/prctl.h."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost."""

    max_audio_s: float
    """Seconds of audio that come out of it."""
    cpu_s: int
    """Seconds of processor time, whole and at least 1; waiting for the reader is free."""
    memory_bytes: int
    """Address space on top of what the decoding process has before it opens the file (Linux)."""


class Refusal(Exception):
    """The file is not decoded to its end: the kind of the last frame, and the reason in it."""

    def __init__(self, kind: bytes, reason: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class SpoolFile:
    """A regular file with a position of its own: the descriptor's is shared with the server.

    FFmpeg goes on asking after an error until its time is up, so a failed read ends the process,
    and a seek that cannot be is told in FFmpeg's way (negative), which damaged files get over.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._position = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        try:
            data = os.pread(self._fd, size, self._position)
        except (MemoryError, OSError):
            os._exit(1)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position in bytes, or -1."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}.get(whence)
        if base is None or base + offset < 0:
            return -1
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position


class GrowingFile:
    """A regular file while it is being written, read once from front to back: who comes to its end
    waits for more. Like a pipe it has no `seek`: demuxers would look at what is not there yet."""

    def __init__(self, fd: int, growth: int) -> None:
        self._fd = fd
        self._growth = growth
        self._position = 0
        self._complete = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as there are some."""
        data = self._available(size)
        self._position += len(data)
        return data

    def begins_as_one_of(self, kinds: tuple[bytes, ...]) -> bool:
        """Whether it starts with one of these bytes."""
        return self._available(max(map(len, kinds))).startswith(kinds)

    def wait(self) -> None:
        """Until it is complete."""
        while not self._complete:
            self._listen()

    def _available(self, size: int) -> bytes:
        try:
            while not (data := os.pread(self._fd, size, self._position)) and not self._complete:
                self._listen()
        except (MemoryError, OSError):
            os._exit(1)
        return data

    def _listen(self) -> None:
        """Wait for news. What was written before the end was told is there when it is told."""
        self._complete = not os.read(self._growth, BLOCK_BYTES)


class PipeFile:
    """A source that is read once, from front to back. It has no `seek`, which PyAV looks for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as there are some."""
        try:
            return os.read(self._fd, size)
        except (MemoryError, OSError):
            os._exit(1)


SourceFile = SpoolFile | GrowingFile | PipeFile


class PcmWriter:
    """Frames on their way to the server, and the count of audio against its limit."""

    def __init__(self, fd: int, max_audio_s: float) -> None:
        self._fd = fd
        self._max_bytes = round(max_audio_s * RATE_HZ) * 2
        self._pending = bytearray()
        self.max_audio_s = max_audio_s
        self.bytes_taken = 0

    def write(self, pcm: memoryview) -> None:
        """Take s16le samples. Raises Refusal beyond the limit."""
        self.bytes_taken += len(pcm)
        if self.bytes_taken > self._max_bytes:
            raise Refusal(TOO_LONG)
        self._pending += pcm
        if len(self._pending) >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what has gathered."""
        if self._pending:
            self.send(AUDIO, self._pending)
            self._pending = bytearray()

    def send(self, kind: bytes, payload: bytes | bytearray = b"") -> None:
        """One frame; blocks until the server has taken it."""
        frame = memoryview(HEADER.pack(kind, len(payload)) + payload)
        while frame:
            frame = frame[os.write(self._fd, frame) :]


def main(argv: list[str]) -> None:
    """Serve requests on an inherited socket: descriptor, max_audio_s, cpu_s, memory_bytes."""
    requests = socket.socket(fileno=int(argv[0]))
    limits = DecodeLimits(float(argv[1]), int(argv[2]), int(argv[3]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when this process ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the children
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    warm_up()
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page it marks
    serve(requests, limits)


def serve(requests: socket.socket, limits: DecodeLimits) -> None:
    """Fork a child for each request until the server hangs up."""
    address_space = _address_space_bytes() + limits.memory_bytes
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, DESCRIPTORS + 1)
        if not message:
            return
        if len(descriptors) >= DESCRIPTORS:
            try:
                child = os.fork()
            except OSError as error:
                reason = f"the audio decoder cannot fork: {error.strerror}"
                with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                    PcmWriter(descriptors[1], limits.max_audio_s).send(BROKEN, reason.encode())
            else:
                if child == 0:
                    requests.close()  # it carries the descriptors of other people's files
                    _child(descriptors, limits, address_space)
        for descriptor in descriptors:
            os.close(descriptor)


def _source(fd: int, growth: int | None = None) -> SourceFile:
    """How a child reads its file, after waiting for it where it has to be complete."""
    if growth is not None:
        growing = GrowingFile(fd, growth)
        if growing.begins_as_one_of(FRONT_TO_BACK):
            return growing
        growing.wait()
    return SpoolFile(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else PipeFile(fd)


def _child(descriptors: list[int], limits: DecodeLimits, address_space_bytes: int) -> None:
    """Everything that happens in a child; it never returns into the loop that forked it."""
    try:
        source, output, leash, *growth = descriptors
        die_with(leash)
        os.dup2(sys.stdout.fileno(), sys.stderr.fileno())  # /dev/null: logs are not for uploads
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that left ends the child quietly
        writer = PcmWriter(output, limits.max_audio_s)
        writer.send(STARTED)
        confine(limits.cpu_s, address_space_bytes)
        _answer(_source(source, *growth), writer)
    finally:
        os._exit(0)


def _answer(file: SourceFile, writer: PcmWriter) -> None:
    try:
        decode(file, writer)
    except Refusal as refusal:
        writer.send(refusal.kind, refusal.reason.encode())
    except Exception as error:  # noqa: BLE001 - whatever the library thinks of it, it is this file
        writer.send(UNSUPPORTED, f"{type(error).__name__} in the decoder".encode())
    else:
        writer.send(END)


def die_with(leash: int) -> None:
    """End this process when the last holder of the leash's other end closes it or dies.

    The kernel sends SIGIO for that (fcntl(2), O_ASYNC), so it works in the middle of native code.
    """
    if sys.platform != "linux":  # where SIGIO is ignored unless it is handled
        signal.signal(signal.SIGIO, lambda _signal, _frame: os._exit(0))
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([leash], [], [], 0)[0]:  # it was let go before the signal was asked for
        os._exit(0)


def confine(cpu_s: int, address_space_bytes: int) -> None:
    """Give up, for good, all that decoding does not need.

    No new descriptor (so no file and no connection, whatever a demuxer is talked into), no byte
    into a file, no process or thread, no core dump; bounded processor time and memory.
    """
    _lower(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)  # SIGXCPU, and SIGKILL where that is ignored
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, address_space_bytes)


def _lower(limit: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(limit)
    bound = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        bound = min(bound, ceiling)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses some of them
        resource.setrlimit(limit, (min(soft, bound), bound))


def _address_space_bytes() -> int:
    if sys.platform != "linux":
        return 0
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    return pages * resource.getpagesize()


def warm_up() -> None:
    """Decode a second of silence, so that no child loads code or looks up symbols again."""
    av.logging.set_level(None)
    data = bytes(RATE_HZ)
    header = struct.pack("<HHIIHH", 1, 1, 8_000, RATE_HZ, 2, 16)
    wav = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data))
    riff = b"RIFF" + struct.pack("<I", len(wav) + len(data)) + wav + data
    with open(os.devnull, "wb") as sink:  # noqa: PTH123 - a descriptor is what the writer takes
        writer = PcmWriter(sink.fileno(), max_audio_s=2)
        decode(io.BytesIO(riff), writer)
        writer.send(END)


def decode(file: SourceFile | io.BytesIO, writer: PcmWriter) -> None:
    """Write the first audio stream of `file` as mono 16 kHz s16le.

    Damaged packets are left out, and a file that breaks off gives what it has. Raises Refusal for
    a file without audio, of an unknown kind, or beyond the limit.
    """
    try:
        container = av.open(
            cast("IO[bytes]", file),
            mode="r",
            metadata_errors="ignore",
            container_options={
                "format_whitelist": CONTAINERS,
                "codec_whitelist": ",".join(sorted(CODECS)),
                "protocol_whitelist": "none",
            },
            io_open=_refuse_nested,
        )
    except (FFmpegError, ValueError) as error:
        raise Refusal(UNSUPPORTED, "not a media file that is known here") from error
    with container:
        stream = _audio_stream(container)
        declared_s = _declared_s(container, file)
        if declared_s is not None:
            writer.send(DECLARED, SECONDS.pack(declared_s))
            if declared_s > writer.max_audio_s:
                raise Refusal(TOO_LONG)
        for pcm in _resample(_frames(container, stream)):
            writer.write(pcm)
    if not writer.bytes_taken:
        raise Refusal(UNSUPPORTED, "no audio in the file")
    writer.flush()


def _refuse_nested(*_what: object) -> NoReturn:
    raise PermissionError("a file may not refer to another one")


def _audio_stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise Refusal(UNSUPPORTED, "no audio in the file")
    stream = container.streams.audio[0]
    context = cast("object | None", stream.codec_context)  # None where no decoder is built in
    if context is None or stream.codec_context.codec.name not in CODECS:
        raise Refusal(UNSUPPORTED, "the audio's codec is not supported")
    stream.codec_context.thread_count = 1
    return stream


def _declared_s(container: InputContainer, file: SourceFile | io.BytesIO) -> float | None:
    """The length that the container states, where it is worth anything."""
    known = MEASURED_DURATIONS.intersection(container.format.name.split(","))
    if not known or container.duration is None or isinstance(file, GrowingFile | PipeFile):
        return None
    return container.duration / 1_000_000


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decoded frames; packets that the decoder does not take are left out."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:  # the container breaks off: hear what the decoder still holds
            packet = None
        with contextlib.suppress(FFmpegError):
            yield from stream.decode(packet)  # pyright: ignore[reportUnknownMemberType]
        if packet is None:
            return


def _resample(frames: Iterator[AudioFrame]) -> Iterator[memoryview]:
    """s16le blocks. Frames are gathered to a second: a trip through the filter costs more than the
    samples of one frame. A stream that changes its rate or channels on the way starts over."""
    shape: tuple[str, str, int] | None = None
    fifo, resampler = AudioFifo(), AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    for frame in frames:
        if frame.sample_rate < MIN_RATE_HZ:
            raise Refusal(UNSUPPORTED, "the sample rate is too low")
        before, shape = shape, (frame.format.name, frame.layout.name, frame.sample_rate)
        if before not in (None, shape):
            yield from _drained(fifo, resampler)
            fifo, resampler = AudioFifo(), AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        frame.pts = None  # samples are counted; timestamps of damaged files only confuse
        fifo.write(frame)
        if fifo.samples >= frame.sample_rate:
            yield from _pushed(resampler, fifo.read())
    yield from _drained(fifo, resampler)


def _drained(fifo: AudioFifo, resampler: AudioResampler) -> Iterator[memoryview]:
    if fifo.samples:
        yield from _pushed(resampler, fifo.read())
    yield from _pushed(resampler, None)


def _pushed(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[memoryview]:
    for output in resampler.resample(frame):
        if cast("AudioFrame | None", output) is not None:  # what a flush without work gives
            yield memoryview(output.planes[0])[: output.samples * 2]


if __name__ == "__main__":
    main(sys.argv[1:])
