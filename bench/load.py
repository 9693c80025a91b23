"""HTTP requests with their times, and closed loops of clients that make them.

A closed loop is N clients, each of which posts its next request when the last one is answered. It
is bounded in requests and in time. Plain `http.client`: the load generator shares the cores with
what it measures, so it has to cost little.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import numpy as np

Item = TypeVar("Item")


class Refused(Exception):
    """A server answered with something else than 200, or not at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of status 200 and how long it took."""

    seconds: float
    """From opening the connection to the last byte."""
    first_byte_s: float
    """From opening the connection to the first byte of the body."""
    body: bytes


def exchange(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 60.0,
) -> Answer:
    """One request on a connection of its own.

    Raises Refused for any status but 200, and where the server cannot be reached.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    started_s = time.perf_counter()
    connection = kind(parts.netloc, timeout=timeout_s)
    try:
        connection.request(method, parts.path or "/", body, headers or {})
        response = connection.getresponse()
        first = response.read(1)
        first_byte_s = time.perf_counter() - started_s
        content = first + response.read()
    except (OSError, http.client.HTTPException) as failure:
        raise Refused(f"{method} {url}: {failure!r}") from failure
    finally:
        connection.close()
    if response.status != 200:
        raise Refused(f"{method} {url}: {response.status} {content[:200].decode(errors='replace')}")
    return Answer(time.perf_counter() - started_s, first_byte_s, content)


@dataclass(slots=True)
class Load(Generic[Item]):
    """What a closed loop came to."""

    done: list[tuple[Item, Answer]] = field(default_factory=list[tuple[Item, Answer]])
    """In the order of the answers."""
    failures: list[str] = field(default_factory=list[str])
    wall_s: float = 0.0
    """From the first request to the last answer."""

    @property
    def latencies_s(self) -> list[float]:
        """Seconds of each request that was answered."""
        return [answer.seconds for _, answer in self.done]


def closed_loop(
    call: Callable[[Item], Answer],
    items: Sequence[Item],
    *,
    clients: int,
    limit_s: float,
    on_answer: Callable[[], object] = lambda: None,
) -> Load[Item]:
    """Do `items` with `clients` at a time; after `limit_s` no new request is made.

    `on_answer` is called, by one thread at a time, after every request.
    """
    load: Load[Item] = Load()
    waiting = iter(items)
    lock = threading.Lock()
    started_s = time.perf_counter()

    def client() -> None:
        while time.perf_counter() - started_s < limit_s:
            with lock:
                item = next(waiting, None)
            if item is None:
                return
            try:
                answer = call(item)
            except Refused as refusal:
                with lock:
                    load.failures.append(str(refusal))
                    on_answer()
            else:
                with lock:
                    load.done.append((item, answer))
                    on_answer()

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.wall_s = time.perf_counter() - started_s
    return load


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest values."""
    return float(np.percentile(np.asarray(values), percent))
