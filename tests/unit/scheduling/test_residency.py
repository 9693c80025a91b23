"""Which models are in memory: played on an event loop whose clock the test owns.

Loading takes simulated seconds, so that hours pass in no time and every order of events can happen.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from simulated_loop import SimulatedLoop, simulated

from myna.errors import Conflict, EngineFailure, Overloaded
from myna.scheduling.residency import Lease, Residency, Terms
from myna.scheduling.resident import About, Loaded, Resident

MB = 1_000_000


@dataclass
class World:
    """Models that note what is done to them, and the memory that they take."""

    sizes: dict[str, int]
    """Bytes of each model's files."""
    takes: dict[str, int] = field(default_factory=dict)
    """Bytes that it takes when it is loaded, where that is another number."""
    load_s: float = 3.0
    close_s: float = 1.0
    pinned: tuple[str, ...] = ()
    broken: set[str] = field(default_factory=set)
    open: dict[str, object] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    lent: Counter[str] = field(default_factory=Counter)
    """How many clients have each model in their hands."""
    wrong: list[str] = field(default_factory=list)
    """What must never happen and did."""
    most_bytes: int = 0
    working: int = 0

    def __post_init__(self) -> None:
        self.models = {name: self._resident(name) for name in self.sizes}

    def _resident(self, name: str) -> Resident[object]:
        def build() -> Loaded[object]:
            self.check(name not in self.open, f"{name} is loaded twice")
            if name in self.broken:
                raise RuntimeError(f"/secret/{name} is damaged")
            self.open[name] = service = object()
            self.events.append(f"+{name}")
            self.most_bytes = max(self.most_bytes, self.memory())
            return Loaded(service, close)

        def close() -> None:
            self.check(not self.lent[name], f"{name} is closed while it is lent")
            del self.open[name]
            self.events.append(f"-{name}")

        about = About(name, size_bytes=self.sizes[name], pinned=name in self.pinned)
        return Resident(about, build)

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def memory(self) -> int:
        return sum(self.takes.get(name, self.sizes[name]) for name in self.open)

    async def run(self, work: Callable[[], Any]) -> Any:
        """Loading takes its time before the model is there, closing until it is gone."""
        self.working += 1
        self.check(self.working == 1, "two models come or go at once")
        try:
            building = getattr(work, "__name__", "") == "build"
            await asyncio.sleep(self.load_s if building else self.close_s)
            return work()
        finally:
            self.working -= 1

    def residency(self, **terms: Any) -> Residency:
        return Residency(
            list(self.models.values()), Terms(**terms), run=self.run, memory=self.memory
        )


async def later(awaitable: Awaitable[Any]) -> asyncio.Task[Any]:
    """Begin something, and let it get as far as it can at once."""
    task = asyncio.ensure_future(awaitable)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def test_a_cold_model_is_loaded_once_for_all_who_ask():
    async def main() -> None:
        world = World({"a": 10 * MB})
        residency = world.residency()
        model = world.models["a"]
        leases = await asyncio.gather(*(residency.lease(model) for _ in range(20)))
        assert world.events == ["+a"]
        assert {id(lease.service) for lease in leases} == {id(world.open["a"])}
        assert (model.leases, model.state) == (20, "loaded")

    simulated(main)


def test_who_would_wait_too_long_is_told_how_far_it_is_and_when_to_come_back():
    async def main() -> None:
        world = World({"a": 2000 * MB}, load_s=18.0)  # 20 s, by its size
        residency = world.residency(wait_s=5.0)
        with pytest.raises(Overloaded, match=r"a is being loaded \(25%, 5 s so far\)") as caught:
            await residency.lease(world.models["a"])
        assert caught.value.retry_after_s == pytest.approx(15)
        assert caught.value.reason == "loading"
        await asyncio.sleep(14)  # it goes on without him
        assert (await residency.lease(world.models["a"])).service is world.open["a"]
        assert world.events == ["+a"]

    simulated(main)


def test_without_patience_the_answer_is_at_once_and_loading_begins():
    async def main() -> None:
        world = World({"a": 10 * MB})
        residency = world.residency(wait_s=0.0)
        with pytest.raises(Overloaded):
            await residency.lease(world.models["a"])
        assert world.models["a"].state == "loading"
        assert world.models["a"].leases == 0
        await asyncio.sleep(4)
        await residency.lease(world.models["a"])

    simulated(main)


def test_the_time_that_loading_took_is_expected_the_next_time():
    async def main() -> None:
        world = World({"a": 10 * MB}, load_s=40.0)
        residency = world.residency(wait_s=10.0)
        await residency.load(world.models["a"])
        await residency.unload(world.models["a"])
        with pytest.raises(Overloaded, match="25%") as caught:
            await residency.lease(world.models["a"])
        assert caught.value.retry_after_s == pytest.approx(30)

    simulated(main)


def test_a_client_who_leaves_while_he_waits_leaves_the_loading_to_the_others():
    async def main() -> None:
        world = World({"a": 10 * MB})
        residency = world.residency()
        leaver = await later(residency.lease(world.models["a"]))
        other = await later(residency.lease(world.models["a"]))
        leaver.cancel()
        assert (await other).service is world.open["a"]
        assert world.models["a"].leases == 1

    simulated(main)


def test_a_model_that_cannot_be_loaded_is_tried_again_and_its_paths_are_not_told():
    async def main() -> None:
        world = World({"a": 10 * MB}, broken={"a"})
        residency = world.residency()
        both = [residency.lease(world.models["a"]) for _ in range(2)]
        for failure in await asyncio.gather(*both, return_exceptions=True):
            assert isinstance(failure, EngineFailure)
            assert "secret" not in failure.message
        assert (world.models["a"].leases, world.models["a"].state) == (0, "cold")
        world.broken.clear()
        await residency.lease(world.models["a"])
        assert world.events == ["+a"]

    simulated(main)


def test_the_least_recently_used_makes_room():
    async def main() -> None:
        world = World({"a": 40 * MB, "b": 40 * MB, "c": 40 * MB})
        residency = world.residency(memory_bytes=100 * MB)
        for name in "ab":
            (await residency.lease(world.models[name])).end()
            await asyncio.sleep(10)
        (await residency.lease(world.models["a"])).end()
        await residency.lease(world.models["c"])
        assert world.events == ["+a", "+b", "-b", "+c"]
        assert world.most_bytes <= 100 * MB

    simulated(main)


def test_what_is_lent_or_pinned_stays_and_who_finds_no_room_is_told():
    async def main() -> None:
        world = World({"a": 40 * MB, "b": 40 * MB, "c": 40 * MB}, pinned=("a",))
        residency = world.residency(memory_bytes=100 * MB)
        (await residency.lease(world.models["a"])).end()
        lease = await residency.lease(world.models["b"])
        with pytest.raises(Overloaded, match="no memory for the model c") as caught:
            await residency.lease(world.models["c"])
        assert caught.value.reason == "memory"
        assert world.models["c"].state == "cold"
        lease.end()
        await residency.lease(world.models["c"])
        assert world.events == ["+a", "+b", "-b", "+c"]

    simulated(main)


def test_a_model_that_comes_out_larger_than_its_files_is_reckoned_so_and_others_go():
    async def main() -> None:
        world = World({"a": 40 * MB, "b": 40 * MB}, takes={"b": 70 * MB})
        residency = world.residency(memory_bytes=100 * MB)
        (await residency.lease(world.models["a"])).end()
        await residency.lease(world.models["b"])
        assert world.events == ["+a", "+b", "-a"]
        assert residency.held_bytes == 70 * MB

    simulated(main)


def test_memory_that_is_used_again_does_not_make_a_model_small():
    async def main() -> None:
        world = World({"a": 40 * MB}, takes={"a": 1 * MB})
        residency = world.residency()
        await residency.load(world.models["a"])
        assert residency.held_bytes == 40 * MB

    simulated(main)


def test_idle_models_are_unloaded_after_their_time_and_used_ones_are_not():
    async def main() -> None:
        world = World({"idle": MB, "used": MB, "pinned": MB}, pinned=("pinned",))
        residency = world.residency(ttl_s=60.0)
        for name in world.models:
            await residency.load(world.models[name])
        lease = await residency.lease(world.models["used"])
        watching = asyncio.ensure_future(residency.watch())
        await asyncio.sleep(40)
        assert world.events == ["+idle", "+used", "+pinned"]
        await asyncio.sleep(60)
        assert world.events[3:] == ["-idle"]
        lease.end()
        await asyncio.sleep(40)
        assert world.events[3:] == ["-idle"]
        await asyncio.sleep(60)
        assert world.events[3:] == ["-idle", "-used"]
        watching.cancel()

    simulated(main)


def test_who_asks_for_a_model_that_is_being_unloaded_gets_it_loaded_again():
    async def main() -> None:
        world = World({"a": MB})
        residency = world.residency()
        await residency.load(world.models["a"])
        unloading = await later(residency.unload(world.models["a"]))
        assert world.models["a"].state == "unloading"
        lease = await residency.lease(world.models["a"])
        await unloading
        assert lease.service is world.open["a"]
        assert world.events == ["+a", "-a", "+a"]
        assert world.wrong == []

    simulated(main)


def test_by_hand_a_model_is_unloaded_pinned_or_not_but_never_under_a_request():
    async def main() -> None:
        world = World({"a": MB}, pinned=("a",))
        residency = world.residency()
        lease = await residency.lease(world.models["a"])
        with pytest.raises(Conflict, match="1 requests"):
            await residency.unload(world.models["a"])
        lease.end()
        lease.end()
        await residency.unload(world.models["a"])
        await residency.unload(world.models["a"])
        assert world.events == ["+a", "-a"]

    simulated(main)


def test_a_model_that_is_being_loaded_is_not_unloaded_by_hand():
    async def main() -> None:
        world = World({"a": MB})
        residency = world.residency(wait_s=0.0)
        with pytest.raises(Overloaded):
            await residency.lease(world.models["a"])
        with pytest.raises(Conflict, match="is being loaded"):
            await residency.unload(world.models["a"])
        await residency.load(world.models["a"])
        assert world.events == ["+a"]

    simulated(main)


def test_who_comes_before_a_model_is_unloaded_keeps_it():
    """Unloading waits for its turn: another model is being loaded."""

    async def main() -> None:
        world = World({"a": MB, "b": MB})
        residency = world.residency()
        await residency.load(world.models["a"])
        loading = await later(residency.load(world.models["b"]))
        unloading = await later(residency.unload(world.models["a"]))
        lease = await residency.lease(world.models["a"])
        await loading
        with pytest.raises(Conflict, match="1 requests"):
            await unloading
        lease.end()
        assert world.events == ["+a", "+b"]

    simulated(main)


def test_settling_waits_for_what_cannot_be_interrupted():
    async def main() -> None:
        world = World({"a": MB, "b": MB})
        residency = world.residency(wait_s=0.0)
        for model in world.models.values():
            with pytest.raises(Overloaded):
                await residency.lease(model)
        await residency.settle()
        assert set(world.open) == {"a", "b"}

    simulated(main)


@dataclass
class Slow:
    """Files that take ten simulated seconds to fetch."""

    fault: Exception | None = None
    done: float | None = None
    runs: int = 0
    broken_off: bool = False

    async def ready(self) -> None:
        self.runs += 1
        try:
            for tenth in range(10):
                self.done = tenth / 10
                await asyncio.sleep(1)
            if self.fault is not None:
                raise self.fault
        except asyncio.CancelledError:
            self.broken_off = True
            raise
        finally:
            self.done = None


def reserve(world: World, name: str, supply: Slow) -> Resident[object]:
    """One of the world's models, as one that nobody has named at the start."""
    model = world.models[name]
    model.standing, model.supply = "reserve", supply
    return model


def test_a_model_of_the_reserve_is_fetched_once_loaded_and_served_until_it_is_unloaded_by_hand():
    async def main() -> None:
        world, supply = World({"a": 10 * MB}), Slow()
        residency = world.residency(ttl_s=20.0)
        model = reserve(world, "a", supply)
        assert not model.served
        await asyncio.gather(*(residency.load(model) for _ in range(5)))
        assert (supply.runs, world.events, model.served) == (1, ["+a"], True)
        await asyncio.sleep(30)
        await residency.sweep()
        assert (model.state, model.served) == ("cold", True)
        await residency.unload(model)
        assert not model.served

    simulated(main)


def test_while_files_are_fetched_the_part_that_is_there_is_told_and_other_models_load():
    async def main() -> None:
        world = World({"a": 10 * MB, "b": 10 * MB})
        residency = world.residency()
        model = reserve(world, "a", Slow())
        with pytest.raises(Overloaded, match=r"a is being fetched \(40%, 4 s so far\)") as caught:
            await residency.load(model, wait_s=4.5)
        assert caught.value.retry_after_s == pytest.approx(6.75)
        assert model.state == "fetching"
        await residency.load(world.models["b"], wait_s=3.5)
        await residency.load(model)
        assert world.events == ["+b", "+a"]

    simulated(main)


def test_files_that_cannot_be_had_are_told_of_as_they_are_and_tried_again():
    async def main() -> None:
        world, supply = World({"a": 10 * MB}), Slow(Conflict("they are not here"))
        residency = world.residency()
        model = reserve(world, "a", supply)
        for _ in range(2):
            with pytest.raises(Conflict, match="they are not here"):
                await residency.load(model)
        assert (supply.runs, model.state, model.served) == (2, "cold", False)

    simulated(main)


def test_settling_breaks_off_the_fetching_of_files():
    async def main() -> None:
        world, supply = World({"a": 10 * MB}), Slow()
        residency = world.residency()
        with pytest.raises(Overloaded):
            await residency.load(reserve(world, "a", supply), wait_s=1.0)
        await residency.settle()
        assert supply.broken_off
        assert world.events == []

    simulated(main)


@dataclass
class Fuzz:
    """Clients, an operator and time, in any order; `World` notes what must never happen."""

    seed: int

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        sizes = {name: self.random.randint(1, 60) * MB for name in "abcdef"}
        self.limit_bytes = self.random.choice([0, 70 * MB, 120 * MB])
        self.world = World(
            sizes,
            load_s=self.random.choice([0.0, 0.5, 20.0]),
            close_s=self.random.choice([0.0, 2.0]),
            pinned=self.random.choice([(), ("a",)]),
        )
        self.residency = self.world.residency(
            memory_bytes=self.limit_bytes,
            ttl_s=self.random.choice([0.0, 5.0, 60.0]),
            wait_s=self.random.choice([0.0, 1.0, 60.0]),
        )
        self.served = 0

    async def client(self) -> None:
        name = self.random.choice("abcdef")
        model = self.world.models[name]
        try:
            lease: Lease[object] = await self.residency.lease(model)
        except (Overloaded, EngineFailure):
            return
        self.world.lent[name] += 1
        try:
            for _ in range(self.random.randint(1, 4)):
                here = self.world.open.get(name) is lease.service
                self.world.check(here, f"{name} went away in use")
                await asyncio.sleep(self.random.choice([0.0, 0.3, 7.0]))
            self.served += 1
        finally:
            self.world.lent[name] -= 1
            lease.end()

    async def operator(self) -> None:
        model = self.world.models[self.random.choice("abcdef")]
        try:
            if self.random.random() < 0.5:
                await self.residency.load(model, wait_s=self.random.choice([0.0, 5.0, None]))
            else:
                await self.residency.unload(model)
        except (Overloaded, Conflict, EngineFailure):
            return

    async def play(self) -> None:
        watching = asyncio.ensure_future(self.residency.watch())
        tasks: list[asyncio.Task[None]] = []
        for _ in range(150):
            act = self.random.random()
            if act < 0.6:
                tasks.append(asyncio.create_task(self.client()))
            elif act < 0.75:
                tasks.append(asyncio.create_task(self.operator()))
            elif act < 0.85 and tasks:
                self.random.choice(tasks).cancel()
            elif act < 0.9:
                self.world.broken = set(self.random.sample("abcdef", self.random.randint(0, 2)))
            else:
                await asyncio.sleep(self.random.choice([0.0, 0.1, 1.0, 30.0]))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [one for one in ended if isinstance(one, Exception)] == []
        assert not watching.done()
        watching.cancel()
        await self.residency.settle()
        assert self.world.wrong == []
        assert all(model.leases == 0 for model in self.world.models.values())
        assert {name for name, model in self.world.models.items() if model.held} == set(
            self.world.open
        )
        if self.limit_bytes:
            assert self.world.most_bytes <= self.limit_bytes


@pytest.mark.parametrize("seeds", [range(start, start + 25) for start in range(0, 200, 25)])
def test_whatever_happens_no_model_goes_while_it_is_lent_or_comes_twice_or_beyond_its_room(seeds):
    served = 0
    for seed in seeds:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:

            async def main(seed: int = seed) -> int:
                fuzz = Fuzz(seed)
                await fuzz.play()
                return fuzz.served

            served += runner.run(main())
    assert served > 100
