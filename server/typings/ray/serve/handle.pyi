from collections.abc import AsyncIterator
from typing import Any

class DeploymentResponseGenerator(AsyncIterator[Any]):
    async def __anext__(self) -> Any: ...
    def cancel(self) -> None: ...

class DeploymentID:
    app_name: str
    name: str

class DeploymentHandle:
    deployment_id: DeploymentID
    def options(self, *, stream: bool, method_name: str) -> DeploymentHandle: ...
    def remote(self, *args: object) -> DeploymentResponseGenerator: ...
