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

_AFTER_COMPANY_S = 1.0
"""Whoever was not alone a moment ago will not be for long: another client sends its next clip."""

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
            self._shared = reader.submit(load, pools.decoders, pools.decoder_threads).result()
            self._lone = (
                reader.submit(load, 1, pools.encoder_threads).result()
                if pools.apart
                else self._shared
            )
        self._clock = clock
        self._lock = Lock()
        self._running = 0
        self._company_s = -_AFTER_COMPANY_S
        self._decoding = Quicker()

    @property
    def any(self) -> Whisper:
        """For what is no work to speak of, and what is known of the model."""
        return self._shared

    def encoder(self) -> Whisper:
        """All cores while no other batch runs: threads that wait for each other on cores that
        others use cost both dear."""
        return self._lone if self._running == 1 else self._shared

    @contextmanager
    def decoder(self, rows: int) -> Generator[Decoding]:
        """What to decode `rows` hypotheses at a time with. All cores where the batch is alone, was
        so lately, and they have turned out to be the quicker way."""
        alone = self._lone is not self._shared and self._alone()
        with_all = alone and self._decoding.chooses_second(rows)
        decoding = Decoding(self._lone if with_all else self._shared)
        begun_s = self._clock()
        yield decoding
        if alone and decoding.steps and self._alone():
            pace_s = (self._clock() - begun_s) / decoding.steps
            self._decoding.learn(rows, second=with_all, seconds=pace_s)

    @contextmanager
    def batch(self) -> Generator[None]:
        """One of the batches that run now."""
        with self._lock:
            self._running += 1
            if self._running > 1:
                self._company_s = self._clock()
        try:
            yield
        finally:
            with self._lock:
                if self._running > 1:
                    self._company_s = self._clock()
                self._running -= 1

    def unload(self) -> None:
        """Give the memory back."""
        for model in {self._shared, self._lone}:
            model.unload_model()

    def _alone(self) -> bool:
        with self._lock:
            return self._running == 1 and self._clock() - self._company_s >= _AFTER_COMPANY_S


class Decoding:
    """A copy to decode with."""

    def __init__(self, model: Whisper) -> None:
        self.model = model
        self.steps = 0
        """To be set to how many it took, by who decodes; 0 where nothing is to be learned."""
