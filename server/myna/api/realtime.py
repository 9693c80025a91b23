"""Realtime transcription: the WebSocket /realtime, and the secrets that open it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, WebSocket
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect

from myna.api.admission import placed
from myna.api.body import Body
from myna.api.context import Context, account, caller, context, record
from myna.api.forms import strict_json
from myna.api.leases import Leases
from myna.api.names import LISTS_LANGUAGES, REALTIME_NAMES, STT_NAMES, counts_duration
from myna.api.responses import failure, json_response, unless_gone
from myna.auth import KEY_SUBPROTOCOL, sent_key
from myna.errors import BadRequest, MynaError, Unauthorized
from myna.realtime.configuration import Configuration, Wishes
from myna.realtime.connection import Connection, Ending
from myna.realtime.dialects import BETA, GA, Dialect, shown
from myna.realtime.fields import Fields
from myna.realtime.habits import Habits, manner
from myna.realtime.session import Session, new_id
from myna.realtime.tokens import LEAST_S, MOST_S
from myna.scheduling.resident import Resident
from myna.scheduling.transcription import TranscriptionService

router = APIRouter(tags=["realtime"])

_log = logging.getLogger("myna.realtime")

_BODY_LIMIT_BYTES = 64 * 1024
_GA_SECRET_S, _BETA_SECRET_S = 600, 60
"""How long a secret is valid where the client does not say."""
_CLOSE_S = 1.0
"""Longest that the close frame may take to leave."""
_BROKEN = Ending(1011, "the server had an error")
_GONE = (WebSocketDisconnect, RuntimeError)
"""What Starlette raises for an event to a client that has left: the first time, and later on."""
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"


@router.websocket("/realtime")
async def realtime(socket: WebSocket) -> None:
    """A transcription session, from its first event to its last."""
    shared = context(socket)
    place = None
    try:
        try:
            _check_origin(socket, shared.settings.cors_origins)
            _check_intent(socket, strict=shared.settings.strict)
            leases = Leases[TranscriptionService](shared.lending())
            place = placed(account(socket), shared.sessions.admission)
            place.until_left(leases.end)
            session = await _session(socket, shared, leases)
        except MynaError as error:
            await socket.send_denial_response(failure(error))
            return
        await _serve(socket, shared, session)
    finally:
        if place is not None:
            place.leave()


@router.post("/realtime/client_secrets", summary="A key for a web page's sessions")
async def client_secrets(request: Request) -> Response:
    """Mint a secret that opens sessions with these settings."""
    body = await _fields(request)
    given = body.object("session") or Fields({})
    configuration = GA.read(Configuration(), given)
    value, expires_at = await _minted(request, body.object("expires_after"), configuration, GA)
    session = shown(new_id("sess"), configuration, GA, None)
    return json_response({"value": value, "expires_at": expires_at, "session": session})


@router.post("/realtime/transcription_sessions", summary="The same, as it was before")
async def transcription_sessions(request: Request) -> Response:
    """Mint a secret, in the older dialect."""
    body = await _fields(request)
    configuration = BETA.read(Configuration(), body)
    wanted = body.object("client_secret") or Fields({})
    value, expires_at = await _minted(request, wanted.object("expires_at"), configuration, BETA)
    session = shown(new_id("sess"), configuration, BETA, None)
    return json_response(session | {"client_secret": {"value": value, "expires_at": expires_at}})


async def _serve(socket: WebSocket, shared: Context, session: Session) -> None:
    await socket.accept(_chosen_subprotocol(socket))
    begun_s = time.monotonic()
    connection = Connection(
        session,
        lambda: _received(socket),
        lambda text: _sent(socket, text),
        threads=shared.sessions.threads,
        guessing=shared.sessions.guessing,
        caller=caller(socket),
        record=record(socket),
        admit=account(socket).admit_audio,
    )
    try:
        ending = await connection.run(shared.settings.max_session_s or None)
    except Exception:  # noqa: BLE001 - a session ends with a code, whatever happens
        _log.exception("%s crashed", session.id)
        ending = _BROKEN
    _log.info(
        "%s %d items in %.0f s%s",
        session.id,
        session.committed,
        time.monotonic() - begun_s,
        f", closed: {ending.reason}" if ending else "",
    )
    if ending is not None:
        with suppress(*_GONE, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await socket.close(ending.code, ending.reason)


async def _received(socket: WebSocket) -> str | bytes | None:
    """The client's next message; None when it has left."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return text if text is not None else cast("bytes", message["bytes"])


async def _sent(socket: WebSocket, text: str) -> None:
    with suppress(*_GONE):  # receiving tells of it
        await socket.send_text(text)


async def _session(
    socket: WebSocket, shared: Context, leases: Leases[TranscriptionService]
) -> Session:
    grant = shared.sessions.secrets.find(sent_key(socket.headers))
    expires_at = None
    if shared.settings.max_session_s:
        expires_at = int(time.time() + shared.settings.max_session_s)
    if grant is not None:
        configuration, dialect = grant.configuration, grant.dialect
    else:
        # Clients name their conversation model there, or anything else.
        named = socket.query_params.get("model", "")
        known = named in REALTIME_NAMES or shared.loaded().stt.find(named) is not None
        configuration = Configuration().with_wishes(Wishes(model=named if known else STT_NAMES[0]))
        dialect = _dialect(socket)
    await leases.take(_listener(shared, configuration.wishes.model))
    return Session(_habits(shared, leases), configuration, dialect=dialect, expires_at=expires_at)


def _listener(shared: Context, model: str) -> Resident[TranscriptionService]:
    name = STT_NAMES[0] if model in REALTIME_NAMES else model
    return shared.loaded().transcriber(name, strict=shared.settings.strict)


def _habits(shared: Context, leases: Leases[TranscriptionService]) -> Habits:
    def find(model: str) -> TranscriptionService:
        return leases.service(_listener(shared, model)).on(shared.sessions.threads)

    return Habits(find, counts_duration, LISTS_LANGUAGES.__contains__, shared.settings.beam_size)


async def _minted(
    request: Request, expiry: Fields | None, configuration: Configuration, dialect: Dialect
) -> tuple[str, int]:
    shared = context(request)
    leases = Leases[TranscriptionService](shared.lending())
    try:
        wanted = _listener(shared, configuration.wishes.model)
        await unless_gone(request, leases.take(wanted))
        manner(configuration, _habits(shared, leases), dialect)
    finally:
        leases.end()
    expiry = expiry or Fields({})
    expiry.literal("anchor", "created_at")
    usual_s = _GA_SECRET_S if dialect is GA else _BETA_SECRET_S
    seconds = expiry.whole("seconds", usual_s, LEAST_S, MOST_S)
    value, grant = shared.sessions.secrets.mint(caller(request), seconds, configuration, dialect)
    return value, grant.expires_at


async def _fields(request: Request) -> Fields:
    """The body, which may be left out."""
    body = Body(request.stream(), request.headers, _BODY_LIMIT_BYTES)
    text = b"".join([block async for block in body.blocks()])
    try:
        members: Any = strict_json(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Could not parse the request as JSON: {error}") from error
    if not isinstance(members, dict):
        raise BadRequest("The request is JSON but no object.")
    return Fields(cast("Mapping[str, object]", members))


def _dialect(socket: WebSocket) -> Dialect:
    beta = "realtime=v1" in socket.headers.get("openai-beta", "")
    return BETA if beta or _BETA_SUBPROTOCOL in _offered(socket) else GA


def _chosen_subprotocol(socket: WebSocket) -> str | None:
    """One that the client offered, as browsers insist on it; never the one that holds the key."""
    offered = _offered(socket)
    return next((name for name in ("realtime", _BETA_SUBPROTOCOL) if name in offered), None)


def _offered(socket: WebSocket) -> list[str]:
    return [name for name in socket.scope["subprotocols"] if not name.startswith(KEY_SUBPROTOCOL)]


def _check_intent(socket: WebSocket, *, strict: bool) -> None:
    intent = socket.query_params.get("intent")
    if intent == "transcription" or (intent is None and not strict):
        return
    raise BadRequest(
        "This server transcribes and does not converse; connect with intent=transcription.",
        param="intent",
        code="invalid_value",
    )


def _check_origin(connection: HTTPConnection, allowed: tuple[str, ...]) -> None:
    """Browsers let any page open a socket anywhere; what CORS does for requests is done here."""
    origin = connection.headers.get("origin")
    if origin is None or "*" in allowed or origin in allowed:
        return
    if urlsplit(origin).netloc != connection.headers.get("host"):
        raise Unauthorized(
            "Web pages of this origin may not call this server (setting cors_origins)."
        )
