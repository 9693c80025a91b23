"""From settings to a plan: which models, from which files, with how many threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from myna.engines.devices import choose_threads
from myna.plan import ModelPlan, PlannedModel
from myna.settings import Settings
from myna.store.cards import CardTask, Catalogue, default_directory
from myna.store.progress import TerminalProgress
from myna.store.resolution import resolve
from myna.store.weights import ModelUnavailable, Weights

_log = logging.getLogger("myna.planning")

DIARIZER = "speakers-campplus"
"""The card that `--diarize auto` means."""
_FAKE = PlannedModel("fake", "fake", Path())


def missing_packages() -> list[str]:
    """Packages of the extra `diarize` that are not installed. Found, not imported."""
    return [name for name in ("kaldi_native_fbank", "scipy") if find_spec(name) is None]


def store(settings: Settings) -> Weights:
    """The weights on this machine, and the way to fetch more."""
    return Weights(
        settings.weights_dir or default_weights(),
        offline=settings.offline,
        progress=TerminalProgress(),
    )


def default_weights() -> Path:
    """`models/weights` of a checkout, else a folder of the user's."""
    cards = default_directory()
    if (cards / "weights").is_dir():
        return cards / "weights"
    return Path.home() / ".local" / "share" / "myna" / "weights"


def plan(settings: Settings) -> ModelPlan:
    """Resolve every model that is named, fetching what is missing.

    Raises:
        ModelUnavailable: a name means nothing, or its files cannot be had.
        ValueError: `preload` or `pinned` names a model that is not among them.
    """
    catalogue = Catalogue.load(settings.models_dir)
    weights = store(settings)

    def found(name: str, task: CardTask) -> PlannedModel:
        if name == "fake":
            return _FAKE
        model = resolve(name, task, catalogue, weights)
        if model.card is None:
            return PlannedModel(model.id, model.engine, model.folder)
        return PlannedModel(
            model.id,
            model.engine,
            model.folder,
            model.card.aliases,
            model.card.voices,
            model.card.openai_voices,
        )

    diarize, without = _diarizer(settings, lambda name: found(name, "diarize"))
    models = ModelPlan(
        stt=tuple(found(name, "transcribe") for name in settings.stt),
        tts=tuple(found(name, "speak") for name in settings.tts),
        threads=choose_threads(settings.threads),
        diarize=diarize,
        without_speakers=without,
    )
    _check_names(settings, models)
    return models


def _check_names(settings: Settings, models: ModelPlan) -> None:
    known = {name for one in (*models.stt, *models.tts) for name in (one.id, *one.aliases)}
    for setting, names in (("preload", settings.preload), ("pinned", settings.pinned)):
        if unknown := sorted({*names} - known - {"all"}):
            raise ValueError(
                f"{setting}: no model of this server: {', '.join(unknown)}; it has "
                f"{', '.join(sorted(known)) or 'none'}"
            )


def diarizer_name(settings: Settings) -> str | None:
    """The model that tells speakers apart: what `--diarize` comes to here, None for none."""
    if settings.diarize == "none" or not settings.stt:
        return None
    if settings.diarize != "auto":
        return settings.diarize
    if settings.stt == ("fake",):
        return "fake"
    return None if missing_packages() else DIARIZER


def _diarizer(
    settings: Settings, found: Callable[[str], PlannedModel]
) -> tuple[PlannedModel | None, str]:
    """The model that tells speakers apart, and why there is none if there is none.

    Raises:
        ModelUnavailable: one was named and cannot be had.
    """
    missing = missing_packages()
    without = f"the extra myna[diarize] is not installed (no {', '.join(missing)})"
    name = diarizer_name(settings)
    if name is None:
        wanted = settings.diarize == "auto" and settings.stt
        return None, without if wanted else "it was started with --diarize none"
    if name == "fake":
        return _FAKE, ""
    if missing:
        raise ModelUnavailable(f"{name}: {without}")
    try:
        return found(name), ""
    except ModelUnavailable as error:
        if settings.diarize != "auto":
            raise
        _log.warning("speakers cannot be told apart: %s", error)
        return None, f"the files of {name} are missing (`myna pull {name}` fetches them)"
