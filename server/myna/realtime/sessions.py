"""All sessions of one server: how many there may be, their threads, and who may open them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

from myna.realtime.tokens import ClientSecrets
from myna.scheduling.admission import Admission


class Sessions:
    """What sessions share."""

    def __init__(self, most: int, threads: int) -> None:
        """Room for `most` sessions at a time, and `threads` that listen for them.

        The threads are apart from those of requests, where the decoding of files would hold up what
        somebody is just saying.
        """
        self.admission = Admission(
            most_requests=most,
            most_queued_s=math.inf,
            queued_s=lambda: 0.0,
            speed=lambda: None,
        )
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="myna-live")
        self.secrets = ClientSecrets()

    def close(self) -> None:
        """Stop the threads."""
        self.threads.shutdown(wait=False, cancel_futures=True)
