"""Running the server as a process."""

from __future__ import annotations

import logging
import os
import socket
import sys

import uvicorn

from myna import __version__
from myna.app import create_app
from myna.machine import keep_freed_memory
from myna.planning import plan
from myna.settings import Settings
from myna.sockets import MOST_MESSAGE_BYTES, Socket
from myna.telemetry import configure_logging

_log = logging.getLogger("myna.serving")


def run(settings: Settings) -> None:
    """Serve until stopped by a signal.

    Raises:
        ModelUnavailable: a model's files cannot be had.
        OSError: the address is taken or not this machine's.
        SystemExit: the models could not be loaded.
    """
    configure_logging(settings.log_level)
    listening = _bind(settings.host, settings.port)
    if not keep_freed_memory():
        _log.info("this system's malloc has no setting for it: freed memory is not kept for reuse")
    models = plan(settings)
    names = ", ".join(model.id for model in (*models.stt, *models.tts)) or "no model"
    _log.info("Myna %s: %s on %d threads", __version__, names, models.threads)
    failures: list[Exception] = []

    def stop(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, models, on_failure=stop),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
        ws=Socket,
        ws_max_size=MOST_MESSAGE_BYTES,
        ws_ping_timeout=60.0,
        ws_per_message_deflate=False,  # base64 of audio gains little, and each socket would pay
    )
    server = _Server(config)
    server.run(sockets=[listening])
    if failures or not server.started:
        sys.exit(1)


def _bind(host: str, port: int) -> socket.socket:
    """Listen before anything is fetched or loaded, so that a taken port is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        ) from error


class _Server(uvicorn.Server):
    """Says where it listens, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        for serving in self.servers if self.started else ():
            for listening in serving.sockets:
                host, port = listening.getsockname()[:2]
                _log.info("listening on http://%s:%d/v1 (ready when /ready says so)", host, port)
