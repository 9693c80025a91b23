"""Makefile, lock and `.ci/run`: what a fresh clone starts from."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ADDRESS = re.compile(
    r"https?://(?!127\.0\.0\.1)|\b[\w-]+\.(?:org|com|net|io|dev|co)\b(?!\.)|index-url|find-links"
)
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+")


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, even where it is make that runs the tests."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(
        command, cwd=root, env=variables, capture_output=True, text=True, check=False
    )


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, str]:
    lines = (root / "requirements.lock").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {normal(name): version for name, version in pairs}


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", "requirements.lock", "Dockerfile"])
def test_packages_come_from_where_the_user_has_set_up(root: Path, name: str) -> None:
    assert ADDRESS.findall((root / name).read_text("utf-8")) == []


def test_the_lock_holds_nothing_but_exact_versions(root: Path) -> None:
    lines = (root / "requirements.lock").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#") and not PIN.fullmatch(line)] == []


def needed(requirement: Requirement, seen: dict[str, set[str]]) -> None:
    """Gather what a requirement brings on this machine: names, each with the extras asked for."""
    name = normal(requirement.name)
    extras = requirement.extras | {""}
    if extras <= seen.get(name, set()):
        return
    seen[name] = seen.get(name, set()) | extras
    for text in metadata.requires(name) or ():
        further = Requirement(text)
        if any(further.marker is None or further.marker.evaluate({"extra": x}) for x in extras):
            needed(further, seen)


def test_the_lock_has_everything_that_myna_and_its_tests_need(pins: dict[str, str]) -> None:
    found: dict[str, set[str]] = {}
    needed(Requirement("myna[test]"), found)
    assert {"ctranslate2", "pytest", "forbiddenfruit"} <= set(found)
    missing = set(found) - {"myna"} - set(pins)
    # Torch's build for GPUs brings those of its own that it was built with.
    assert {
        name for name in missing if not name.startswith(("nvidia-", "cuda-", "triton"))
    } == set()


def test_the_lock_has_what_builds_the_package(root: Path, pins: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    names = {normal(Requirement(text).name) for text in project["build-system"]["requires"]}
    assert names <= set(pins)


def test_every_target_that_is_not_a_file_is_declared_so(root: Path) -> None:
    text = (root / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):(?!=)", text, re.MULTILINE))
    assert targets == set(re.findall(r"^\.PHONY: (\S+)$", text, re.MULTILINE))


def test_make_alone_lists_the_targets(root: Path) -> None:
    listed = [line.split()[0] for line in make(root).stdout.splitlines()]
    assert {"serve", "test", "check", "fix", "bench"} <= set(listed)


def test_a_python_that_is_too_old_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(root, "serve", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "Myna needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_continuous_integration_runs_make_test_and_nothing_else(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert re.findall(r"^make .*$", text, re.MULTILINE) == ["make test </dev/null"]
    subprocess.run(["bash", "-n", str(script)], check=True)
