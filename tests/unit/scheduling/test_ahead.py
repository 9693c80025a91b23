"""A transcription that nobody reads yet goes on, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from myna.errors import UnsupportedAudio
from myna.scheduling.ahead import Ahead
from myna.scheduling.transcription import Progress


class Source:
    """Stands in for a transcription: three stretches, then `fault`."""

    transcript = "all of it"

    def __init__(self, fault: Exception | None = None, *, endless: bool = False) -> None:
        self.fault = fault
        self.endless = endless
        self.given = 0
        self.left = False

    async def progress(self) -> AsyncIterator[Progress]:
        try:
            for second in (1, 2, 3):
                self.given += 1
                yield Progress((), second)
            if self.fault:
                raise self.fault
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.left = True


def ahead(source: Any) -> Ahead:
    return Ahead(source)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_was_done_before_anybody_asked_is_kept_in_order():
    async def main() -> None:
        source = Source()
        going = ahead(source)
        await settle()
        assert source.given == 3
        assert [progress.done_s async for progress in going.progress()] == [1, 2, 3]
        assert await ahead(Source()).run() == "all of it"

    asyncio.run(main())


def test_a_failure_comes_behind_what_went_before_it():
    async def main() -> None:
        progress = ahead(Source(UnsupportedAudio("broken"))).progress()
        assert [(await anext(progress)).done_s for _ in range(3)] == [1, 2, 3]
        with pytest.raises(UnsupportedAudio):
            await anext(progress)

    asyncio.run(main())


@pytest.mark.parametrize("fault", [None, UnsupportedAudio("broken")])
def test_closing_stops_it_and_tells_nobody_of_a_failure(fault):
    async def main() -> None:
        source = Source(fault, endless=True)
        going = ahead(source)
        await settle()
        await going.close()
        await going.close()
        assert source.left

    asyncio.run(main())
