"""The forms of custom voices and of consents: the fields that both have."""

from __future__ import annotations

import re
import unicodedata

from starlette.requests import Request

from myna.api.context import Context
from myna.api.form_body import form_of
from myna.api.forms import Form, Upload, refuse
from myna.errors import BadRequest, PayloadTooLarge

FILE_BYTES = 10 * 1024 * 1024
"""Of a recording, as hosted."""
_FIELDS_BYTES = 64 * 1024
"""Of everything else in a form."""
_NAME_CHARS = 100
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")
"""BCP 47, but for private tags."""

_AUDIO = re.compile(
    rb"RIFF....WAVE|RF64....WAVE|OggS|fLaC|ID3|\xff[\xe2-\xff]|\x1aE\xdf\xa3|....ftyp", re.DOTALL
)
"""How files of the types begin that the hosted API takes: WAV, Ogg, FLAC, MP3, ADTS, WebM, MP4."""


async def kept_form(request: Request, shared: Context) -> Form:
    """The request's form, of at most one recording."""
    limit_bytes = FILE_BYTES + _FIELDS_BYTES
    return await form_of(request, limit_bytes=limit_bytes, spool=shared.spool)


def named(form: Form) -> str:
    """The field `name`. Raises BadRequest."""
    name = " ".join((form.text("name") or "").split())
    if not name:
        raise BadRequest("Missing 'name': say what to call it.", param="name")
    if len(name) > _NAME_CHARS:
        refuse("name", f"Invalid 'name': it is longer than {_NAME_CHARS} characters.")
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in name):
        refuse("name", "Invalid 'name': it holds control characters.")
    return name


def language_tag(form: Form, default: str | None = None) -> str:
    """The field `language`, a BCP 47 tag such as `en-US`. Raises BadRequest."""
    tag = (form.text("language") or default or "").strip()
    if not _TAG.fullmatch(tag):
        refuse("language", f"Invalid 'language': {tag[:40]!r} is no BCP 47 tag such as en-US.")
    return tag


def uploaded(form: Form, field: str) -> Upload | None:
    """The file in a field. Raises BadRequest where it is empty or no file, PayloadTooLarge."""
    upload = form.upload(field)
    if upload is None:
        if form.text(field) is not None:
            refuse(field, f"Invalid '{field}': send it as a file, with a filename.")
        return None
    if not upload.size:
        refuse(field, f"Invalid '{field}': the file is empty.")
    if upload.size > FILE_BYTES:
        raise PayloadTooLarge(FILE_BYTES, upload.size)
    return upload


def is_audio(data: bytes) -> bool:
    """Whether bytes begin as a recording does; that it can be decoded is not tried."""
    return _AUDIO.match(data) is not None
