"""Myna's own speech engine with no server around it, on the pieces that a server gives it.

The engine is built as a server builds it, and as many threads call it as a server has workers:
what is between its figures and a server's is what queue, levelling, encoding and HTTP cost. Texts
take their pieces in turns. Asked through standard input, a line of JSON each:
`{"text": …, "streams": …}` gives `{"first_s": …, "piece_s": …, "seconds": …}`: until a first
sound, until the first piece is whole, and for all pieces of that many texts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from myna.building import build_synthesizer
from myna.engines.contract.synthesizer import QuickStarter, Stretch, Synthesizer
from myna.machine import suit_engines
from myna.planning import heaps, plan
from myna.settings import Settings
from myna.text.sentences import cuts
from myna.text.spoken import spoken


@dataclass(frozen=True, slots=True)
class Bare:
    """An engine with the threads that call it."""

    engine: Synthesizer
    threads: ThreadPoolExecutor

    def speak(self, text: str, streams: int) -> dict[str, float]:
        """Seconds of each of the figures."""
        voice = self.engine.voices[0]
        said = spoken(text, voice.language)
        first, *rest = [piece.said for piece in cuts(said, first_chars=self.engine.first_chars)]
        begun_s = time.perf_counter()
        beginnings = list(self.threads.map(self._first, [first] * streams))
        list(self.threads.map(self._whole, [piece for piece in rest for _ in range(streams)]))
        seconds = time.perf_counter() - begun_s
        first_s, piece_s = (min(figures) for figures in zip(*beginnings, strict=True))
        return {"first_s": first_s, "piece_s": piece_s, "seconds": seconds}

    def _first(self, text: str) -> tuple[float, float]:
        """Speak; until there is a first sound, and until the end."""
        begun_s = time.perf_counter()
        stretches = self._begin(text)
        next(stretches)
        first_s = time.perf_counter() - begun_s
        for _ in stretches:
            pass
        return first_s, time.perf_counter() - begun_s

    def _begin(self, text: str) -> Iterator[Stretch]:
        if isinstance(self.engine, QuickStarter):
            return self.engine.begin(text, self.engine.voices[0], 1.0)
        return self.engine.synthesize(text, self.engine.voices[0], 1.0)

    def _whole(self, text: str) -> Sequence[Stretch]:
        return list(self.engine.synthesize(text, self.engine.voices[0], 1.0))


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--model", required=True)
    asked = parser.parse_args()
    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing that a library prints gets among the answers
    settings = Settings(stt=(), tts=(asked.model,))
    suit_engines(heaps(settings))
    models = plan(settings)
    engine = build_synthesizer(models.tts[0].located(), settings, models.threads)
    engine.warm_up()
    with ThreadPoolExecutor(engine.workers) as threads:
        bare = Bare(engine, threads)
        for line in sys.stdin:
            answers.write(json.dumps(bare.speak(**json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
