"""From a form to what is asked of the engine: every field of a transcription request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from myna.api import speaker_form
from myna.api.forms import Form, Upload
from myna.api.names import DIARIZE_NAMES, STT_NAMES, as_hosted, hosted_formats
from myna.api.speaker_form import SpeakerForm
from myna.audio.windows import Cutting
from myna.engines.contract.transcriber import DecodingOptions, Transcriber
from myna.errors import BadRequest
from myna.text.answers import LABELLED, Granularity, ResponseFormat
from myna.text.hints import checked_keywords, require_known, spoken_languages
from myna.text.transcript import Task

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")

_WITHOUT_TIMES = frozenset({"json", "text"})
"""Formats that show no times: Whisper writes them faster, and no less exactly, without any."""
_LEAST_WINDOW_S = 5.0
"""`server_vad` with its usual 200 ms would cut between words; Whisper needs more than one."""
_CHUNKING = {"type", "threshold", "prefix_padding_ms", "silence_duration_ms"}


@dataclass(frozen=True, slots=True)
class TranscriptionForm:
    """A transcription or translation request, read and checked."""

    file: Upload
    model: str
    """As the client wrote it."""
    format: ResponseFormat
    granularities: frozenset[Granularity]
    logprobs: bool
    stream: bool
    options: DecodingOptions
    cutting: Cutting
    speakers: SpeakerForm | None = None
    """None where nobody wants to know who speaks."""


def read(
    form: Form, *, model: str, task: Task, engine: Transcriber, beam_size: int, strict: bool
) -> TranscriptionForm:
    """Check every field and put it in our terms.

    Raises:
        BadRequest: a field is missing, malformed, out of range, or beyond what the model does.
    """
    if form.file is None:
        raise BadRequest(
            "you must provide a file to transcribe in the form field `file`", param="file"
        )
    model = as_hosted(model)
    format_ = _format(form, model, task, strict=strict)
    granularities = _granularities(form, format_, strict=strict)
    logprobs = "logprobs" in _each(form, "include", ("logprobs",))
    temperature = form.number("temperature", 0.0, 1.0) or 0.0
    speakers = _speakers(form, model, format_, task)
    language, candidates = _languages(form, task, engine)
    if task == "translate" and not engine.translates:
        raise BadRequest(
            f"The model `{engine.name}` only knows English and cannot translate; "
            "serve a multilingual Whisper such as whisper-base.",
            param="model",
            code="unsupported_model",
        )
    options = DecodingOptions(
        task=task,
        language=language,
        candidates=candidates,
        prompt=form.text("prompt"),
        hotwords=_hotwords(form),
        temperature=temperature,
        beam_size=beam_size,
        timestamps=format_ not in _WITHOUT_TIMES or speakers is not None,
        word_timestamps="word" in granularities or speakers is not None,
        token_logprobs=logprobs and format_ == "json",
    )
    return TranscriptionForm(
        file=form.file,
        model=model,
        format=format_,
        granularities=granularities,
        logprobs=options.token_logprobs,
        stream=form.boolean("stream") or False,
        options=options,
        cutting=_cutting(form),
        speakers=speakers,
    )


def _format(form: Form, model: str, task: Task, *, strict: bool) -> ResponseFormat:
    allowed = FORMATS if task == "transcribe" else FORMATS[:-1]
    asked = form.choice("response_format", allowed) or "json"
    hosted = hosted_formats(model)
    if strict and model in STT_NAMES and asked not in hosted:
        use = "' or '".join(name for name in FORMATS if name in hosted)
        raise BadRequest(
            f"response_format '{asked}' is not compatible with model '{model}'. "
            f"Use '{use}' instead.",
            param="response_format",
            code="unsupported_value",
        )
    if strict and model in DIARIZE_NAMES:
        _refuse_for_speakers(form)
    return cast("ResponseFormat", asked)


def _refuse_for_speakers(form: Form) -> None:
    """What the hosted diarizing model does not do without, or not at all."""
    if form.nested("chunking_strategy") is None:
        raise BadRequest(
            "chunking_strategy is required for diarization models",
            param="chunking_strategy",
            code="invalid_value",
        )
    for name, given in (("prompt", form.text("prompt")), ("include", form.texts("include"))):
        if given:
            raise BadRequest(
                f"{name} is not supported for diarization models; leave it out.",
                param=name,
                code="unsupported_value",
            )


def _granularities(form: Form, format_: str, *, strict: bool) -> frozenset[Granularity]:
    """Only verbose_json has room for them; elsewhere they are ignored, in strict mode refused."""
    asked = _each(form, "timestamp_granularities", ("word", "segment"))
    if asked and format_ != "verbose_json":
        if strict:
            raise BadRequest(
                "response_format must be verbose_json if timestamp_granularities[] is provided",
                param="timestamp_granularities",
            )
        return frozenset()
    found: set[Granularity] = {"word" if name == "word" else "segment" for name in asked}
    return frozenset(found or {"segment"}) if format_ == "verbose_json" else frozenset()


def _each(form: Form, name: str, allowed: tuple[str, ...]) -> list[str]:
    given = form.texts(name)
    for value in given:
        if value not in allowed:
            raise BadRequest(
                f"Invalid value: '{value}'. Supported values are: {', '.join(map(repr, allowed))}.",
                param=name,
                code="invalid_value",
            )
    return given


def _speakers(form: Form, model: str, format_: str, task: Task) -> SpeakerForm | None:
    """Who speaks is found out where the answer shows it: json and plain text do not."""
    asked = speaker_form.read(form)
    if form.boolean("stream") and format_ == "diarized_json":
        asked = replace(asked, live=True)
    cues = model in DIARIZE_NAMES and format_ in {"srt", "vtt"}
    shown = format_ == "diarized_json" or cues or (asked.labels and format_ in LABELLED)
    return asked if shown and task == "transcribe" else None


def _languages(form: Form, task: Task, engine: Transcriber) -> tuple[str | None, frozenset[str]]:
    """The one language that was named, or the several to choose from."""
    language, several = spoken_languages(form.text("language"), form.texts("languages"))
    if task == "translate" and not engine.translates and language not in engine.languages:
        return None, frozenset()
    require_known(language, engine.languages, engine.name)
    return language, several & engine.languages


def _hotwords(form: Form) -> tuple[str, ...]:
    """Keywords of the hosted API, and the extension `hotwords` (words, or one text with commas)."""
    hotwords = [part.strip() for text in form.texts("hotwords") for part in text.split(",")]
    return (*checked_keywords(form.texts("keywords")), *(word for word in hotwords if word))


def _cutting(form: Form) -> Cutting:
    """`auto` and nothing are our own choice of windows; `server_vad` is done as asked."""
    strategy = form.nested("chunking_strategy")
    if strategy is None or strategy == "auto":
        return Cutting()
    if isinstance(strategy, str) or strategy.get("type") != "server_vad":
        raise _bad_chunking("must be `auto` or an object with type `server_vad`")
    if unknown := set(strategy) - _CHUNKING:
        raise _bad_chunking(f"does not have the key {min(unknown)}")
    return Cutting(
        threshold=_bounded(strategy, "threshold", 0.5, 0.0, 1.0),
        lead_s=_bounded(strategy, "prefix_padding_ms", 300, 0, 10_000) / 1000,
        pause_s=_bounded(strategy, "silence_duration_ms", 200, 0, 30_000) / 1000,
        least_window_s=_LEAST_WINDOW_S,
    )


def _bounded(
    strategy: Mapping[str, object], key: str, default: float, least: float, most: float
) -> float:
    value = strategy.get(key, default)
    if value is None:
        return default
    try:
        number = float(str(value)) if not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise _bad_chunking(f"needs {key} between {least:g} and {most:g}")
    return number


def _bad_chunking(problem: str) -> BadRequest:
    return BadRequest(
        f"chunking_strategy {problem}", param="chunking_strategy", code="invalid_value"
    )
