"""What is measured: servers over HTTP, and workers that are asked through a pipe."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from audio import Clip
from load import Answer, Refused, exchange
from processes import BENCH, ROOT, Running, free_port, listener

WEIGHTS = ROOT / "models" / "weights" / "whisper-base"


class Subject(Protocol):
    """Anything that turns a clip into text."""

    @property
    def name(self) -> str:
        """For the table."""
        ...

    def transcribe(self, clip: Clip, *, language: bool = True) -> Answer:
        """The clip's text as the answer's body; `language` says whether it is told.

        Raises Refused or RuntimeError.
        """
        ...


@dataclass
class Server:
    """An OpenAI-compatible server."""

    name: str
    base_url: str
    """Without `/v1`."""
    model: str = "whisper-1"
    api_key: str | None = None
    pid: int | None = None
    """Of its first process, where it is on this machine."""
    timeout_s: float = 1800.0
    """Without a byte of the answer."""
    _bodies: dict[tuple[Path, bool, str], tuple[str, bytes]] = field(
        default_factory=dict[tuple[Path, bool, str], tuple[str, bytes]]
    )

    def transcribe(
        self, clip: Clip, *, language: bool = True, response_format: str = "json"
    ) -> Answer:
        """Upload the clip, ask for json or another format that has a `text`, and give that."""
        boundary, body = self.form(clip, language=language, response_format=response_format)
        answer = self._post(
            "/v1/audio/transcriptions", body, f"multipart/form-data; boundary={boundary}"
        )
        try:
            text: str = json.loads(answer.body)["text"]
        except (ValueError, KeyError, TypeError) as failure:
            raise Refused(
                f"{self.name} answered no transcription: {answer.body[:200]!r}"
            ) from failure
        return Answer(answer.seconds, answer.first_byte_s, text.strip().encode())

    def form(
        self, clip: Clip, *, language: bool = True, response_format: str = "json"
    ) -> tuple[str, bytes]:
        """Boundary and body of the request for a clip's text."""
        key = (clip.path, language, response_format)
        if key not in self._bodies:
            fields = {"model": self.model, "response_format": response_format}
            if language and clip.language:
                fields["language"] = clip.language
            self._bodies[key] = _multipart(clip, fields)
        return self._bodies[key]

    def speak(self, text: str, model: str = "tts-1") -> Answer:
        """The text as a WAV file."""
        asked = {"model": model, "voice": "alloy", "input": text, "response_format": "wav"}
        return self._post("/v1/audio/speech", json.dumps(asked).encode(), "application/json")

    def reachable(self) -> bool:
        """Whether it answers at all, with whatever status."""
        try:
            exchange(f"{self.base_url}/v1/models", headers=self.key(), timeout_s=10.0)
        except Refused as refusal:
            return refusal.__cause__ is None
        return True

    def _post(self, path: str, body: bytes, content_type: str) -> Answer:
        headers = {"Content-Type": content_type} | self.key()
        return exchange(
            self.base_url + path,
            method="POST",
            body=body,
            headers=headers,
            timeout_s=self.timeout_s,
        )

    def key(self) -> dict[str, str]:
        """The header that carries the API key, if there is one."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def _multipart(clip: Clip, fields: Mapping[str, str]) -> tuple[str, bytes]:
    """Boundary and body of a transcription request."""
    boundary = secrets.token_hex(16)
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="{clip.path.name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    return boundary, head.encode() + clip.data + f"\r\n--{boundary}--\r\n".encode()


def external(url: str, *, model: str, api_key: str | None) -> Server:
    """A server that is running already. Raises SystemExit if it does not answer."""
    base_url = url.rstrip("/").removesuffix("/v1")
    parts = urlsplit(base_url)
    pid = None
    if parts.hostname in {"127.0.0.1", "localhost", "::1"} and parts.port:
        pid = listener(parts.port)
    server = Server(parts.netloc, base_url, model, api_key, pid)
    if not server.reachable():
        raise SystemExit(f"nothing answers at {base_url}")
    return server


@dataclass(frozen=True, slots=True)
class Launcher:
    """How to start a server of ours."""

    name: str
    command: tuple[str, ...]
    """Arguments of Python; the port is added."""

    def start(self, suffix: str = "") -> tuple[Running, Server, float]:
        """A fresh server, and the seconds that it took to be ready. The caller ends it."""
        port = free_port()
        running = Running(self.name + suffix, (*self.command, "--port", str(port)))
        server = Server(self.name, f"http://127.0.0.1:{port}", pid=running.process.pid)
        try:
            ready_s = running.wait_ready(server.base_url)
        except BaseException:
            running.stop()
            raise
        return running, server, ready_s


def myna(arguments: list[str]) -> Launcher:
    """Myna with `arguments` besides the port."""
    return Launcher("myna", ("-m", "myna", "serve", "--offline", *arguments))


def baseline(model: Path) -> Launcher:
    """The stand-in for servers built on faster-whisper."""
    return Launcher("baseline", (str(BENCH / "baseline.py"), "--model", str(model)))


class Worker:
    """A program of this folder that answers line by line, and takes its own time."""

    def __init__(
        self, name: str, arguments: list[str], tuning: Mapping[str, str] | None = None
    ) -> None:
        """Start `bench/NAME.py`, with `tuning` in its environment."""
        self.name = name
        self.running = Running(
            name, (str(BENCH / f"{name}.py"), *arguments), piped=True, tuning=tuning
        )

    def transcribe(self, clip: Clip, *, language: bool = True) -> Answer:
        """The clip's text and the seconds inside the program."""
        told = clip.language if language else None
        said = self.running.ask({"path": str(clip.path), "language": told})
        return Answer(said["seconds"], said["seconds"], str(said["text"]).strip().encode())
