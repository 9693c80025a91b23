"""What the docs say, held against what there is."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import APIRoute, APIWebSocketRoute

import myna
import myna.api
from myna.api.faults import HEADER, Fault
from myna.api.speech import SpeechRequest
from myna.app import PREFIXES
from myna.cli import main
from myna.errors import MynaError
from myna.realtime.configuration import SemanticVad, ServerVad, Wishes
from myna.realtime.dialects import BY_UPDATE
from myna.realtime.ear import FORMATS
from myna.realtime.messages import APPEND, CLEAR, COMMIT
from myna.settings import Settings
from myna.settings_docs import settings_page
from myna.store.cards import Catalogue
from myna.testing import Fault as InjectedFault
from myna.testing import Myna


def test_the_settings_page_is_what_the_declaration_says(root: Path) -> None:
    page = (root / "docs" / "settings.md").read_text("utf-8")
    assert page == settings_page(), "`make docs` writes it anew"


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_is_a_flag_of_the_server() -> None:
    flags = {option.name for option in main.commands["serve"].params}
    assert flags == {*Settings.model_fields, "config"}


def api_routers() -> Iterator[APIRouter]:
    for module in pkgutil.iter_modules(myna.api.__path__, "myna.api."):
        router = getattr(importlib.import_module(module.name), "router", None)
        if isinstance(router, APIRouter):
            yield router


def test_the_api_page_has_the_routes_of_the_server_and_no_others(root: Path) -> None:
    page = (root / "docs" / "api.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `([A-Z]+ /v1/\S+)` \|", page, re.MULTILINE))
    served = {
        f"{method} /v1{route.path.replace(':path}', '}')}"
        for router in api_routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    sockets = {
        f"WS /v1{route.path}"
        for router in api_routers()
        for route in router.routes
        if isinstance(route, APIWebSocketRoute)
    }
    assert documented == served | sockets


def test_the_api_page_has_every_place_where_the_routes_answer(root: Path) -> None:
    page = (root / "docs" / "api.md").read_text("utf-8")
    documented = re.findall(r"^\| (?:`(/\S+)`|none) \|", page, re.MULTILINE)
    assert sorted(documented) == sorted(PREFIXES)


def form_fields() -> set[str]:
    """The names that the transcription routes ask a form for."""
    found: set[str] = set()
    for name in ("transcriptions", "transcription_form", "speaker_form"):
        file = Path(myna.api.__path__[0]) / f"{name}.py"
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            asks_form = (
                isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "form"
            )
            asks_each = isinstance(call.func, ast.Name) and call.func.id == "_each"
            if asks_form or asks_each:
                found |= {arg.value for arg in call.args[:2] if isinstance(arg, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


def test_the_api_page_has_every_field_that_is_read(root: Path) -> None:
    page = (root / "docs" / "api.md").read_text("utf-8")
    _, transcription, speech = re.split(
        r"^## (?:Transcriptions|Speech).*$", page, flags=re.MULTILINE
    )
    fields = form_fields()
    assert {"model", "language", "timestamp_granularities", "hotwords"} <= fields
    listed = set(re.findall(r"`(\w+)(?:\[\])?`", transcription))
    assert fields - listed == set()
    assert set(SpeechRequest.model_fields) - set(re.findall(r"`(\w+)(?:\[\])?`", speech)) == set()


def test_the_realtime_page_has_every_event_and_setting_that_is_read(root: Path) -> None:
    page = (root / "docs" / "realtime.md").read_text("utf-8")
    code = code_in(page)
    events = {*BY_UPDATE, APPEND, COMMIT, CLEAR}
    settings = {name.name for kind in (Wishes, ServerVad, SemanticVad) for name in fields(kind)}
    assert {name for name in events | settings | {*FORMATS} if name not in code} == set()


def failures(root: type[MynaError]) -> Iterator[type[MynaError]]:
    yield root
    for failure in root.__subclasses__():
        yield from failures(failure)


def test_the_api_page_has_every_status_that_is_sent(root: Path) -> None:
    page = (root / "docs" / "api.md").read_text("utf-8")
    documented = {int(status) for status in re.findall(r"^\| ([45]\d\d) \|", page, re.MULTILINE)}
    never_sent = {499}
    assert documented == {failure.status for failure in failures(MynaError)} - never_sent


def test_the_testing_page_has_every_fault_and_everything_that_a_test_can_call(root: Path) -> None:
    page = (root / "docs" / "testing.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)[`(]", page, re.MULTILINE)
    called = {name for name in dir(Myna) if not name.startswith("_")}
    assert called | {"url", "base_url"} <= set(rows)
    assert set(Fault.model_fields) == InjectedFault.__optional_keys__ <= set(rows)
    assert HEADER in page


def test_the_models_page_has_every_card_with_its_licence(root: Path) -> None:
    page = (root / "docs" / "models.md").read_text("utf-8")
    documented = set(
        re.findall(r"^\| `([^`]+)` \|.*\| (\d+) MB \| ([^|]+) \|$", page, re.MULTILINE)
    )
    cards = Catalogue.load(root / "models")
    assert documented == {(card.id, f"{card.bytes / 1e6:.0f}", card.licence) for card in cards}


def code_in(page: str) -> str:
    """Everything between backticks or indented as code."""
    return "\n".join(re.findall(r"```[\s\S]*?```|`[^`]+`|^ {4}.*$", page, re.MULTILINE))


def test_commands_and_flags_in_the_texts_exist(root: Path) -> None:
    targets = set(re.findall(r"^(\w+):.*##", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    options = [option for each in main.commands.values() for option in each.params]
    flags = {"--help", *(flag for one in options for flag in (*one.opts, *one.secondary_opts))}
    called = re.compile(r"(?:^|[`/ ])myna ([a-z]+)\b([^`\n]*)", re.MULTILINE)
    seen: set[str] = set()
    for page in (root / "README.md", *(root / "docs").rglob("*.md")):
        name, code = page.name, code_in(page.read_text("utf-8"))
        assert set(re.findall(r"\bmake ([a-z]+)", code)) <= targets, name
        for command, arguments in called.findall(code):
            assert command in main.commands, (name, command)
            assert set(re.findall(r"(?<=\s)--[a-z-]+", arguments)) <= flags, (name, arguments)
            seen.add(command)
    assert seen == set(main.commands)


def test_the_changelog_has_this_version(root: Path) -> None:
    assert f"## [{myna.__version__}]" in (root / "CHANGELOG.md").read_text("utf-8")


def test_the_playground_page_has_every_tab_of_the_page(root: Path) -> None:
    page = (root / "docs" / "playground.md").read_text("utf-8")
    served = files("myna.playground").joinpath("static", "index.html").read_text("utf-8")
    tabs = set(re.findall(r'role="tab" id="tab-\w+"[^>]*>([^<]+)</button>', served))
    assert tabs == set(re.findall(r"^\| ([A-Z][a-z ]+) \|", page, re.MULTILINE)) - {"Tab"}


def test_the_architecture_page_names_modules_and_tests_that_exist(root: Path) -> None:
    page = (root / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)+)(\.\w+)?/?`", page)
    assert len(named) > 40
    for path, rest in named:
        if path.startswith(("tests/", "server/")):
            assert (root / f"{path}{rest}").exists(), path
        else:
            module = importlib.import_module(f"myna.{path.replace('/', '.')}")
            assert not rest or hasattr(module, rest[1:]), path
