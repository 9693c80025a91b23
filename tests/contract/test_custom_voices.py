"""Custom voices and consents [96]-[98], with the official SDK where it has them.

The fake engine takes any recording as a voice, so no weights are needed; what Kokoro makes of
blends and voice files is in test_kokoro_voices.py.
"""

import subprocess
import sys
import threading

import httpx
import openai
import pytest

from myna.api.kept_form import FILE_BYTES

KEY = "sk-alice-4f1d0c7e9b2a6835"
VOICES, CONSENTS = "/v1/audio/voices", "/v1/audio/voice_consents"
NOBODY, NOTHING = "voice_" + "0" * 32, "cons_" + "0" * 32


def connect(server, key="sk-none"):
    return openai.OpenAI(
        base_url=f"{server.url}/v1",
        api_key=key,
        max_retries=0,
        timeout=240,
        _strict_response_validation=True,
    )


@pytest.fixture(scope="module")
def server(launch):
    """Room for 25 voices."""
    return launch("voices", "--stt", "fake", "--tts", "fake", "--max-custom-voices", "25")


@pytest.fixture
def client(server):
    """The SDK on a server without custom voices."""
    with connect(server) as client:
        for voice in custom(server):
            client.audio.voices.delete(voice["id"])
        for consent in client.audio.voice_consents.list():
            client.audio.voice_consents.delete(consent.id)
        yield client


@pytest.fixture
def consent(client, phrase):
    return client.audio.voice_consents.create(
        name="Ann agrees", language="en-US", recording=("agreed.wav", phrase)
    )


def custom(server):
    listed = server.get(VOICES).json()["voices"]
    return [voice for voice in listed if voice.get("custom")]


def cloned(client, consent, sample, name="Ann"):
    return client.audio.voices.create(
        name=name, consent=consent.id, audio_sample=("ann.wav", sample)
    )


def test_a_consent_is_created_found_renamed_and_deleted(client, consent):  # [98]
    consents = client.audio.voice_consents
    assert consent.object == "audio.voice_consent"
    assert (consent.name, consent.language) == ("Ann agrees", "en-US")
    assert consent.id.startswith("cons_")
    assert consents.retrieve(consent.id) == consent
    renamed = consents.update(consent.id, name="Ann, 24 November")
    assert renamed.name == "Ann, 24 November"
    assert consents.retrieve(consent.id) == renamed
    gone = consents.delete(consent.id)
    assert (gone.id, gone.object, gone.deleted) == (consent.id, "audio.voice_consent", True)
    with pytest.raises(openai.NotFoundError):
        consents.retrieve(consent.id)
    with pytest.raises(openai.NotFoundError):
        consents.delete(consent.id)


def test_consents_are_listed_in_pages_the_newest_first(client, server, phrase):  # [98]
    consents = client.audio.voice_consents
    assert server.get(CONSENTS).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    made = [
        consents.create(name=f"{number}", language="de", recording=("a.wav", phrase)).id
        for number in range(23)
    ][::-1]
    assert [consent.id for consent in consents.list()] == made
    assert [consent.id for consent in consents.list(limit=5)] == made  # the SDK turns the pages
    page = server.get(f"{CONSENTS}?limit=5&after={made[4]}").json()
    assert [consent["id"] for consent in page["data"]] == made[5:10]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (made[5], made[9], True)
    assert len(server.get(CONSENTS).json()["data"]) == 20
    last = server.get(f"{CONSENTS}?limit=100&after={made[20]}").json()
    assert (len(last["data"]), last["has_more"]) == (2, False)


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1", "1.5", "9" * 30, "%C2%B2"])
def test_a_limit_that_is_no_number_from_1_to_100_is_refused(server, limit):
    server.get(f"{CONSENTS}?limit={limit}").refused(param="limit")


def test_a_voice_is_made_spoken_with_listed_and_deleted(
    client, server, consent, phrase
):  # [96] [97]
    voice = cloned(client, consent, phrase)
    assert (voice.object, voice.name, voice.type) == ("audio.voice", "Ann", "audio_sample")
    (listed,) = custom(server)
    assert listed == {
        "id": voice.id,
        "name": "Ann",
        "language": "en-US",
        "model": "fake",
        "engine": "fake",
        "sample": "The birds are singing in the garden.",
        "custom": True,
    }
    spoken = [
        client.audio.speech.create(
            model=model, input="Hello.", voice=called, response_format="pcm"
        ).content
        for model in ("tts-1", "gpt-4o-mini-tts", "fake")
        for called in ({"id": voice.id}, voice.id, f" {voice.id} ")
    ]
    assert len(set(spoken)) == 1
    gone = client.audio.voices.delete(voice.id)
    assert (gone.id, gone.object, gone.deleted) == (voice.id, "audio.voice.deleted", True)
    assert custom(server) == []
    for called in ({"id": voice.id}, voice.id, f" {voice.id}"):
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.speech.create(model="tts-1", input="Hello.", voice=called)
        assert refused.value.param == "voice"
    with pytest.raises(openai.NotFoundError):
        client.audio.voices.delete(voice.id)
    assert client.audio.voice_consents.retrieve(consent.id) == consent


def test_a_voice_can_be_looked_up_and_renamed(client, server, consent, phrase):
    voice = cloned(client, consent, phrase)
    place = f"{VOICES}/{voice.id}"
    made = server.get(place).json()
    assert (made["object"], made["name"], made["engine"]) == ("audio.voice", "Ann", "fake")
    assert server.post_json(place, {"name": "Bob"}).json() == made | {"name": "Bob"}
    assert server.get(place).json()["name"] == custom(server)[0]["name"] == "Bob"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\u0000b", None])
def test_a_name_that_is_none_is_refused_everywhere(client, server, consent, phrase, name):
    voice = cloned(client, consent, phrase)
    for place in (f"{VOICES}/{voice.id}", f"{CONSENTS}/{consent.id}"):
        server.post_json(place, {"name": name}).refused(param="name")
    with httpx.Client(base_url=server.url, timeout=240) as http:
        files = {"recording": ("a.wav", phrase, "audio/wav")}
        data = {"name": name, "language": "en"} if name is not None else {"language": "en"}
        answer = http.post(CONSENTS, data=data, files=files)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")


def test_a_consent_stays_while_a_voice_rests_on_it(client, consent, phrase):
    voice = cloned(client, consent, phrase)
    with pytest.raises(openai.BadRequestError, match=voice.id):
        client.audio.voice_consents.delete(consent.id)
    client.audio.voices.delete(voice.id)
    assert client.audio.voice_consents.delete(consent.id).deleted


def test_without_a_consent_that_is_there_no_voice_is_made(client, server, consent, phrase):
    client.audio.voice_consents.delete(consent.id)
    with pytest.raises(openai.BadRequestError, match="voice_consents") as refused:
        cloned(client, consent, phrase)
    assert refused.value.param == "consent"
    body = server.multipart([("name", "Ann"), ("audio_sample", phrase, "a.wav", "audio/wav")])
    server.send("POST", VOICES, body, server.form_headers).refused(param="consent")
    assert custom(server) == []


@pytest.mark.parametrize(
    ("recording", "language", "param"),
    [
        (b"no audio", "en-US", "recording"),
        (b"", "en-US", "recording"),
        (None, "english!", "language"),
        (None, "", "language"),
    ],
)
def test_a_consent_that_is_malformed_is_refused(client, phrase, recording, language, param):
    sent = ("a.wav", phrase if recording is None else recording)
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.voice_consents.create(name="Ann", language=language, recording=sent)
    assert refused.value.param == param


@pytest.mark.parametrize("size", [FILE_BYTES + 1, FILE_BYTES + 1024 * 1024])
def test_a_recording_beyond_10_mib_is_too_large(client, phrase, size):
    recording = phrase + bytes(size - len(phrase))
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.voice_consents.create(
            name="Ann", language="en", recording=("a.wav", recording)
        )
    assert refused.value.status_code == 413


def test_a_recording_of_10_mib_is_kept(client, phrase):
    recording = phrase + bytes(FILE_BYTES - len(phrase))
    assert client.audio.voice_consents.create(
        name="Ann", language="en", recording=("a.wav", recording)
    ).id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{VOICES}/alloy"),
        ("DELETE", f"{VOICES}/{NOBODY}"),
        ("GET", f"{VOICES}/voice_1"),
        ("GET", f"{VOICES}/%2E%2E"),
        ("GET", f"{CONSENTS}/{NOTHING}"),
        ("DELETE", f"{CONSENTS}/..%5C..%5Cetc"),
    ],
)
def test_what_is_not_there_is_not_found(server, method, path):
    server.send(method, path).refused(404)


@pytest.mark.parametrize("path", [f"{VOICES}/{NOBODY}", f"{CONSENTS}/{NOTHING}"])
def test_what_is_not_there_cannot_be_renamed(server, path):
    server.post_json(path, {"name": "Ann"}).refused(404)
    server.post_json(path, b"{").refused(400)


@pytest.mark.parametrize("path", [VOICES, CONSENTS])
def test_a_body_that_is_no_form_is_refused(server, path):
    server.send("POST", path, b"").refused(400)
    server.send("POST", path, b"x", {"Content-Type": "text/plain"}).refused(400)
    server.post_json(path, []).refused(400)
    server.post_json(path, {}).refused(400, param="name")


def test_a_description_needs_an_engine_that_nobody_has_and_is_not_retried(server):  # [101]
    content = {"name": "Ann", "type": "prompt", "prompt": "A warm voice"}
    reply = server.post_json(VOICES, content)
    assert "designs voices" in reply.refused(501, "server_error")["message"]
    assert reply.headers["x-should-retry"] == "false"


def test_beyond_the_most_that_are_kept_one_is_refused_also_at_once(client, server, consent, phrase):
    made, refused = [], []

    def make(number):
        try:
            made.append(cloned(client, consent, phrase, f"{number}").id)
        except openai.BadRequestError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(set(made)), refused) == (25, ["limit_reached"] * 5)
    assert {voice["id"] for voice in custom(server)} == set(made)


def test_a_voice_that_is_deleted_while_it_speaks_speaks_to_the_end(client, server, consent, phrase):
    text = "The myna repeats what it hears. " * 100

    def body(voice):
        return {"model": "tts-1", "input": text, "voice": voice, "response_format": "pcm"}

    voice = cloned(client, consent, phrase)
    whole = server.post_json("/v1/audio/speech", body(voice.id)).body
    with (
        httpx.Client(base_url=server.url, timeout=240) as http,
        http.stream("POST", "/v1/audio/speech", json=body(voice.id)) as answer,
    ):
        blocks = answer.iter_bytes()
        begun = next(blocks)
        client.audio.voices.delete(voice.id)
        assert begun + b"".join(blocks) == whole
    server.post_json("/v1/audio/speech", body(voice.id)).refused(param="voice")


def test_they_survive_a_restart(launch, tmp_path, phrase):
    flags = ("--stt", "none", "--tts", "fake", "--voices-dir", str(tmp_path / "kept"))
    first = launch("before", *flags)
    with connect(first) as client:
        consent = client.audio.voice_consents.create(
            name="Ann agrees", language="en", recording=("a.wav", phrase)
        )
        voice = cloned(client, consent, phrase)
    said = first.speak(voice=voice.id).body
    first.stop()
    second = launch("after", *flags)
    assert [entry["id"] for entry in custom(second)] == [voice.id]
    assert second.speak(voice={"id": voice.id}).body == said
    with connect(second) as client:
        assert [found.id for found in client.audio.voice_consents.list()] == [consent.id]


def test_where_keys_are_set_all_but_the_listing_needs_one(keyed_server):
    assert keyed_server.get(VOICES).status == 200
    for method, path in (
        ("POST", VOICES),
        ("GET", f"{VOICES}/{NOBODY}"),
        ("POST", f"{VOICES}/{NOBODY}"),
        ("DELETE", f"{VOICES}/{NOBODY}"),
        ("GET", CONSENTS),
        ("POST", CONSENTS),
        ("GET", f"{CONSENTS}/{NOTHING}"),
        ("POST", f"{CONSENTS}/{NOTHING}"),
        ("DELETE", f"{CONSENTS}/{NOTHING}"),
    ):
        keyed_server.send(method, path, b"").refused(401)
    with connect(keyed_server, KEY) as client:
        assert client.audio.voice_consents.list().data == []


def test_a_folder_that_cannot_be_written_is_the_servers_fault(launch, tmp_path, phrase):
    (tmp_path / "file").write_text("no folder")
    server = launch(
        "unwritable", "--tts", "fake", "--stt", "none", "--voices-dir", f"{tmp_path}/file/x"
    )
    with connect(server) as client, pytest.raises(openai.InternalServerError) as refused:
        client.audio.voice_consents.create(name="Ann", language="en", recording=("a.wav", phrase))
    assert "custom voices" in refused.value.message
    assert server.speak().status == 200


@pytest.fixture(scope="module")
def choosy(launch):
    """Refuses languages of which there is no voice."""
    return launch("choosy", "--stt", "none", "--tts", "fake", "--unspoken-language", "error")


def test_text_in_a_language_that_no_voice_speaks_is_refused_by_setting(choosy, fake_server):
    error = choosy.speak(input="Привет, мир!").refused(param="input", code="unsupported_language")
    assert "which are en" in error["message"]
    assert "ru" in error["message"]
    assert choosy.speak(input="The word привет means hello.").status == 200
    assert choosy.speak(input="Grüße aus Köln").status == 200
    assert fake_server.speak(input="Привет, мир!").status == 200


@pytest.mark.parametrize(
    ("voices", "said"),
    [
        ("alloy=echo,onyx=nobody", "'onyx=nobody'"),
        ("onyx", "'onyx' is not NAME=VOICE"),
    ],
)
def test_a_table_that_is_wrong_stops_the_start_and_names_the_culprit(tmp_path, voices, said):
    flags = ["--port", "0", "--stt", "none", "--tts", "fake", "--voices", voices]
    done = subprocess.run(
        [sys.executable, "-m", "myna", "serve", *flags],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=240,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
