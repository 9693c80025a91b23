"""Stand-ins for what the store talks to: a hub on loopback, packages, and the user's hub cache."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import IO
from urllib.parse import unquote, urlsplit

import pytest

from myna.store.cards import Card
from myna.store.sources import SourceError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandInHub:
    """Answers what huggingface_hub asks of the hub, for files that a test published."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        """By repository and path; every revision is the same commit."""
        self.break_off_once: set[str] = set()
        """Paths whose body ends half way the first time."""
        self.requests: Counter[str] = Counter()
        """How often each `METHOD /path` was asked for."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *args: object) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def publish(self, repo: str, path: str, data: bytes) -> None:
        self.files[repo, path] = data

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.requests[f"{handler.command} {path}"] += 1
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/.+", path):
            self._list(handler, found[1], tree=found[2] == "tree")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._send(handler, found[1], found[2])
        else:
            _json(handler, 404, {"error": "no such page"})

    def _list(self, handler: BaseHTTPRequestHandler, repo: str, *, tree: bool) -> None:
        files = {path: data for (owner, path), data in self.files.items() if owner == repo}
        if not files:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "RepoNotFound")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif tree:
            _json(
                handler,
                200,
                [
                    {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
                    for path, data in files.items()
                ],
            )
        else:
            siblings = [{"rfilename": path} for path in files]
            _json(handler, 200, {"id": repo, "sha": COMMIT, "siblings": siblings})

    def _send(self, handler: BaseHTTPRequestHandler, repo: str, path: str) -> None:
        data = self.files.get((repo, path))
        if data is None:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "EntryNotFound")
            handler.send_header("X-Repo-Commit", COMMIT)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = 0
        if found := re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")):
            start = int(found[1])
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.send_header("Content-Length", str(len(data) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if path in self.break_off_once:
            self.break_off_once.discard(path)
            handler.wfile.write(data[start : start + len(data) // 2])
            handler.close_connection = True
        else:
            handler.wfile.write(data[start:])


def _json(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


class StandInArchive:
    """An archive whose members are in memory."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self._members = members

    def open(self, member: str) -> IO[bytes]:
        if member not in self._members:
            raise SourceError(f"the package has no {member}")
        return io.BytesIO(self._members[member])

    def close(self) -> None:
        """Nothing is open."""


class StandInClient:
    """A registry whose packages are in memory."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, bytes]] = {}
        self.fetched: list[str] = []

    def fetch(self, package: str, version: str, folder: Path) -> StandInArchive:
        assert not list(folder.iterdir())
        self.fetched.append(package)
        if package not in self.packages:
            raise SourceError(f"no package {package} {version}")
        return StandInArchive(self.packages[package])


def card_of(files: dict[str, bytes], *sources: str, name: str = "a-model") -> Card:
    """A card with these files; `{path}` in a source stands for the file's path."""
    return Card.model_validate(
        {
            "id": name,
            "name": "A model",
            "task": "transcribe",
            "engine": "whisper",
            "licence": "MIT",
            "languages": ["en"],
            "sample_rate_hz": 16000,
            "sources": list(sources),
            "files": [
                {
                    "path": path,
                    "bytes": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
                for path, data in files.items()
            ],
        }
    )


@pytest.fixture
def make_card():
    return card_of


@pytest.fixture
def hub_server() -> Iterator[StandInHub]:
    server = StandInHub()
    yield server
    from huggingface_hub.utils import close_session

    close_session()
    server.close()


@pytest.fixture
def packages() -> StandInClient:
    return StandInClient()


@pytest.fixture
def hub_cache(tmp_path: Path):
    """Puts files into a hub cache, as huggingface_hub lays it out, and returns their folder."""
    cache = tmp_path / "hub-cache"

    def put(repo: str, files: dict[str, bytes], *, revision: str = "v1") -> Path:
        storage = cache / f"models--{repo.replace('/', '--')}"
        snapshot = storage / "snapshots" / COMMIT
        for path, data in files.items():
            (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
            (snapshot / path).write_bytes(data)
        (storage / "refs").mkdir(exist_ok=True)
        (storage / "refs" / revision).write_text(COMMIT)
        return snapshot

    cache.mkdir()
    put.cache = cache
    return put


@pytest.fixture
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket or starts a process fails."""

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("offline mode reached for the network or a process")

    monkeypatch.setattr("socket.socket", forbidden)
    monkeypatch.setattr("subprocess.Popen", forbidden)
