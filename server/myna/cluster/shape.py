"""How many replicas of a deployment there are, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from myna.cluster.tasks import Task
from myna.settings import Settings


@dataclass(frozen=True, slots=True)
class Shape:
    """Of one deployment."""

    least: int
    """Replicas that there always are."""
    most: int
    """Replicas under load; `least` for a number that stays."""
    cpus: float
    """Of Ray's logical processors, for each replica; also its threads."""
    gpus: float
    """Share of a GPU for each replica."""
    slots: int
    """Requests and sessions that a replica works on at once."""

    @property
    def resources(self) -> dict[str, float]:
        """Ray's `ray_actor_options`."""
        gpus = {"num_gpus": self.gpus} if self.gpus else {}
        return {"num_cpus": self.cpus, **gpus}


def shape_of(settings: Settings, task: Task, cpus: float) -> Shape:
    """What the settings say of a deployment; each replica takes `cpus`."""
    count, gpus, sessions = {
        "stt": (settings.stt_replicas, settings.stt_gpus, settings.max_sessions),
        "tts": (settings.tts_replicas, settings.tts_gpus, 0),
    }[task]
    least, _, most = count.partition("-")
    return Shape(int(least), int(most or least), cpus, gpus, slots=settings.max_requests + sessions)


def on_one_machine(settings: Settings, tasks: Sequence[Task], cores: int) -> Mapping[Task, Shape]:
    """The deployments of a machine with so many cores, all of which it gives to its replicas."""
    replicas = sum(shape_of(settings, task, 1).most for task in tasks)
    cpus = settings.threads or max(1, cores // replicas)
    return {task: shape_of(settings, task, cpus) for task in tasks}


def processors(shapes: Mapping[Task, Shape]) -> int:
    """What all replicas take together when there are most of them: as many as Ray has to be told,
    or it would not place the last ones."""
    return max(1, round(sum(one.most * one.cpus for one in shapes.values())))
