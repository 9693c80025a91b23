"""Who may call, and what a web page may read."""

import pytest

KEY = "sk-alice-4f1d0c7e9b2a6835"
OTHER_KEY = "bob-azure-55aa77cc99ee"
PHRASE = "The myna repeats what it hears."
ORIGIN = {"Origin": "https://ui.example"}

WELCOME = [
    ("a bearer", {"Authorization": f"Bearer {KEY}"}),
    ("a bearer in small letters", {"Authorization": f"bearer {KEY}"}),
    ("a bearer from the file of keys", {"Authorization": f"Bearer {OTHER_KEY}"}),
    ("Azure's header", {"api-key": OTHER_KEY}),
    ("Azure's header beside an empty bearer", {"Authorization": "Bearer ", "api-key": KEY}),
]
MISSING = [
    ("no header [88]", {}),
    ("an empty bearer", {"Authorization": "Bearer "}),
    ("another scheme", {"Authorization": f"Basic {KEY}"}),
    ("an empty header of Azure's", {"api-key": ""}),
]
WRONG = [
    ("a wrong key [89]", "sk-wrong-0123456789abcdef"),
    ("a wrong key that is short", "x-short-1"),
    ("a beginning of the right key", KEY[:-1]),
    ("the right key and more", KEY + "0"),
    ("the name and the key", f"alice:{KEY}"),
]
ROUTES = [
    ("GET", "/v1/models"),
    ("GET", "/models"),
    ("GET", "/v1/models/whisper-1"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/audio/translations"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/voices"),
    ("POST", "/openai/deployments/tts-1/audio/speech"),
    ("GET", "/v1/nowhere"),
]


@pytest.mark.parametrize(("what", "headers"), WELCOME, ids=[case[0] for case in WELCOME])
def test_opens(keyed_server, what, headers):
    assert keyed_server.get("/v1/models", headers).json()


@pytest.mark.parametrize(("what", "headers"), MISSING, ids=[case[0] for case in MISSING])
def test_is_asked_for_a_key(keyed_server, what, headers):
    error = keyed_server.get("/v1/models", headers).refused(401, param=None)
    assert error["code"] in {None, "invalid_api_key"}
    assert error["message"].startswith("You didn't provide an API key")


@pytest.mark.parametrize(("what", "key"), WRONG, ids=[case[0] for case in WRONG])
def test_is_refused_with_the_key_masked(keyed_server, what, key):
    reply = keyed_server.get("/v1/models", {"Authorization": f"Bearer {key}"})
    error = reply.refused(401, code="invalid_api_key", param=None)
    assert error["message"].startswith("Incorrect API key provided: ")
    assert key not in reply.text
    assert KEY not in reply.text
    assert "*" in error["message"]


def test_a_key_of_any_bytes_is_refused_and_not_a_crash(keyed_server):
    reply = keyed_server.get("/v1/models", {"Authorization": b"Bearer \xff\xfe\xe4"})
    reply.refused(401, code="invalid_api_key")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_the_key(keyed_server, method, path):
    keyed_server.send(method, path, b"").refused(401)


@pytest.mark.parametrize(
    "path",
    ["/v1/audio/models", "/v1/audio/voices", "/audio/models", "/audio/voices", "/health", "/ready"],
)
def test_probes_and_open_webuis_lists_want_no_key(keyed_server, path):  # [94, 95]
    assert keyed_server.get(path).json()


@pytest.mark.parametrize("path", ["/health", "/v1/ready"])
def test_a_probe_may_ask_for_the_head_alone(keyed_server, path):
    reply = keyed_server.send("HEAD", path)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(keyed_server.get(path).body))


def test_a_refused_upload_is_not_read(keyed_server):
    """The answer comes before the body has been sent."""
    head = keyed_server.form_headers | {"Content-Length": str(20 * 1024 * 1024)}
    reply = keyed_server.send("POST", "/v1/audio/transcriptions", b"--", head)
    reply.refused(401)


def test_the_key_opens_the_whole_api(keyed_server, phrase):
    head = keyed_server.form_headers | {"Authorization": f"Bearer {KEY}"}
    body = keyed_server.form(phrase)
    reply = keyed_server.send("POST", "/v1/audio/transcriptions", body, head)
    assert reply.json()["text"] == PHRASE


@pytest.mark.parametrize(  # [90]
    "headers",
    [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer sk-anything"}, {"api-key": "x"}],
)
def test_a_server_without_keys_takes_anybody(fake_server, headers):
    assert fake_server.get("/v1/models", headers).json()


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/speech", "/v1/models"])
def test_a_browser_may_ask_first_without_a_key(keyed_server, path):  # [104]
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
    }
    reply = keyed_server.send("OPTIONS", path, None, ORIGIN | asked)
    assert reply.status in {200, 204}
    assert reply.headers["access-control-allow-origin"] in {"*", ORIGIN["Origin"]}
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "x-stainless-os" in reply.headers["access-control-allow-headers"].lower()


def test_a_browser_may_read_the_answer_and_the_request_id(keyed_server):
    key = {"Authorization": f"Bearer {KEY}"}
    for reply in (
        keyed_server.get("/v1/models", ORIGIN | key),
        keyed_server.get("/v1/models", ORIGIN),  # refused, and still to be read
        keyed_server.get("/v1/nowhere", ORIGIN | key),
    ):
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()
