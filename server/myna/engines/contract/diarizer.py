"""Who speaks when: windows of audio go in, turns come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples, Window
from myna.text.transcript import Turn

Voiceprint = NDArray[np.float32]
"""What a voice is like, shape (n,), of length 1: the more alike two voices, the larger the dot
product. Those of two diarizers cannot be compared."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """A speaker to recognise, as a recording of them sounds."""

    print: Voiceprint
    narrow: bool = False
    """Whether the recording came by telephone, where strangers are more alike."""


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """What is known of the speakers of one recording."""

    least: int = 1
    """How many there are at the least; a live following takes no notice of it."""
    most: int | None = None
    """How many there are at the most."""
    known: tuple[KnownVoice, ...] = ()
    """Speakers to recognise. Turns number them from 0; everybody else comes behind them."""
    live: bool = False
    """Whether turns are wanted as the recording goes on. Otherwise they come at its end, and are
    a little better."""


class SpeakerFollowing(Protocol):
    """The speakers of one recording, told apart window by window. Not thread-safe."""

    settled_s: float
    """Up to where in the recording `take` has told the turns; what it told does not change."""

    def add(self, heard: Any) -> None:
        """Take what `Diarizer.hear` made of the next window, in order of time."""
        ...

    def finish(self) -> None:
        """There are no more windows; blocks while the rest is worked out."""
        ...

    def take(self) -> Sequence[Turn]:
        """Turns that have settled since the last call, by their start. One that goes on comes in
        pieces."""
        ...


class Diarizer(Protocol):
    """Who speaks when."""

    name: str
    """The card's id, or what the user named."""
    window_s: float
    """Length in seconds of the windows that it hears; shorter ones are the recording's last."""
    step_s: float
    """From the beginning of one window to that of the next."""

    def hear(self, window: Window) -> Any:
        """Listen to one window: the engine's work, in any order of windows. What comes back is
        small, and for `SpeakerFollowing.add`."""
        ...

    def voice(self, samples: Samples) -> KnownVoice | None:
        """The voice of a recording of one speaker, at most a window long; None where nobody speaks
        in it."""
        ...

    def follow(self, options: SpeakerOptions) -> SpeakerFollowing:
        """Begin with a recording."""
        ...

    def warm_up(self) -> None:
        """Run once on made-up audio so that the first client does not wait for lazy set-up."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
