"""`create_app`: the only place where all parts meet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from myna import __version__
from myna.accounts import Accounts, Allowance
from myna.api import (
    health,
    metrics,
    models,
    realtime,
    residents,
    speech,
    testing,
    transcriptions,
    voice_consents,
    voices,
)
from myna.api.context import Context
from myna.api.draining import Drain, Drainable
from myna.api.rehearsal import Rehearsal, Rehearsed
from myna.api.responses import failure
from myna.api.spool import Spool
from myna.auth import Keyring
from myna.errors import BadRequest, MethodNotAllowed, MynaError, NotFound
from myna.gate import Gate
from myna.lifecycle import living
from myna.loading import Loader
from myna.plan import ModelPlan
from myna.playground import Playground
from myna.realtime.sessions import Sessions
from myna.settings import Settings
from myna.slashes import Slashes
from myna.store.custom_voices import CustomVoices, default_folder
from myna.telemetry.access import Access, Telemetry

_log = logging.getLogger("myna.app")

PREFIXES = ("/v1", "", "/openai/v1", "/openai/deployments/{deployment}")
"""Where the routes answer: OpenAI's place, clients that leave `/v1` off, and Azure's two."""
_READABLE = (
    "X-Request-ID",
    "openai-processing-ms",
    "retry-after",
    "server-timing",
    *(
        f"x-ratelimit-{what}-{unit}"
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "audio-seconds")
    ),
)
"""Headers that the scripts of a web page may read."""


def create_app(
    settings: Settings,
    plan: ModelPlan,
    *,
    on_failure: Callable[[Exception], None] | None = None,
    telemetry: Telemetry | None = None,
    drain: Drain | None = None,
) -> FastAPI:
    """The server as an ASGI app. Models are loaded when it starts, while `/health` already answers.

    `on_failure` is called if they cannot be loaded; without it the failure is only logged and
    `/ready` stays at 503. `telemetry` is by default the app's own metrics, and no traces;
    `drain` lets whoever stops the server finish what runs.
    """
    told = telemetry or Telemetry()
    usual = Allowance(settings.requests_per_minute, settings.audio_s_per_minute)
    keyring = Keyring.load(settings.api_keys, settings.api_keys_file, usual, settings.admin_key)
    accounts = Accounts(usual, keyring.allowances)
    shared = Context(
        settings,
        keyring,
        accounts,
        Spool(settings.spool_dir, settings.max_spool_bytes),
        CustomVoices(settings.voices_dir or default_folder(), settings.max_custom_voices),
        Sessions(settings.max_sessions, plan.threads),
        told.metrics.registry,
        rehearsal=_rehearsal(plan) if settings.testing else None,
    )
    told.metrics.watch(lambda: shared.residents, lambda: shared.spool.held_bytes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        threads = ThreadPoolExecutor(plan.front_threads, thread_name_prefix="myna-front")
        loader = Loader(settings, plan, threads, told.metrics, accounts.shares)
        try:
            async with living(shared, loader, told.metrics, on_failure):
                yield
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            shared.sessions.close()
            if told.traces is not None:
                await asyncio.to_thread(told.traces.close)

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
        for module in (
            *(transcriptions, speech, voices, voice_consents),
            *(models, residents, realtime),
        ):
            app.include_router(module.router, prefix=prefix, include_in_schema=prefix == "/v1")
    for module in (health, metrics):
        app.include_router(module.router)
        app.include_router(module.router, prefix="/v1", include_in_schema=False)
    if settings.playground:
        app.router.routes.extend(Playground.load().routes())
    _handle_errors(app)
    app.add_middleware(Gate, keyring=keyring, accounts=accounts, secrets=shared.sessions.secrets)
    if shared.rehearsal is not None:
        app.include_router(testing.router, prefix="/v1", include_in_schema=False)
        app.add_middleware(Rehearsed, rehearsal=shared.rehearsal)
    app.add_middleware(Drainable, drain=drain or Drain(), limit_bytes=settings.max_upload_bytes)
    app.add_middleware(allowing_origins, origins=settings.cors_origins)
    app.add_middleware(Access, telemetry=told)
    if not settings.strict:
        app.add_middleware(Slashes)
    return app


def _rehearsal(plan: ModelPlan) -> Rehearsal:
    from myna.engines.fake import recording  # noqa: PLC0415 - loaded when chosen

    _log.warning("testing: whoever reaches this server can make it fail")
    scriptable = {model.engine for model in plan.stt if model.named} == {"fake"}
    return Rehearsal(recording if scriptable else None)


def allowing_origins(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """The app, which scripts on pages of these origins may call."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_READABLE,
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

    async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise HTTPException(404)
        where = f"(WebSocket {scope['path']})"
        await failure(NotFound(f"Invalid URL {where}"))(scope, receive, send)

    app.router.default = nowhere
    app.add_exception_handler(MynaError, known)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(RequestValidationError, invalid)
