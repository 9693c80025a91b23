"""The request form of the audio endpoints: uploads, and fields by name.

Clients write the same form in many ways; `Form` makes one of them: `x`, `x[]` and `x[0]` are one
list, `a[b]` is a nested object, an empty field was not given, and of two scalars the last counts.
`api.multipart` and `api.json_form` read one from a request.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self

from myna.api.spool import Spool, SpoolFile, release, unstorable
from myna.errors import BadRequest

_NAME = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of the request, in a temporary file that has no name and vanishes when closed."""

    file: SpoolFile
    """At its beginning."""
    filename: str
    """As the client called it: a hint, never a path to open."""
    content_type: str
    """As the client called it, or empty."""
    size: int
    """Bytes."""

    @property
    def fd(self) -> int:
        """The open file's descriptor."""
        return self.file.fileno()


class Form:
    """Fields and files of one request. Close it, or use it as an asynchronous context."""

    def __init__(
        self, fields: Collection[tuple[str, str]] = (), uploads: Mapping[str, Upload] | None = None
    ) -> None:
        self._fields: dict[str, list[tuple[str | None, str]]] = {}
        self._uploads = dict(uploads or {})
        for name, value in fields:
            base, key = split_name(name)
            self._fields.setdefault(base, []).append((key, value))

    @property
    def file(self) -> Upload | None:
        """The upload named `file`."""
        return self.upload("file")

    def upload(self, name: str) -> Upload | None:
        """The last upload of that name."""
        return self._uploads.get(name)

    def replace(self, name: str, upload: Upload) -> None:
        """Put another upload in its place, which the caller closes."""
        self._uploads[name] = upload

    def text(self, name: str) -> str | None:
        """The field's last value; None where it is absent or blank."""
        values = self._values(name)
        return values[-1] if values and values[-1].strip() else None

    def texts(self, name: str) -> list[str]:
        """All values that are not blank, in order."""
        return [value for value in self._values(name) if value.strip()]

    def nested(self, name: str) -> dict[str, Any] | str | None:
        """An object from `name[key]` fields (values are strings) or from JSON; else the string.

        Raises `BadRequest` for JSON that is broken or no object.
        """
        found: dict[str, Any] | str | None = None
        for key, value in self._fields.get(name, ()):
            if not value.strip():
                continue
            if key is None:
                found = _json_object(name, value) if value.lstrip().startswith("{") else value
            else:
                found = {**(found if isinstance(found, dict) else {}), key: value}
        return found

    def boolean(self, name: str) -> bool | None:
        """True, false or not given; raises `BadRequest` for anything else."""
        value = self.text(name)
        if value is None:
            return None
        found = _BOOLEANS.get(value.strip().lower())
        if found is None:
            refuse(name, f"{name} {value[:40]!r} is neither 'true' nor 'false'.")
        return found

    def number(self, name: str, minimum: float, maximum: float) -> float | None:
        """A finite number from `minimum` to `maximum`; raises `BadRequest` for anything else."""
        value = self.text(name)
        if value is None:
            return None
        number = float(value) if _NUMBER.fullmatch(value.strip()) else math.nan
        if not minimum <= number <= maximum:
            wanted = f"a number from {minimum:g} to {maximum:g}"
            refuse(name, f"{name} {value[:40]!r} is not {wanted}.")
        return number

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of `allowed`; raises `BadRequest` that lists them for anything else."""
        value = self.text(name)
        if value is None:
            return None
        if value.strip() not in allowed:
            listed = ", ".join(repr(option) for option in allowed)
            refuse(name, f"{name} {value[:40]!r} is not one of {listed}.")
        return value.strip()

    async def close(self) -> None:
        """Give the uploads' disk space back. May be called twice."""
        files = [upload.file for upload in self._uploads.values()]
        await release(lambda: [file.close() for file in files])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _values(self, name: str) -> list[str]:
        return [value for key, value in self._fields.get(name, ()) if key is None]


def stored(spool: Spool, data: bytes, filename: str, content_type: str) -> Upload:
    """Bytes as an upload. Raises Overloaded or MynaError where they cannot be kept."""
    try:
        with ExitStack() as unwanted:
            file = spool.file()
            unwanted.callback(file.close)
            file.write(data)
            file.rewind()
            unwanted.pop_all()
    except OSError as error:
        unstorable(error)
    return Upload(file, filename, content_type, len(data))


def split_name(name: str) -> tuple[str, str | None]:
    """A field's name: `x`, `x[]` and `x[0]` are (x, None), `a[b]` is (a, b).

    Other brackets are part of the name.
    """
    match = _NAME.fullmatch(name)
    if not match:
        return name, None
    base, key = match[1], match[2]
    return base, None if not key or (key.isascii() and key.isdigit()) else key


def refuse(name: str, message: str) -> NoReturn:
    """Raise `BadRequest` for the value of the field called `name`."""
    raise BadRequest(message, param=name, code="invalid_value")


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError for what is none, NaN and Infinity among it, and RecursionError where it is
    nested too deep.
    """
    return json.loads(text, parse_constant=_no_constant)


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        found = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not valid JSON: {error}", param=name) from error
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
