"""Every setting, declared once: flags, `MYNA_*` variables, TOML file and docs derive from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

MIB = 1024 * 1024
_REPLICAS = r"^[1-9]\d?$|^[1-9]\d?-[1-9]\d?$"
"""A number below 100, or from one to another."""
Names = Annotated[tuple[str, ...], NoDecode]
Voices = Annotated[dict[str, str], NoDecode]


class Settings(BaseSettings):
    """How a server is set up. A flag wins over a variable, a variable over the file."""

    model_config = SettingsConfigDict(
        env_prefix="MYNA_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on; 0.0.0.0 opens it to the network."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    stt: Names = Field(
        ("whisper-base",),
        description="Speech-to-text models, the default first: a card's id, a faster-whisper size "
        "(large-v3-turbo), a hub id (owner/name), a folder, `fake`, or `none`.",
    )
    tts: Names = Field(
        ("piper-en_US-joe-medium",),
        description="Text-to-speech models, the default first: a card's id, a hub id, a folder, "
        "`fake`, or `none`.",
    )
    preload: Names = Field(
        ("all",),
        description="Models that are loaded at the start, of those of `stt` and `tts`: their ids, "
        "`all`, or `none`. The others are loaded when somebody asks for them.",
    )
    pinned: Names = Field(
        (),
        description="Models that are loaded at the start and stay, idle or not and whoever wants "
        "their memory; `all` for every one.",
    )
    on_demand: Literal["named", "present"] = Field(
        "named",
        description="Models that are loaded when a request asks for them: `named` those of `stt` "
        "and `tts`, `present` also any other that has a card and whose files are on this machine "
        "when the server starts.",
    )
    fetch_on_load: bool = Field(
        False,
        description="Download the files of a model that the admin key loads and that are missing; "
        "otherwise the answer is 409. Not with `offline`.",
    )
    model_ttl_s: float = Field(
        0.0,
        ge=0,
        description="How long in seconds a model that nobody uses stays loaded; 0 for ever.",
    )
    model_memory_bytes: int = Field(
        0,
        ge=0,
        description="Memory that all models together may take; the least recently used are "
        "unloaded to make room. 0 for no limit.",
    )
    load_wait_s: float = Field(
        60.0,
        ge=0,
        description="How long in seconds a request waits while its model is being loaded; beyond "
        "it the answer is 503, which says how far it is. 0 answers at once.",
    )
    voices: Voices = Field(
        {},
        description="Voices for OpenAI's names instead of those that the model's card or Myna "
        "chooses, such as `alloy=af_heart,onyx=am_onyx+am_echo`. An entry counts for each model "
        "that has the voice; one that no model has stops the start.",
    )
    unspoken_language: Literal["default", "error"] = Field(
        "default",
        description="What becomes of a text that by its script is in a language of which no voice "
        "is loaded: `default` speaks it with the voice that was asked for, `error` answers 400. "
        "Text in Latin letters is always spoken.",
    )
    voices_dir: Path | None = Field(
        None,
        description="Folder of custom voices and consents; default: ~/.local/share/myna/voices.",
    )
    max_custom_voices: int = Field(
        100,
        ge=0,
        description="Most custom voices to keep, and as many consents of up to 10 MiB each; beyond "
        "it the answer is 400. 0 for none.",
    )
    diarize: str = Field(
        "auto",
        description="Model that tells speakers apart: a card's id, a folder, `fake`, or `none`. "
        "`auto` takes `speakers-campplus` where the extra myna[diarize] is installed and its files "
        "are there or can be had, and goes on without where not; with `--stt fake` it takes "
        "`fake`. It is loaded by the first request that wants it.",
    )
    models_dir: Path | None = Field(
        None, description="Folder of model cards; default: the cards that come with Myna."
    )
    weights_dir: Path | None = Field(
        None,
        description="Folder for downloaded weights; default: models/weights of a checkout, else "
        "~/.local/share/myna/weights.",
    )
    offline: bool = Field(
        False, description="Make no network call at all; a missing file stops the start by name."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run; auto takes a GPU where one is found."
    )
    compute_type: str = Field(
        "auto",
        description="CTranslate2's number format (int8, float16, float32 …); auto takes int8 on a "
        "CPU and float16 on a GPU.",
    )
    tts_compute_type: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Piper's number format on a CPU; auto tries bfloat16 where the extra "
        "myna[torch] is installed and the processor has AMX or is AMD's with AVX512-BF16, and "
        "keeps it where it is quicker (1.4 times as fast on AMD's).",
    )
    threads: int = Field(
        0, ge=0, description="CPU threads for all engines together; 0 takes every core."
    )
    cluster: bool = Field(
        False,
        description="Serve through Ray Serve: replicas in processes of their own behind this one, "
        "on this machine or, with RAY_ADDRESS, on a cluster that runs; needs the extra `cluster`.",
    )
    stt_replicas: str = Field(
        "1",
        pattern=_REPLICAS,
        description="With `cluster`, replicas that transcribe: a number, or `1-4` to start and end "
        "them as `replica_queued_s` says.",
    )
    tts_replicas: str = Field(
        "1", pattern=_REPLICAS, description="With `cluster`, replicas that speak, likewise."
    )
    replica_queued_s: float = Field(
        60.0,
        gt=0,
        description="With `cluster`, seconds of audio that may wait for each replica before "
        "another one is started, where their number may change.",
    )
    stt_gpus: float = Field(
        0.0,
        ge=0,
        description="With `cluster`, GPUs that a replica which transcribes takes; 0.25 lets four "
        "share one.",
    )
    tts_gpus: float = Field(
        0.0, ge=0, description="With `cluster`, GPUs that a replica which speaks takes, likewise."
    )
    beam_size: int = Field(
        5, ge=1, le=16, description="Beams of Whisper's search; 1 is greedy, faster, less exact."
    )
    batch_size: int = Field(
        0,
        ge=0,
        le=64,
        description="Most windows decoded at once; more is faster under load and takes more "
        "memory. 0 takes 8 on a CPU, 16 on a GPU.",
    )
    right_size: bool = Field(
        True,
        description="Encode only as much of Whisper's 30 s as a window needs, with a second try at "
        "full length where the result looks doubtful; off is several times slower on short clips.",
    )
    vad: bool = Field(
        True,
        description="Find speech before transcribing; off decodes everything that is not digital "
        "silence, and Whisper may invent words for noise.",
    )
    strict: bool = Field(
        False,
        description="Refuse what the hosted API refuses (unknown models and voices, formats by "
        "model) instead of doing what was probably meant.",
    )
    max_upload_bytes: int = Field(
        25 * MIB, ge=1024, description="Largest request body in bytes; beyond it the answer is 413."
    )
    max_audio_s: float = Field(
        12 * 3600.0, gt=0, description="Longest recording in seconds; beyond it the answer is 400."
    )
    max_input_chars: int = Field(
        4096,
        ge=1,
        description="Longest text to speak, in code points; beyond it the answer is 400.",
    )
    loudness: float = Field(
        -20.0,
        ge=-40,
        le=0,
        description="What all speech is brought to, in LUFS (ITU-R BS.1770), so that voices and "
        "engines are equally loud; peaks stay below -1 dBTP. The first piece of a text decides the "
        "gain for all of it. 0 leaves what the engine makes.",
    )
    normalize_text: bool = Field(
        True,
        description="Read Markdown, HTML, addresses and, in English, dates, times, sums of money, "
        "units and abbreviations as a person would; off gives the engine the text as it is.",
    )
    max_requests: int = Field(
        256,
        ge=1,
        description="Most transcriptions worked on at once, and as many requests for speech; "
        "beyond it the answer is 503 with `retry-after`.",
    )
    max_queued_s: float = Field(
        3600.0,
        gt=0,
        description="Most seconds of audio that may wait for an engine; beyond it new requests are "
        "answered 503 with `retry-after`. A long file only counts with what it has queued so far, "
        "a few minutes at most.",
    )
    max_sessions: int = Field(
        64,
        ge=1,
        description="Most live transcription sessions at once; beyond it the handshake is answered "
        "503 with `retry-after`. Those that are spoken to at the same time share the machine.",
    )
    max_session_s: float = Field(
        3600.0,
        ge=0,
        description="Longest time in seconds that one session stays open; then it ends with the "
        "error `session_expired`. 0 for no limit.",
    )
    request_timeout_s: float = Field(
        3600.0,
        ge=0,
        description="Longest time in seconds that one request is worked on, waiting included; "
        "beyond it the answer is 504. 0 for no limit.",
    )
    drain_s: float = Field(
        30.0,
        ge=0,
        description="Longest time in seconds that a server which was asked to stop (SIGTERM) goes "
        "on with the requests that run; new ones are answered 503 meanwhile.",
    )
    stop_with_stdin: bool = Field(
        False,
        description="Stop as upon SIGTERM when standard input ends. A program that starts the "
        "server with a pipe there takes it along however it ends, also where it is killed.",
    )
    decoder_memory_bytes: int = Field(
        1024 * MIB,
        ge=64 * MIB,
        description="Memory that decoding one file may take; a file that needs more is refused.",
    )
    decoder_cpu_s: int = Field(
        900, ge=1, description="Processor seconds that decoding one file may take."
    )
    spool_dir: Path | None = Field(
        None, description="Folder for uploads while they are worked on; default: the system's."
    )
    max_spool_bytes: int = Field(
        4096 * MIB,
        ge=1024,
        description="Most bytes that all uploads together may take there; beyond it, or where the "
        "disk has less than 256 MiB left, the answer is 503 with `retry-after`.",
    )
    api_keys: SecretStr | None = Field(
        None,
        description="Keys that clients must send: `name:key` or just `key`, separated by commas; "
        "none leaves the server open. Behind a key there may be what it is allowed, as in "
        "`alice:KEY share=2 requests_per_minute=60 audio_s_per_minute=600`.",
    )
    api_keys_file: Path | None = Field(
        None, description="File with one such entry a line; # starts a comment."
    )
    admin_key: SecretStr | None = Field(
        None,
        description="Key that may load and unload models while the server runs, any that has a "
        "card, and everything else; without it nobody can.",
    )
    requests_per_minute: float = Field(
        0.0,
        ge=0,
        description="Audio requests that a key may send in a minute if nothing else is said with "
        "it, or all callers together where there are no keys; beyond it the answer is 429. 0 for "
        "no limit.",
    )
    audio_s_per_minute: float = Field(
        0.0,
        ge=0,
        description="Seconds of audio that may be read or spoken for a key in a minute, as above. "
        "A request that is longer is served, and those that follow wait the longer. 0 for no "
        "limit.",
    )
    cors_origins: Names = Field(
        ("*",), description="Web origins that may call the server; `none` for no CORS headers."
    )
    playground: bool = Field(
        True,
        description="Serve the playground, a page to try the server with, at `/`. It is static "
        "and may do what its visitor's key may; off, `/` is a 404.",
    )
    testing: bool = Field(
        False,
        description="For tests of other software only: faults on demand, scripted transcripts for "
        "the fake engine, and a list of the requests that came. Whoever reaches the server can "
        "make it fail.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged; keys and what was said never are."
    )
    log_format: Literal["human", "json"] = Field(
        "human", description="Lines for people, or one JSON object a line for machines."
    )
    traces: bool = Field(
        False,
        description="Send OpenTelemetry traces over OTLP/HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT "
        "says; needs the extra `otel`.",
    )

    @field_validator("stt", "tts", "preload", "pinned", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """`a,b` to (a, b); `none` or nothing to ()."""
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        return () if value == ["none"] else value

    @field_validator("stt_replicas", "tts_replicas")
    @classmethod
    def _ascend(cls, value: str) -> str:
        least, dash, most = value.partition("-")
        if dash and int(most) < int(least):
            raise ValueError(f"'{value}' goes down; write the smaller number first")
        return value

    @field_validator("voices", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        """`a=b,c=d` to {a: b, c: d}."""
        if not isinstance(value, str):
            return value
        pairs: dict[str, str] = {}
        for entry in filter(None, map(str.strip, value.split(","))):
            name, equals, voice = (part.strip() for part in entry.partition("="))
            if not (name and equals and voice):
                raise ValueError(f"'{entry}' is not NAME=VOICE, as in alloy=af_heart")
            if name.lower() in pairs:
                raise ValueError(f"'{name}' is given twice")
            pairs[name.lower()] = voice
        return pairs

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, variables, then the TOML file named by `load`."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, toml


def load(file: Path | None = None, **given: Any) -> Settings:
    """Settings from flags (`given`), variables and, if named, a TOML file.

    Raises:
        pydantic.ValidationError: a value is out of range, or a name is not a setting.
        FileNotFoundError: `file` does not exist.
    """
    if file is None:
        return Settings(**given)
    if not file.is_file():
        raise FileNotFoundError(f"no settings file at {file}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    return FromFile(**given)
