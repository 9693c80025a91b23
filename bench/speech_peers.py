"""The rows about speech beside others: piper's own HTTP server, the engines without a server, and
Myna's own engine without one, on the same pieces.

A server of Myna's with Piper and Kokoro is started for it, and piper's server where flask is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from load import Answer, Refused, closed_loop, exchange
from processes import BENCH, ROOT, Running, free_port
from report import Goal, Row
from scenarios import SETTLE_S, Bench, alternate
from speech import CLIENTS, LONG, SHORT
from subjects import Server, myna
from tqdm import tqdm

from myna.machine import LIBRARIES

WEIGHTS = ROOT / "models" / "weights"
PIPER, KOKORO = "piper-en_US-joe-medium", "kokoro-v1.0"
READY_S = 60.0
STREAMS = (4, 8)
LEAST_ROUNDS = 5
"""Of streams: the pace of a machine moves by more in a round than what is looked for."""


@dataclass(frozen=True, slots=True)
class PiperServer:
    """piper-tts's own HTTP server."""

    base_url: str
    name = "piper's server"

    def speak(self, text: str) -> Answer:
        """The text as a WAV file."""
        kind = {"Content-Type": "application/json"}
        body = json.dumps({"text": text}).encode()
        return exchange(f"{self.base_url}/synthesize", method="POST", body=body, headers=kind)


@contextmanager
def piper_server() -> Iterator[PiperServer]:
    """A fresh one, which has spoken a word."""
    port = free_port()
    (model,) = (WEIGHTS / PIPER).glob("*.onnx")
    flags = ("-m", str(model), "--host", "127.0.0.1", "--port", str(port))
    with Running("piper", ("-m", "piper.http_server", *flags)):
        server = PiperServer(f"http://127.0.0.1:{port}")
        until_s = time.perf_counter() + READY_S
        while True:
            try:
                server.speak("Hello.")
            except Refused:
                if time.perf_counter() > until_s:
                    raise
                time.sleep(0.1)
            else:
                break
        yield server


def speech_peers(bench: Bench) -> None:
    """First sound and rate beside piper's server and the bare engines."""
    with ExitStack() as stack:
        launcher = myna(["--stt", "none", "--tts", f"{PIPER},{KOKORO}"])
        running, server, _ = launcher.start("-speech")
        stack.enter_context(running)
        _beside_engine(bench, server, "piper", PIPER, None)
        _beside_engine(bench, server, "kokoro", KOKORO, Goal(1 / 6))
        if find_spec("flask") is None:
            bench.report.add(Row("piper's own HTTP server", "", [], note="flask is not installed"))
        else:
            _beside_server(bench, server, stack.enter_context(piper_server()))
        _beside_pieces(bench, server)


def _beside_engine(
    bench: Bench, server: Server, engine: str, model: str, goal: Goal | None
) -> None:
    """The first sound of 1,000 characters, and all of it, against the engine alone."""
    command = ("--engine", engine, "--weights", str(WEIGHTS / model))
    title = f"speech, {model}, {len(LONG):,} characters"
    with Running(f"bare-{engine}", (str(BENCH / "speech_engine.py"), *command), piped=True) as bare:
        server.speak(SHORT, model)
        totals: tuple[list[float], list[float]] = ([], [])

        def ours() -> float:
            answer = server.speak(LONG, model)
            totals[0].append(1000 * answer.seconds)
            return 1000 * answer.first_byte_s

        def theirs() -> float:
            said = bare.ask({"text": LONG})
            totals[1].append(1000 * float(said["seconds"]))
            return 1000 * float(said["first_s"])

        own, others = alternate([ours, theirs], max(3, bench.plan.rounds), title)
    against = f"{engine}'s own"
    bench.report.add(Row(f"{title}, first byte, p50", "ms", own, against, others, goal))
    bench.report.add(Row(f"{title}, total, p50", "ms", totals[0], against, totals[1]))


def _beside_server(bench: Bench, server: Server, peer: PiperServer) -> None:
    """First byte of 1,000 characters, and short texts of eight clients."""

    def first_ms(speak: Callable[[str], Answer]) -> Callable[[], float]:
        return lambda: 1000 * speak(LONG).first_byte_s

    calls = [first_ms(lambda text: server.speak(text, PIPER)), first_ms(peer.speak)]
    title = f"speech, Piper, {len(LONG):,} characters, first byte, p50"
    own, others = alternate(calls, max(5, bench.plan.repetitions // 2), title)
    bench.report.add(Row(title, "ms", own, peer.name, others, Goal(0.2)))
    texts = [f"{SHORT} Number {index}." for index in range(bench.plan.requests)]
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(bench.plan.rounds):
        for taken, speak in zip(
            rates, (lambda text: server.speak(text, PIPER), peer.speak), strict=True
        ):
            done = closed_loop(speak, texts, clients=CLIENTS, limit_s=120.0)
            taken.append(len(done.done) / done.wall_s)
            time.sleep(SETTLE_S)
    title = f"speech, Piper, {CLIENTS} clients, short text"
    goal = Goal(1.5, at_least=True)
    bench.report.add(Row(title, "requests/s", rates[0], peer.name, rates[1], goal))


def _beside_pieces(bench: Bench, server: Server) -> None:
    """Against the server's own engine alone on the same pieces: what all around it costs."""
    command = (str(BENCH / "speech_pieces.py"), "--model", PIPER)
    with Running("pieces-piper", command, piped=True, tuning=LIBRARIES) as bare:
        _first_piece(bench, server, bare)
        for streams in STREAMS:
            _streams(bench, server, bare, streams)


def _first_piece(bench: Bench, server: Server, bare: Running) -> None:
    """One long text after the other, with no pause: a processor that wakes up is slow for a fifth
    of a second, and the more so the more different code is run."""
    title = f"speech, Piper, {len(LONG):,} characters"
    answers: list[Answer] = []
    alone: list[dict[str, float]] = []
    for _ in tqdm(range(bench.plan.repetitions), desc=f"{title}, beside its engine", unit="round"):
        answers.append(server.speak(LONG, PIPER))
        alone.append(bare.ask({"text": LONG, "streams": 1}))
    firsts = [1000 * answer.first_byte_s for answer in answers]
    pieces = [1000 * figures["piece_s"] for figures in alone]
    bench.report.add(
        Row(f"{title}, first byte, p50", "ms", firsts, "its first piece", pieces, Goal(1.25))
    )
    totals = [1000 * answer.seconds for answer in answers]
    wholes = [1000 * figures["seconds"] for figures in alone]
    bench.report.add(Row(f"{title}, total, p50", "ms", totals, "its engine's", wholes, Goal(1.10)))


def _streams(bench: Bench, server: Server, bare: Running, streams: int) -> None:
    """Long texts at the same time, each stream with a second one behind its first: how many a
    minute, and does one of the first wait for all others?"""
    shares: list[float] = []
    rates: tuple[list[float], list[float]] = ([], [])
    texts = 2 * streams
    name = f"speech, Piper, {streams} long streams"
    for _ in tqdm(range(max(LEAST_ROUNDS, bench.plan.rounds)), desc=name, unit="round"):
        done = closed_loop(
            lambda _: server.speak(LONG, PIPER), range(texts), clients=streams, limit_s=120.0
        )
        rates[0].append(60 * len(done.done) / done.wall_s)
        firsts = [answer.first_byte_s for number, answer in done.done if number < streams]
        shares.append(max(firsts) / (sum(firsts) / len(firsts)))
        time.sleep(SETTLE_S)
        alone = bare.ask({"text": LONG, "streams": texts})
        rates[1].append(60 * texts / alone["seconds"])
        time.sleep(SETTLE_S)
    goal = Goal(0.95, at_least=True)
    bench.report.add(Row(name, "texts/min", rates[0], "its engine's", rates[1], goal))
    bench.report.add(
        Row(f"{name}, slowest first byte over the mean", "x", shares, goal=Goal(1.5, "value"))
    )
