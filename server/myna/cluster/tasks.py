"""The two deployments, and which of them a request belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from myna.plan import ModelPlan, PlannedModel
from myna.settings import Settings

Task = Literal["stt", "tts"]
"""What a replica has in memory: models that write, or models that speak."""

DEPLOYMENTS: Mapping[Task, str] = {"stt": "SpeechToText", "tts": "TextToSpeech"}
"""What Ray calls them."""

_SPOKEN = frozenset({"speech", "voices", "voice_consents"})
"""Parts of the paths that belong to the models that speak."""


def task_of(path: str, served: Sequence[Task]) -> Task:
    """Who answers a path, of those that are `served`.

    Every replica knows all models by name, hence what is not about voices goes to the first: a
    list of models, a page, or a path that nobody knows.
    """
    wanted: Task = "tts" if _SPOKEN.intersection(path.strip("/").split("/")) else "stt"
    return wanted if wanted in served else served[0]


def tasks_of(settings: Settings) -> tuple[Task, ...]:
    """The deployments that have something to do, never none.

    Raises:
        ValueError: there is no model at all, or the settings want what only one server can do.
    """
    if settings.testing:
        raise ValueError("testing works on a single server only: leave --cluster out")
    found: list[Task] = []
    if settings.stt:
        found.append("stt")
    if settings.tts:
        found.append("tts")
    if not found:
        raise ValueError("a cluster without models has nothing to do: set stt or tts")
    return tuple(found)


def repeatable(method: str, path: str) -> bool:
    """Whether a request may be sent to a second replica where the first was lost.

    What changes something on disk may have been done by the first.
    """
    parts = path.strip("/").split("/")
    changes = {"voices", "voice_consents", "models"}.intersection(parts)
    return method in {"GET", "HEAD", "OPTIONS"} or not changes


def only_one_server(method: str, path: str) -> str | None:
    """Why a request makes no sense where there are many replicas; None where it does."""
    parts = path.strip("/").split("/")
    if method == "POST" and {"client_secrets", "transcription_sessions"}.intersection(parts):
        return (
            "Client secrets are kept by one server, and this is a cluster; open sessions with an "
            "API key."
        )
    if "residents" in parts or (method in {"POST", "DELETE"} and "models" in parts):
        return (
            "This is a cluster, each replica of which loads its own models; /ready names them, "
            "and /metrics has their memory."
        )
    return None


def narrowed(settings: Settings, plan: ModelPlan, task: Task) -> Settings:
    """The settings of a replica: it knows every model by name, so that answers are those of a
    single server, and loads those of its task."""
    own = plan.stt if task == "stt" else plan.tts
    return settings.model_copy(
        update={
            "threads": plan.threads,
            "preload": _named(settings.preload, own),
            "pinned": _named(settings.pinned, own),
        }
    )


def _named(names: Sequence[str], own: Sequence[PlannedModel]) -> tuple[str, ...]:
    wanted = {*names}
    return tuple(
        model.id
        for model in own
        if wanted & {model.id, *model.aliases} or ("all" in wanted and model.named)
    )
