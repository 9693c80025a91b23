"""The app on a socket, with the fake engines, in the loop of the test."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn

from myna.app import create_app
from myna.plan import ModelPlan, PlannedModel
from myna.settings import Settings
from myna.sockets import Socket

FAKE = PlannedModel("fake", "fake", Path())


@asynccontextmanager
async def served(tmp_path, **settings):
    """A client of the app on a socket of the loopback, in this loop."""
    app = create_app(
        Settings(vad=False, log_level="debug", voices_dir=tmp_path / "voices", **settings),
        ModelPlan(stt=(FAKE,), tts=(FAKE,), threads=2, diarize=FAKE),
    )
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=240, ws=Socket)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=240) as client:
            while (await client.get("/ready")).status_code != 200:
                pass
            yield client
    finally:
        server.should_exit = True
        await serving
