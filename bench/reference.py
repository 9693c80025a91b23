"""faster-whisper's own `transcribe`, what word error rates are compared with: five beams, windows
of 30 s, no voice activity, everything else at its default.

Asked through standard input, a line of JSON each: `{"path": …, "language": …}` gives
`{"seconds": …, "text": …}`.
"""

# faster-whisper has no types of its own, and Myna's stubs cover what Myna calls:
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from faster_whisper import WhisperModel


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    asked = parser.parse_args()
    model = WhisperModel(str(asked.model), device="cpu", compute_type="int8")
    for line in sys.stdin:
        question = json.loads(line)
        started_s = time.perf_counter()
        segments, _ = model.transcribe(question["path"], language=question["language"], beam_size=5)
        text = "".join(segment.text for segment in segments)
        answer = {"seconds": time.perf_counter() - started_s, "text": text}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
