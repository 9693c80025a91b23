"""The models that a request or a live session is lent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from myna.api.leases import Leases
from myna.errors import Overloaded
from myna.scheduling.residency import Residency, Terms
from myna.scheduling.resident import About, Loaded, Resident


def model(name: str) -> Resident[Any]:
    return Resident(About(name, size_bytes=1000), lambda: Loaded(object(), lambda: None))


def lending(*models: Resident[Any]) -> tuple[Residency, Leases[Any]]:
    residency = Residency(models, Terms(), run=asyncio.to_thread)
    return residency, Leases(residency)


async def from_a_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


def test_a_model_is_lent_once_and_held_to_the_end():
    async def main() -> None:
        first = model("a")
        _, leases = lending(first)
        await leases.take(first)
        await leases.take(first)
        assert leases.service(first) is leases.now(first) is first.service
        assert first.leases == 1
        leases.end()
        assert first.leases == 0

    asyncio.run(main())


def test_a_model_in_memory_is_lent_without_waiting_and_counts_as_one_use():
    async def main() -> None:
        first, cold = model("a"), model("b")
        residency, leases = lending(first, cold)
        await residency.load(first)
        assert leases.now(first) is first.service
        await leases.take(first)
        assert first.leases == 1
        with pytest.raises(Overloaded, match="not loaded"):
            leases.now(cold)
        assert (cold.state, cold.leases) == ("cold", 0)
        leases.end()
        assert first.leases == 0

    asyncio.run(main())


def test_a_session_may_change_to_a_model_in_memory_and_holds_both():
    async def main() -> None:
        first, second = model("a"), model("b")
        residency, leases = lending(first, second)
        await leases.take(first)
        await residency.load(second)
        assert await from_a_thread(lambda: leases.service(second)) is second.service
        assert (first.leases, second.leases) == (1, 1)
        leases.end()
        assert (first.leases, second.leases) == (0, 0)

    asyncio.run(main())


def test_a_change_to_a_cold_model_has_it_loaded_and_does_not_wait():
    async def main() -> None:
        first, second = model("a"), model("b")
        residency, leases = lending(first, second)
        await leases.take(first)
        with pytest.raises(Overloaded, match="b is being loaded") as refused:
            await from_a_thread(lambda: leases.service(second))
        assert refused.value.retry_after_s
        await residency.settle()
        assert await from_a_thread(lambda: leases.service(second)) is second.service

    asyncio.run(main())


def test_what_comes_after_the_end_is_given_back():
    async def main() -> None:
        first = model("a")
        residency, leases = lending(first)
        taking = asyncio.ensure_future(leases.take(first))
        await asyncio.sleep(0)
        leases.end()
        with pytest.raises(Overloaded, match="session is over"):
            await taking
        assert first.leases == 0
        await residency.settle()

    asyncio.run(main())
