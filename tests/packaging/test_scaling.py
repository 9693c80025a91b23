"""The simulation of replicas, and the tables that it has made for docs/scaling.md."""

from __future__ import annotations

import importlib
import json
import random
import re
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("simulation")


@pytest.fixture
def scaling(simulation: ModuleType) -> ModuleType:
    return importlib.import_module("scaling")


@pytest.fixture
def costs(simulation):
    return simulation.Costs({8.0: (0.2, 0.3), 30.0: (0.6, 1.5)})


@pytest.fixture
def measured(simulation):
    return simulation.Costs.measured(BENCH / "service_times.json")


def test_a_request_alone_takes_what_its_batch_costs(simulation, costs):
    one = simulation.Asked(5.0, 7.0)
    simulation.play([one], 1, simulation.anywhere, costs)
    assert one.latency_s == pytest.approx(0.5)


def test_every_request_is_answered_by_one_replica(simulation, costs):
    chance = random.Random(1)
    asked = [
        simulation.Asked(chance.uniform(0, 20), chance.choice([3.0, 40.0, 600.0]))
        for _ in range(60)
    ]
    simulation.play(asked, 3, simulation.fewest, costs)
    assert all(one.open == 0 and not one.waiting and one.latency_s > 0 for one in asked)


def test_cores_are_shared_and_not_multiplied(simulation, costs):
    """All that is asked takes no less than the cores have to give."""
    asked = [simulation.Asked(0.0, 600.0) for _ in range(4)]
    simulation.play(asked, 1, simulation.anywhere, costs)
    n_windows = 4 * len([*simulation.windows(600.0)])
    cheapest_s = n_windows * 1.4 / simulation.Machine().cores
    assert max(one.latency_s for one in asked) > cheapest_s


def test_a_clip_goes_past_files(simulation, costs):
    files = [simulation.Asked(0.0, 3600.0) for _ in range(4)]
    clip = simulation.Asked(10.0, 7.0)
    simulation.play([*files, clip], 1, simulation.anywhere, costs)
    alone_s = costs.of(1, 8.0)
    assert clip.latency_s < 2 * alone_s < min(one.latency_s for one in files)


def test_the_clock_gives_what_is_known_of_a_queue_with_one_worker(simulation):
    """Requests of one length at random times: Pollaczek's and Khinchine's mean."""
    service_s, load = 0.5, 0.7
    flat = simulation.Costs({8.0: (0.0, service_s), 30.0: (0.0, service_s)})
    alone = simulation.Machine(cores=1, express=0, batch_limit=1)
    chance, now_s, asked = random.Random(4), 0.0, []
    for _ in range(10_000):
        now_s += chance.expovariate(load / service_s)
        asked.append(simulation.Asked(now_s, 7.0))
    simulation.play(asked, 1, simulation.anywhere, flat, alone)
    mean_s = sum(one.latency_s for one in asked) / len(asked)
    assert mean_s == pytest.approx(service_s * (1 + load / (2 * (1 - load))), rel=0.05)


def test_erlangs_formula_gives_what_is_known(scaling):
    assert scaling.all_busy(1, 0.7) == pytest.approx(0.7)  # one worker is busy as much as it works
    assert scaling.all_busy(2, 0.5) == pytest.approx(1 / 3)
    assert scaling.all_busy(200, 0.5) < 1e-9


def test_the_less_busy_of_two_is_between_anywhere_and_the_least_busy_of_all(
    simulation, scaling, measured
):
    def p95(choose):
        asked = scaling.arrivals(190.0, 120.0)
        simulation.play(asked, 10, choose, measured)
        return scaling.clips(asked, 95)

    blind, two, best = map(p95, (simulation.anywhere, simulation.of_two, simulation.fewest))
    assert best < two < blind
    assert two - best < blind - two


def test_windows_come_in_the_lengths_of_the_engine(simulation):
    assert list(simulation.windows(5.0)) == [8.0]
    assert list(simulation.windows(11.0)) == [12.0]
    assert list(simulation.windows(29.0)) == [30.0]
    assert list(simulation.windows(60.0)) == [30.0, 30.0, 8.0]


def test_costs_are_close_to_every_batch_that_was_measured(simulation, measured):
    for one in json.loads((BENCH / "service_times.json").read_text("utf-8"))["batches"]:
        modelled_s = measured.of(one["count"], one["length_s"])
        assert modelled_s == pytest.approx(one["cpu_s"], rel=0.15), one


def table(root: Path, name: str) -> str:
    page = (root / "docs" / "scaling.md").read_text("utf-8")
    found = re.search(rf"<!-- {name} -->\n\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert found, name
    return found[1]


def test_the_tables_of_the_page_are_what_the_command_makes(root, scaling, measured):
    """Those that take no minute to make again, and the rows of one replica."""
    assert table(root, "checked") == scaling.checked(measured)
    assert table(root, "by length") == scaling.by_length(measured)
    assert table(root, "by pooling") == scaling.by_pooling(measured)
    one = scaling.by_replicas(measured, (1,))
    assert table(root, "by replicas").startswith(one)


def test_the_page_has_every_table(root, scaling):
    for name in scaling.TABLES:
        assert table(root, name).count("\n") > 3
