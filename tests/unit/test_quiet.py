"""Memory goes back when nobody asks for anything, and only then."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from myna.quiet import give_back_when_quiet


class Server:
    """Counts requests, and how often memory was given back."""

    def __init__(self) -> None:
        self.served = 0
        self.present = 0
        self.given_back = asyncio.Event()
        self.times = 0

    def give_back(self) -> None:
        self.times += 1
        self.loop.call_soon_threadsafe(self.given_back.set)

    async def quiet(self) -> None:
        self.loop = asyncio.get_running_loop()
        await give_back_when_quiet(
            lambda: self.served, lambda: self.present, self.give_back, quiet_s=0.01
        )


def while_quiet(test) -> None:
    async def main() -> None:
        server = Server()
        task = asyncio.create_task(server.quiet())
        try:
            await test(server)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


async def several_rounds() -> None:
    await asyncio.sleep(0.1)


def test_once_after_requests_and_again_after_more():
    async def test(server: Server) -> None:
        for times in (1, 2):
            server.served += 3
            await asyncio.wait_for(server.given_back.wait(), 120)
            server.given_back.clear()
            await several_rounds()
            assert server.times == times

    while_quiet(test)


def test_never_on_a_server_that_nobody_has_asked():
    async def test(server: Server) -> None:
        await several_rounds()
        assert server.times == 0

    while_quiet(test)


def test_not_while_somebody_is_there():
    async def test(server: Server) -> None:
        server.served = server.present = 1
        await several_rounds()
        assert server.times == 0
        server.present = 0
        await asyncio.wait_for(server.given_back.wait(), 120)

    while_quiet(test)
