from collections.abc import Callable, Sequence
from typing import TypeVar

from ray.serve.config import ProxyLocation
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

_T = TypeVar("_T")

class Application: ...

class Deployment:
    def bind(self, *args: object) -> Application: ...
    def options(self, **options: object) -> Deployment: ...

class RunTarget:
    def __init__(
        self,
        target: Application,
        name: str = ...,
        route_prefix: str | None = ...,
        logging_config: LoggingConfig | None = None,
    ) -> None: ...

class ReplicaContext:
    app_name: str
    deployment: str
    replica_tag: str

def deployment(cls: type[object], /, **options: object) -> Deployment: ...
def get_replica_context() -> ReplicaContext: ...
def ingress(app: None = None) -> Callable[[type[_T]], type[_T]]: ...
def run_many(targets: Sequence[RunTarget]) -> list[DeploymentHandle]: ...
def delete(name: str) -> None: ...
def start(
    proxy_location: ProxyLocation, *, logging_config: LoggingConfig | None = None
) -> None: ...
