"""Which batch decodes and encodes with which copy of the weights, and how they are loaded."""

import threading
from dataclasses import replace

import pytest

from myna.engines.whisper.copies import BatchCopies, Copies
from myna.engines.whisper.windowing import Pools

APART = Pools(workers=2, express=1, apart=True, encoder_threads=2, decoder_threads=1)
IN_ONE = Pools(workers=1, express=0, apart=False, encoder_threads=2, decoder_threads=2)


class Weights:
    """What CTranslate2 would have loaded."""

    def __init__(self, batches: int, threads: int) -> None:
        self.batches, self.threads = batches, threads
        self.reader = threading.current_thread()
        self.unloaded = 0

    def unload_model(self) -> None:
        self.unloaded += 1


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


SHORT_S, LONG_S = 8.0, 30.0


def decode(batch: BatchCopies, clock: Clock, seconds: dict[int, float], rows: int = 5) -> int:
    """A decoding of ten steps; the threads it had. `seconds` is what it takes by these."""
    with batch.decoder(rows) as decoding:
        threads = decoding.model.threads
        clock.now_s += seconds[threads]
        decoding.steps = 10
    return threads


def fail(batch: BatchCopies, clock: Clock) -> None:
    with batch.decoder(5):
        clock.now_s += 60.0
        raise RuntimeError


def settled(clock: Clock, seconds: dict[int, float]) -> Copies:
    """Copies that know which way is quicker."""
    copies = Copies(Weights, APART, clock)
    for _ in range(4):
        with copies.batch(SHORT_S) as batch:
            decode(batch, clock, seconds)
    return copies


ALL_QUICKER = {1: 0.14, 2: 0.09}
ONE_QUICKER = {1: 0.14, 2: 0.5}


def test_there_is_a_copy_for_several_batches_and_one_for_all_cores(clock):
    copies = Copies(Weights, APART, clock)
    assert (copies.shared.batches, copies.shared.threads) == (3, 1)
    with copies.batch(SHORT_S) as batch:
        assert (batch.encoder().batches, batch.encoder().threads) == (1, 2)


def test_weights_are_read_in_a_thread_that_has_ended():
    read = []
    Copies(lambda *pool: read.append(Weights(*pool)) or read[-1], APART)
    assert len(read) == 2
    assert not any(weights.reader.is_alive() for weights in read)


def test_what_cannot_be_loaded_says_so():
    def load(batches: int, threads: int) -> Weights:
        raise RuntimeError("no such file")

    with pytest.raises(RuntimeError, match="no such file"):
        Copies(load, APART)


def test_a_batch_alone_decodes_on_all_cores_where_that_is_quicker(clock):
    copies = settled(clock, ALL_QUICKER)
    with copies.batch(SHORT_S) as batch:
        assert decode(batch, clock, ALL_QUICKER) == 2


def test_and_on_one_where_that_is(clock):
    copies = settled(clock, ONE_QUICKER)
    with copies.batch(SHORT_S) as batch:
        assert decode(batch, clock, ONE_QUICKER) == 1


def test_batches_in_company_have_a_core_each(clock):
    copies = settled(clock, ALL_QUICKER)
    with copies.batch(SHORT_S), copies.batch(SHORT_S) as batch:
        assert batch.encoder().threads == 1
        assert decode(batch, clock, ALL_QUICKER) == 1


def test_and_so_does_one_that_was_in_company_a_moment_ago(clock):
    copies = settled(clock, ALL_QUICKER)
    with copies.batch(SHORT_S) as batch:
        with copies.batch(SHORT_S):
            clock.now_s += 5.0
        clock.now_s += 0.5
        assert decode(batch, clock, ALL_QUICKER) == 1
        clock.now_s += 1.0
        assert decode(batch, clock, ALL_QUICKER) == 2


def test_what_a_decoding_in_company_took_teaches_nothing(clock):
    copies = settled(clock, ALL_QUICKER)
    with copies.batch(SHORT_S) as batch:
        for _ in range(5):
            with batch.decoder(5) as decoding:
                decoding.steps = 10
                with copies.batch(SHORT_S):
                    clock.now_s += 60.0
            clock.now_s += 2.0

    with copies.batch(SHORT_S) as batch:
        assert decode(batch, clock, ALL_QUICKER) == 2


def test_nothing_is_learned_from_a_decoding_that_failed(clock):
    copies = settled(clock, ALL_QUICKER)
    for _ in range(5):
        with copies.batch(SHORT_S) as batch, pytest.raises(RuntimeError):
            fail(batch, clock)
    with copies.batch(SHORT_S) as batch:
        assert decode(batch, clock, ALL_QUICKER) == 2


def test_weights_held_once_are_used_for_everything_and_given_back_once(clock):
    copies = Copies(Weights, IN_ONE, clock)
    with copies.batch(SHORT_S) as batch:
        assert batch.encoder() is copies.shared
        with batch.decoder(5) as decoding:
            assert decoding.model is copies.shared
    copies.unload()
    assert copies.shared.unloaded == 1


def test_both_copies_are_given_back(clock):
    copies = Copies(Weights, APART, clock)
    with copies.batch(SHORT_S) as batch:
        lone = batch.encoder()
    copies.unload()
    assert (copies.shared.unloaded, lone.unloaded) == (1, 1)


def test_of_two_cores_a_long_batch_has_both_whoever_runs_beside_it(clock):
    copies = settled(clock, ALL_QUICKER)
    assert copies.long_lanes() == 1
    with copies.batch(SHORT_S) as short, copies.batch(LONG_S) as long:
        assert (short.encoder().threads, long.encoder().threads) == (1, 2)
        assert decode(short, clock, ALL_QUICKER) == 1
        assert decode(long, clock, ALL_QUICKER) == 2


def test_where_decoding_on_both_is_slow_two_long_batches_have_a_core_each(clock):
    copies = settled(clock, ONE_QUICKER)
    assert copies.long_lanes() == 2
    with copies.batch(LONG_S) as one, copies.batch(LONG_S) as other:
        assert (one.encoder().threads, other.encoder().threads) == (1, 1)
        assert decode(one, clock, ONE_QUICKER) == 1


def test_two_long_batches_do_not_hang_on_a_moment_in_which_both_cores_were_not_to_be_had(clock):
    assert settled(clock, {1: 0.14, 2: 0.25}).long_lanes() == 1


def test_of_more_cores_long_batches_have_as_many_as_there_are(clock):
    copies = Copies(Weights, replace(APART, workers=8, encoder_threads=4), clock)
    for _ in range(4):
        with copies.batch(SHORT_S) as batch:
            decode(batch, clock, {1: 0.14, 4: 0.05})
    assert copies.long_lanes() == 8


def test_before_anything_is_known_nothing_is_held_back(clock):
    assert Copies(Weights, APART, clock).long_lanes() == 2
