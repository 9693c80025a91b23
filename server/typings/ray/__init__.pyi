from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ray import exceptions as exceptions

class ActorMethod:
    def remote(self, *args: object) -> Awaitable[Any]: ...

class ActorHandle:
    def __getattr__(self, name: str) -> ActorMethod: ...

class ActorClass:
    def options(
        self, *, name: str, namespace: str, get_if_exists: bool, lifetime: str, max_restarts: int
    ) -> ActorClass: ...
    def remote(self, *args: object) -> ActorHandle: ...

class RuntimeContext:
    def get_assigned_resources(self) -> Mapping[str, float]: ...

def remote(*, num_cpus: float, max_concurrency: int) -> Callable[[type[object]], ActorClass]: ...
def init(
    address: str | None = None,
    *,
    namespace: str | None = None,
    configure_logging: bool = True,
    num_cpus: int | None = None,
    object_store_memory: int | None = None,
    include_dashboard: bool | None = None,
    _node_ip_address: str | None = None,
) -> object: ...
def is_initialized() -> bool: ...
def shutdown() -> None: ...
def get_runtime_context() -> RuntimeContext: ...
