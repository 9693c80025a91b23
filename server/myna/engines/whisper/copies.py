"""The weights of a Whisper model, for a batch that has the machine to itself and for those that
share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock

from ctranslate2.models import Whisper

from myna.engines.whisper.quicker import Quicker
from myna.engines.whisper.windowing import Pools

_USUAL_ROWS = 5
"""One window with Whisper's five beams."""
_AFTER_COMPANY_S = 1.0
"""Whoever was not alone a moment ago will not be for long: another client sends its next clip."""

_CLEARLY_LONGER = 2
"""Times as long on all cores as on one: more than what others on the machine can make of it. Where
threads sleep between any two steps, it is three to four times."""

_LONG_S = 20.0
"""A window of such a length is a long request's, or as good as one: nobody waits for its next."""

Load = Callable[[int, int], Whisper]
"""A copy for so many batches at a time, with so many threads each."""


class Copies:
    """One copy of which a batch has all cores, and one for several batches on a core each; where
    `pools` has them in one, the same. Any number of threads may use them."""

    def __init__(
        self, load: Load, pools: Pools, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Load them. Raises what `load` raises."""
        # In a thread that ends. libgomp counts whoever has ever divided work, as reading weights
        # does; where those are more than cores, the threads of a team no longer spin but sleep and
        # are woken at every step of the decoder, which then takes three to four times as long.
        with ThreadPoolExecutor(1) as reader:
            self.shared = reader.submit(load, pools.decoders, pools.decoder_threads).result()
            self.lone = (
                reader.submit(load, 1, pools.encoder_threads).result()
                if pools.apart
                else self.shared
            )
        self.decoding = Quicker()
        self._pools = pools
        self._clock = clock
        self._lock = Lock()
        self._running = 0
        self._company_s = -_AFTER_COMPANY_S

    @property
    def apart(self) -> bool:
        """Whether there are two."""
        return self.lone is not self.shared

    def long_lanes(self) -> int:
        """How many long batches had best run at a time. Of two cores, both for one of them is as
        quick as one for each of two, and takes half of the memory, unless a decoder loses by it.
        Whether it does is not to hang on a moment in which others had the machine."""
        takes = self.decoding.second_takes(_USUAL_ROWS) if self._pools.pairs else None
        one = takes is not None and takes < _CLEARLY_LONGER
        return 1 if one else self._pools.workers

    @contextmanager
    def batch(self, window_s: float) -> Generator[BatchCopies]:
        """One of the batches that run now, of windows of this length."""
        with self._lock:
            self._running += 1
            self._meet()
        try:
            yield BatchCopies(self, self._clock, window_s >= _LONG_S and self.long_lanes() == 1)
        finally:
            with self._lock:
                self._meet()
                self._running -= 1

    def alone(self, *, lately: bool = False) -> bool:
        """Whether one batch runs; with `lately`, whether it has been so for a while."""
        with self._lock:
            since_s = self._clock() - self._company_s
            return self._running == 1 and (not lately or since_s >= _AFTER_COMPANY_S)

    def unload(self) -> None:
        """Give the memory back."""
        for model in {self.shared, self.lone}:
            model.unload_model()

    def _meet(self) -> None:
        if self._running > 1:
            self._company_s = self._clock()


class BatchCopies:
    """What one batch encodes and decodes with."""

    def __init__(self, copies: Copies, clock: Callable[[], float], has_lane: bool) -> None:  # noqa: FBT001 - said once, above
        """`has_lane`: all cores are its own, and others make do with what it leaves."""
        self._copies = copies
        self._clock = clock
        self._has_lane = has_lane

    def encoder(self) -> Whisper:
        """What to encode with, and to read a text in one go: all cores for the one that
        has the lane, or that is alone. Threads that wait for each other on cores that others use
        cost both dear."""
        copies = self._copies
        return copies.lone if self._has_lane or copies.alone() else copies.shared

    @contextmanager
    def decoder(self, rows: int) -> Generator[Decoding]:
        """What to decode `rows` hypotheses at a time with: all cores for the one that has the lane,
        or that is alone and was so lately, where they have turned out to be the quicker way."""
        copies = self._copies
        lately = not self._has_lane
        alone = copies.apart and copies.alone(lately=lately)
        with_all = (alone or self._has_lane) and copies.decoding.chooses_second(rows)
        decoding = Decoding(copies.lone if with_all else copies.shared)
        begun_s = self._clock()
        yield decoding
        if alone and decoding.steps and copies.alone(lately=lately):
            pace_s = (self._clock() - begun_s) / decoding.steps
            copies.decoding.learn(rows, second=with_all, seconds=pace_s)


class Decoding:
    """A copy to decode with."""

    def __init__(self, model: Whisper) -> None:
        self.model = model
        self.steps = 0
        """To be set to how many it took, by who decodes; 0 where nothing is to be learned."""
