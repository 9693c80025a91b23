"""The rows about speech: how soon it begins, how long a long text takes, many clients."""

from __future__ import annotations

from audio import SENTENCES
from load import Answer, Refused, closed_loop
from report import Row
from scenarios import Bench, alternate
from subjects import Server
from tqdm import tqdm

CLIENTS = 8
SHORT = "The ferry leaves at ten, so please be here by nine."
LONG = (" ".join(SENTENCES) * 2)[:1000]


def speech(bench: Bench) -> None:
    """A short text and one of 1,000 characters as WAV, and eight clients with short texts."""
    servers = [bench.subject, *(other for other in bench.others if _speaks(other))]
    if not _speaks(bench.subject):
        bench.report.add(Row("speech", "", [], note="the server does not speak"))
        return
    names = [server.name for server in servers[1:]]
    for text, parts in ((SHORT, ("first byte",)), (LONG, ("first byte", "total"))):
        title = f"speech, {len(text):,} characters"
        answers: list[list[Answer]] = [[] for _ in servers]

        def call(index: int, text: str = text, answers: list[list[Answer]] = answers) -> float:
            answers[index].append(servers[index].speak(text))
            return answers[index][-1].seconds

        calls = [lambda index=index: call(index) for index in range(len(servers))]
        alternate(calls, max(3, bench.plan.repetitions // 2), title)
        for part in parts:
            figures = [[_part_ms(answer, part) for answer in taken] for taken in answers]
            _add(bench, f"{title}, {part}, p50", "ms", figures, names)
    rates: list[list[float]] = [[] for _ in servers]
    texts = [f"{SHORT} Number {index}." for index in range(bench.plan.requests)]
    for turn in range(bench.plan.rounds):
        for index, server in enumerate(servers):
            with tqdm(total=len(texts), desc=f"speech, {server.name}, round {turn + 1}") as bar:
                done = closed_loop(
                    server.speak, texts, clients=CLIENTS, limit_s=120.0, on_answer=bar.update
                )
            rates[index].append(len(done.done) / done.wall_s)
    _add(bench, f"speech, {CLIENTS} clients, short text", "requests/s", rates, names)


def _part_ms(answer: Answer, part: str) -> float:
    return 1000 * (answer.first_byte_s if part == "first byte" else answer.seconds)


def _speaks(server: Server) -> bool:
    try:
        server.speak("Hello.")
    except Refused:
        return False
    return True


def _add(bench: Bench, name: str, unit: str, figures: list[list[float]], others: list[str]) -> None:
    if not others:
        bench.report.add(Row(name, unit, figures[0]))
    for other, theirs in zip(others, figures[1:], strict=True):
        bench.report.add(Row(name, unit, figures[0], other, theirs))
