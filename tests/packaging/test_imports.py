"""Imports point one way: edge -> scheduling -> contract <- engines, and the top sees everything."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import myna

PACKAGE = Path(myna.__file__).parent

ENGINE = {"engines.contract", "engines.devices", "audio", "text.transcript", "errors", "stages"}
SPEAKING = {"engines.espeak_text", "engines.sessions", "engines.word_times"}
PARTS = {
    "accounts",
    "api",
    "audio",
    "auth",
    "engines",
    "errors",
    "playground",
    "realtime",
    "scheduling",
    "settings",
    "stages",
    "store",
    "telemetry",
    "text",
}
# Who may import what of Myna: the longest name that fits a module counts, and a folder may import
# itself, except that engines do not know each other.

MAY_IMPORT: dict[str, set[str]] = {
    # Leaves.
    "": set(),
    "errors": set(),
    "settings": set(),
    "machine": set(),
    "stages": set(),
    "quiet": set(),
    "playground": set(),
    "text": {"errors"},
    "engines": set(),
    "engines.contract": {"stages", "text.transcript"},
    "engines.devices": set(),
    "engines.espeak_text": set(),
    "protobuf": set(),
    "onnx_messages": {"protobuf"},
    "engines.onnx": {"onnx_messages", "protobuf"},
    "engines.bfloat16": {"engines.onnx"},
    "engines.sessions": {"engines.devices", "errors", "protobuf"},
    "engines.tonecode": {"engines.contract.samples"},
    "engines.word_times": {"engines.contract.samples", "text.transcript"},
    # Beside each other, and blind to each other.
    "audio": {"engines.contract", "errors", "text.transcript"},
    "audio.vad": {"audio", "engines.contract", "engines.onnx", "errors"},
    "audio.vad_network": {"engines.onnx"},
    "conversion": {"onnx_messages", "protobuf"},
    "store": {"conversion", "engines.contract.voice"},
    "engines.fake": ENGINE | {"engines.tonecode"},
    "engines.fake_diarizer": ENGINE | {"engines.tonecode"},
    "engines.piper": ENGINE
    | SPEAKING
    | {"engines.bfloat16", "engines.onnx", "onnx_messages"}
    # How memory is kept decides which number format is the quicker one.
    | {"machine"},
    "engines.kokoro": ENGINE | SPEAKING | {"engines.onnx", "onnx_messages", "protobuf"},
    "engines.whisper": ENGINE
    # Its encoder is drawn as a network.
    | {"engines.onnx", "engines.sessions", "onnx_messages", "protobuf"},
    "engines.diarizer": ENGINE | {"engines.sessions"},
    # The heart, and the edge around it.
    "scheduling": {"audio", "text", "engines.contract", "errors", "stages"},
    "accounts": {"errors"},
    "auth": {"accounts", "errors"},
    "realtime": {"scheduling", "audio", "text", "engines.contract", "errors", "stages"},
    "api": {
        "accounts",
        "realtime",
        "scheduling",
        "audio",
        "text",
        "store.custom_voices",
        "store.records",
        "engines.contract",
        "errors",
        "auth",
        "settings",
        "stages",
    },
    "telemetry": {"api.responses", "errors", "scheduling", "stages"},
    # The top: what puts the parts together, and what starts that.
    "supply": {"errors", "store"},
    "plan": {"engines.contract.voice", "scheduling.resident", "supply"},
    "building": {"engines", "plan", "settings"},
    "loading": PARTS | {"building", "machine", "plan"},
    "lifecycle": PARTS | {"loading", "machine", "quiet"},
    "planning": PARTS | {"plan", "supply"},
    "gate": {"accounts", "api", "auth", "errors", "playground", "realtime", "telemetry"},
    "slashes": set(),
    "app": PARTS | {"gate", "slashes", "lifecycle", "loading", "plan"},
    "playing": {"errors"},
    "local": PARTS | {"loading", "machine", "planning", "playing"},
    "serving": {"api.draining", "app", "machine", "planning", "settings", "sockets", "telemetry"},
    # Many servers as one: beside `serving`, on the same parts, and nobody needs it but the CLI.
    "cluster": PARTS | {"app", "gate", "machine", "planning", "serving", "slashes"},
    "cluster.scaling": set(),  # Ray sends it elsewhere by itself
    "cluster.tasks": {"plan", "settings"},
    "cluster.shape": {"cluster.tasks", "settings"},
    "cluster.calls": {"cluster.tasks"},
    "cluster.hosting": {"cluster.calls"},
    "cluster.mailbox": {"cluster.calls"},
    "cluster.board": {"cluster.calls"},
    "cluster.reports": {"cluster.calls"},
    "cluster.fleet": {
        "cluster.board",
        "cluster.calls",
        "cluster.mailbox",
        "cluster.tasks",
        "errors",
    },
    "cluster.relay": {"cluster.calls", "cluster.tasks", "errors"},
    "cluster.readiness": {"api.responses", "cluster.calls", "cluster.tasks", "errors"},
    "airgap": {"planning", "settings", "store"},
    "sockets": {"errors"},
    "settings_docs": {"settings"},
    "testing": set(),  # pytest imports it at every start
    "cli": {
        "machine",
        "airgap",
        "cluster.serving",
        "serving",
        "planning",
        "local",
        "store",
        "settings",
        "errors",
    },
    "__main__": {"cli"},
}


def module_name(file: Path) -> str:
    """`engines.whisper.engine` for a file of the package; empty for the package itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imports_of(file: Path) -> Iterator[str]:
    """The modules of Myna that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("myna."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "myna":
            base = (node.module or "").removeprefix("myna").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in MODULES else base
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative import"


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def place_of(module: str) -> str | None:
    """The rule that a module falls under."""
    fitting = [rule for rule in MAY_IMPORT if within(module, rule)]
    return max(fitting, key=len, default=None)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_place_allows(module: str) -> None:
    place = place_of(module)
    assert place is not None, f"{module} has no place yet: give it one in MAY_IMPORT"
    is_folder = (PACKAGE / place.replace(".", "/")).is_dir()
    allowed = MAY_IMPORT[place] | ({place} if is_folder and place != "engines" else set())
    wrong = [
        name
        for name in imports_of(MODULES[module])
        if name and not any(within(name, rule) for rule in allowed)
    ]
    assert not wrong, f"{module} is in {place!r}, which may import {sorted(allowed)}"


def test_no_rule_is_left_over() -> None:
    used = {place_of(module) for module in MODULES}
    assert used == set(MAY_IMPORT)


def test_no_two_modules_need_each_other() -> None:
    graph = {
        module: {name for name in imports_of(file) if name not in (module, "")}
        for module, file in MODULES.items()
    }
    assert list(TopologicalSorter(graph).static_order())


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter after a statement."""
    script = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_engines_under_the_gpl_are_not_loaded_until_one_is_chosen() -> None:
    loaded = loaded_after("import myna.serving, myna.local, myna.cli")
    assert not loaded & {"piper", "espeakng_loader", "phonemizer", "kokoro_onnx"}


def test_one_machine_needs_no_ray() -> None:
    assert "ray" not in loaded_after("import myna.serving, myna.local, myna.cli")


def test_what_decides_in_a_cluster_is_there_without_ray() -> None:
    decides = ("front", "hosting", "scaling", "shape")
    modules = ", ".join(f"myna.cluster.{name}" for name in decides)
    assert "ray" not in loaded_after(f"import {modules}")


def test_pytest_starts_without_anything_of_the_server() -> None:
    ours = {"av", "click", "fastapi", "numpy", "onnxruntime", "pydantic", "starlette", "uvicorn"}
    assert not loaded_after("import myna.testing") & ours


def test_fake_engines_load_no_library_of_a_real_one() -> None:
    serving = (
        "from concurrent.futures import ThreadPoolExecutor; from myna.settings import Settings; "
        "from myna.loading import Loader; from myna.planning import plan; import myna.serving; "
        "settings = Settings(stt=('fake',), tts=('fake',), testing=True); planned = plan(settings);"
        "myna.serving.create_app(settings, planned); "
        "Loader(settings, planned, ThreadPoolExecutor()).load().close()"
    )
    real = {
        "ctranslate2",
        "faster_whisper",
        "huggingface_hub",
        "kokoro_onnx",
        "onnxruntime",
        "piper",
        "tokenizers",
    }
    assert not loaded_after(serving) & real


def test_what_tells_speakers_apart_is_not_loaded_until_somebody_asks() -> None:
    loaded = loaded_after("import myna.serving, myna.local, myna.conversion")
    assert not loaded & {"scipy", "kaldi_native_fbank", "torch", "onnx"}


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {"av", "ctranslate2", "fastapi", "faster_whisper", "huggingface_hub", "onnxruntime"}
    assert not loaded_after("import myna.cli") & heavy
