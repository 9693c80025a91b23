"""The door of realtime transcription, before any model is there."""

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from myna.app import create_app
from myna.plan import ModelPlan
from myna.settings import Settings


def client(**settings):
    """Of an app whose models are never loaded, as it has not been started."""
    return TestClient(create_app(Settings(**settings), ModelPlan((), (), threads=1)))


def refused(path, **settings):
    with pytest.raises(WebSocketDenialResponse) as refusal:
        client(**settings).websocket_connect(path).__enter__()
    return refusal.value


@pytest.mark.parametrize("path", ["/v1/realtime?intent=transcription", "/realtime"])
def test_a_socket_waits_for_the_models_like_every_request(path):
    answer = refused(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "server_is_overloaded"


def test_a_socket_that_is_refused_takes_no_place():
    app = client(max_sessions=1)
    for _ in range(3):
        with pytest.raises(WebSocketDenialResponse) as refusal:
            app.websocket_connect("/v1/realtime").__enter__()
        assert "loading" in refusal.value.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/realtime", "/v1/realtime?intent=conversation"])
def test_a_strict_server_wants_the_intent(path):
    answer = refused(path, strict=True)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "intent")


def test_secrets_wait_for_the_models_too():
    answer = client().post("/v1/realtime/client_secrets", json={})
    assert answer.status_code == 503
