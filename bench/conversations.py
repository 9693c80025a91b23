"""Conversations put together from recordings of single speakers, with who speaks when.

The same manifest and seed give the same conversations. Turns of 1 to 18 s alternate between two to
four speakers, with pauses, some overlap, and short words of those who listen; clean, in a room
(reverberation of 0.45 s, noise 22 dB below), or by telephone (300-3400 Hz, noise 25 dB below, then
mu-law at 8 kHz).
"""

# scipy's stubs leave its signals open:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from audio import RATE_HZ, pcm
from numpy.typing import NDArray
from scipy import signal

from myna.audio import g711

Samples = NDArray[np.float32]

FRAME = RATE_HZ // 100
"""Of the gate that tells speech from pauses: 10 ms."""
_LOUD, _QUIET = 95, 5
"""Percentiles of a voice's levels; speech is what is louder than the middle between the two."""
_PAUSE_S = 0.3
"""Shorter ones are part of the speech."""
_LEAST_VOICE_S = 10.0
"""A voice with less is left out: its turns would be the same words over and over."""
_SESSION_S = 20.0
"""A recording this long is a voice by itself."""
_SINGLE = {"read", "read-long", "spontaneous", "telephone"}
"""Kinds of a manifest that have one speaker who is named."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who speaks when."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True)
class Conversation:
    """A recording with its reference."""

    name: str
    kind: str
    samples: NDArray[np.int16]
    turns: tuple[Turn, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE_HZ


def labelled(manifest: Path) -> list[Conversation]:
    """Recordings of the manifest that have an RTTM file."""
    found: list[Conversation] = []
    for row in _rows(manifest):
        if row.get("rttm"):
            path = manifest.parent / row["file"]
            kind = "meeting" if path.suffix == ".flac" else "clip"
            turns = rttm(manifest.parent / row["rttm"])
            found.append(Conversation(path.stem, kind, pcm(path), turns))
    return found


def rttm(path: Path) -> tuple[Turn, ...]:
    """The turns of an RTTM file."""
    lines = [line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER")]
    return tuple(
        Turn(float(at), float(at) + float(length), who)
        for _, _, _, at, length, _, _, who, *_ in lines
    )


def voices(manifest: Path) -> dict[str, Samples]:
    """What each named single speaker says, levels made equal: the longest recording, as people are
    of one session in a conversation too; all of them where they are short prompts."""
    said: dict[str, list[Samples]] = defaultdict(list)
    for row in _rows(manifest):
        speakers = row.get("speakers") or []
        if row["kind"] in _SINGLE and len(speakers) == 1 and row.get("wer_total"):
            who = speakers[0].removesuffix(" (es)")
            said[who].append(pcm(manifest.parent / row["file"]).astype(np.float32) / 32768)
    longest = {who: max(parts, key=len) for who, parts in said.items()}
    whole = {
        who: longest[who] if len(longest[who]) >= _SESSION_S * RATE_HZ else np.concatenate(parts)
        for who, parts in said.items()
    }
    return {
        who: samples * np.float32(0.06 / np.sqrt(np.mean(samples**2)))
        for who, samples in sorted(whole.items())
        if len(samples) >= _LEAST_VOICE_S * RATE_HZ
    }


def simulated(
    spoken: dict[str, Samples], *, count: int, seconds: float, seed: int = 1
) -> list[Conversation]:
    """`count` conversations of each kind."""
    kinds: dict[str, Callable[[Samples, np.random.Generator], Samples]] = {
        "clean": lambda samples, _: samples,
        "room": _in_a_room,
        "telephone": _by_telephone,
    }
    found: list[Conversation] = []
    for number in range(count):
        for kind, change in kinds.items():
            rng = random.Random(f"{seed} {kind} {number}")
            who = rng.sample(sorted(spoken), 2 + number % 3)
            samples, turns = _talk({one: spoken[one] for one in who}, seconds, rng)
            noise = np.random.default_rng(rng.randrange(1 << 30))
            heard = np.clip(change(samples, noise), -1, 1)
            name = f"{kind}-{number} ({len(who)} speakers)"
            found.append(Conversation(name, kind, (heard * 32767).astype(np.int16), turns))
    return found


def _talk(
    spoken: dict[str, Samples], seconds: float, rng: random.Random
) -> tuple[Samples, tuple[Turn, ...]]:
    track = np.zeros(int((seconds + 25) * RATE_HZ), np.float32)
    gates = {who: _gate(samples) for who, samples in spoken.items()}
    places = {who: rng.randrange(len(samples)) for who, samples in spoken.items()}
    turns: list[Turn] = []

    def say(who: str, at_s: float, length_s: float) -> float:
        piece = np.take(
            spoken[who], range(places[who], places[who] + int(length_s * RATE_HZ)), mode="wrap"
        )
        places[who] = (places[who] + len(piece)) % len(spoken[who])
        start = int(at_s * RATE_HZ)
        track[start : start + len(piece)] += piece
        turns.extend(Turn(at_s + a, at_s + b, who) for a, b in _gated(piece, gates[who]))
        return at_s + length_s

    at_s, last = 0.5, ""
    while at_s < seconds:
        who = rng.choice([one for one in spoken if one != last])
        length_s = min(rng.lognormvariate(1.4, 0.7), 18.0)
        end_s = say(who, at_s, max(length_s, 1.0))
        if length_s > 4 and rng.random() < 0.25:  # a word of somebody who listens
            say(rng.choice([one for one in spoken if one != who]), at_s + length_s / 2, 0.7)
        overlaps = rng.random() < 0.15
        at_s = max(0.5, end_s + (-rng.uniform(0.2, 1.0) if overlaps else rng.uniform(0.1, 1.2)))
        last = who
    end = int((max(turn.end_s for turn in turns) + 0.5) * RATE_HZ)
    return track[:end], tuple(sorted(turns, key=lambda turn: turn.start_s))


def _levels(samples: Samples) -> NDArray[np.float32]:
    """Of each frame, in decibels."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.convolve(np.mean(frames**2, axis=1), np.ones(3) / 3, mode="same")
    return 10 * np.log10(power + 1e-10)


def _gate(samples: Samples) -> float:
    """The level from which a voice's frames are speech."""
    return float(np.mean(np.percentile(_levels(samples), (_QUIET, _LOUD))))


def _gated(samples: Samples, gate_db: float) -> list[tuple[float, float]]:
    """Where there is speech, in seconds: right to about 0.1 s."""
    loud = _levels(samples) > gate_db
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]])))
    spans: list[list[int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and start - spans[-1][1] < _PAUSE_S * 100:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    return [(start / 100, end / 100) for start, end in spans if end - start >= 10]


def _in_a_room(samples: Samples, noise: np.random.Generator) -> Samples:
    times = np.arange(int(0.45 * RATE_HZ)) / RATE_HZ
    tail = noise.normal(0, 1, len(times)) * 10 ** (-3 * times / 0.45)
    tail[0] = 12.0  # what comes straight
    echoed = signal.fftconvolve(samples, tail / np.linalg.norm(tail))[: len(samples)]
    return _with_noise(echoed, 22, noise)


def _by_telephone(samples: Samples, noise: np.random.Generator) -> Samples:
    band = signal.butter(6, (300, 3400), "bandpass", fs=RATE_HZ, output="sos")
    heard = _with_noise(signal.sosfilt(band, samples), 25, noise)
    slow = _coded(signal.resample_poly(heard, 1, RATE_HZ // g711.RATE_HZ))
    return signal.resample_poly(slow, RATE_HZ // g711.RATE_HZ, 1).astype(np.float32)


def _coded(samples: Samples) -> Samples:
    """Each sample the nearest of mu-law's 256 levels."""
    levels = np.sort(g711.expand(bytes(range(256)), "mu"))
    return levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, samples)]


def _with_noise(samples: Samples, below_db: float, noise: np.random.Generator) -> Samples:
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-below_db / 20)
    return (samples + noise.normal(0, level, len(samples))).astype(np.float32)


def _rows(manifest: Path) -> Sequence[dict[str, object] | dict[str, str]]:
    return [json.loads(line) for line in manifest.read_text().splitlines() if line.strip()]
