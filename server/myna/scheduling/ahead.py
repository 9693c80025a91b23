"""A transcription that goes on while nobody reads it yet: its file is still being uploaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from myna.scheduling.transcription import Progress, Transcription
from myna.text.transcript import Transcript


class Ahead:
    """Keeps what a transcription comes to until somebody asks: then like the transcription itself.

    Whoever makes one closes it.
    """

    def __init__(self, transcription: Transcription) -> None:
        """Begins at once. Needs a running event loop."""
        self._transcription = transcription
        self._kept = asyncio.Queue[Progress | None]()
        self._task = asyncio.create_task(self._go_on())

    async def progress(self) -> AsyncIterator[Progress]:
        """What has been kept, then what follows; raises what `Transcription.progress` does."""
        while (progress := await self._kept.get()) is not None:
            yield progress
        await self._task

    async def run(self) -> Transcript:
        """Everything at once."""
        async for _ in self.progress():
            pass
        return self.transcript

    @property
    def transcript(self) -> Transcript:
        """What has been said so far; all of it once `progress` has ended."""
        return self._transcription.transcript

    async def close(self) -> None:
        """Stop; may be called again, and after its end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        try:
            async for progress in self._transcription.progress():
                self._kept.put_nowait(progress)
        finally:
            self._kept.put_nowait(None)
