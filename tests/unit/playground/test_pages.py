"""The playground's files over HTTP: what is answered, with which headers, and what is not there."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files

import httpx
import pytest

from myna.app import create_app
from myna.planning import plan
from myna.playground import Playground
from myna.settings import Settings

KEY = "sk-0123456789abcdef"


def client(**settings) -> httpx.AsyncClient:
    given = Settings(stt=("fake",), tts=("fake",), offline=True, **settings)
    transport = httpx.ASGITransport(create_app(given, plan(given)))
    return httpx.AsyncClient(transport=transport, base_url="http://myna")


async def fetched(method: str, path: str, headers=None, **settings) -> httpx.Response:
    async with client(**settings) as http:
        return await http.request(method, path, headers=headers)


def run(coroutine):
    return asyncio.run(coroutine)


def get(path: str, headers=None, **settings) -> httpx.Response:
    return run(fetched("GET", path, headers, **settings))


def test_the_page_is_at_the_root() -> None:
    answer = get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("style.css", "text/css; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("myna.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_the_type_that_browsers_insist_on(name: str, kind: str) -> None:
    answer = get(f"/playground/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == files("myna.playground").joinpath("static", name).read_bytes()


@pytest.mark.parametrize("path", sorted(Playground.load().paths))
def test_every_file_forbids_what_comes_from_elsewhere(path: str) -> None:
    headers = get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == policy["form-action"] == "'none'"
    sources = " ".join(value for name, value in policy.items() if name.endswith("-src"))
    assert set(sources.split()) == {"'none'", "'self'", "blob:"}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_browser_keeps_a_file_and_asks_whether_it_has_changed() -> None:
    first = get("/playground/main.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = get("/playground/main.js", {"if-none-match": sent})
        assert (again.status_code, again.content) == (304, b""), sent
        assert again.headers["etag"] == tag
    assert get("/playground/main.js", {"if-none-match": '"other"'}).status_code == 200


def test_files_that_differ_have_tags_that_differ() -> None:
    paths = Playground.load().paths
    assert len({get(path).headers["etag"] for path in paths}) == len(paths)


@pytest.mark.parametrize("path", ["/", "/playground/main.js"])
def test_head_has_the_headers_without_the_file(path: str) -> None:
    whole, head = get(path), run(fetched("HEAD", path))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "content-security-policy"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/playground",
        "/playground/",
        "/playground/index.html",
        "/playground/nothing.js",
        "/playground/pages.py",
        "/playground/static/main.js",
        "/playground/../app.py",
        "/playground/..%2fpages.py",
        "/playground/%2e%2e/%2e%2e/settings.py",
        "/playground/....//pages.py",
        "/playground//etc/passwd",
        "/playground/main.js%00.css",
        "/v1/",
        "/index.html",
    ],
)
def test_nothing_else_is_there(path: str) -> None:
    answer = get(path)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_pages_are_only_read() -> None:
    answer = run(fetched("POST", "/"))
    assert answer.status_code == 405
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/", "/playground/main.js"])
def test_a_page_needs_no_key_though_the_api_does(path: str) -> None:
    assert get(path, api_keys=KEY).status_code == 200
    assert run(fetched("HEAD", path, api_keys=KEY)).status_code == 200
    assert get("/v1/models", api_keys=KEY).status_code == 401
    assert run(fetched("POST", "/", api_keys=KEY)).status_code == 401


@pytest.mark.parametrize("path", ["/", "/playground/main.js"])
def test_without_the_playground_there_is_no_page(path: str) -> None:
    answer = get(path, playground=False)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("Invalid URL")


def test_the_page_names_only_files_that_are_there_and_relatively() -> None:
    """Relatively, so that it holds behind a proxy with a path of its own."""
    page = get("/").text
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert {"playground/main.js", "playground/style.css"} <= set(named)
    assert {f"/{name}" for name in named} <= Playground.load().paths | {"/openapi.json"}


def test_scripts_import_only_their_neighbours() -> None:
    static = files("myna.playground").joinpath("static")
    names = {file.name for file in static.iterdir()}
    for name in names:
        text = static.joinpath(name).read_text("utf-8")
        for imported in re.findall(r'^(?:import|export) .*?"(.+?)";$', text, re.MULTILINE):
            assert imported.removeprefix("./") in names, (name, imported)
        assert re.findall(r"https?://(?!www\.w3\.org/)", text) == [], name


def test_a_file_of_an_unknown_kind_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(KeyError):
        Playground({"notes.txt": b"x"})
