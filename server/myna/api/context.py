"""What the routes of one app share."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection

from myna.accounts import Account, Accounts
from myna.api.rehearsal import Rehearsal
from myna.api.spool import Spool
from myna.auth import Keyring
from myna.errors import Overloaded
from myna.realtime.sessions import Sessions
from myna.scheduling.residency import Residency
from myna.scheduling.residents import Residents
from myna.settings import Settings
from myna.stages import UNRECORDED, Record
from myna.store.custom_voices import CustomVoices


@dataclass(slots=True)
class Context:
    """The app's parts, as `create_app` put them together."""

    settings: Settings
    keyring: Keyring
    accounts: Accounts
    spool: Spool
    """Where uploads are kept."""
    custom: CustomVoices
    """What clients have made."""
    sessions: Sessions
    """Live transcription."""
    registry: CollectorRegistry
    """Everything that `/metrics` shows."""
    residents: Residents | None = None
    """None until those models are loaded that are loaded at the start."""
    residency: Residency | None = None
    """Lends them."""
    rehearsal: Rehearsal | None = None
    """Only with the setting `testing`."""

    def loaded(self) -> Residents:
        """The models.

        Raises:
            Overloaded: the server is still starting.
        """
        if self.residents is None:
            raise _starting()
        return self.residents

    def lending(self) -> Residency:
        """Who lends the models; raises as `loaded` does."""
        if self.residency is None:
            raise _starting()
        return self.residency


def _starting() -> Overloaded:
    message = "The models are still loading; /ready tells when."
    return Overloaded(message, retry_after_s=1.0, reason="loading")


def context(request: HTTPConnection) -> Context:
    """The context of the app that serves a request, or a socket."""
    found = request.app.state.context
    if not isinstance(found, Context):
        raise TypeError("the app was not made by create_app")
    return found


def caller(request: HTTPConnection) -> str:
    """The name of the key that the request came with; empty where the server is open."""
    name: object = request.scope.get("state", {}).get("key_name")
    return name if isinstance(name, str) else ""


def account(request: HTTPConnection) -> Account:
    """What the caller of `request` has left."""
    return context(request).accounts.of(caller(request))


def record(request: HTTPConnection) -> Record:
    """Who wants to hear where the time of `request` goes."""
    found: Record | None = request.scope.get("state", {}).get("record")
    return UNRECORDED if found is None else found
