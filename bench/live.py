"""The rows about live speech: how soon text begins, and how soon it is complete."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from audio import Clip
from report import Goal, Row
from scenarios import SETTLE_S, Bench, alternate
from subjects import Server
from tqdm import tqdm
from websockets.sync.client import ClientConnection, connect

RATE_HZ = 24_000
BLOCK_S = 0.1
SILENCE_MS = 500
"""The server's default, and the hosted API's."""
BEHIND_S = 3.0
"""Silence that is sent behind the speech: the turn ends within it."""
LIMIT_S = 60.0
SPEAKERS = 4
AUDIBLE = 0.01
"""Of the loudest sample: what is quieter at the end of a clip is no speech."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One clip, spoken live."""

    first_delta_ms: float | None
    """From the first sample; None where all text came at the end."""
    completed_ms: float
    """From the last sample that is speech."""


def live(bench: Bench) -> None:
    """A clip of 11 s and a short one, at their own pace; then several at the same time."""
    server = bench.subject
    for wanted_s in (11.0, 2.5):
        clip = bench.library.nearest(wanted_s)
        speech = _speech(clip.path)
        first: list[float] = []

        def talk(clip: Clip = clip, speech: bytes = speech, first: list[float] = first) -> float:
            found = speak(server, clip, speech)
            first += [] if found.first_delta_ms is None else [found.first_delta_ms]
            return found.completed_ms

        def bound(clip: Clip = clip) -> float:
            return SILENCE_MS + 1.5 * 1000 * server.transcribe(clip).seconds

        bound()
        name = f"{clip.seconds:.1f} s of live speech"
        repetitions = max(3, bench.plan.repetitions // 4)
        completed, allowed = alternate([talk, bound], repetitions, name)
        against = f"{SILENCE_MS} ms + 1.5 uploads"
        row = Row(
            f"{name}, its end to completed, p50", "ms", completed, against, allowed, Goal(1.0)
        )
        bench.report.add(row)
        bench.report.add(Row(f"{name}, its beginning to the first delta, p50", "ms", first))
    _together(bench, server)


def _together(bench: Bench, server: Server) -> None:
    clip = bench.library.nearest(11.0)
    speech = _speech(clip.path)
    found: list[Talk] = []
    title = f"{SPEAKERS} speakers at the same time"
    for _ in tqdm(range(bench.plan.rounds), desc=title, unit="round"):
        threads = [
            threading.Thread(target=lambda: found.append(speak(server, clip, speech)))
            for _ in range(SPEAKERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(SETTLE_S)
    if len(found) < SPEAKERS * bench.plan.rounds:
        raise RuntimeError(f"{title}: some got no text")
    name = f"{title}, {clip.seconds:.1f} s each"
    ends = [talk.completed_ms for talk in found]
    starts = [talk.first_delta_ms for talk in found if talk.first_delta_ms is not None]
    bench.report.add(Row(f"{name}, end to completed, p50", "ms", ends))
    bench.report.add(Row(f"{name}, end to completed, worst", "ms", [max(ends)], n=len(ends)))
    bench.report.add(Row(f"{name}, beginning to the first delta, p50", "ms", starts))


def speak(server: Server, clip: Clip, speech: bytes) -> Talk:
    """Send speech at its own pace, silence behind it, and wait for the turn's last word."""
    address = server.base_url.replace("http", "ws", 1) + "/v1/realtime?intent=transcription"
    key = {"Authorization": f"Bearer {server.api_key or 'none'}"}
    with connect(address, additional_headers=key, compression=None, max_size=None) as socket:
        wishes = {"model": server.model, "language": clip.language}
        turns = {"type": "server_vad", "silence_duration_ms": SILENCE_MS}
        settings = {"transcription": wishes, "turn_detection": turns}
        session = {"type": "transcription", "audio": {"input": settings}}
        socket.send(json.dumps({"type": "session.update", "session": session}))
        begun_s = time.perf_counter()
        sender = threading.Thread(target=_send, args=(socket, speech, begun_s), daemon=True)
        sender.start()
        end_s = begun_s + len(speech) / 2 / RATE_HZ
        first_s, completed_s = _read(socket, end_s)
        sender.join()
    first_ms = None if first_s is None else 1000 * (first_s - begun_s)
    return Talk(first_ms, 1000 * (completed_s - end_s))


def _send(socket: ClientConnection, speech: bytes, begun_s: float) -> None:
    size = int(BLOCK_S * RATE_HZ) * 2
    data = speech + bytes(int(BEHIND_S * RATE_HZ) * 2)
    for number, at in enumerate(range(0, len(data), size), start=1):
        # A block leaves when its last sample has been spoken, as from a microphone.
        time.sleep(max(0.0, begun_s + number * BLOCK_S - time.perf_counter()))
        audio = base64.b64encode(data[at : at + size]).decode()
        socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


def _read(socket: ClientConnection, end_s: float) -> tuple[float | None, float]:
    """When the first delta came, and the last `completed`: a pause in the clip ends a turn too."""
    first_s: float | None = None
    completed_s: float | None = None
    open_items = 0
    while open_items or completed_s is None or completed_s < end_s:
        event = json.loads(socket.recv(timeout=LIMIT_S))
        now_s = time.perf_counter()
        kind = event["type"]
        if kind == "error":
            raise RuntimeError(event["error"]["message"])
        if kind.endswith(".delta"):
            first_s = first_s or now_s
        open_items += kind.endswith(".speech_started") - kind.endswith((".completed", ".failed"))
        if kind.endswith(".completed"):
            completed_s = now_s
    return first_s, completed_s


def _speech(path: Path) -> bytes:
    """The clip as PCM at 24 kHz, up to its last audible sample."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    with av.open(str(path)) as container:
        blocks = [
            block.to_ndarray()[0]
            for frame in itertools.chain(container.decode(audio=0), [None])
            for block in resampler.resample(frame)
        ]
    samples = np.concatenate(blocks)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE * np.abs(samples).max())
    return samples[: loud[-1] + 1].tobytes()
