"""The command line: parse and call, no logic."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from myna import __version__
from myna.machine import tell_libraries
from myna.settings import Settings, load

if TYPE_CHECKING:
    from myna.store.weights import Weights


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for every setting, from its declaration."""
    for name, field in reversed(Settings.model_fields.items()):
        default: Any = field.default
        shown = (
            ",".join(cast("tuple[str, ...]", default)) if isinstance(default, tuple) else default
        )
        note = "" if shown in (None, "", {}) else f"  [default: {shown}]"
        text = f"{field.description}{note}  ({_variable(name)})"
        if isinstance(default, bool):
            flag = f"{_flag(name)}/--no-{name.replace('_', '-')}"
            command = click.option(flag, name, default=None, help=text)(command)
        else:
            command = click.option(_flag(name), name, default=None, metavar="VALUE", help=text)(
                command
            )
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="MYNA_CONFIG",
        help="TOML file with settings; flags and variables win over it.  (MYNA_CONFIG)",
    )(command)


def _variable(name: str) -> str:
    return f"MYNA_{name.upper()}"


def _settings(config: Path | None, given: dict[str, Any]) -> Settings:
    from pydantic import ValidationError

    try:
        return load(config, **{name: value for name, value in given.items() if value is not None})
    except ValidationError as invalid:
        lines = [f"{error['loc'][0]}: {error['msg']}" for error in invalid.errors()]
        raise click.UsageError("; ".join(lines)) from None
    except (OSError, ValueError) as broken:
        raise click.UsageError(str(broken)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="myna")
def main() -> None:
    """Myna speaks OpenAI's Audio API on local models."""
    tell_libraries()


@main.command()
@settings_options
def serve(config: Path | None, **given: Any) -> None:
    """Fetch what is missing, load the models and serve until stopped."""
    settings = _settings(config, given)
    try:
        if settings.cluster:
            from myna.cluster.serving import run
        else:
            from myna.serving import run
        run(settings)
    except KeyboardInterrupt:
        return  # Ctrl-C is how a server is stopped by hand
    except ModuleNotFoundError as missing:
        if missing.name != "ray":
            raise
        raise click.ClickException(
            "--cluster needs Ray, which comes with the extra: pip install 'myna[cluster]'"
        ) from None
    except _expected() as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("models", nargs=-1)
@click.option("--verify", is_flag=True, help="Read all files again and compare their checksums.")
@settings_options
def pull(models: tuple[str, ...], config: Path | None, *, verify: bool, **given: Any) -> None:
    """Download the weights of MODELS (default: what `serve` would load)."""
    from myna.planning import diarizer_name, store
    from myna.store.cards import Catalogue
    from myna.store.resolution import resolve

    settings = _settings(config, given)
    catalogue = Catalogue.load(settings.models_dir)
    weights = store(settings)
    try:
        for name in models or (*settings.stt, *settings.tts, diarizer_name(settings)):
            if name is None or name == "fake":
                continue
            found = resolve(name, None, catalogue, weights)
            if verify and found.card is not None:
                _verify(found.card.id, weights.verify(found.card))
            click.echo(f"{found.id}: {found.folder}")
    except _expected() as error:
        raise click.ClickException(str(error)) from None


def _verify(model: str, bad: list[Path]) -> None:
    if bad:
        names = ", ".join(str(path) for path in bad)
        raise click.ClickException(f"{model}: not as the card says, delete and pull again: {names}")


@main.command("models")
@settings_options
def list_models(config: Path | None, **given: Any) -> None:
    """List the model cards, and which of them are downloaded."""
    from myna.planning import store
    from myna.store.cards import Catalogue

    settings = _settings(config, given)
    weights: Weights = store(settings)
    for card in Catalogue.load(settings.models_dir):
        here = "downloaded" if not weights.missing(card) else f"{card.bytes / 1e6:.0f} MB to pull"
        click.echo(f"{card.id:28} {card.task:11} {card.licence:12} {here}")


@main.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1)
@settings_options
def bundle(output: Path, models: tuple[str, ...], config: Path | None, **given: Any) -> None:
    """Write MODELS (default: what `serve` would load) into the one file OUTPUT, for a machine
    without a network."""
    from myna import airgap

    try:
        for name in airgap.bundle(_settings(config, given), output, models):
            click.echo(f"{output}: {name}")
    except _expected() as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings_options
def unbundle(file: Path, config: Path | None, **given: Any) -> None:
    """Put the models of FILE, which `bundle` has written, in place, and check them."""
    from myna import airgap

    try:
        for one in airgap.unbundle(_settings(config, given), file):
            click.echo(f"{one.id}: serve it as {one.id if one.card else one.folder}")
    except _expected() as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "verbose_json", "diarized_json", "srt", "vtt"]),
    default="text",
    show_default=True,
)
@click.option("--language", help="Language that is spoken; default: detected.")
@click.option("--translate", is_flag=True, help="Write English, whatever is spoken.")
@click.option("--words", is_flag=True, help="Word timestamps, with --format verbose_json.")
@click.option("--speaker-labels", is_flag=True, help="Name who speaks, in text, srt and vtt.")
@click.option("--max-speakers", type=click.IntRange(1, 100), help="How many there are at the most.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder to write to.")
@settings_options
def transcribe(config: Path | None, **given: Any) -> None:
    """Transcribe FILES with a local model, without a server."""
    from myna.local import TranscribeJob, transcribe_files

    job = TranscribeJob(
        files=given.pop("files"),
        format=given.pop("format_"),
        language=given.pop("language"),
        translate=given.pop("translate"),
        words=given.pop("words"),
        speaker_labels=given.pop("speaker_labels"),
        max_speakers=given.pop("max_speakers"),
        output=given.pop("output"),
    )
    try:
        transcribe_files(_settings(config, given), job)
    except _expected() as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("text", required=False)
@click.option("--voice", default="alloy", show_default=True, help="Voice to speak with.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="0.25 to 4.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["mp3", "opus", "aac", "flac", "wav", "pcm"]),
    help="Default: by the output's name, else wav.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, - for standard output; default: it is played.",
)
@settings_options
def speak(config: Path | None, **given: Any) -> None:
    """Speak TEXT aloud, or into a file, with a local model, without a server.

    Without TEXT, or with -, it is read from standard input.
    """
    from myna.local import SpeakJob, speak_text

    text = given.pop("text") or "-"
    if text == "-" and sys.stdin.isatty():
        raise click.UsageError("Give a TEXT, or pipe one in: myna speak < letter.txt")
    job = SpeakJob(
        text=sys.stdin.read() if text == "-" else text,
        voice=given.pop("voice"),
        speed=given.pop("speed"),
        format=given.pop("format_"),
        output=given.pop("output"),
    )
    try:
        speak_text(_settings(config, given), job)
    except _expected() as error:
        raise click.ClickException(str(error)) from None


def _expected() -> tuple[type[Exception], ...]:
    """Failures that are said in a sentence, without a traceback."""
    from myna.errors import MynaError
    from myna.store.cards import CardError
    from myna.store.weights import ModelUnavailable

    return (MynaError, CardError, ModelUnavailable, OSError, ValueError)
