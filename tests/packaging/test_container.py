"""The Dockerfile and docker-compose.yml, read; no engine is needed."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml  # comes with huggingface-hub

from myna.settings import Settings

TARGETS = ("cpu", "cuda")


DECLARED = re.compile(r"ARG EXTRAS=(\S*)")


@dataclass
class Stage:
    """One `FROM` of a Dockerfile."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]


@pytest.fixture(scope="module")
def stages(root: Path) -> dict[str, Stage]:
    text = (root / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            found[stage] = Stage(base)
        elif found:
            found[list(found)[-1]].steps.append((name, rest.strip()))
    return found


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "docker-compose.yml").read_text("utf-8"))["services"]


def environment(stage: Stage) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(stage.all("ENV"))))


def test_a_build_without_a_target_makes_the_cpu_image(stages: dict[str, Stage]) -> None:
    assert list(stages)[-1] == "cpu"


def test_what_is_copied_is_there_and_not_kept_out_of_the_context(
    root: Path, stages: dict[str, Stage]
) -> None:
    lines = (root / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines
    copied = [
        source
        for stage in stages.values()
        for arguments in stage.all("COPY")
        if "--from" not in arguments
        for source in arguments.split()[:-1]
    ]
    copied += re.findall(r"type=bind,source=([^,\s]+)", " ".join(stages["cpu"].all("RUN")))
    assert copied
    for source in copied:
        files = list(root.glob(source))
        assert files, source
        for file in files:
            assert any(fnmatch(str(file.relative_to(root)), pattern) for pattern in allowed), file


def test_no_weights_come_into_the_context(root: Path) -> None:
    lines = (root / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert not [line for line in allowed if line.startswith("models/") and line != "models/*.toml"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_extras_of_the_build_argument_which_are_the_projects(
    root: Path, stages: dict[str, Stage], target: str
) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    (chosen,) = DECLARED.findall((root / "Dockerfile").read_text("utf-8"))
    assert set(chosen.split(",")) == {"kokoro", "diarize"} < set(project["optional-dependencies"])
    assert "EXTRAS" in stages[target].all("ARG")
    (install,) = [run for run in stages[target].all("RUN") if "/wheels/*.whl" in run]
    assert install.endswith('"$(echo /wheels/*.whl)${EXTRAS:+[${EXTRAS}]}"')


@pytest.mark.parametrize(
    ("extras", "asked"),
    [("kokoro,diarize", "/wheels/*.whl[kokoro,diarize]"), ("", "/wheels/*.whl")],
)
def test_what_is_installed_is_the_wheel_with_the_extras_or_without_any(
    stages: dict[str, Stage], extras: str, asked: str
) -> None:
    (install,) = [run for run in stages["cpu"].all("RUN") if "/wheels/*.whl" in run]
    requirement = install.split()[-2:]  # one word to the shell
    shown = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {' '.join(requirement)}"],
        env={"EXTRAS": extras},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == asked  # no such file here, so the pattern stands for itself


def test_compose_hands_on_the_same_extras_as_the_dockerfile(
    root: Path, services: dict[str, Any]
) -> None:
    (chosen,) = DECLARED.findall((root / "Dockerfile").read_text("utf-8"))
    for service in services.values():
        assert service["build"]["args"] == {"EXTRAS": f"${{EXTRAS-{chosen}}}"}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_an_ordinary_user(stages: dict[str, Stage], target: str) -> None:
    user = stages[target].last("USER")
    assert user not in ("root", "0")
    assert any(
        f"useradd --uid 10001 --user-group --no-create-home --home-dir /tmp {user}" in run
        for run in stages[target].all("RUN")
    )


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_keeps_weights_the_hub_cache_and_custom_voices_in_its_volumes(
    stages: dict[str, Stage], target: str
) -> None:
    weights, voices = stages[target].last("VOLUME").split()
    variables = environment(stages[target])
    assert variables["MYNA_WEIGHTS_DIR"] == weights
    assert variables["HF_HOME"].startswith(f"{weights}/")
    assert variables["MYNA_VOICES_DIR"] == voices
    assert any(
        f"install --directory --owner=myna --group=myna {weights} {voices}" in run
        for run in stages[target].all("RUN")
    )


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_sets_only_settings_that_exist(stages: dict[str, Stage], target: str) -> None:
    known = {f"MYNA_{name.upper()}" for name in Settings.model_fields}
    mine = {name for name in environment(stages[target]) if name.startswith("MYNA_")}
    assert mine == {"MYNA_HOST", "MYNA_VOICES_DIR", "MYNA_WEIGHTS_DIR"}
    assert mine <= known


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_serves_and_asks_itself_whether_it_is_ready(
    stages: dict[str, Stage], target: str
) -> None:
    stage = stages[target]
    assert json.loads(stage.last("ENTRYPOINT")) == ["myna"]
    assert json.loads(stage.last("CMD")) == ["serve"]
    assert stage.last("EXPOSE") == str(Settings.model_fields["port"].default)
    _, _, command = stage.last("HEALTHCHECK").partition("CMD")
    program, option, script = json.loads(command)
    assert (program, option) == ("python", "-c")
    assert "/ready" in script
    compile(script, "HEALTHCHECK", "exec")


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_under_which_licences_it_is(stages: dict[str, Stage], target: str) -> None:
    labels = " ".join(stages[target].all("LABEL"))
    assert 'image.licenses="Apache-2.0 AND GPL-3.0-or-later"' in labels
    assert (
        "piper-tts and espeak-ng and, with the extra kokoro, phonemizer, which are GPL-3.0"
        in labels
    )


def test_the_images_differ_only_where_the_gpu_needs_it(stages: dict[str, Stage]) -> None:
    gpu_only = ("apt-get", "onnxruntime", "NVIDIA")
    cpu, cuda = (
        [step for step in stages[target].steps if not any(word in step[1] for word in gpu_only)]
        for target in TARGETS
    )
    assert cuda == [step for step in cpu if step[0] != "LABEL"]


def test_every_service_has_its_profile_and_its_target(services: dict[str, Any]) -> None:
    found = {
        name: (service["profiles"], service["build"]["target"])
        for name, service in services.items()
    }
    assert found == {"cpu": (["cpu"], "cpu"), "gpu": (["gpu"], "cuda")}


def test_the_default_profile_is_the_cpu(root: Path) -> None:
    assert "COMPOSE_PROFILES=cpu" in (root / ".env").read_text("utf-8").splitlines()


@pytest.mark.parametrize("service", ["cpu", "gpu"])
def test_a_service_may_write_only_to_its_volumes_and_to_memory(
    services: dict[str, Any], stages: dict[str, Stage], service: str
) -> None:
    about = services[service]
    assert about["read_only"] is True
    weights, voices = stages["cpu"].last("VOLUME").split()
    assert about["volumes"] == [f"weights:{weights}", f"voices:{voices}"]
    assert [place.partition(":")[0] for place in about["tmpfs"]] == ["/tmp"]
    assert about["cap_drop"] == ["ALL"]


def test_services_pass_only_settings_on_that_exist(services: dict[str, Any]) -> None:
    known = {f"MYNA_{name.upper()}" for name in Settings.model_fields}
    passed = {name for name in services["cpu"]["environment"] if name.startswith("MYNA_")}
    assert passed
    assert passed <= known


def test_only_the_gpu_service_asks_for_a_gpu(services: dict[str, Any]) -> None:
    (device,) = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert "deploy" not in services["cpu"]
