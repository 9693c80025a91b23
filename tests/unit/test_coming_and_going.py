"""A thousand live clients that come and go: politely, in the middle of everything, and without a
word."""

import asyncio
import base64
import gc
import json
import tracemalloc
from pathlib import Path

from websockets.asyncio.client import connect

from myna.realtime.connection import Connection
from myna.realtime.session import Session

from .conftest import served
from .realtime.conftest import RATE_HZ, spoken

LIMIT_S = 240
PATIENT = {"compression": None, "open_timeout": LIMIT_S, "ping_interval": None}
"""However long the machine takes, no client gives up."""


def held_mb():
    """What Python and NumPy hold, to the byte: what a process has of the system depends on all that
    ever ran in it."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1e6


def held():
    """Sessions, tasks and descriptors of this process."""
    gc.collect()
    sessions = [one for one in gc.get_objects() if type(one) in {Session, Connection}]
    return len(sessions), len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


async def settled(before):
    """Wait until there is no more of anything than before."""
    async with asyncio.timeout(LIMIT_S):
        while any(now > then for now, then in zip(held(), before, strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def test_nothing_of_them_stays(tmp_path):
    speech = (spoken("The myna repeats what it hears.")[:RATE_HZ] * 32767).astype("<i2").tobytes()
    audio = base64.b64encode(speech).decode()
    append = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
    commit = json.dumps({"type": "input_audio_buffer.commit"})

    async def visit(address, number):
        async with connect(address, **PATIENT) as socket:
            await socket.recv()
            if number % 4 == 0:
                await socket.send(append)
                await socket.send(commit)
                while not json.loads(await socket.recv())["type"].endswith("completed"):
                    pass
            elif number % 4 == 1:
                await socket.send(append)
                await socket.send(commit)
                socket.transport.abort()
            elif number % 4 == 2:
                await socket.send("nonsense")
                socket.transport.abort()

    async def visits(address, count):
        numbers = iter(range(count))

        async def one_after_another():
            for number in numbers:
                await visit(address, number)

        await asyncio.gather(*(one_after_another() for _ in range(20)))

    async def scene():
        async with served(tmp_path, max_sessions=100) as client:
            port = client.base_url.port
            address = f"ws://127.0.0.1:{port}/v1/realtime?intent=transcription"
            before = held()
            await visits(address, 300)
            await settled(before)
            warm_mb = held_mb()
            await visits(address, 1000)
            await settled(before)
            assert held_mb() - warm_mb < 0.2
            await visit(address, 0)

    tracemalloc.start()
    try:
        asyncio.run(scene())
    finally:
        tracemalloc.stop()
