"""What a user may call a model: a card, a folder, a Whisper size, a Piper voice, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from myna.store.cards import Card, CardTask, Catalogue, EngineName
from myna.store.sources import SourceError
from myna.store.weights import ModelUnavailable, Weights

TASKS: dict[EngineName, CardTask] = {
    "whisper": "transcribe",
    "piper": "speak",
    "kokoro": "speak",
    "diarizer": "diarize",
}

_HUB_NAME = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<folder>[^\s]+?))?/?"
)
_PIPER_VOICE = re.compile(r"(?P<family>[a-z]{2,3})_[A-Z]{2}-(?P<voice>[^-/\s]+)-(?P<quality>\w+)")
_WHISPER_FILES = (
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
)
"""The files that faster-whisper loads a model from (faster_whisper.utils.download_model)."""
_PIPER_FILES = ("*.onnx", "*.onnx.json")


class UnknownModel(ModelUnavailable):
    """The name means nothing here, or a model that does something else."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model whose files are on this machine."""

    id: str
    """The card's id, the folder's name, or what the user named."""
    engine: EngineName
    folder: Path
    card: Card | None
    """None for a model that has no card."""


@dataclass(frozen=True, slots=True)
class _HubFolder:
    repo: str
    revision: str
    folder: str
    """Inside the repository; empty for its top."""

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


def resolve(
    name: str, task_hint: CardTask | None, catalogue: Catalogue, weights: Weights
) -> ResolvedModel:
    """Find out what `name` means, in this order, and fetch its files if need be:

    - a card's id or alias;
    - a folder on disk, whose contents tell the engine;
    - one of faster-whisper's sizes, such as `large-v3-turbo`;
    - a voice of rhasspy/piper-voices, such as `en_GB-alba-medium`;
    - `OWNER/REPO` on the hub, with `@REVISION` and `/FOLDER/INSIDE` where wanted.

    A copy in the user's hub cache is used as it is, without asking the hub for a newer one.
    Raises UnknownModel, also where the model is not for the task of `task_hint`, and
    ModelUnavailable.
    """
    card = catalogue.find(name)
    if card is not None:
        _check_task(name, card.engine, task_hint)
        return ResolvedModel(card.id, card.engine, weights.ensure(card), card)
    path = Path(name).expanduser()
    # A folder without a model that has the name of, say, a Whisper size is not what is meant.
    if path.is_dir() and ("/" in name or engine_of(_file_names(path))):
        found = _in_folder(path.resolve())
    elif (place := _on_hub(name)) is not None:
        found = _from_hub(name, place, weights)
    else:
        raise UnknownModel(
            f"'{name}' is no model: neither a card ({', '.join(card.id for card in catalogue)}), "
            "nor a folder, a Whisper size, a Piper voice or OWNER/REPO on the hub"
        )
    _check_task(name, found.engine, task_hint)
    return found


def engine_of(names: Iterable[str]) -> EngineName | None:
    """Which engine runs a folder with these files (`/` between folder and file)."""
    files = set(names)
    models = {file for file in files if file.endswith(".onnx") and "/" not in file}
    if {"model.bin", "config.json"} <= files:
        return "whisper"
    if any(f"{model}.json" in files for model in models):
        return "piper"
    if models and any(fnmatchcase(file, "voices/*.bin") for file in files):
        return "kokoro"
    if {"segmentation.onnx", "embedding.onnx"} <= files:
        return "diarizer"
    return None


def _check_task(name: str, engine: EngineName, task_hint: CardTask | None) -> None:
    if task_hint is not None and TASKS[engine] != task_hint:
        raise UnknownModel(f"'{name}' is a {engine} model, which cannot {task_hint}")


def _in_folder(folder: Path) -> ResolvedModel:
    engine = engine_of(_file_names(folder))
    if engine is None:
        raise UnknownModel(
            f"{folder} holds no model: looked for model.bin with config.json (Whisper), "
            "NAME.onnx with NAME.onnx.json (Piper), an .onnx with voices/*.bin (Kokoro), and "
            "segmentation.onnx with embedding.onnx (speakers)"
        )
    return ResolvedModel(folder.name, engine, folder, None)


def _file_names(folder: Path) -> list[str]:
    top = [path.name for path in folder.iterdir()]
    return top + [f"voices/{path.name}" for path in folder.glob("voices/*.bin")]


def _on_hub(name: str) -> _HubFolder | None:
    if voice := _PIPER_VOICE.fullmatch(name):
        language = name.partition("-")[0]
        folder = f"{voice['family']}/{language}/{voice['voice']}/{voice['quality']}"
        return _HubFolder("rhasspy/piper-voices", "main", folder)
    if name.startswith((".", "~", "/")):
        return None
    if found := _HUB_NAME.fullmatch(name):
        return _HubFolder(found["repo"], found["revision"] or "main", found["folder"] or "")
    # Only here, as it brings CTranslate2 with it; the table has no public name.
    from faster_whisper import utils  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]

    repo = utils._MODELS.get(name)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return _HubFolder(repo, "main", "") if repo else None


def _from_hub(name: str, place: _HubFolder, weights: Weights) -> ResolvedModel:
    patterns = [place.path(file) for file in _WHISPER_FILES]
    if place.folder:  # at the top, a star would stand for every voice of a collection
        patterns += [place.path(file) for file in _PIPER_FILES]
    cached = weights.hub.cached_snapshot(place.repo, place.revision, patterns)
    if cached is not None and (cached / place.folder).is_dir():
        engine = engine_of(_file_names(cached / place.folder))
        if engine is not None:
            return ResolvedModel(name, engine, cached / place.folder, None)
    if weights.offline:
        raise ModelUnavailable(
            f"{name}: {place.repo} is not in the hub cache, and offline mode fetches nothing. "
            f"Run `myna pull {name}` once online, or give a folder that has its files."
        )
    try:
        return _fetched(name, place, weights)
    except SourceError as error:
        raise ModelUnavailable(
            f"{name}: {place.repo} on the hub: {error}. HF_ENDPOINT names a mirror of the hub; a "
            "folder that has the model's files will do as well."
        ) from error


def _fetched(name: str, place: _HubFolder, weights: Weights) -> ResolvedModel:
    prefix = place.path("")
    names = [
        file.removeprefix(prefix)
        for file in weights.hub.file_names(place.repo, place.revision)
        if file.startswith(prefix) and "/" not in file.removeprefix(prefix)
    ]
    engine = engine_of(names)
    if engine is None:
        where = f"{place.repo}/{place.folder}" if place.folder else f"{place.repo} at its top"
        raise UnknownModel(
            f"'{name}': {where} holds no Whisper model (model.bin, config.json) and no Piper voice "
            "(NAME.onnx, NAME.onnx.json); OWNER/REPO/FOLDER names a folder inside"
        )
    wanted = _WHISPER_FILES if engine == "whisper" else _PIPER_FILES
    files = [place.path(file) for file in names if any(fnmatchcase(file, each) for each in wanted)]
    folder = weights.hub.snapshot(place.repo, place.revision, files)
    return ResolvedModel(name, engine, folder / place.folder, None)
