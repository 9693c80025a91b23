"""What the routes of one app share."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from myna.api.rehearsal import Rehearsal
from myna.api.spool import Spool
from myna.auth import Keyring
from myna.errors import Overloaded
from myna.realtime.sessions import Sessions
from myna.scheduling.residents import Residents
from myna.settings import Settings
from myna.store.custom_voices import CustomVoices


@dataclass(slots=True)
class Context:
    """The app's parts, as `create_app` put them together."""

    settings: Settings
    keyring: Keyring
    spool: Spool
    """Where uploads are kept."""
    custom: CustomVoices
    """What clients have made."""
    sessions: Sessions
    """Live transcription."""
    residents: Residents | None = None
    """None until the models are loaded."""
    rehearsal: Rehearsal | None = None
    """Only with the setting `testing`."""

    def loaded(self) -> Residents:
        """The models.

        Raises:
            Overloaded: they are still being loaded.
        """
        if self.residents is None:
            raise Overloaded("The models are still loading; /ready tells when.", retry_after_s=1.0)
        return self.residents


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
