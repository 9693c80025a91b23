"""What Ray is told of the deployments; nothing is started."""

import warnings
from types import SimpleNamespace

import pytest

from myna.cluster.scaling import QUEUED
from myna.cluster.shape import shape_of
from myna.settings import Settings

with warnings.catch_warnings():
    # Ray declares its own settings in a way that pydantic has given up.
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    from myna.cluster.application import build
    from myna.cluster.deployments import deployment


def told(**given):
    settings = Settings(**given)
    return deployment(settings, "stt", shape_of(settings, "stt", 2))._bound_deployment


def test_a_number_of_replicas_does_not_scale():
    found = told(stt_replicas="3")
    assert found.num_replicas == 3
    assert found._deployment_config.autoscaling_config is None


def test_a_span_scales_by_our_rule_with_its_goal():
    config = told(stt_replicas="1-4", replica_queued_s=30)._deployment_config.autoscaling_config
    assert (config.min_replicas, config.max_replicas) == (1, 4)
    policy = config.policy.get_policy()(**config.policy.policy_kwargs)
    context = SimpleNamespace(aggregated_metrics={QUEUED: {"a": 61.0}}, current_num_replicas=1)
    assert policy(context) == (3, {})


def test_a_replica_has_its_share_of_a_gpu_its_slots_and_its_drain():
    found = told(stt_gpus=0.25, max_requests=10, max_sessions=2, drain_s=7)
    assert found.ray_actor_options == {"num_cpus": 2, "num_gpus": 0.25}
    assert (found.max_ongoing_requests, found.max_queued_requests) == (12, 10)
    assert found._deployment_config.graceful_shutdown_timeout_s == 7


def test_the_application_reads_its_arguments_as_settings(tmp_path):
    file = tmp_path / "myna.toml"
    file.write_text('tts = ["none"]\nmax_requests = 5\n')
    gateway = build({"config": str(file), "stt": "fake", "tts": "none"})._bound_deployment
    settings, replicas = gateway.init_args
    assert (settings.stt, settings.tts, settings.max_requests) == (("fake",), (), 5)
    assert set(replicas) == {"stt"}
