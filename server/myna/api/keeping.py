"""What the routes for custom voices and for consents share: their forms, and the disk."""

from __future__ import annotations

import errno
import logging
import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request

from myna.api.context import Context
from myna.api.forms import Form, Upload, refuse
from myna.api.json_form import read_json_form
from myna.api.multipart import read_form
from myna.api.spool import unstorable
from myna.errors import BadRequest, MynaError, PayloadTooLarge

T = TypeVar("T")

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

_log = logging.getLogger("myna.api.keeping")


async def form_of(request: Request, shared: Context) -> Form:
    """The request's form, multipart or JSON; its errors are those of `multipart.read_form`."""
    is_json = request.headers.get("content-type", "").startswith("application/json")
    return await (read_json_form if is_json else read_form)(
        request.stream(),
        request.headers,
        limit_bytes=FILE_BYTES + _FIELDS_BYTES,
        spool=shared.spool,
    )


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


async def kept(work: Callable[[], T]) -> T:
    """Do what waits for the disk, in a thread.

    Raises:
        Overloaded: the disk is full.
        MynaError: it cannot be read or written.
    """
    try:
        return await to_thread.run_sync(work)
    except OSError as error:
        _log.error("cannot keep custom voices (setting voices_dir): %s", error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            unstorable(error)
        raise MynaError(
            "The server cannot read or write its custom voices "
            f"({error.strerror or 'disk error'}); who runs it finds more in its log."
        ) from error


def full(what: str, most: int) -> BadRequest:
    """The error for one too many."""
    return BadRequest(
        f"There are {most} {what} already, which is the maximum for this server (setting "
        "max_custom_voices); delete one first.",
        code="limit_reached",
    )
