"""Sound to the loudspeaker, through whichever player this machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from myna.errors import MynaError

_RAW = {
    "paplay": "--raw --format=s16le --rate={rate} --channels=1",
    "aplay": "--quiet --file-type=raw --format=S16_LE --rate={rate} --channels=1 -",
    "ffplay": "-loglevel error -nodisp -autoexit -f s16le -sample_rate {rate} -i -",
    "mpv": "--really-quiet --no-video --demuxer=rawaudio --demuxer-rawaudio-format=s16le "
    "--demuxer-rawaudio-rate={rate} --demuxer-rawaudio-channels=1 -",
    "play": "-q -t raw -e signed -b 16 -r {rate} -c 1 -",
    "pw-cat": "--playback --raw --format=s16 --rate={rate} --channels=1 -",
}
"""Players that take 16-bit mono samples on their standard input while it is still written, each
with its arguments: PulseAudio's, ALSA's, FFmpeg's, mpv, SoX's, PipeWire's. PipeWire's is last, as
older versions of it read files only. FFmpeg's has no option for the channels that all its
versions know; one is what it expects."""

_INSTALL = {
    "darwin": "brew install ffmpeg",
    "win32": "winget install ffmpeg",
    "linux": "apt-get install alsa-utils (or dnf, pacman), or ffmpeg",
}


class NoPlayer(MynaError):
    """Nothing on this machine plays sound."""


def player(
    rate_hz: int, find: Callable[[str], str | None] = shutil.which, platform: str = sys.platform
) -> list[str]:
    """The command that plays 16-bit mono samples at `rate_hz` from its standard input.

    Raises:
        NoPlayer: there is none; the message says what to install.
    """
    for name, arguments in _RAW.items():
        if found := find(name):
            return [found, *arguments.format(rate=rate_hz).split()]
    if found := find("afplay"):
        return [found]
    looked_for = ", ".join((*_RAW, "afplay"))
    raise NoPlayer(
        f"No player is here to play it (looked for {looked_for}); install one, such as with "
        f"{_INSTALL.get(platform, _INSTALL['linux'])}, or save it with -o speech.wav."
    )


@contextmanager
def playing(command: list[str], rate_hz: int) -> Generator[BinaryIO]:
    """Where 16-bit mono samples at `rate_hz` go to be heard; the block is left when all were.

    Raises:
        NoPlayer: the player failed; the message has its own last words.
    """
    if Path(command[0]).name == "afplay":  # macOS's plays files only
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            with wave.open(file, "wb") as samples:
                samples.setparams((1, 2, rate_hz, 0, "NONE", ""))
                held = BytesIO()
                yield held
                samples.writeframes(held.getvalue())
            file.flush()
            with _piped([*command, file.name]):
                return
    with _piped(command) as target:
        yield target


@contextmanager
def _piped(command: list[str]) -> Generator[BinaryIO]:
    process = subprocess.Popen(  # noqa: S603 - found on the path, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield cast("BinaryIO", process.stdin)
        _, complaint = process.communicate()
    except BrokenPipeError:
        _, complaint = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        said = complaint.decode(errors="replace").strip() or f"exit {process.returncode}"
        raise NoPlayer(f"{command[0]} could not play it: {said}; save it with -o speech.wav.")
