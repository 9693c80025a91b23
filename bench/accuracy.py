"""Word error rates over a manifest, beside those of faster-whisper's own `transcribe`.

A manifest is a file of JSON lines: `file`, `language` (or `none`), `kind` (`nonspeech` where any
text is invented), `reference_text`, and `wer_total`, whether it counts. Without one, the server
transcribes what it has spoken itself.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jiwer
from audio import Clip
from load import Answer, Refused, closed_loop
from report import Goal, Row, table
from scenarios import Bench
from subjects import Server, Worker
from tqdm import tqdm
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

BY_CHARACTER = frozenset({"ja", "zh", "ko", "yue", "th"})
"""Languages written without spaces."""
STEADY = frozenset({"en", "fr"})
"""Languages with enough speech in the project's development set that half a point means something;
elsewhere one clip moves the figure, and the files are listed."""
WITHIN_POINTS = 0.5
CLIENTS = 4

_ENGLISH = EnglishTextNormalizer()
_OTHERS = BasicTextNormalizer()


@dataclass(frozen=True, slots=True)
class Score:
    """Of one text, or of many together."""

    errors: int
    """Substitutions, deletions and insertions."""
    tokens: int
    """Words of the reference; characters for languages without spaces."""

    @property
    def percent(self) -> float:
        """Error rate."""
        return 100 * self.errors / max(self.tokens, 1)


def recordings(manifest: Path) -> list[Clip]:
    """What counts: speech with a reference, and non-speech (reference empty)."""
    rows = [json.loads(line) for line in manifest.read_text().splitlines() if line.strip()]
    found: list[Clip] = []
    for row in rows:
        language = None if row["language"] == "none" else row["language"]
        path = manifest.parent / row["file"]
        if row["kind"] == "nonspeech":
            found.append(Clip(path, row["seconds"] or 0.0, language, ""))
        elif row.get("wer_total"):
            found.append(Clip(path, row["seconds"] or 0.0, language, row["reference_text"]))
    return found


def normalised(text: str, language: str | None) -> str:
    """As Whisper's paper compares texts; languages without spaces a character at a time."""
    text = text.replace("’", "'")
    if language == "en":
        return _ENGLISH(text).strip()
    if language == "zh" and find_spec("zhconv"):
        import zhconv  # noqa: PLC0415 - not everywhere; without it traditional script is an error

        text = str(zhconv.convert(text, "zh-cn"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    words = _OTHERS(text).split()
    return " ".join("".join(words)) if language in BY_CHARACTER else " ".join(words)


def score(reference: str, text: str, language: str | None) -> Score:
    """Errors of `text`; everything in it is one where nothing was said."""
    said, heard = normalised(reference, language), normalised(text, language)
    if not said or not heard:
        return Score(len(heard.split()) or len(said.split()), len(said.split()))
    found = jiwer.process_words(said, heard)
    errors = found.substitutions + found.deletions + found.insertions
    return Score(errors, len(said.split()))


def total(scores: Iterable[Score]) -> Score:
    """Errors over tokens of all."""
    held = list(scores)
    return Score(sum(one.errors for one in held), sum(one.tokens for one in held))


class References:
    """Texts of faster-whisper, kept in a file if there is one: they do not change."""

    def __init__(self, model: Path, cache: Path | None) -> None:
        self._model = model
        self._cache = cache
        self._texts: dict[str, str] = {}
        if cache is not None and cache.is_file():
            self._texts = json.loads(cache.read_text())

    def texts(self, clips: Sequence[Clip]) -> list[str]:
        """One per clip. A process of its own transcribes those that are not known yet."""
        missing = [clip for clip in clips if self._key(clip) not in self._texts]
        with ExitStack() as stack:
            worker = None
            for clip in tqdm(missing, desc="faster-whisper", unit="file"):
                if worker is None:
                    worker = Worker("reference", ["--model", str(self._model)])
                    stack.enter_context(worker.running)
                self._texts[self._key(clip)] = worker.transcribe(clip).body.decode()
                self._save()
        return [self._texts[self._key(clip)] for clip in clips]

    def _key(self, clip: Clip) -> str:
        weights = self._model / "model.bin"
        about = (self._model.name, weights.stat().st_size, version("faster-whisper"))
        digest = hashlib.sha256(clip.data).hexdigest()
        return f"{digest} {clip.language} {' '.join(map(str, about))}"

    def _save(self) -> None:
        if self._cache is not None:
            half = self._cache.with_suffix(".tmp")
            half.write_text(json.dumps(self._texts, ensure_ascii=False, indent=0))
            half.replace(self._cache)


def accuracy(bench: Bench, clips: Sequence[Clip], references: References) -> None:
    """Rows per language, for non-speech, and a list of the files that differ."""
    own = _texts(bench.subject, clips)
    _compare(bench, clips, own, "faster-whisper", references.texts(clips))
    for other in bench.others:
        if other.name != "baseline":
            _compare(bench, clips, own, other.name, _texts(other, clips))


def _texts(server: Server, clips: Sequence[Clip]) -> list[str]:
    """What the server hears, language given; a refused file counts as empty and is shown."""
    with tqdm(total=len(clips), desc=f"transcripts of {server.name}", unit="file") as bar:

        def call(clip: Clip) -> Answer:
            try:
                return server.transcribe(clip)
            except Refused as refusal:
                bar.write(f"  {clip.path.name}: {refusal}")
                raise

        done = closed_loop(call, clips, clients=CLIENTS, limit_s=1800.0, on_answer=bar.update)
    heard = {clip.path: answer.body.decode() for clip, answer in done.done}
    return [heard.get(clip.path, "") for clip in clips]


def _compare(
    bench: Bench, clips: Sequence[Clip], own: Sequence[str], name: str, theirs: Sequence[str]
) -> None:
    languages: dict[str, list[tuple[Score, Score]]] = defaultdict(list)
    files: list[tuple[str, ...]] = []
    for clip, mine, other in zip(clips, own, theirs, strict=True):
        if not clip.text:
            continue
        pair = (score(clip.text, mine, clip.language), score(clip.text, other, clip.language))
        languages[clip.language or "none"].append(pair)
        if pair[0].errors != pair[1].errors:
            where = f"{clip.path.parent.name}/{clip.path.name}"
            counts = (str(pair[0].errors), str(pair[1].errors), str(pair[0].tokens))
            files.append((where, clip.language or "", *counts))
    for language, pairs in sorted(languages.items()):
        unit = "% CER" if language in BY_CHARACTER else "% WER"
        mine = total(pair[0] for pair in pairs).percent
        other = total(pair[1] for pair in pairs).percent
        goal = Goal(WITHIN_POINTS, "difference") if language in STEADY else None
        note = f"{sum(pair[0].tokens for pair in pairs):,} tokens"
        row = Row(f"error rate, {language}", unit, [mine], name, [other], goal, len(pairs), note)
        bench.report.add(row)
    _nonspeech(bench, clips, own, name, theirs)
    headings = ("File", "Language", f"{bench.subject.name}: errors", f"{name}: errors", "of")
    bench.report.extra.append(
        f"Files where {bench.subject.name} and {name} differ in errors:\n\n{table(headings, files)}"
        if files
        else f"{bench.subject.name} and {name} make the same number of errors in every file."
    )
    bench.report.details[f"texts beside {name}"] = [
        {"file": str(clip.path), "text": mine, name: other}
        for clip, mine, other in zip(clips, own, theirs, strict=True)
    ]


def _nonspeech(
    bench: Bench, clips: Sequence[Clip], own: Sequence[str], name: str, theirs: Sequence[str]
) -> None:
    silent = [index for index, clip in enumerate(clips) if clip.text == ""]
    if silent:
        invented = [
            float(sum(1 for index in silent if normalised(texts[index], "en")))
            for texts in (own, theirs)
        ]
        row = Row("text invented on non-speech", "files", invented[:1], name, invented[1:])
        row.goal, row.n = Goal(0.0, "value"), len(silent)
        bench.report.add(row)
