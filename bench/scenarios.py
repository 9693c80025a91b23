"""The rows about transcription: single clips, many clients, files, language detection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audio import Clip, Library, named
from load import Load, closed_loop, percentile
from report import Goal, Report, Row
from subjects import Launcher, Server, Subject, Worker
from tqdm import tqdm

SETTLE_S = 0.3
"""Between two subjects: the threads of an engine go on spinning for 0.2 s after its work."""
CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    repetitions: int = 20
    """Of single requests."""
    rounds: int = 3
    """Of everything that takes long."""
    requests: int = 96
    """In one round of many clients."""
    file_s: float = 600.0
    bulk_s: float = 3600.0
    huge_s: float | None = None
    starts: int = 5


QUICK = Plan(repetitions=3, rounds=1, requests=32, file_s=120.0, bulk_s=180.0, starts=2)


@dataclass
class Bench:
    """What every scenario is given."""

    subject: Server
    others: list[Server]
    """What it is compared with over HTTP."""
    engine: Worker | None
    library: Library
    plan: Plan
    report: Report
    launcher: Launcher | None
    """How to start another of `subject`; None if it is not ours."""
    other_launchers: list[Launcher]

    def goal(self, other: Subject, goal: Goal) -> Goal | None:
        """Goals are about the stand-in baseline and the engine, not about any other server."""
        return goal if other.name in {"baseline", "engine"} else None


def alternate(
    calls: Sequence[Callable[[], float]], repetitions: int, title: str
) -> list[list[float]]:
    """The figures of each call, taken in turns."""
    figures: list[list[float]] = [[] for _ in calls]
    for _ in tqdm(range(repetitions), desc=title, unit="round"):
        for call, taken in zip(calls, figures, strict=True):
            taken.append(call())
            time.sleep(SETTLE_S)
    return figures


def _milliseconds(subject: Subject, clip: Clip, *, language: bool = True) -> Callable[[], float]:
    return lambda: 1000 * subject.transcribe(clip, language=language).seconds


def clips(bench: Bench) -> None:
    """One client: an 11 s clip and a short one."""
    engine = [bench.engine] if bench.engine else []
    subjects: list[Subject] = [bench.subject, *bench.others, *engine]
    for wanted_s in (11.0, 2.5):
        clip = bench.library.nearest(wanted_s)
        name = f"{clip.seconds:.1f} s clip, one client, p50"
        for subject in subjects:  # the first request of a kind pays for what is set up lazily
            subject.transcribe(clip)
        calls = [_milliseconds(subject, clip) for subject in subjects]
        own, *rest = alternate(calls, bench.plan.repetitions, name)
        for other, figures in zip(subjects[1:], rest, strict=True):
            bound = {"baseline": Goal(0.25)}
            if wanted_s > 10:
                bound["engine"] = Goal(1.10)
            row = Row(name, "ms", own, other.name, figures, bound.get(other.name))
            bench.report.add(row)
        if len(subjects) == 1:
            bench.report.add(Row(name, "ms", own))


def language(bench: Bench) -> None:
    """The same clips with the language given and not."""
    for wanted_s in (11.0, 2.5):
        clip = bench.library.nearest(wanted_s)
        bench.subject.transcribe(clip, language=False)
        told = _milliseconds(bench.subject, clip)
        untold = _milliseconds(bench.subject, clip, language=False)
        name = f"{clip.seconds:.1f} s clip, language not given, p50"
        own, given = alternate([untold, told], bench.plan.repetitions, name)
        bench.report.add(Row(name, "ms", own, "given", given, Goal(1.15)))


def load(bench: Bench) -> None:
    """Sixteen clients with clips of 2 to 11 s."""
    pool = bench.library.between(2.0, 11.2)
    servers = [bench.subject, *bench.others]
    speeds: list[list[float]] = [[] for _ in servers]
    tails: list[list[float]] = [[] for _ in servers]
    notes = ["" for _ in servers]
    for turn in range(bench.plan.rounds):
        mixed = _mixed(pool, bench.plan.requests, seed=turn)
        for index, server in enumerate(servers):
            done = _many(server, mixed, f"{CLIENTS} clients, {server.name}, round {turn + 1}")
            if done.failures:
                notes[index] = f"{server.name}: {len(done.failures)} failed"
            if done.done:
                heard_s = sum(clip.seconds for clip, _ in done.done)
                speeds[index].append(heard_s / done.wall_s)
                tails[index].append(1000 * percentile(done.latencies_s, 95))
            time.sleep(SETTLE_S)
    n = bench.plan.rounds * bench.plan.requests
    speed = f"{CLIENTS} clients, mixed 2-11 s clips, throughput"
    tail = f"{CLIENTS} clients, mixed 2-11 s clips, latency p95"
    if not bench.others:
        bench.report.add(Row(speed, "audio-s/s", speeds[0], n=n, note=notes[0]))
        bench.report.add(Row(tail, "ms", tails[0], n=n, note=notes[0]))
    for index, other in enumerate(bench.others, start=1):
        note = ", ".join(filter(None, (notes[0], notes[index])))
        goal = bench.goal(other, Goal(6.0, at_least=True))
        row = Row(speed, "audio-s/s", speeds[0], other.name, speeds[index], goal, n, note)
        bench.report.add(row)
        goal = bench.goal(other, Goal(0.2))
        bench.report.add(Row(tail, "ms", tails[0], other.name, tails[index], goal, n, note))


def _mixed(pool: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """`count` clips, all equally often, in an order that is the same for every server."""
    repeated = [pool[index % len(pool)] for index in range(count)]
    random.Random(seed).shuffle(repeated)
    return repeated


def _many(server: Server, items: Sequence[Clip], title: str) -> Load[Clip]:
    with tqdm(total=len(items), desc=title, unit="clip") as bar:
        return closed_loop(
            server.transcribe, items, clients=CLIENTS, limit_s=300.0, on_answer=bar.update
        )


def long_file(bench: Bench) -> None:
    """A ten-minute file; the baseline decodes it through `BatchedInferencePipeline`, 8 windows."""
    clip = bench.library.long(bench.plan.file_s)
    servers = [bench.subject, *bench.others]

    def speed(server: Server) -> Callable[[], float]:
        return lambda: clip.seconds / server.transcribe(clip).seconds

    name = f"{named(clip.seconds)} file"
    own, *rest = alternate([speed(server) for server in servers], bench.plan.rounds, name)
    for other, figures in zip(bench.others, rest, strict=True):
        goal = bench.goal(other, Goal(2.0, at_least=True))
        bench.report.add(Row(name, "audio-s/s", own, other.name, figures, goal))
    if not bench.others:
        bench.report.add(Row(name, "audio-s/s", own))
