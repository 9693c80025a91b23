"""What replicas tell of themselves, without Ray: the board is an object on an event loop."""

import asyncio
import warnings

import pytest
from simulated_loop import simulated

from myna.cluster.calls import Report

with warnings.catch_warnings():
    # Ray declares its own settings in a way that pydantic has given up.
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    from ray.exceptions import RayActorError

    from myna.cluster import board as boards
    from myna.cluster.board import Board, Boards, board_name

STT, TTS = board_name("myna", "SpeechToText"), board_name("myna", "TextToSpeech")
NEVER_S = 3600


def report(replica, metrics=""):
    return Report("stt", replica, ["fake"], metrics)


async def attend(board, deployment, replica):
    """A replica that tells every time how many questions it has heard."""
    answered = count = 0
    while True:
        answered = await board.tell(deployment, answered, report(replica, str(count)))
        count += 1


def played(scene):
    async def play():
        attending = []

        def joins(deployment, replica):
            attending.append(asyncio.create_task(attend(board, deployment, replica)))
            return attending[-1]

        board = Board()
        await scene(board, joins)
        for one in attending:
            one.cancel()
        await asyncio.gather(*attending, return_exceptions=True)

    simulated(play)


def test_a_question_is_answered_anew_by_every_replica_of_the_deployments_asked():
    async def scene(board, joins):
        joins(STT, "a"), joins(STT, "b"), joins(TTS, "c")
        await asyncio.sleep(0)
        told = await board.ask({STT}, NEVER_S)
        assert {one.replica: one.metrics for one in told} == {"a": "1", "b": "1"}
        told = await board.ask({STT, TTS}, NEVER_S)
        assert {one.replica for one in told} == {"a", "b", "c"}

    played(scene)


def test_many_gateways_may_ask_at_once_and_one_answer_of_each_replica_is_for_them_all():
    async def scene(board, joins):
        joins(STT, "a"), joins(STT, "b")
        await asyncio.sleep(0)
        answers = await asyncio.gather(*(board.ask({STT}, NEVER_S) for _ in range(9)))
        for told in answers:
            assert {one.replica: one.metrics for one in told} == {"a": "1", "b": "1"}
        told = await board.ask({STT}, NEVER_S)
        assert {one.replica: one.metrics for one in told} == {"a": "2", "b": "2"}

    played(scene)


def test_a_replica_that_died_is_waited_for_once_and_then_forgotten():
    async def scene(board, joins):
        joins(STT, "a")
        died = joins(STT, "b")
        await asyncio.sleep(0)
        died.cancel()
        await board.tell(STT, -1, report("gone"))
        told = await board.ask({STT}, 0.05)
        assert {one.replica for one in told} == {"a"}
        told = await board.ask({STT}, NEVER_S)  # would never end if it waited for the dead
        assert {one.replica for one in told} == {"a"}

    played(scene)


def test_a_replica_that_was_late_is_there_again_with_its_next_answer():
    async def scene(board, joins):
        await board.tell(STT, -1, report("late"))
        assert await board.ask({STT}, 0.0) == []
        joins(STT, "late")
        await asyncio.sleep(0)
        assert [one.replica for one in await board.ask({STT}, NEVER_S)] == ["late"]

    played(scene)


def test_without_replicas_nobody_is_waited_for():
    async def scene(board, _):
        assert await board.ask({STT}, NEVER_S) == []

    played(scene)


class Actor:
    """A board as a handle of Ray's has it; it is lost where there is none."""

    def __init__(self, board=None):
        self.tell, self.ask = (Method(board, name) for name in ("tell", "ask"))


class Method:
    def __init__(self, board, name):
        self._call = getattr(board, name, None)

    async def remote(self, *args):
        if self._call is None:
            raise RayActorError
        return await self._call(*args)


def test_a_board_that_is_lost_is_looked_for_again_by_those_who_tell_and_those_who_ask(monkeypatch):
    async def play():
        board = Board()
        for_replica, for_gateway = [Actor(), Actor(board)], [Actor(), Actor(board)]

        found = asyncio.Event()

        async def told():
            if not for_replica:
                found.set()
            return report("a")

        monkeypatch.setattr(boards, "_AGAIN_S", 0)
        monkeypatch.setattr(boards, "_put_up", lambda: for_replica.pop(0))
        telling = asyncio.create_task(Boards().tell(STT, told))
        await found.wait()
        monkeypatch.setattr(boards, "_put_up", lambda: for_gateway.pop(0))
        gateway = Boards()
        assert await gateway.ask({STT}) == []
        assert [one.replica for one in await gateway.ask({STT})] == ["a"]
        telling.cancel()

    asyncio.run(play())
