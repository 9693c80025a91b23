"""Models in one file, out of a machine with a network and into one without."""

from __future__ import annotations

from pathlib import Path

from myna.planning import diarizer_name, store
from myna.settings import Settings
from myna.store.cards import Catalogue, default_directory
from myna.store.packing import Packing, pack
from myna.store.progress import TerminalProgress
from myna.store.resolution import resolve
from myna.store.unpacking import Unpacked, unpack


def bundle(settings: Settings, output: Path, names: tuple[str, ...]) -> list[str]:
    """Write the models of these names (none: what the server would load) into one file, fetching
    what is missing; returns their ids.

    Raises:
        ModelUnavailable: a name means nothing, or its files cannot be had.
        BundleError: a file is damaged.
    """
    folder = settings.models_dir or default_directory()
    catalogue, weights = Catalogue.load(folder), store(settings)
    models: dict[str, Packing] = {}
    for name in names or (*settings.stt, *settings.tts, diarizer_name(settings)):
        if name is None or name == "fake":
            continue
        found = resolve(name, None, catalogue, weights)
        card = found.card
        text = (folder / f"{card.id}.toml").read_text("utf-8") if card else ""
        models[found.id] = Packing(found.id, found.folder, card, text)
    if not models:
        raise ValueError("no model to bundle")
    pack(list(models.values()), output, TerminalProgress())
    return list(models)


def unbundle(settings: Settings, file: Path) -> list[Unpacked]:
    """Put the models of a bundle where `serve` finds them, every checksum compared.

    Raises:
        BundleError: it is no bundle, or damaged, or a card here says otherwise.
    """
    cards = settings.models_dir or default_directory()
    return unpack(file, store(settings).directory, cards, TerminalProgress())
