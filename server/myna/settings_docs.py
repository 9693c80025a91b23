"""docs/settings.md from the settings' declaration: `python -m myna.settings_docs FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from myna.settings import MIB, Settings

_HEAD = """\
# Settings

Written by `make docs` from `server/myna/settings.py`; change it there.

A setting can be given in three ways. A flag wins over a variable, and a variable over the file.

| | For example |
|---|---|
| Flag of any `myna` command | `myna serve --port 9000 --stt large-v3-turbo --no-vad` |
| Variable | `MYNA_PORT=9000 MYNA_STT=large-v3-turbo MYNA_VAD=false myna serve` |
| TOML file, named by `--config` or `MYNA_CONFIG` | `port = 9000`<br>`stt = ["large-v3-turbo"]` |

A flag or a key of the file that is no setting stops the start. `myna serve --help` shows this table
in the terminal.

| Flag, variable | Value | Default | What it does |
|---|---|---|---|
"""

_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
    SecretStr: "secret",
}


def settings_page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    flag = name.replace("_", "-")
    flags = f"`--{flag}`, `--no-{flag}`" if isinstance(field.default, bool) else f"`--{flag}`"
    cells = (
        f"{flags}<br>`MYNA_{name.upper()}`",
        _value(field),
        _default(field.default, in_bytes=name.endswith("_bytes")),
        (field.description or "").replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |\n"


def _value(field: FieldInfo) -> str:
    """The kind of value in words, with its bounds."""
    kind: Any = field.annotation
    if NoneType in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "names, with commas between them"
    if get_origin(kind) is dict:
        return "`NAME=VOICE`, with commas between them; in the file also a table"
    return " ".join([_WORDS.get(kind, "text"), *_bounds(field)])


def _bounds(field: FieldInfo) -> list[str]:
    found: list[str] = []
    for bound in field.metadata:
        match bound:
            case Ge():
                found.append(f"from {bound.ge}")
            case Gt():
                found.append(f"above {bound.gt}")
            case Le():
                found.append(f"to {bound.le}")
            case _:
                pass
    return found


def _default(default: object, *, in_bytes: bool) -> str:
    match default:
        case None | {}:  # of the tables every default is empty
            return "-"
        case tuple():
            return ", ".join(f"`{name}`" for name in cast("tuple[str, ...]", default)) or "none"
        case bool():
            return f"`{str(default).lower()}`"
        case int() if in_bytes:
            return f"`{default}` ({default // MIB} MiB)"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def main(arguments: list[str]) -> None:
    """Write the page to the one file that is named."""
    (file,) = arguments
    Path(file).write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
