"""The playground's files, read once and answered by name.

No request touches the disk: what is not in the table does not exist, so no path leads out of the
folder. Browsers keep the files but ask each time whether they have changed, so that an updated
server never runs old scripts against new ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

INDEX = "/"
FOLDER = "/playground/"

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "media-src blob:",  # recordings and speech, which the page holds itself
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
"""Nothing from elsewhere, nothing inline, no text that becomes markup, no frame around it. The
page shows what was said in recordings of any origin: whatever that is, it stays text."""

_HEADERS = {
    "content-security-policy": "; ".join(_POLICY),
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, name: str, body: bytes) -> _Page:
        digest = hashlib.sha256(body).hexdigest()[:32]
        return cls(body, _CONTENT_TYPES[PurePath(name).suffix], f'"{digest}"')

    async def answer(self, request: Request) -> Response:
        headers = _HEADERS | {"etag": self.etag}
        if _has(request.headers.get("if-none-match", ""), self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.content_type)


class Playground:
    """The files of the page, and where they are served."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        """`bodies` by file name; `index.html` is the page itself.

        Raises:
            KeyError: a file is of a kind that pages are not made of.
        """
        self._pages = {_path(name): _Page.of(name, body) for name, body in bodies.items()}

    @classmethod
    def load(cls) -> Playground:
        """The files that come with the package."""
        folder = files(__package__ or "myna.playground").joinpath("static")
        return cls({file.name: file.read_bytes() for file in folder.iterdir()})

    @property
    def paths(self) -> frozenset[str]:
        """Every path that is answered."""
        return frozenset(self._pages)

    def routes(self) -> list[BaseRoute]:
        """A route for each file, for GET and HEAD."""
        return [Route(path, page.answer, methods=["GET"]) for path, page in self._pages.items()]


def is_page(path: str) -> bool:
    """Whether a path is the playground's, which needs no key: it holds no secret, and the page is
    where a key is given."""
    return path == INDEX or path.startswith(FOLDER)


def _path(name: str) -> str:
    return INDEX if name == "index.html" else FOLDER + name


def _has(if_none_match: str, etag: str) -> bool:
    """Whether a browser's copy is the same (RFC 9110, 13.1.2: compared weakly, `*` is any)."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags
