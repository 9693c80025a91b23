"""Rehearsal: what tests arrange with a server that has the setting `testing`, and what it saw.

Faults wait in line for requests, transcripts stand ready for uploads, and requests are noted. All
of it is used on the event loop only.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from anyio import to_thread
from pydantic import Field
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.faults import HEADER, Fault, answer_with, read_header
from myna.api.forms import Form, Upload, stored
from myna.api.responses import HEADS, SWITCHING, failure
from myna.api.spool import Spool
from myna.errors import BadRequest

CONTROL = "/testing"
"""Where tests arrange things; neither noted nor at fault itself."""
_AUDIO = "/audio/"
_SECRETS = frozenset({"authorization", "api-key", "cookie"})
_MOST_SEEN = 10_000
_BLOCK_BYTES = 1 << 20


class FaultInLine(Fault):
    """A fault that waits for requests."""

    path: str | None = None
    """End of the paths that it waits for; None for every audio route."""
    times: int = Field(1, ge=1)
    """Requests that it meets."""

    def fits(self, path: str) -> bool:
        """Whether a request to `path` meets it."""
        return _AUDIO in path if self.path is None else path.endswith(self.path)


@dataclass(slots=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """In lower case; without keys."""
    faulty: bool = False
    """Whether a fault was asked for."""
    status: int | None = None
    """None until the answer has begun."""


@dataclass(slots=True)
class Scripts:
    """Which text is said in which upload."""

    by_filename: dict[str, str] = field(default_factory=dict[str, str])
    by_sha256: dict[str, str] = field(default_factory=dict[str, str])
    """Keys in lower-case hex."""
    otherwise: str | None = None
    """In every other upload; None to listen to it."""

    def add(self, text: str, *, filename: str | None, sha256: str | None) -> None:
        """Let `text` be said in uploads of that name, of those bytes, or else in all others."""
        if sha256 is not None:
            self.by_sha256[sha256.lower()] = text
        if filename is not None:
            self.by_filename[filename] = text
        if sha256 is None and filename is None:
            self.otherwise = text

    def text(self, upload: Upload) -> str | None:
        """What is said in an upload, by its bytes or else its name; None to listen. Blocks."""
        if self.by_sha256:
            found = self.by_sha256.get(_sha256(upload))
            if found is not None:
                return found
        return self.by_filename.get(PurePath(upload.filename).name, self.otherwise)


class Rehearsal:
    """One server's."""

    def __init__(self, recorded: Callable[[str], bytes] | None) -> None:
        """`recorded` makes a sound file in which the server's own transcriber hears a text; None
        where that cannot be, as the transcriber is a real one."""
        self._recorded = recorded
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.faults: list[FaultInLine] = []
        self.scripts = Scripts()
        self.seen: deque[Seen] = deque(maxlen=_MOST_SEEN)

    @property
    def scriptable(self) -> bool:
        """Whether transcripts can be given."""
        return self._recorded is not None

    def next_fault(self, path: str) -> Fault | None:
        """The fault that a request to `path` meets, which has then met one more."""
        for place, due in enumerate(self.faults):
            if due.fits(path):
                left = [due.model_copy(update={"times": due.times - 1})] if due.times > 1 else []
                self.faults[place : place + 1] = left
                return due
        return None

    async def rewrite(self, form: Form, spool: Spool) -> None:
        """Put a recording of the scripted text in place of the form's file, if it has one."""
        if self._recorded is not None:
            await to_thread.run_sync(self._rewrite, form, self._recorded, spool)

    def _rewrite(self, form: Form, recorded: Callable[[str], bytes], spool: Spool) -> None:
        upload = form.file
        text = self.scripts.text(upload) if upload else None
        if upload is not None and text is not None:
            file = stored(spool, recorded(text), upload.filename, upload.content_type)
            form.replace("file", file)
            upload.file.close()


class Rehearsed:
    """Middleware: notes requests, and gives them the faults that are due."""

    def __init__(self, app: ASGIApp, rehearsal: Rehearsal) -> None:
        self._app = app
        self._rehearsal = rehearsal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ever, unless a fault is due."""
        if scope["type"] == "lifespan" or scope["path"].startswith(f"/v1{CONTROL}"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        shown = {name: value for name, value in headers.items() if name not in _SECRETS}
        seen = Seen(scope.get("method", "GET"), scope["path"], shown)
        self._rehearsal.seen.append(seen)

        async def noted(message: Message) -> None:
            if message["type"] in HEADS:
                seen.status = message.get("status", SWITCHING)
            await send(message)

        asked = headers.get(HEADER)
        try:
            fault = read_header(asked) if asked else self._rehearsal.next_fault(scope["path"])
        except BadRequest as error:
            await failure(error)(scope, receive, noted)
            return
        if fault is None:
            await self._app(scope, receive, noted)
            return
        seen.faulty = True
        await answer_with(fault, self._app, scope, receive, noted)


def _sha256(upload: Upload) -> str:
    digest = hashlib.sha256()
    while block := upload.file.read(_BLOCK_BYTES):
        digest.update(block)
    upload.file.rewind()
    return digest.hexdigest()
