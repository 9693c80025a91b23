"""What can go wrong, and how each case is said to a client in OpenAI's words.

    MynaError                  500  server_error
    ├── BadRequest             400  a field is missing, malformed or out of range
    │   ├── UnsupportedAudio   400  the bytes are no audio that can be decoded
    │   ├── AudioTooShort      400  below 0.1 s
    │   └── AudioTooLong       400  beyond the server's limit
    ├── Unauthorized           401  no key, or a wrong one
    ├── Forbidden          403  the key may not do that
    ├── ModelNotFound          404  no such model here
    ├── NotFound               404  no such path or object
    ├── MethodNotAllowed       405
    ├── Conflict           409  not now, as what it would change is in use
    ├── ClientGone             499  the client left before the answer; never sent
    ├── PayloadTooLarge        413  the request is larger than the server takes
    ├── RateLimited        429  the key has used what it may for now
    ├── NotImplementedHere     501  a known feature that this server does not have
    ├── Overloaded             503  try again after `retry_after_s`
    ├── DeadlineExceeded       504  the request took longer than the server lets it
    └── EngineFailure          500  the engine broke on an input that it should have taken

Engines and audio code raise these and know nothing of HTTP; `envelope` is the only place where one
becomes a body. Sources of statuses, codes and params: the hosted API as its clients recorded it.
"""

from __future__ import annotations

import math
from typing import Any

AUDIO_FORMATS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")


class MynaError(Exception):
    """Root of every failure that Myna reports to a client."""

    status: int = 500
    """HTTP status of the answer."""
    type: str = "server_error"
    """`error.type` of the envelope."""
    retryable: bool = False
    """Whether the same request may succeed later; sent as `x-should-retry` with 5xx answers."""
    reason: str | None = None
    """Why a request that could be served was sent away; counted under that."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s


class BadRequest(MynaError):
    """The client sent what cannot be served; the message names the field and the way out."""

    status = 400
    type = "invalid_request_error"


class UnsupportedAudio(BadRequest):
    """The file is empty, no media file, damaged beyond use, or holds no audio."""

    def __init__(self, reason: str = "", *, param: str | None = "file") -> None:
        listed = "[" + ", ".join(f"'{name}'" for name in AUDIO_FORMATS) + "]"
        detail = f" ({reason})" if reason else ""
        super().__init__(f"Invalid file format. Supported formats: {listed}{detail}", param=param)


class AudioTooShort(BadRequest):
    """Less audio than Whisper can make sense of."""

    def __init__(self, minimum_s: float = 0.1, *, param: str | None = "file") -> None:
        super().__init__(
            f"Audio file is too short. Minimum audio length is {minimum_s:g} seconds.",
            param=param,
            code="audio_too_short",
        )


class AudioTooLong(BadRequest):
    """More audio than the server is set to take."""

    def __init__(self, maximum_s: float, seconds: float | None = None) -> None:
        length = f"{seconds:g} seconds" if seconds is not None else "of this file"
        super().__init__(
            f"audio duration {length} is longer than {maximum_s:g} seconds which is the maximum "
            "for this server (setting max_audio_s); send it in parts",
            param="file",
            code="invalid_value",
        )


class Unauthorized(MynaError):
    """No key was sent, or one that this server does not know."""

    status = 401
    type = "invalid_request_error"


class Forbidden(MynaError):
    """The key is known, and may not do that."""

    status = 403
    type = "invalid_request_error"


class Conflict(MynaError):
    """What the request would change is in use."""

    status = 409
    type = "invalid_request_error"


class ModelNotFound(MynaError):
    """The request names a model that is not served here."""

    status = 404
    type = "invalid_request_error"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model `{model}` does not exist or you do not have access to it.",
            code="model_not_found",
        )


class NotFound(MynaError):
    """No such path or object."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(MynaError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"


class PayloadTooLarge(MynaError):
    """The request body is larger than the server takes. Hosted, this too is a server_error."""

    status = 413

    def __init__(self, limit_bytes: int, read_bytes: int) -> None:
        super().__init__(
            f"413: Maximum content size limit ({limit_bytes}) exceeded ({read_bytes} bytes read)"
        )


class RateLimited(MynaError):
    """A caller has had what it may have in a minute."""

    status = 429
    type = "rate_limit_error"
    reason = "rate_limit"

    def __init__(self, what: str, limit: float, *, retry_after_s: float = 1.0) -> None:
        """`what` is limited to `limit` a minute."""
        super().__init__(
            f"Rate limit reached on {what} per minute: the limit of this API key is {limit:.10g}. "
            f"Please try again in {max(1, math.ceil(retry_after_s))}s.",
            code="rate_limit_exceeded",
            retry_after_s=retry_after_s,
        )


class ClientGone(MynaError):
    """The client closed its connection; nobody is there to read an answer."""

    status = 499
    type = "invalid_request_error"


class NotImplementedHere(MynaError):
    """Part of the API that this server, as it is set up, does not have."""

    status = 501


class Overloaded(MynaError):
    """The queue is full, or a model is still loading."""

    status = 503
    type = "service_unavailable_error"
    retryable = True

    def __init__(
        self, message: str, *, retry_after_s: float = 1.0, reason: str = "overload"
    ) -> None:
        """`reason` is for counters; clients read the message."""
        super().__init__(message, code="server_is_overloaded", retry_after_s=retry_after_s)
        self.reason = reason


class DeadlineExceeded(MynaError):
    """The request took longer than the server is set to work on one; again, it would as well."""

    status = 504

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"The request took longer than {limit_s:g} seconds, which is the maximum for this "
            "server (setting request_timeout_s); send the file in parts, or when less is going on.",
            code="deadline_exceeded",
        )


class EngineFailure(MynaError):
    """An engine broke on an input that it should have taken."""


def envelope(error: MynaError) -> dict[str, Any]:
    """The body of an error answer, all four keys always present."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }


def headers(error: MynaError) -> dict[str, str]:
    """What retry logic reads; seconds are rounded up to whole ones."""
    found: dict[str, str] = {}
    if error.retry_after_s is not None:
        found["retry-after"] = str(max(1, -int(-error.retry_after_s // 1)))
        found["retry-after-ms"] = str(max(1, round(error.retry_after_s * 1000)))
    if error.status >= 500:
        found["x-should-retry"] = "true" if error.retryable else "false"
    return found
