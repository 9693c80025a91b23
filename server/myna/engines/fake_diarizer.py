"""A diarizer that needs no weights: speakers are told apart by how loud they are.

The fake engine's voices differ in loudness alone, so a conversation in its tone code has the
speakers that spoke it. In any other sound, every loudness is a speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myna.engines.contract.diarizer import KnownVoice, SpeakerOptions
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.tonecode import SILENCE_RMS
from myna.text.transcript import Turn

_FRAME = SAMPLE_RATE_HZ // 80
"""Samples that are looked at together, 12.5 ms: whole turns of all of the code's tones."""
_GAP_S = 0.3
"""Pauses of one speaker up to this are part of the turn."""
_STEP = 0.01
"""Of a tone's amplitude, from one voice to the next."""
_PAUSE_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Sound:
    """Something between two pauses."""

    start_s: float
    end_s: float
    level: int
    """Amplitude of a tone in hundredths."""


class FakeDiarizer:
    """Tells loudness apart."""

    window_s = 5.0
    step_s = 5.0

    def __init__(self, name: str = "fake") -> None:
        self.name = name

    def hear(self, window: Window) -> tuple[list[Sound], float]:
        """The sounds in a window, and where it ends."""
        return sounds(window), window.start_s + window.seconds

    def voice(self, samples: Samples) -> KnownVoice | None:
        """The loudness of the longest sound; None for silence."""
        found = sounds(Window(samples, 0.0))
        if not found:
            return None
        longest = max(found, key=lambda sound: sound.end_s - sound.start_s)
        return KnownVoice(np.array([longest.level], np.float32))

    def follow(self, options: SpeakerOptions) -> FakeFollowing:
        """Begin with a recording."""
        return FakeFollowing(options)

    def warm_up(self) -> None:
        """Nothing to warm."""

    def close(self) -> None:
        """Nothing to free."""


class FakeFollowing:
    """Every loudness is a speaker, in order of appearance behind the known ones."""

    def __init__(self, options: SpeakerOptions) -> None:
        self.settled_s = 0.0
        self._options = options
        self._levels = [int(known.print[0]) for known in options.known]
        self._met: set[int] = set()
        self._end_s = 0.0
        self._turns: list[Turn] = []

    def add(self, heard: tuple[list[Sound], float]) -> None:
        """Take the next window's sounds."""
        found, self._end_s = heard
        for sound in found:
            speaker = self._speaker(sound.level)
            before = self._turns[-1] if self._turns else None
            near = before is not None and sound.start_s - before.end_s <= _GAP_S
            if before is not None and near and before.speaker == speaker:
                self._turns[-1] = Turn(before.start_s, sound.end_s, speaker)
            else:
                self._turns.append(Turn(sound.start_s, sound.end_s, speaker))
        if self._options.live:
            self.settled_s = self._end_s

    def finish(self) -> None:
        """Everything is told."""
        self.settled_s = float("inf")

    def take(self) -> Sequence[Turn]:
        """Turns since the last call."""
        if not self.settled_s:
            return []
        taken, self._turns = self._turns, []
        return taken

    def _speaker(self, level: int) -> int:
        most = self._options.most
        full = most is not None and len(self._met) >= most
        allowed = sorted(self._met) if full else range(len(self._levels))
        nearest = min(allowed, key=lambda one: abs(self._levels[one] - level), default=-1)
        if nearest < 0 or (not full and self._levels[nearest] != level):
            nearest = len(self._levels)
            self._levels.append(level)
        self._met.add(nearest)
        return nearest


def sounds(window: Window) -> list[Sound]:
    """What is not silent in a window, cut at pauses."""
    whole = len(window.samples) // _FRAME * _FRAME
    frames = window.samples[:whole].reshape(-1, _FRAME)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (rms > SILENCE_RMS).astype(int), [0]])))
    found: list[Sound] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start < _PAUSE_FRAMES:
            continue
        amplitude = float(np.median(rms[start:end])) / np.sqrt(1.5)  # of each of three tones
        at, until = (window.start_s + edge * _FRAME / SAMPLE_RATE_HZ for edge in (start, end))
        found.append(Sound(at, until, round(amplitude / _STEP)))
    return found
