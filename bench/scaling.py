"""How many replicas for how much: the tables of docs/scaling.md.

    python bench/scaling.py --write docs/scaling.md

plays `simulation.py` with the service times in `service_times.json`, and puts the tables in place.
Every run gives the same figures.
"""

from __future__ import annotations

import argparse
import bisect
import math
import random
from collections.abc import Sequence
from pathlib import Path

from load import percentile
from simulation import (
    Asked,
    Choose,
    Costs,
    Machine,
    anywhere,
    closed,
    fewest,
    of_two,
    play,
    windows,
)

BENCH = Path(__file__).resolve().parent
REPLICAS = (1, 10, 100)
LOADS = (0.5, 0.7, 0.85)
"""Shares of what the replicas can do at most."""
SECONDS = {1: 3600.0, 10: 1200.0, 100: 300.0}
"""How long requests arrive, by number of replicas: more of them get more requests a second."""
COUNTED = (0.25, 0.9)
"""Share of that time in which requests count: they begin with empty machines, and end with such."""
STRETCHES = 4
"""In which the counted time is looked at apart, to tell chance from effect."""
CLIP_S = (2.0, 11.0)
FILE_S = 600.0
FILES = 0.3
"""Share of the audio that comes in files."""
PROXIES: dict[str, Choose] = {
    "anywhere": anywhere,
    "less busy of two": of_two,
    "fewest requests": fewest,
}
GOAL_S = 2.0
"""What 95 of 100 clips should be answered within."""


def capacity(costs: Costs) -> tuple[float, float]:
    """Audio-seconds a second of one replica that has always 16 clips at hand, and their p95."""
    chance = random.Random(3)
    clips = [chance.uniform(*CLIP_S) for _ in range(2000)]
    asked = closed(16, clips, costs)
    took_s = max(one.arrives_s + one.latency_s for one in asked)
    return sum(clips) / took_s, percentile([one.latency_s for one in asked], 95)


def arrivals(rate: float, seconds: float, *, of: tuple[float, float] | None = None) -> list[Asked]:
    """Requests for `rate` audio-seconds a second, at random times: clips and files, or all between
    two lengths."""
    chance = random.Random(2)
    found: list[Asked] = []
    mixed = ((1 - FILES, CLIP_S), (FILES, (FILE_S, FILE_S)))
    for share, length_s in mixed if of is None else ((1.0, of),):
        now_s = 0.0
        mean_s = sum(length_s) / 2
        while (now_s := now_s + chance.expovariate(rate * share / mean_s)) < seconds:
            found.append(Asked(now_s, chance.uniform(*length_s)))
    return sorted(found, key=lambda one: one.arrives_s)


def counted(asked: Sequence[Asked], seconds: float) -> list[Asked]:
    """Requests that came while the machines were as busy as they would always be."""
    first_s, last_s = (share * seconds for share in COUNTED)
    return [one for one in asked if first_s <= one.arrives_s < last_s]


def clips(asked: Sequence[Asked], q: float) -> float:
    """A percentile of the clips' latencies, in seconds."""
    return percentile([one.latency_s for one in asked if one.audio_s <= CLIP_S[1]], q)


def spread(asked: Sequence[Asked], seconds: float, q: float) -> tuple[float, float]:
    """The least and the largest such percentile of the stretches of the counted time."""
    first_s, last_s = (share * seconds for share in COUNTED)
    length_s = (last_s - first_s) / STRETCHES
    found = [
        clips([one for one in asked if 0 <= one.arrives_s - start_s < length_s], q)
        for start_s in (first_s + n * length_s for n in range(STRETCHES))
    ]
    return min(found), max(found)


def file_speed(asked: Sequence[Asked]) -> float:
    """Audio-seconds a second that a file gets, the median."""
    return percentile([FILE_S / one.latency_s for one in asked if one.audio_s == FILE_S], 50)


def checked(costs: Costs) -> str:
    """The simulation beside what was measured, docs/capacity.md."""
    rate, p95_s = capacity(costs)
    one = Asked(0.0, 11.0)
    play([one], 1, anywhere, costs)
    return (
        "| | Simulated | Measured |\n|---|---|---|\n"
        f"| 16 clients, clips of 2 to 11 s, throughput | {rate:.0f} audio-s/s | 31 audio-s/s |\n"
        f"| the same, latency p95 | {p95_s:.1f} s | 4.3 s |\n"
        f"| 11 s clip, one client | {1000 * one.latency_s:.0f} ms | 537 ms |\n"
    )


def by_formula(_: Costs) -> str:
    """The simulated clock beside a queue whose answer is known: requests of one length at random
    times, one worker, no batches (M/D/1, by Pollaczek and Khinchine)."""
    length_s, service_s, n = 7.0, 0.5, 40_000
    machine = Machine(cores=1, express=0, batch_limit=1)
    flat = Costs({8.0: (0.0, service_s), 30.0: (0.0, service_s)})
    lines = _head(("Load", "Mean time by the formula", "Simulated"))
    for load in LOADS:
        asked = arrivals(load / service_s * length_s, n * service_s / load, of=(length_s, length_s))
        play(asked, 1, anywhere, flat, machine)
        mean_s = sum(one.latency_s for one in asked) / len(asked)
        known_s = service_s * (1 + load / (2 * (1 - load)))
        lines.append(f"| {load:.0%} | {known_s:.3f} s | {mean_s:.3f} s |\n")
    return "".join(lines)


def all_busy(workers: int, load: float) -> float:
    """The chance that a request finds all workers busy that have one queue (Erlang's C)."""
    offered = workers * load
    terms = [n * math.log(offered) - math.lgamma(n + 1) for n in range(workers + 1)]
    top = max(terms)
    last = math.exp(terms[-1] - top) / (1 - load)
    return last / (sum(math.exp(one - top) for one in terms[:-1]) + last)


def by_pooling(_: Costs, replicas: Sequence[int] = REPLICAS) -> str:
    """The chance of having to wait, where the workers of so many replicas have one queue."""
    lines = _head(("Load", *(f"{2 * n} workers, {n} replica{'s' * (n > 1)}" for n in replicas)))
    for load in LOADS:
        cells = [f"{all_busy(n * Machine().cores, load):.1%}" for n in replicas]
        lines.append(f"| {load:.0%} | {' | '.join(cells)} |\n")
    return "".join(lines)


def by_replicas(costs: Costs, replicas: Sequence[int] = REPLICAS) -> str:
    """Latency by number of replicas, load and proxy."""
    most, _ = capacity(costs)
    latency = ("Clips p50", "p95", "p95 of each quarter", "p99")
    lines = _head(("Replicas", "Load", "Audio-s/s", "Proxy", *latency, "A file's speed"))
    for n in replicas:
        for load in LOADS:
            rate = load * most * n
            for name, choose in PROXIES.items():
                if n == 1 and choose is not anywhere:
                    continue
                asked = arrivals(rate, SECONDS[n])
                play(asked, n, choose, costs)
                low, high = spread(asked, SECONDS[n], 95)
                asked = counted(asked, SECONDS[n])
                p50, p95, p99 = (clips(asked, q) for q in (50, 95, 99))
                lines.append(
                    f"| {n} | {load:.0%} | {rate:,.0f} | {name if n > 1 else '-'} | {p50:.2f} s "
                    f"| {p95:.2f} s | {low:.2f} to {high:.2f} s | {p99:.2f} s "
                    f"| {file_speed(asked):.0f} × |\n"
                )
    return "".join(lines)


def by_length(costs: Costs) -> str:
    """What recordings of a length cost: each window alone, and in the fullest batches."""
    spent = ("Core-seconds, alone", "in full batches")
    made = ("Audio-hours a core-hour, alone", "in full batches")
    lines = _head(("Recording", "Encoded", *spent, *made))
    for seconds in (2.0, 5.0, 7.0, 11.0, 29.0, 60.0, 600.0, 3600.0):
        alone_s, together_s = (_spent_s(seconds, costs, full=full) for full in (False, True))
        lines.append(
            f"| {seconds:,.0f} s | {sum(windows(seconds)):,.0f} s | {alone_s:.2f} "
            f"| {together_s:.2f} | {seconds / alone_s:.1f} | {seconds / together_s:.1f} |\n"
        )
    return "".join(lines)


def _spent_s(seconds: float, costs: Costs, *, full: bool) -> float:
    """Core-seconds for a recording."""
    machine = Machine()
    total_s = 0.0
    for length_s in windows(seconds):
        most = min(machine.batch_limit, int(machine.batch_limit_s // length_s))
        n = most if full else 1
        total_s += costs.of(n, length_s) / n
    return total_s


def by_goal(costs: Costs, replicas: Sequence[int] = REPLICAS) -> str:
    """How much audio the replicas take with clips answered in time."""
    most, _ = capacity(costs)
    goal = f"Most load with p95 of clips within {GOAL_S:.0f} s"
    lines = _head(("Replicas", goal, "Audio-s/s a replica", "Core-hours for 1,000 audio-hours"))
    loads = [percent / 100 for percent in range(30, 100, 5)]
    for n in replicas:

        def late(load: float, n: int = n) -> bool:
            asked = arrivals(load * most * n, SECONDS[n])
            play(asked, n, of_two, costs)
            return clips(counted(asked, SECONDS[n]), 95) > GOAL_S

        n_kept = bisect.bisect_left(loads, True, key=late)
        best = loads[n_kept - 1] if n_kept else 0.0
        if best:
            cores = 1000 * Machine().cores / (best * most)
            lines.append(f"| {n} | {best:.0%} | {best * most:.1f} | {cores:.0f} |\n")
    return "".join(lines)


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |\n", "|---" * len(columns) + "|\n"]


TABLES = {
    "by formula": by_formula,
    "checked": checked,
    "by pooling": by_pooling,
    "by replicas": by_replicas,
    "by goal": by_goal,
    "by length": by_length,
}
"""Each stands in the page between a comment with its name and one that says `end`."""


def placed(page: str, name: str, table: str) -> str:
    """The page with that table."""
    head, found, rest = page.partition(f"<!-- {name} -->\n")
    _, closed_, tail = rest.partition("<!-- end -->")
    if not (found and closed_):
        raise SystemExit(f"the page has no place for the table {name!r}")
    return f"{head}{found}\n{table}\n{closed_}{tail}"


def main() -> None:
    """Play, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=Path, default=BENCH / "service_times.json")
    parser.add_argument("--write", type=Path, help="page to put the tables in; default: print")
    asked = parser.parse_args()
    costs = Costs.measured(asked.times)
    page = asked.write.read_text("utf-8") if asked.write else ""
    for name, make in TABLES.items():
        table = make(costs)
        print(f"{name}\n\n{table}")
        page = placed(page, name, table) if asked.write else page
    if asked.write:
        asked.write.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
