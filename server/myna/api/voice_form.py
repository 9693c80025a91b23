"""The form of POST /audio/voices: what a voice is to be made of, and by which engine.

Hosted, a voice is made of a recording (`audio_sample`) or of a description (`prompt`). Myna adds
what Kokoro can do: a mix of its voices (`blend`) and voice files (`voice_file`). So that OpenAI's
SDKs need no extra fields for them, a blend may also be the prompt, and a voice file the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from myna.api.forms import Form, Upload
from myna.api.kept_form import is_audio, language_tag, named, uploaded
from myna.engines.contract.synthesizer import Synthesizer, VoiceMixer, VoiceReader
from myna.engines.contract.voice import Voice
from myna.errors import BadRequest, NotImplementedHere, UnsupportedAudio
from myna.scheduling.voices import own_voice
from myna.store.custom_voices import CustomVoice

_CHOICES = ("audio_sample", "prompt")


@dataclass(frozen=True, slots=True)
class VoiceForm:
    """What was asked for. `field` is the one that has what the voice is made of."""

    name: str
    consent: str | None
    language: str
    field: str
    text: str = ""
    """A blend or a description."""
    file: Upload | None = None


def read(form: Form) -> VoiceForm:
    """Raises BadRequest, or PayloadTooLarge for a file beyond 10 MiB."""
    form.choice("type", _CHOICES)
    for field in ("blend", "voice_file", "audio_sample", "prompt"):
        file = uploaded(form, field) if field in {"voice_file", "audio_sample"} else None
        text = form.text(field)
        if file is None and text is None:
            continue
        return VoiceForm(
            name=named(form),
            consent=form.text("consent"),
            language=language_tag(form, "en-US"),
            field=field,
            text=text or "",
            file=file,
        )
    named(form)
    raise BadRequest(
        "Missing 'audio_sample': send what the voice is to be made of, as audio_sample, prompt, "
        "blend or voice_file.",
        param="audio_sample",
    )


def made(asked: VoiceForm, engines: Sequence[Synthesizer]) -> tuple[CustomVoice, bytes | None]:
    """The voice as it is kept, and its file; reads the upload.

    Raises:
        BadRequest: what it is to be made of is malformed, or a consent is missing.
        NotImplementedHere: no engine that is loaded makes such voices.
    """
    if asked.file is None:
        return _blended(asked, engines), None
    asked.file.file.rewind()
    data = asked.file.file.read()
    engine = _reader(asked, data, engines)
    if asked.consent is None:
        raise BadRequest(
            "Missing 'consent': a voice made of a file needs the id of a consent, which "
            "POST /v1/audio/voice_consents gives.",
            param="consent",
        )
    voice = CustomVoice(
        name=asked.name,
        type="audio_sample",
        engine=engine.kind,
        language=asked.language,
        consent=asked.consent,
    )
    return voice, data


def _blended(asked: VoiceForm, engines: Sequence[Synthesizer]) -> CustomVoice:
    failure: BadRequest | None = None
    for engine in engines:
        if not isinstance(engine, VoiceMixer):
            continue
        try:
            mixed = own_voice(asked.text, engine)
        except BadRequest as error:
            failure = failure or error
            continue
        if mixed is None:
            failure = failure or BadRequest(f"Invalid 'voice': there is no '{asked.text[:80]}'.")
            continue
        return CustomVoice(
            name=asked.name,
            type="prompt",
            engine=engine.kind,
            language=mixed.language,
            blend=mixed.id,
            consent=asked.consent,
        )
    if asked.field == "prompt":
        raise _lacking(
            "A voice from a description needs a model that designs voices, of which Myna has none",
            engines,
        )
    if failure is None:
        raise _lacking("A blend needs the engine kokoro, which is not loaded", engines)
    raise BadRequest(
        "Invalid 'blend': " + failure.message.removeprefix("Invalid 'voice': "),
        param="blend",
        code="invalid_value",
    )


def _reader(asked: VoiceForm, data: bytes, engines: Sequence[Synthesizer]) -> Synthesizer:
    """The first engine that takes the file; those that make a voice of any recording come last."""
    about = Voice("", asked.name, asked.language)
    recording, sample = is_audio(data), asked.field == "audio_sample"
    failure: BadRequest | None = None
    for clones in (False, True):
        for engine in engines:
            if not isinstance(engine, VoiceReader) or engine.clones != clones:
                continue
            if clones and sample and not recording:
                continue
            try:
                engine.read_voice(data, about)
            except BadRequest as error:
                failure = failure or error
            else:
                return engine
    if sample and recording:
        raise _lacking(
            "A voice from a recording needs an engine that clones voices, of which Myna has none",
            engines,
        )
    if failure is not None:
        param = asked.field if failure.param == "voice_file" else failure.param
        raise BadRequest(failure.message, param=param, code=failure.code)
    if sample:
        raise UnsupportedAudio(param="audio_sample")
    raise _lacking("A voice file needs the engine kokoro, which is not loaded", engines)


def _lacking(what: str, engines: Sequence[Synthesizer]) -> NotImplementedHere:
    loaded = ", ".join(dict.fromkeys(engine.kind for engine in engines)) or "none"
    return NotImplementedHere(
        f"{what} (loaded: {loaded}). With kokoro (setting tts), a voice can be mixed, as in "
        "blend=af_heart+am_onyx, or be made of a Kokoro voice file (voice_file).",
        code="unsupported_voice_source",
    )
