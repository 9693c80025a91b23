"""deploy/ray/serve.yaml through Ray's own `serve run`: its proxy, gateways that are replicas as
well, replicas that share a GPU, and their number by the audio that waits.

Ray is told of a GPU that there is none of: it hands out shares by number. The file is changed only
where a test machine differs: address, models, and how long Ray waits before it scales.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import httpx
import pytest
import yaml
from family import ended_wholly

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.timeout(2 * 600)

FILE = Path(__file__).resolve().parents[2] / "deploy" / "ray" / "serve.yaml"
TEXT = "The myna repeats what it hears."
PATIENCE_S = 240
"""Where the machine has much else to do, it takes Ray a minute to start a replica."""

SERVE_RUN = """
import os, signal, sys, ray
from ray.serve.scripts import cli

ray.init("local", namespace="serve", num_cpus=8, num_gpus=1, object_store_memory=100 << 20,
         include_dashboard=False, _node_ip_address="127.0.0.1")
signal.signal(signal.SIGTERM, signal.default_int_handler)
def tell(*_):
    free = ray.available_resources().get("GPU", 0)
    os.write(1, f"GPUs free: {free}\\n".encode())  # whole, whatever else is being written
signal.signal(signal.SIGUSR1, tell)
cli(["run", sys.argv[1]])
"""
"""`serve run` on the loopback alone; on SIGUSR1 it tells what is left of the GPU."""


def on_a_test_machine(document, port, voices):
    """deploy/ray/serve.yaml with what has to differ."""
    document["http_options"] |= {"host": "127.0.0.1", "port": port}
    (application,) = document["applications"]
    application["args"] |= {"stt": "fake", "tts": "fake", "voices_dir": voices, "tts_replicas": "1"}
    options = {one["name"]: one for one in application["deployments"]}
    options["SpeechToText"]["ray_actor_options"] = {"num_cpus": 1, "num_gpus": 0.5}
    options["TextToSpeech"]["ray_actor_options"] = {"num_cpus": 1}
    options["SpeechToText"]["autoscaling_config"] = {
        "min_replicas": 1,
        "max_replicas": 2,
        "look_back_period_s": 1,
        "upscale_delay_s": 0,
        "downscale_delay_s": 0,
        "policy": {
            "policy_function": "myna.cluster.scaling:QueuedAudio",
            "policy_kwargs": {"goal_s": application["args"]["replica_queued_s"]},
        },
    }
    return document


class ServeRun:
    """A `serve run` that runs, and a client of it."""

    def __init__(self, process, log, port):
        self.process, self._log = process, log
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S
        )

    @property
    def log(self):
        return self._log.read_text("utf-8", "replace")

    def until(self, happened, what):
        """Wait for it."""
        limit_s = time.monotonic() + PATIENCE_S
        while not (found := happened()):
            assert self.process.poll() is None, f"it ended before {what}:\n{self.log}"
            assert time.monotonic() < limit_s, f"not in {PATIENCE_S} s: {what}\n{self.log}"
            time.sleep(0.1)
        return found

    def metrics(self):
        return self.client.get("/metrics").text

    def replicas(self):
        """How many transcribe."""
        return len(set(re.findall(r'replica="(SpeechToText#\w+)"', self.metrics())))

    def free_gpus(self):
        before = len(self.told_gpus())
        self.process.send_signal(signal.SIGUSR1)
        self.until(lambda: len(self.told_gpus()) > before, "it tells what is free")
        return self.told_gpus()[-1]

    def told_gpus(self):
        return [float(free) for free in re.findall(r"GPUs free: (\S+)\n", self.log)]

    def transcribe(self, audio, **fields):
        form = {"model": "whisper-1"} | fields
        return self.client.post("/v1/audio/transcriptions", data=form, files={"file": audio})


def free_port():
    """One that the kernel gives to nobody by itself, as Ray takes it a minute later; above those of
    Ray's workers, which end at 19999."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(given.read_text().split()[0]) if given.exists() else 32768
    for port in random.sample(range(20_000, max(first, 20_100)), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    port = free_port()
    document = yaml.safe_load(FILE.read_text("utf-8"))
    file, token, log = folder / "serve.yaml", folder / "token", folder / "log"
    file.write_text(yaml.safe_dump(on_a_test_machine(document, port, str(folder / "voices"))))
    token.write_text("f" * 64)
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MYNA_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-c", SERVE_RUN, str(file)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=clean | variables,
            start_new_session=True,
        )  # fmt: skip

    def stop():
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()

    with ended_wholly(process, stop):
        running = ServeRun(process, log, port)
        with running.client:
            running.until(lambda: ready(running.client), "it is ready")
            yield running


def ready(client):
    try:
        return client.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_it_answers_behind_rays_own_proxy(served):
    spoken = served.client.post(
        "/v1/audio/speech",
        json={"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "wav"},
    )
    heard = served.transcribe(("a.wav", spoken.content))
    assert heard.json()["text"] == TEXT
    assert len(heard.headers.get_list("x-request-id")) == 1
    refused = served.client.post("/v1/audio/speech", json={})
    assert refused.json()["error"]["param"] == "input"


def test_a_client_that_leaves_is_gone_behind_rays_proxy_as_well(served, monologue):
    form = {"data": {"model": "whisper-1", "stream": "true"}, "files": {"file": monologue}}
    with served.client.stream("POST", "/v1/audio/transcriptions", **form) as stream:
        assert next(stream.iter_lines()).startswith("data: ")
    left = re.compile(r'myna_cancellations_total\{replica="SpeechToText.* 1\.0')
    served.until(lambda: left.search(served.metrics()), "the replica knows")


def test_audio_that_waits_brings_a_second_replica_on_the_same_gpu_and_quiet_takes_it_away(
    served, monologue
):
    served.until(lambda: served.replicas() == 1, "there is one replica")
    served.until(lambda: served.free_gpus() == 0.5, "it has half of the GPU")
    enough = Event()

    def load():
        while not enough.is_set():
            assert served.transcribe(monologue).status_code == 200

    with ThreadPoolExecutor(1) as thread:
        try:
            # One request at a time: whoever counted requests would see no load.
            loading = thread.submit(load)
            served.until(lambda: served.replicas() == 2, "a second replica has come")
            served.until(lambda: served.free_gpus() == 0, "it has the other half of the GPU")
        finally:
            enough.set()
        loading.result()
    served.until(lambda: served.replicas() == 1, "one replica has gone")
    served.until(lambda: served.free_gpus() == 0.5, "its half of the GPU is free")
