"""Transcribing a large upload while the rest of it is still on its way."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from anyio import to_thread

from myna.api.forms import Form
from myna.api.transcription_form import TranscriptionForm
from myna.errors import MynaError
from myna.scheduling.ahead import Ahead
from myna.scheduling.diarization import Hearing
from myna.scheduling.transcription import Bounds, Transcription, TranscriptionService

Choose = Callable[[Form], tuple[TranscriptionService, TranscriptionForm]]
"""What a form asks for, and of whom. Raises MynaError where it asks for nothing that can be done.
"""
Listen = Callable[[TranscriptionService, TranscriptionForm], Awaitable[Hearing | None]]
"""What tells the speakers apart that a form asks for. Raises MynaError."""


class HeadStart:
    """What was begun with the fields in front of the file, as long as those behind it agree."""

    def __init__(self, choose: Choose, listen: Listen, bounds: Bounds) -> None:
        self._choose = choose
        self._listen = listen
        self._bounds = bounds
        self._begun: tuple[TranscriptionService, TranscriptionForm, Ahead] | None = None

    async def begin(self, form: Form) -> None:
        """Begin with a form whose file is being written, if its fields say enough.

        What is wrong with them is for the whole form to say.
        """
        if form.file is None or form.text("model") is None:
            return
        try:
            service, asked = self._choose(form)
            if not service.uploading.acquire(blocking=False):
                return
        except MynaError:
            return
        try:
            hearing = await self._listen(service, asked)
            transcription = await self._opened(service, asked, hearing)
        except (MynaError, OSError):
            service.uploading.release()
            return
        except BaseException:
            service.uploading.release()
            raise
        self._begun = service, asked, Ahead(transcription)

    async def _opened(
        self, service: TranscriptionService, asked: TranscriptionForm, hearing: Hearing | None
    ) -> Transcription:
        growth = await to_thread.run_sync(asked.file.file.follow)
        try:
            return await service.open(
                asked.file.fd, asked.options, asked.cutting, self._bounds, growth, hearing
            )
        finally:
            os.close(growth)

    async def finish(
        self, service: TranscriptionService, asked: TranscriptionForm
    ) -> Transcription | Ahead:
        """The transcription of the whole form: the one that was begun, or a new one."""
        if self._begun is not None:
            chosen, early, ahead = self._begun
            if chosen is service and _alike(early, asked):
                return ahead
            await self.close()
        hearing = await self._listen(service, asked)
        return await service.open(
            asked.file.fd, asked.options, asked.cutting, self._bounds, hearing=hearing
        )

    async def close(self) -> None:
        """End what was begun. May be called again."""
        if self._begun is not None:
            service, _, ahead = self._begun
            self._begun = None
            service.uploading.release()
            await ahead.close()


def _alike(early: TranscriptionForm, asked: TranscriptionForm) -> bool:
    """Whether the same file is to be transcribed in the same way."""
    same = early.options == asked.options and early.cutting == asked.cutting
    same = same and early.speakers == asked.speakers
    return same and early.file.file is asked.file.file
