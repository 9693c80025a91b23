"""All sessions of one server: how many there may be, their threads, and who may open them."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

from myna.realtime.tokens import ClientSecrets
from myna.scheduling.admission import Admission


class Sessions:
    """What sessions share."""

    def __init__(self, most: int, cores: int) -> None:
        """Room for `most` sessions at a time, which share the machine's `cores`.

        Hypotheses leave one of the engine's workers to what is final. The threads that listen are
        apart from those of requests, where the decoding of files would hold up what somebody is
        just saying.
        """
        self.admission = Admission(
            most_requests=most,
            most_queued_s=math.inf,
            queued_s=lambda: 0.0,
            speed=lambda: None,
        )
        self.threads = ThreadPoolExecutor(max(2, cores), thread_name_prefix="myna-live")
        self.guessing = asyncio.Semaphore(max(1, cores - 1))
        self.secrets = ClientSecrets()

    def close(self) -> None:
        """Stop the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)
