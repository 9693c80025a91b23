"""A thousand live clients that come and go: politely, in the middle of everything, and without a
word."""

import asyncio
import base64
import gc
import json
from pathlib import Path

from websockets.asyncio.client import connect

from myna.realtime.connection import Connection
from myna.realtime.session import Session

from .conftest import served
from .realtime.conftest import RATE_HZ, spoken

LIMIT_S = 240
PATIENT = {"compression": None, "open_timeout": LIMIT_S, "ping_interval": None}
"""However long the machine takes, no client gives up."""


def megabytes():
    """What this process holds."""
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1]) / 1024


def held():
    """Sessions, tasks and descriptors of this process."""
    gc.collect()
    sessions = [one for one in gc.get_objects() if isinstance(one, Session | Connection)]
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

    async def visit(address, number, room):
        async with room, connect(address, **PATIENT) as socket:
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
        room = asyncio.Semaphore(20)
        await asyncio.gather(*(visit(address, number, room) for number in range(count)))

    async def scene():
        async with served(tmp_path, max_sessions=100) as client:
            port = client.base_url.port
            address = f"ws://127.0.0.1:{port}/v1/realtime?intent=transcription"
            before = held()
            await visits(address, 300)
            await settled(before)
            warm_mb = megabytes()
            await visits(address, 1000)
            await settled(before)
            assert megabytes() - warm_mb < 10
            await visit(address, 0, asyncio.Semaphore(1))

    asyncio.run(scene())
