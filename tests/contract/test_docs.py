"""The programs of the pages do what they say, with OpenAI's SDK against a live server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/clients/sdks.md", "docs/realtime.md")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in PAGES
    for number, code in enumerate(PYTHON.findall((ROOT / page).read_text("utf-8")))
]
WRITTEN = "The birds repeat every word they hear."


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_a_page_runs(fake_server, program, tmp_path):
    """Said and heard by the fake engine, as the text is what counts."""
    assert program.count("http://127.0.0.1:8000") == 1
    pcm = fake_server.speak(input=WRITTEN, response_format="pcm").body
    (tmp_path / "speech.pcm").write_bytes(pcm)
    code = program.replace("http://127.0.0.1:8000", fake_server.url)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = re.search(r'input="([^"]+)"', program)
    assert (said[1] if said else WRITTEN) in done.stdout
