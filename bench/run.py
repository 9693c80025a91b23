"""Measure a server beside another one, or beside the bare engine, in one run.

    make bench                                    # Myna, the stand-in baseline and the bare engine
    make bench ARGS="--quick"                     # does everything work? figures mean little
    python bench/run.py --base-url http://127.0.0.1:8000 --against http://127.0.0.1:9000

Subjects take turns, request by request where requests are short, because a shared machine changes
from minute to minute: only medians and ratios within one run mean anything. The table goes to
`bench/results/` as JSON and as Markdown, and to standard output.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import accuracy
import lifecycle
import scenarios
from audio import SENTENCES, Clip, Library, from_folder, from_speech
from departure import departure
from diarization import diarization
from fairness import fairness
from live import live
from load import Refused
from processes import RESULTS
from report import Report, Row, load_average, machine_facts
from scenarios import QUICK, Bench, Plan
from speech import speech
from speech_peers import speech_peers
from speech_text import speech_text
from subjects import WEIGHTS, Launcher, Server, Worker, baseline, external, myna
from telemetry import telemetry

from myna.machine import LIBRARIES

HOURS_3 = 3 * 3600.0
SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "start": lifecycle.start,
    "clips": scenarios.clips,
    "language": scenarios.language,
    "load": scenarios.load,
    "file": scenarios.long_file,
    "fairness": fairness,
    "departure": departure,
    "live": live,
    "speech": speech,
    "speech-peers": speech_peers,
    "speech-text": speech_text,
    "telemetry": telemetry,
}
ACCURACY, DIARIZATION = "accuracy", "diarization"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--base-url", metavar="URL", help="server to measure; without it, Myna is started")
    add(
        "--against",
        action="append",
        metavar="URL|baseline|engine|none",
        help="what to compare with, any number of times; without it, baseline and engine",
    )
    add(
        "--only",
        default="",
        help=f"scenarios by name: {', '.join((*SCENARIOS, ACCURACY, DIARIZATION))}",
    )
    add("--skip", default="", help="scenarios to leave out")
    add("--quick", action="store_true", help="few repetitions and short files")
    add("--long", action="store_true", help="also a three-hour file")
    add("--repetitions", type=int, help="of single requests")
    add("--rounds", type=int, help="of many clients and long files")
    add("--audio-dir", type=Path, help="folder of clips; without it, the server speaks them")
    add("--manifest", type=Path, help="what error rates are measured on")
    add("--reference-cache", type=Path, help="JSON file that keeps faster-whisper's texts")
    add("--language", default="en", help="of the clips in --audio-dir")
    add("--whisper", type=Path, default=WEIGHTS, help="model of baseline, engine and reference")
    add("--model", default="whisper-1", help="model name sent to --base-url")
    add("--against-model", default="whisper-1", help="model name sent to --against URL")
    add("--api-key", help="for --base-url")
    add("--against-api-key", help="for --against URL")
    add("--engine-timestamps", action="store_true", help="let the bare engine write timestamps")
    add("--serve-args", default="", help="further flags of `myna serve`, in one string")
    add("--output", type=Path, help="where to write, without suffix")
    return parser.parse_args()


def plan(asked: argparse.Namespace) -> Plan:
    """How much to measure."""
    chosen = QUICK if asked.quick else Plan()
    if asked.repetitions:
        chosen = replace(chosen, repetitions=asked.repetitions)
    if asked.rounds:
        chosen = replace(chosen, rounds=asked.rounds)
    return replace(chosen, huge_s=HOURS_3) if asked.long else chosen


def chosen_scenarios(asked: argparse.Namespace) -> list[str]:
    """Names, in their order. Raises SystemExit for a name that is none."""
    known = [*SCENARIOS, ACCURACY, DIARIZATION]
    only, skip = ({name for name in text.split(",") if name} for text in (asked.only, asked.skip))
    if unknown := (only | skip) - set(known):
        raise SystemExit(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if (name in only or not only) and name not in skip]


def clips(asked: argparse.Namespace, server: Server, folder: Path) -> list[Clip]:
    """From the folder that was named or that of the manifest, or spoken by the server."""
    source: Path | None = asked.audio_dir or (asked.manifest and asked.manifest.parent)
    if source is None:
        say("no --audio-dir: the server speaks the clips itself")
        try:
            return from_speech([(text, server.speak(text).body) for text in SENTENCES], folder)
        except Refused as refusal:
            raise SystemExit(f"no --audio-dir, and the server does not speak: {refusal}") from None
    found = from_folder(source, asked.language)
    if not found:
        raise SystemExit(f"no {asked.language} speech in {source}")
    return found


def set_up(asked: argparse.Namespace, stack: ExitStack) -> Bench:
    """Start and connect everything; `stack` ends it."""

    def live(launcher: Launcher) -> Server:
        say(f"starting {launcher.name}")
        running, server, _ = launcher.start()
        stack.enter_context(running)
        return server

    launcher = None if asked.base_url else myna(shlex.split(asked.serve_args))
    if launcher:
        subject = live(launcher)
    else:
        subject = external(asked.base_url, model=asked.model, api_key=asked.api_key)
    others: list[Server] = []
    launchers: list[Launcher] = []
    engine = None
    for name in asked.against or ["baseline", "engine"]:
        if name == "engine":
            flags = ["--timestamps"] if asked.engine_timestamps else []
            engine = Worker("engine", ["--model", str(asked.whisper), *flags], LIBRARIES)
            stack.enter_context(engine.running)
        elif name == "baseline":
            launchers.append(baseline(asked.whisper))
            others.append(live(launchers[-1]))
        elif name != "none":
            key = asked.against_api_key
            others.append(external(name, model=asked.against_model, api_key=key))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    facts = machine_facts()
    if asked.quick:
        facts["quick run"] = "few repetitions and short files; not to be quoted"
    output = asked.output or RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    report = Report(subject.name, output, facts)
    library = Library(clips(asked, subject, folder), folder)
    facts["audio"] = f"{len(library.clips)} clips, {_lengths(library.clips)}"
    return Bench(subject, others, engine, library, plan(asked), report, launcher, launchers)


def _lengths(held: Sequence[Clip]) -> str:
    return (
        " ".join(f"{clip.seconds:.1f}" for clip in sorted(held, key=lambda one: one.seconds)) + " s"
    )


def measure(name: str, bench: Bench, asked: argparse.Namespace) -> None:
    """One scenario; what goes wrong in it becomes a row, and the others go on."""
    say(name)
    try:
        if name == ACCURACY:
            spoken = [clip for clip in bench.library.clips if clip.text]
            heard = accuracy.recordings(asked.manifest) if asked.manifest else spoken
            if heard:
                references = accuracy.References(asked.whisper, asked.reference_cache)
                accuracy.accuracy(bench, heard, references)
            else:
                say("accuracy needs --manifest where the clips are not the server's own")
        elif name == DIARIZATION:
            if asked.manifest:
                diarization(bench, asked.manifest)
            else:
                say("diarization needs --manifest")
        else:
            SCENARIOS[name](bench)
    except (Refused, RuntimeError) as failure:
        bench.report.add(Row(name, "", [], note=f"failed: {str(failure)[:200]}"))
    bench.report.facts["load after"] = load_average()
    bench.report.write()


def say(text: str) -> None:
    """A line of progress."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def _terminated(*_: object) -> None:
    raise SystemExit("terminated")


def main() -> None:
    """Run what was asked for; every process that was started is ended, whatever happens."""
    asked = arguments()
    names = chosen_scenarios(asked)
    RESULTS.mkdir(exist_ok=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    signal.signal(signal.SIGTERM, _terminated)
    interrupted = False
    with ExitStack() as stack:
        bench = set_up(asked, stack)
        try:
            for name in names:
                measure(name, bench, asked)
        except KeyboardInterrupt:
            interrupted = True
        bench.report.write()
    print(bench.report.markdown())
    say(f"written: {bench.report.path}.json and .md")
    if interrupted:
        sys.exit(130)


if __name__ == "__main__":
    main()
