"""Running the server as a process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from myna import __version__
from myna.api.draining import Drain
from myna.app import create_app
from myna.machine import suit_engines
from myna.planning import heaps, plan
from myna.settings import Settings
from myna.sockets import MOST_MESSAGE_BYTES, Socket
from myna.telemetry.access import Telemetry
from myna.telemetry.logs import configure_logging
from myna.telemetry.traces import exporting

_log = logging.getLogger("myna.serving")

_LINGER_S = 5
"""How long connections may stay open behind the drain, in which every request ends."""

_SEND_BUFFER_BYTES = 512 << 10
"""Of each connection: room for a piece of speech as WAV. Linux begins with 16 kB, and the event
loop would be woken, between engines that have all cores, for each part of a piece that is gone."""


def run(settings: Settings) -> None:
    """Serve until stopped by a signal.

    Raises:
        ModelUnavailable: a model's files cannot be had.
        ValueError: traces are asked for without their extra.
        OSError: the address is taken or not this machine's.
        SystemExit: the models could not be loaded.
    """
    keeps = suit_engines(heaps(settings))
    configure_logging(settings.log_level, settings.log_format)
    telemetry = Telemetry(exporting() if settings.traces else None)
    listener = Listener(settings)
    if not keeps:
        _log.info("this system's malloc has no setting for it: freed memory is not kept for reuse")
    models = plan(settings)
    names = ", ".join(model.id for model in models.named) or "no model"
    _log.info("Myna %s: %s on %d threads", __version__, names, models.threads)
    listener.run(
        create_app(
            settings, models, on_failure=listener.fail, telemetry=telemetry, drain=listener.drain
        )
    )


class Listener:
    """A socket that listens from the start, and the server on it."""

    def __init__(self, settings: Settings) -> None:
        """Listen before anything is fetched or loaded, so that a taken port is said at once.

        Raises:
            OSError: the address is taken or not this machine's.
        """
        if settings.stop_with_stdin:
            threading.Thread(target=_stop_with_stdin, name="myna-stdin", daemon=True).start()
        self.drain = Drain()
        """For the app, which lets requests through it."""
        self._settings = settings
        self._socket = _bind(settings.host, settings.port)
        self._failed = False
        self._server: _Server | None = None

    def fail(self, error: Exception) -> None:
        """Stop serving, as what the app needs cannot be had. On the event loop, once it runs."""
        del error  # it has been logged
        self._failed = True
        if self._server is not None:
            self._server.should_exit = True

    def run(self, app: ASGIApp) -> None:
        """Serve until stopped by a signal.

        Raises:
            SystemExit: it could not start, or `fail` was called.
        """
        config = uvicorn.Config(
            app,
            host=self._settings.host,
            port=self._settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LINGER_S,
            ws=Socket,
            ws_max_size=MOST_MESSAGE_BYTES,
            ws_ping_timeout=60.0,
            ws_per_message_deflate=False,  # base64 of audio gains little, and each socket would pay
        )
        self._server = _Server(config, self.drain, self._settings.drain_s)
        self._server.run(sockets=[self._socket])
        if self._failed or not self._server.started:
            sys.exit(1)


def _stop_with_stdin() -> None:
    """Read standard input to its end, and ask this process to stop.

    The kernel closes a pipe whose other end has died, so this needs nothing of whoever had it. In a
    thread of its own it also sees an end that comes while models are fetched or loaded.
    """
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        ) from error
    # Those that are accepted have it too.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    return listening


class _Server(uvicorn.Server):
    """Says where it listens, as soon as it does; asked to stop, drains first."""

    def __init__(self, config: uvicorn.Config, drain: Drain, drain_s: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for serving in self.servers if self.started else ():
            for listening in serving.sockets:
                host, port = listening.getsockname()[:2]
                _log.info("listening on http://%s:%d/v1 (ready when /ready says so)", host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the drain, a second one ends it."""
        if self._loop is None or not self.started:
            super().handle_exit(sig, frame)
        else:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._finish())
        else:
            self._drain.hurry()

    async def _finish(self) -> None:
        if running := self._drain.running:
            _log.info("stopping: requests that run have %g s: %d", self._drain_s, running)
        dropped = await self._drain.finish(self._drain_s)
        for one in dropped:
            _log.warning("dropped %s", one, extra={"fields": {"request_id": one.id}})
        _log.info("stopping: no request is left, %d dropped", len(dropped))
        # Not `handle_exit`, behind which uvicorn raises the signal again: a process that a signal
        # ends leaves the copies of espeak behind that each phonemizer has in a temporary folder.
        self.should_exit = True
