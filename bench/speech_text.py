"""The rows about what is heard: texts of every kind, spoken and listened to again.

Each sentence in a request of its own, and all of them in texts as long as a request takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from audio import Clip, length_s
from hearing import Heard, Sentence, compared, sentences
from load import Answer, closed_loop
from report import Goal, Row, table
from scenarios import Bench
from subjects import Launcher, Server
from tqdm import tqdm

MODELS = {"piper-en_US-joe-medium": "Piper", "kokoro-v1.0": "Kokoro"}
MOST_CHARS = 4096
MOST_PERCENT = 6.0
CLIENTS = 4


@dataclass(frozen=True, slots=True)
class Said:
    """One request: sentences in a row."""

    sentences: Sequence[Sentence]

    @property
    def text(self) -> str:
        """What is sent; each sentence is a paragraph, as headings and lists need one."""
        return "\n\n".join(sentence.written for sentence in self.sentences)


def speech_text(bench: Bench) -> None:
    """Word errors and lost sentences of Piper and of Kokoro, and errors by kind of text."""
    known = sentences()
    if bench.plan.rounds == 1:  # a quick run
        known = known[::7]
    singles = [Said([sentence]) for sentence in known]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        server = bench.subject
        if bench.launcher:
            flags = ("--tts", ",".join(MODELS))
            launcher = Launcher(bench.launcher.name, (*bench.launcher.command, *flags))
            running, server, _ = launcher.start("-speech-text")
            stack.enter_context(running)
        for model, engine in MODELS.items():
            for title, texts in (
                ("one sentence a request", singles),
                (f"requests of up to {MOST_CHARS:,} characters", list(_packed(known))),
            ):
                heard = _heard(server, model, texts, folder, f"{engine}, {title}")
                _add(bench, f"speech heard again, {engine}, {title}", heard)
                if texts is singles:
                    bench.report.extra.append(_by_kind(engine, singles, heard))


def _packed(known: Sequence[Sentence]) -> Iterator[Said]:
    """Sentences in as few texts as they fit into."""
    held: list[Sentence] = []
    for sentence in known:
        if len(Said([*held, sentence]).text) > MOST_CHARS:
            yield Said(held)
            held = []
        held.append(sentence)
    yield Said(held)


def _heard(
    server: Server, model: str, texts: Sequence[Said], folder: Path, title: str
) -> list[Heard]:
    """What comes back of each text. Raises RuntimeError where one is refused."""

    def round_trip(index: int) -> Answer:
        path = folder / f"{model}-{len(texts)}-{index}.wav"
        path.write_bytes(server.speak(texts[index].text, model).body)
        heard = server.transcribe(Clip(path, length_s(path), "en"))
        path.unlink()
        return heard

    with tqdm(total=len(texts), desc=title, unit="text") as bar:
        done = closed_loop(
            round_trip, range(len(texts)), clients=CLIENTS, limit_s=3600.0, on_answer=bar.update
        )
    if done.failures:
        raise RuntimeError(f"{len(done.failures)} failed, such as {done.failures[0]}")
    came_back = {at: answer.body.decode() for at, answer in done.done}
    return [compared(said.sentences, came_back[at]) for at, said in enumerate(texts)]


def _add(bench: Bench, name: str, heard: Sequence[Heard]) -> None:
    errors, words = sum(one.errors for one in heard), sum(one.words for one in heard)
    lost = [sentence for one in heard for sentence in one.lost]
    note = f"{errors} of {words:,} words"
    rate = [100 * errors / words]
    bench.report.add(Row(name, "% words", rate, goal=Goal(MOST_PERCENT, "value"), note=note))
    bench.report.add(Row(f"{name}, lost", "sentences", [float(len(lost))], goal=Goal(0, "value")))
    bench.report.details[name] = {"lost": lost, "errors": [one.errors for one in heard]}


def _by_kind(engine: str, singles: Sequence[Said], heard: Sequence[Heard]) -> str:
    kinds = dict.fromkeys(said.sentences[0].kind for said in singles)
    rows: list[list[str]] = []
    for kind in kinds:
        of_kind = [
            one for said, one in zip(singles, heard, strict=True) if said.sentences[0].kind == kind
        ]
        errors, words = sum(one.errors for one in of_kind), sum(one.words for one in of_kind)
        rows.append([kind, str(len(of_kind)), str(words), f"{100 * errors / words:.1f}"])
    return f"{engine}, by kind of text:\n\n" + table(["Kind", "Texts", "Words", "% wrong"], rows)
