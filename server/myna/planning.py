"""From settings to a plan: which models, from which files, with how many threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from myna.engines.devices import choose_threads
from myna.plan import ModelPlan, PlannedModel
from myna.settings import Settings
from myna.store.cards import Card, CardTask, Catalogue, default_directory
from myna.store.progress import TerminalProgress
from myna.store.resolution import resolve
from myna.store.weights import ModelUnavailable, Weights
from myna.supply import CardSupply

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


def heaps(settings: Settings) -> int:
    """How many heaps the engines should have for what they allocate. One is the smallest, and no
    slower for a Whisper; torch allocates at every step, in as many threads as speak, and with one
    heap eight streams of speech had nine tenths of what they have with two."""
    if not settings.tts or settings.tts_compute_type == "float32":
        return 1
    from myna.engines import bfloat16  # noqa: PLC0415 - numpy is not needed to begin

    wanted = settings.tts_compute_type == "bfloat16" or bfloat16.is_quick()
    return 2 if wanted and find_spec("torch") is not None else 1


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
        return _carded(model.card, model.folder)

    diarize, without = _diarizer(settings, lambda name: found(name, "diarize"))
    models = ModelPlan(
        stt=tuple(found(name, "transcribe") for name in settings.stt),
        tts=tuple(found(name, "speak") for name in settings.tts),
        threads=choose_threads(settings.threads),
        diarize=diarize,
        without_speakers=without,
    )
    _check_names(settings, models)
    more = _others(settings, catalogue, weights, models)
    stt = tuple(model for task, model in more if task == "transcribe")
    tts = tuple(model for task, model in more if task == "speak")
    return replace(models, stt=models.stt + stt, tts=models.tts + tts)


def _carded(card: Card, folder: Path) -> PlannedModel:
    return PlannedModel(card.id, card.engine, folder, card.aliases, card.voices, card.openai_voices)


def _others(
    settings: Settings, catalogue: Catalogue, weights: Weights, models: ModelPlan
) -> list[tuple[CardTask, PlannedModel]]:
    """Models that the settings do not name and that have a card: whoever asks may have those whose
    files are here, by the setting `on_demand`, and the admin key any."""
    if settings.admin_key is None and settings.on_demand == "named":
        return []
    named = {model.id for model in (*models.stt, *models.tts)}
    fetch = settings.fetch_on_load and not settings.offline
    flags = ["--weights-dir", str(weights.directory)]
    flags += ["--models-dir", str(settings.models_dir)] if settings.models_dir else []
    found: list[tuple[CardTask, PlannedModel]] = []
    for card in catalogue:
        if card.id in named or card.task == "diarize":
            continue
        here = settings.on_demand == "present" and not weights.missing(card)
        if not here and settings.admin_key is None:
            continue
        model = replace(
            _carded(card, weights.folder(card)),
            standing="on demand" if here else "reserve",
            supply=CardSupply(card, weights, fetch=fetch, flags=flags),
        )
        found.append((card.task, model))
    return found


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
