"""Replicas without Ray: the same app, on the same event loop as the gateway."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from myna.app import create_app
from myna.cluster.calls import Report
from myna.cluster.front import front
from myna.cluster.hosting import answer
from myna.cluster.tasks import tasks_of
from myna.planning import plan
from myna.settings import Settings


class NearFleet:
    """Replicas within reach, all of them one app; `troubles` are generators that take their place,
    one a call."""

    def __init__(self, app):
        self.app = app
        self.troubles = []
        self.calls = []
        self.present = ["stt", "tts"]

    def call(self, task, call):
        self.calls.append((task, call))
        trouble = self.troubles.pop(0) if self.troubles else None
        return answer(self.app, call) if trouble is None else trouble()

    async def reports(self):
        names = self.app.state.context.loaded().names
        page = "# TYPE x gauge\nx 1.0\n"
        return [Report(task, f"{task}#1", names, page) for task in self.present]

    def line(self):
        raise NotImplementedError


@pytest.fixture
def cluster(tmp_path):
    """`async with cluster(**settings) as (client, fleet)`: a gateway and what is behind it."""

    @asynccontextmanager
    async def running(**given):
        usual = {"stt": ("fake",), "tts": ("fake",), "voices_dir": tmp_path, "threads": 1}
        settings = Settings(**(usual | given))
        planned = plan(settings)
        async with AsyncExitStack() as stack:
            replica = create_app(settings, planned)
            await stack.enter_async_context(replica.router.lifespan_context(replica))
            app, gateway = front(settings, tasks_of(settings))
            gateway.fleet = NearFleet(replica)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://myna")
            )
            while (await client.get("/ready")).status_code != 200:
                pass
            gateway.fleet.calls.clear()
            yield client, gateway.fleet

    return running
