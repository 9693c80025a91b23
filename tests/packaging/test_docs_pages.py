"""The pages together: each can be reached, its links lead somewhere, its code can be read."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from myna.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NODE = shutil.which("node")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its code, in which a `#` is no heading and brackets are no link."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in a link, as GitHub makes it."""
    found: dict[str, int] = {}
    text = FENCE.sub("", page.read_text("utf-8"))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Every link to something of the checkout: as it is written, the file, and the anchor."""
    for link in LINK.findall(prose(page)):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_link_leads_to_a_file_and_its_anchor_to_a_heading(page: Path) -> None:
    for link, target, anchor in links(page):
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead += [target for _, target, _ in links(page) if target.suffix == ".md"]
    assert [named(page) for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("index", ["docs", "docs/clients"])
def test_an_index_has_every_page_beside_it(index: str) -> None:
    folder = ROOT / index
    listed = {target for _, target, _ in links(folder / "README.md")}
    assert [
        page.name for page in folder.glob("*.md") if page not in listed | {folder / "README.md"}
    ] == []


def bash(code: str) -> None:
    checked = subprocess.run(
        ["bash", "-n"], input=code, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def javascript(code: str) -> None:
    if NODE is None:
        pytest.skip("node is not installed")
    command = [NODE, "--input-type=module", "--check"]
    checked = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def documents(code: str) -> None:
    assert all(content is not None for content in yaml.safe_load_all(code))


def sections(code: str) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(code)


READ: dict[str, Callable[[str], object]] = {
    "bash": bash,
    "ini": sections,
    "javascript": javascript,
    "json": json.loads,
    "python": ast.parse,
    "text": str,
    "toml": tomllib.loads,
    "yaml": documents,
}
BLOCKS = [
    pytest.param(language, code, id=f"{named(page)}-{number}-{language}")
    for page in PAGES
    for number, (language, code) in enumerate(FENCE.findall(page.read_text("utf-8")))
]


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_a_block_of_code_is_written_in_its_language(language: str, code: str) -> None:
    READ[language](code)


def test_metrics_in_the_texts_exist() -> None:
    metrics = Metrics()
    metrics.watch(lambda: None, lambda: 0)
    known = {name for names in metrics.registry._collector_to_names.values() for name in names}
    for page in PAGES:
        named_there = set(re.findall(r"\bmyna_[a-z_]+(?=[\[{` ])", page.read_text("utf-8")))
        unknown = {name for name in named_there if name not in known}
        assert not unknown - {"myna_server", "myna_stt", "myna_tts", "myna_flags"}, named(page)
