"""`create_app`: the only place where all parts meet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from myna import __version__
from myna.api import (
    health,
    models,
    realtime,
    speech,
    testing,
    transcriptions,
    voice_consents,
    voices,
)
from myna.api.context import Context
from myna.api.rehearsal import CONTROL, Rehearsal, Rehearsed
from myna.api.responses import failure
from myna.api.spool import Spool
from myna.auth import Keyring, sent_key
from myna.errors import BadRequest, MethodNotAllowed, MynaError, NotFound, Unauthorized
from myna.loading import Loader, ModelPlan
from myna.machine import give_back_freed_memory
from myna.playground import Playground, is_page
from myna.quiet import give_back_when_quiet
from myna.realtime.sessions import Sessions
from myna.realtime.tokens import ClientSecrets
from myna.scheduling.residents import Residents
from myna.settings import Settings
from myna.store.custom_voices import CustomVoices, default_folder
from myna.telemetry import Telemetry

_log = logging.getLogger("myna.app")

PREFIXES = ("/v1", "", "/openai/v1", "/openai/deployments/{deployment}")
"""Where the routes answer: OpenAI's place, clients that leave `/v1` off, and Azure's two."""
OPEN_PATHS = frozenset({"/health", "/ready", "/audio/models", "/audio/voices"})
"""What needs no key when read: probes, and what Open WebUI asks for without one."""


def create_app(
    settings: Settings,
    plan: ModelPlan,
    *,
    on_failure: Callable[[Exception], None] | None = None,
) -> FastAPI:
    """The server as an ASGI app. Models are loaded when it starts, while `/health` already answers.

    `on_failure` is called if they cannot be loaded; without it the failure is only logged and
    `/ready` stays at 503.
    """
    shared = Context(
        settings,
        Keyring.load(settings.api_keys, settings.api_keys_file),
        Spool(settings.spool_dir, settings.max_spool_bytes),
        CustomVoices(settings.voices_dir or default_folder(), settings.max_custom_voices),
        Sessions(settings.max_sessions, plan.threads),
        rehearsal=_rehearsal(plan) if settings.testing else None,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        threads = ThreadPoolExecutor(plan.front_threads, thread_name_prefix="myna-front")
        loading = asyncio.create_task(_load(shared, Loader(settings, plan, threads), on_failure))
        tidying = asyncio.create_task(_tidy(shared))
        try:
            yield
        finally:
            for task in (tidying, loading):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if shared.residents is not None:
                await asyncio.to_thread(shared.residents.close)
            threads.shutdown(wait=False, cancel_futures=True)
            shared.sessions.close()

    app = FastAPI(
        title="Myna",
        version=__version__,
        description="OpenAI's Audio API on local models.",
        lifespan=lifespan,
        docs_url=None,  # the pages load scripts from elsewhere, which an air-gapped browser cannot
        redoc_url=None,
    )
    app.state.context = shared
    for prefix in PREFIXES:
        for module in (transcriptions, speech, voices, voice_consents, models, realtime):
            app.include_router(module.router, prefix=prefix, include_in_schema=prefix == "/v1")
    app.include_router(health.router)
    app.include_router(health.router, prefix="/v1", include_in_schema=False)
    if settings.playground:
        app.router.routes.extend(Playground.load().routes())
    _handle_errors(app)
    app.add_middleware(_Gate, keyring=shared.keyring, secrets=shared.sessions.secrets)
    if shared.rehearsal is not None:
        app.include_router(testing.router, prefix="/v1", include_in_schema=False)
        app.add_middleware(Rehearsed, rehearsal=shared.rehearsal)
    _allow_origins(app, settings.cors_origins)
    app.add_middleware(Telemetry)
    return app


async def _load(
    shared: Context, loader: Loader, on_failure: Callable[[Exception], None] | None
) -> None:
    started_s = time.perf_counter()
    work = asyncio.ensure_future(asyncio.to_thread(loader.load))
    try:
        shared.residents = await asyncio.shield(work)
    except asyncio.CancelledError:
        # Loading cannot be interrupted inside a native library: wait, then give it back.
        residents: Residents = await work
        residents.close()
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model's library raises about its files
        _log.error("cannot start: %s", error)
        _log.debug("cannot start", exc_info=error)
        if on_failure is not None:
            on_failure(error)
        return
    _log.info("ready after %.1f s", time.perf_counter() - started_s)


def _rehearsal(plan: ModelPlan) -> Rehearsal:
    from myna.engines.fake import recording  # noqa: PLC0415 - loaded when chosen

    _log.warning("testing: whoever reaches this server can make it fail")
    scriptable = {model.engine for model in plan.stt} == {"fake"}
    return Rehearsal(recording if scriptable else None)


def _tidy(shared: Context) -> Coroutine[Any, Any, None]:
    return give_back_when_quiet(
        lambda: shared.residents.served if shared.residents else 0,
        lambda: shared.residents.present if shared.residents else 0,
        give_back_freed_memory,
    )


class _Gate:
    """Asks for a key before anything of the request is read."""

    def __init__(self, app: ASGIApp, keyring: Keyring, secrets: ClientSecrets) -> None:
        self._app = app
        self._keyring = keyring
        self._secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer 401."""
        if scope["type"] in {"http", "websocket"} and not _is_open(scope):
            try:
                scope.setdefault("state", {})["key_name"] = self._caller(HTTPConnection(scope))
            except Unauthorized as error:
                await failure(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, connection: HTTPConnection) -> str | None:
        if connection.scope["type"] == "websocket":
            grant = self._secrets.find(sent_key(connection.headers))
            if grant is not None:
                return grant.caller
        return self._keyring.admit(connection.headers)


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    if path.removeprefix("/v1").startswith(CONTROL):
        return True  # answers with `testing` only, where anybody may do anything
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    return path.removeprefix("/v1") in OPEN_PATHS or is_page(path)


def _allow_origins(app: FastAPI, origins: tuple[str, ...]) -> None:
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "openai-processing-ms", "retry-after"],
        )


def _handle_errors(app: FastAPI) -> None:
    async def known(_: Request, error: Exception) -> Response:
        return failure(error if isinstance(error, MynaError) else NotFound(str(error)))

    async def by_status(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        where = f"({request.method} {request.url.path})"
        if status == 405:
            return failure(
                MethodNotAllowed(f"Not allowed to {request.method} on this path {where}")
            )
        if status == 404:
            return failure(NotFound(f"Invalid URL {where}"))
        return failure(BadRequest(str(getattr(error, "detail", "bad request"))))

    async def invalid(_: Request, error: Exception) -> Response:
        return failure(BadRequest(f"Invalid request: {error}"))

    app.add_exception_handler(MynaError, known)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(RequestValidationError, invalid)
