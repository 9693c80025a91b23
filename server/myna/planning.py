"""From settings to a plan: which models, from which files, with how many threads."""

from __future__ import annotations

from pathlib import Path

from myna.engines.devices import choose_threads
from myna.loading import ModelPlan, PlannedModel
from myna.settings import Settings
from myna.store.cards import CardTask, Catalogue, default_directory
from myna.store.progress import TerminalProgress
from myna.store.resolution import resolve
from myna.store.weights import Weights

_FAKE = PlannedModel("fake", "fake", Path())


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

    models = ModelPlan(
        stt=tuple(found(name, "transcribe") for name in settings.stt),
        tts=tuple(found(name, "speak") for name in settings.tts),
        threads=choose_threads(settings.threads),
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
