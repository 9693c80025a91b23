"""The rows about who speaks: diarization error rates, speed and memory, beside sherpa-onnx.

On the manifest's recordings with an RTTM file, and on conversations put together from its single
speakers. Error: missed, false and confused speech over speech, 0.25 s around the reference's
edges left out, overlap counted (pyannote.metrics).
"""

# pyannote.metrics and its core have no types:
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import wave
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from audio import named
from conversations import RATE_HZ, Conversation, Turn, labelled, simulated, voices
from memory import MB, watched
from processes import BENCH, ROOT, Running
from report import Goal, Row, table
from scenarios import Bench
from tqdm import tqdm

MODELS = ROOT / "models" / "weights" / "speakers-campplus"
COLLAR_S = 0.5
"""pyannote.metrics means both sides together."""
NEEDED = ("pyannote.metrics", "sherpa_onnx", "scipy")
HOUR_S = 3600.0
GOALS = {
    "clean": Goal(10.0, "value"),
    "telephone": Goal(10.0, "value"),
    "clip": Goal(5.0, "value"),
    "all simulated": Goal(0.5, "ratio"),
}


def diarization(bench: Bench, manifest: Path) -> None:
    """Rows per kind of conversation, of speed, loading and memory."""
    if missing := [name for name in NEEDED if find_spec(name.split(".")[0]) is None]:
        raise RuntimeError(f"needs {', '.join(missing)}: pip install pyannote.metrics sherpa-onnx")
    made = simulated(voices(manifest), count=4, seconds=120.0 if bench.plan.rounds > 1 else 60.0)
    held = [*labelled(manifest), *made]
    with ExitStack() as stack:
        engines = [_started(stack, name) for name in ("myna", "sherpa")]
        for name, flags in (("at its end", {}), ("live", {"live": True})):
            against = engines[1] if not flags else None
            _errors(bench, held, engines[0], against, flags, name)
        _hour(bench, made, engines)
    _served(bench)


def _started(stack: ExitStack, engine: str) -> Running:
    command = (str(BENCH / "turns.py"), "--engine", engine, "--models", str(MODELS))
    return stack.enter_context(Running(f"turns-{engine}", command, piped=True))


def _errors(
    bench: Bench,
    held: Sequence[Conversation],
    own: Running,
    other: Running | None,
    flags: dict[str, Any],
    how: str,
) -> None:
    """Error rates, pooled over a kind's conversations; how often the count of speakers is right;
    the real-time factor."""
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    counts: list[tuple[int, int, int]] = []
    files: list[tuple[str, ...]] = []
    took = {"processor": [0.0, 0.0], "clock": [0.0, 0.0]}
    for one in tqdm(held, desc=f"who speaks, told {how}", unit="file"):
        path = _written(one, bench.library.folder)
        answers = [each.ask({"path": str(path), **flags}) for each in (own, other) if each]
        found = [_error(one.turns, answer["turns"]) for answer in answers]
        for kind in (one.kind, *(["all simulated"] if one.kind in _SIMULATED else [])):
            parts[kind].append(np.stack(found))
        speakers = [len({who for _, _, who in answer["turns"]}) for answer in answers]
        counts.append((len({turn.speaker for turn in one.turns}), speakers[0], speakers[-1]))
        for place, answer in enumerate(answers):
            took["processor"][place] += answer["seconds"]
            took["clock"][place] += answer["wall_s"]
        rates = (f"{100 * each[:3].sum() / each[3]:.1f}" for each in found)
        files.append((one.name, str(counts[-1][0]), *map(str, speakers), *rates))
    for kind, each in parts.items():
        pooled = np.sum(each, axis=0)
        rates = (100 * pooled[:, :3].sum(axis=1) / pooled[:, 3]).tolist()
        missed, false, confused = (100 * pooled[0, :3] / pooled[0, 3]).tolist()
        note = f"missed {missed:.1f}, false {false:.1f}, confused {confused:.1f}"
        goal = GOALS.get(kind) if other or kind != "all simulated" else None
        row = Row(f"diarization error, {kind}, told {how}", "% DER", rates[:1], goal=goal)
        row.n, row.note = len(each), note
        if other:
            row.against, row.others = "sherpa-onnx", rates[1:]
        bench.report.add(row)
    seconds = sum(one.seconds for one in held)
    for by, (ours, theirs) in took.items():
        name = f"diarization, one thread, told {how}, by the {by}"
        speed = Row(name, "s/s", [ours / seconds], goal=Goal(0.05, "value"), n=len(held))
        if other:
            speed.against, speed.others = "sherpa-onnx", [theirs / seconds]
        bench.report.add(speed)
    right = [sum(count[0] == count[place] for count in counts) / len(counts) for place in (1, 2)]
    rows = Row(f"count of speakers right, told {how}", "%", [100 * right[0]], n=len(counts))
    if other:
        rows.against, rows.others = "sherpa-onnx", [100 * right[1]]
    bench.report.add(rows)
    names = ("Myna", "sherpa-onnx")[: 2 if other else 1]
    headings = (
        "File",
        "Speakers",
        *(f"{x}: speakers" for x in names),
        *(f"{x}: DER" for x in names),
    )
    bench.report.extra.append(f"Who speaks, told {how}:\n\n{table(headings, files)}")


_SIMULATED = {"clean", "room", "telephone"}


def _error(reference: Sequence[Turn], found: Sequence[Sequence[float]]) -> np.ndarray:
    """Seconds missed, false, confused, and of speech."""
    from pyannote.core import Annotation, Segment  # noqa: PLC0415 - not installed everywhere
    from pyannote.metrics.diarization import DiarizationErrorRate  # noqa: PLC0415 - likewise

    annotations: list[Any] = []
    for turns in ([(t.start_s, t.end_s, t.speaker) for t in reference], found):
        annotation = Annotation()
        for place, (start_s, end_s, who) in enumerate(turns):
            annotation[Segment(start_s, end_s), place] = str(who)
        annotations.append(annotation)
    rated: Any = DiarizationErrorRate(collar=COLLAR_S)(*annotations, detailed=True)
    return np.array(
        [rated[key] for key in ("missed detection", "false alarm", "confusion", "total")]
    )


def _hour(bench: Bench, made: Sequence[Conversation], engines: Sequence[Running]) -> None:
    """One hour of the simulated conversations: speed, loading, and memory on top of loading."""
    samples = np.concatenate([one.samples for one in made])
    seconds = HOUR_S if bench.plan.rounds > 1 else 300.0
    whole = np.resize(samples, int(seconds * RATE_HZ))
    path = _written(Conversation("hour", "hour", whole, ()), bench.library.folder)
    answers = [each.ask({"path": str(path)}, limit_s=1800.0) for each in engines]
    length = f"{seconds / 60:.0f} minutes"
    for name, unit, key, goal in (
        (
            f"diarization of {length}, one thread, by the processor", "s/s",
            lambda a: a["seconds"] / seconds, 0.05,
        ),
        (
            f"diarization of {length}, one thread, by the clock", "s/s",
            lambda a: a["wall_s"] / seconds, 0.05,
        ),
        ("diarizer, time to load", "s", lambda a: a["load_s"], 2.0),
        (
            f"diarizer, memory for {length} on top of the loaded networks", "MB",
            lambda a: a["peak_mb"] - a["loaded_mb"], 300.0,
        ),
        ("diarizer, process with the networks loaded", "MB", lambda a: a["loaded_mb"], None),
    ):  # fmt: skip
        figures = [key(answer) for answer in answers]
        row = Row(name, unit, figures[:1], "sherpa-onnx", figures[1:], n=1)
        row.goal = Goal(goal, "value") if goal else None
        bench.report.add(row)


def _served(bench: Bench) -> None:
    """What telling speakers apart adds to the memory of a fresh server, at its peak, with a long
    file."""
    if bench.launcher is None:
        return
    clip = bench.library.long(bench.plan.bulk_s)
    peaks: list[float] = []
    for number, wanted in enumerate(("diarized_json", "json")):
        running, server, _ = bench.launcher.start(f"-speakers-{number}")
        with running, watched(running.process.pid) as peak:
            server.transcribe(clip, response_format=wanted)
        peaks.append(peak.memory.held / MB)
    name = f"server's memory, peak during a {named(clip.seconds)} file, diarized"
    goal = Goal(300.0, "difference")
    bench.report.add(Row(name, "MB", peaks[:1], "transcribed alone", peaks[1:], goal, n=1))


def _written(one: Conversation, folder: Path) -> Path:
    path = folder / f"{one.name.replace(' ', '-')}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(one.samples.tobytes())
    return path
