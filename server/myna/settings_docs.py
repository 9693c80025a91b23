"""docs/settings.md from the settings' declaration: `python -m myna.settings_docs FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from myna.settings import MIB, Settings

_HEAD = """\
# Settings

Written by `make docs` from `server/myna/settings.py`; change it there.

A setting can be given in three ways. A flag wins over a variable, and a variable over the file.

| | For example |
|---|---|
| Flag of `myna serve` and the other commands | `myna serve --port 9000 --stt large-v3-turbo --no-vad` |
| Variable | `MYNA_PORT=9000 MYNA_STT=large-v3-turbo MYNA_VAD=false` |
| TOML file, named by `--config` or `MYNA_CONFIG` | `port = 9000`, `stt = ["large-v3-turbo"]`, `vad = false` |

A name that is no setting stops the start when it stands in the file or is a flag. `myna serve --help`
shows this table in the terminal.

| Flag, variable | Value | Default | What it does |
|---|---|---|---|
"""

_BOUNDS = {Ge: "from {}", Gt: "above {}", Le: "to {}", Lt: "below {}"}


def settings_page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    flag = name.replace("_", "-")
    flags = f"`--{flag}`, `--no-{flag}`" if isinstance(field.default, bool) else f"`--{flag}`"
    cells = (
        f"{flags}<br>`MYNA_{name.upper()}`",
        _value(field),
        _default(name, field.default),
        (field.description or "").replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |\n"


def _value(field: FieldInfo) -> str:
    """The kind of value in words, with its bounds."""
    kinds: tuple[Any, ...] = (field.annotation,)
    if not isinstance(field.annotation, type) and NoneType in get_args(field.annotation):
        kinds = tuple(kind for kind in get_args(field.annotation) if kind is not NoneType)
    kind = kinds[0]
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "names, with commas between them"
    words = {bool: "true or false", int: "whole number", float: "number", Path: "path"}
    word = words.get(kind, "secret" if kind is SecretStr else "text")
    return " ".join([word, *_bounds(field)])


def _bounds(field: FieldInfo) -> list[str]:
    return [
        text.format(f"{getattr(bound, kind.__name__.lower()):g}".replace("e+0", "e"))
        for bound in field.metadata
        for kind, text in _BOUNDS.items()
        if isinstance(bound, kind)
    ]


def _default(name: str, default: object) -> str:
    if default is None:
        return "-"
    if isinstance(default, tuple):
        return ", ".join(f"`{item}`" for item in get_args(Literal[default])) or "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    size = (
        f" ({default // MIB} MiB)" if name.endswith("_bytes") and isinstance(default, int) else ""
    )
    return f"`{default}`{size}"


def main(arguments: list[str]) -> None:
    """Write the page to the one file that is named."""
    (file,) = arguments
    Path(file).write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
