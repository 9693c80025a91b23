"""A pytest plugin: a server for the tests of software that speaks OpenAI's Audio API.

    def test_it_tries_again(myna):
        myna.fail_next("/v1/audio/speech", status=429, times=2, retry_after=0.1)
        client = OpenAI(base_url=myna.base_url, api_key="none")
        assert client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.").content
        assert len(myna.requests("/v1/audio/speech")) == 3

The server is a process of its own, so that nothing that a test patches (clocks, sockets, the event
loop) reaches it. pytest imports this module at every start: nothing but the standard library and
pytest is imported here, and nothing is done before a fixture is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import pytest

_START_S = 600.0
"""Longest wait for `/ready`: a real engine may have weights to fetch first."""
_STOP_S = 5.0
"""How long the server may take to end what it is at."""
_POLL_S = 0.01
_ENDING = ("--stop-with-stdin",)
"""Its input is a pipe of ours, which the kernel closes should pytest be killed."""
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)/v1")


class ServerFailed(RuntimeError):
    """The server did not start, or has ended; with the end of its log."""


class Fault(TypedDict, total=False):
    """What goes wrong with an answer; at least one of those that do something."""

    status: int
    """Answer with this error, 400 to 599, instead of doing what was asked."""
    message: str
    """The error's message."""
    retry_after: float
    """With `status`: seconds for `retry-after`, as whole ones, and `retry-after-ms`."""
    should_retry: bool
    """With a `status` from 500: what `x-should-retry` says; by default true."""
    delay_s: float
    """Hold the answer back for so long before its head."""
    pause_s: float
    """Wait for so long before each piece of its body."""
    cut_after_bytes: int
    """Close the connection behind so many bytes of the body, at the latest before the last; a live
    session, before the event that goes beyond."""
    malformed: bool
    """Spoil the body: the second event of a stream is cut in half, so is JSON, and of anything else
    every bit is flipped."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that reached the server."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case; without keys and cookies."""
    faulty: bool
    """Whether a fault met it."""
    status: int | None
    """Of the answer; None while there is none."""


class ServerProcess:
    """`myna serve` on a free port of the loopback."""

    def __init__(
        self, flags: Sequence[str], log: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        """Start it; of the `MYNA_*` variables only those in `variables` reach it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MYNA_")}
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                # -P: no module of the tested project's folder stands in for one of ours.
                [sys.executable, "-P", "-m", "myna", "serve", "--port", "0", *_ENDING, *flags],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=clean | dict(variables or {}),
                start_new_session=True,  # Ctrl-C is for pytest, which then ends the server
            )
        self.port = 0
        """Known once it is ready."""

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text("utf-8", "replace")

    def wait_until_ready(self, limit_s: float = _START_S) -> None:
        """Wait until its models are loaded.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        until_s = time.monotonic() + limit_s
        while not self._ready():
            if self.process.poll() is not None:
                raise ServerFailed(f"myna serve ended with {self.process.poll()}:\n{self.log}")
            if time.monotonic() > until_s:
                raise ServerFailed(f"myna serve is not ready after {limit_s:g} s:\n{self.log}")
            time.sleep(_POLL_S)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of an answer; `body` is sent as JSON. Raises OSError."""
        import http.client  # noqa: PLC0415 - two thirds of what this module costs every pytest

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self, limit_s: float = _STOP_S) -> int:
        """Ask it to end, and make it after `limit_s`; its exit status, -9 in the second case."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdin is not None:
                self.process.stdin.close()

    def _ready(self) -> bool:
        if not self.port:
            listening = _LISTENING.search(self.log)
            if listening is None:
                return False
            self.port = int(listening[1])
        with suppress(OSError):  # too busy to answer, or ended; the log says which
            return self.ask("GET", "/ready")[0] == 200
        return False


class Myna:
    """A running server, and what a test arranges with it."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{process.port}"
        """Without a path, for `/health` and the like."""
        self.base_url = f"{self.url}/v1"
        """What a client of OpenAI's API takes."""

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self._process.log

    def fail_next(self, path: str | None = None, *, times: int = 1, **fault: Unpack[Fault]) -> None:
        """Let the next requests go wrong; several calls line up behind each other.

        `path` is the end of the paths that are meant, such as `/audio/speech`; None is every audio
        route. `times` is how many requests.

        Raises:
            ValueError: nothing is to go wrong, a name is unknown or a value out of range.
        """
        self._arrange("/faults", {"path": path, "times": times, **fault})

    def hear(
        self, text: str, *, filename: str | None = None, content: bytes | Path | None = None
    ) -> None:
        """Let `text` be the transcript of uploads of that name, or with those bytes; with neither,
        of every upload that has no other. They need not be audio. Only with `--stt fake`.

        Raises:
            ValueError: the server's transcriber is a real one.
        """
        data = content.read_bytes() if isinstance(content, Path) else content
        sha256 = None if data is None else hashlib.sha256(data).hexdigest()
        self._arrange("/transcripts", {"text": text, "filename": filename, "sha256": sha256})

    def requests(self, path: str | None = None) -> list[Request]:
        """Requests since the test began whose path ends with `path`; None for all."""
        came = cast("list[dict[str, Any]]", self._arranged()["requests"])
        return [Request(**one) for one in came if one["path"].endswith(path or "")]

    @property
    def faults_left(self) -> int:
        """Requests that `fail_next` has named and that have not come."""
        return sum(fault["times"] for fault in self._arranged()["faults"])

    def reset(self) -> None:
        """Forget faults, transcripts and requests."""
        self._process.ask("DELETE", "/v1/testing")

    def _arranged(self) -> dict[str, Any]:
        return json.loads(self._process.ask("GET", "/v1/testing")[1])

    def _arrange(self, what: str, body: object) -> None:
        status, answer = self._process.ask("POST", f"/v1/testing{what}", body)
        if status != 204:
            raise ValueError(json.loads(answer)["error"]["message"])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Engines and flags of the server, on the command line or in the ini file."""
    group = parser.getgroup("myna", "Myna, a server of OpenAI's Audio API")
    for task, does in (("stt", "speech-to-text"), ("tts", "text-to-speech")):
        text = f"{does} models of the server, as `myna serve --{task}` takes them"
        group.addoption(f"--myna-{task}", metavar="NAMES", help=f"{text} (default: fake)")
        parser.addini(f"myna_{task}", text, default="fake")
    parser.addini("myna_flags", "further flags of `myna serve`", type="args", default=[])


@pytest.fixture(scope="session")
def myna_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Myna]:
    """A server for the whole session. What tests arrange is undone by the fixture `myna`."""
    process = ServerProcess(_flags(request.config), tmp_path_factory.mktemp("myna") / "log")
    try:
        process.wait_until_ready()
        yield Myna(process)
    finally:
        process.stop()


@pytest.fixture
def myna(myna_server: Myna) -> Generator[Myna]:
    """The session's server, without what other tests have arranged."""
    myna_server.reset()
    yield myna_server
    myna_server.reset()


def _flags(config: pytest.Config) -> list[str]:
    flags = ["--testing"]
    for task in ("stt", "tts"):
        flags += [f"--{task}", config.getoption(f"--myna-{task}") or config.getini(f"myna_{task}")]
    return flags + config.getini("myna_flags")
