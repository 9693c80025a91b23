"""The files in deploy/ray, held against Ray's own schema, and against the server they run."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from myna.cluster.tasks import DEPLOYMENTS
from myna.machine import LIBRARIES
from myna.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "ray"
KUBERNETES = "1.34"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "serve.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "rayservice.yaml").read_text("utf-8"))


def containers(service: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [one for group in groups for one in group["template"]["spec"]["containers"]]


def test_kuberay_is_given_the_very_file_that_serve_run_takes(config, service):
    assert yaml.safe_load(service["spec"]["serveConfigV2"]) == config


def test_every_argument_is_a_setting_with_a_value_that_it_takes(config):
    (application,) = config["applications"]
    assert Settings(**application["args"]).stt


def imported(module: str) -> Any:
    """A module that imports Ray, whose own schemas are written for an older pydantic."""
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def test_what_is_imported_is_there_and_ray_knows_every_field(config):
    schema = imported("ray.serve.schema").ServeDeploySchema
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema.model_validate(config)
    (application,) = config["applications"]
    module, _, name = application["import_path"].partition(":")
    found = imported(module)
    assert callable(getattr(found, name))
    deployments = {one["name"] for one in application["deployments"]}
    assert deployments == {found.GATEWAY, *DEPLOYMENTS.values()}


def test_ray_is_the_version_that_is_locked(service, root):
    locked = (root / "requirements.lock").read_text("utf-8")
    assert f"\nray=={service['spec']['rayClusterConfig']['rayVersion']}\n" in locked
    assert service["spec"]["rayClusterConfig"]["rayVersion"] in (
        root / "docs" / "cluster.md"
    ).read_text("utf-8")


def test_pods_tell_libraries_what_the_server_tells_them_elsewhere(service):
    for container in containers(service):
        variables = {one["name"]: one["value"] for one in container["env"]}
        assert LIBRARIES.items() <= variables.items()


def test_pods_are_what_kubernetes_takes(service):
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}}
        pod |= {"spec": group["template"]["spec"]}
        assert kubernetes_validate.validate(pod, KUBERNETES, strict=True) == KUBERNETES


KUBERAY = {
    "spec": {"serveConfigV2": str, "rayClusterConfig": dict, "serveService": dict},
    "cluster": {
        "headGroupSpec": dict,
        "workerGroupSpecs": list,
        "rayVersion": str,
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": dict,
        "headServiceAnnotations": dict,
        "suspend": bool,
    },
    "head": {"serviceType": str, "headService": dict, "rayStartParams": dict, "template": dict},
    "workers": {
        "groupName": str,
        "replicas": int,
        "minReplicas": int,
        "maxReplicas": int,
        "numOfHosts": int,
        "rayStartParams": dict,
        "template": dict,
        "scaleStrategy": dict,
    },
}
"""Fields of `ray.io/v1` and their types, by KubeRay's rayservice_types.go and raycluster_types.go:
those that its releases since 1.0 have in common. No package carries the schema itself."""


def test_kuberay_knows_every_field_by_its_type(service):
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    cluster = service["spec"]["rayClusterConfig"]
    parts = [("spec", service["spec"]), ("cluster", cluster), ("head", cluster["headGroupSpec"])]
    parts += [("workers", one) for one in cluster["workerGroupSpecs"]]
    for kind, given in parts:
        assert set(given) <= set(KUBERAY[kind]), kind
        for name, value in given.items():
            assert type(value) is KUBERAY[kind][name], (kind, name)
        if "rayStartParams" in KUBERAY[kind]:
            assert all(isinstance(one, str) for one in given["rayStartParams"].values())
    for one in cluster["workerGroupSpecs"]:
        assert one["minReplicas"] <= one["replicas"] <= one["maxReplicas"]


def test_pods_have_the_keys_the_weights_and_no_report_of_their_use(service):
    volume = yaml.safe_load((FOLDER.parent / "kubernetes" / "weights.yaml").read_text("utf-8"))
    for container in containers(service):
        variables = {one["name"]: one["value"] for one in container["env"]}
        assert variables["RAY_USAGE_STATS_ENABLED"] == "0"
        known = {f"MYNA_{name.upper()}" for name in Settings.model_fields}
        assert {name for name in variables if name.startswith("MYNA_")} <= known
        (mount,) = container["volumeMounts"]
        assert mount["mountPath"] == variables["MYNA_WEIGHTS_DIR"]
        assert container["envFrom"][0]["secretRef"]["name"] == "myna-keys"
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (claim,) = group["template"]["spec"]["volumes"]
        assert claim["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]


def test_a_worker_has_the_processors_that_one_replica_of_each_takes(config, service):
    (application,) = config["applications"]
    wanted = sum(
        one.get("ray_actor_options", {}).get("num_cpus", 0) for one in application["deployments"]
    )
    _, worker = containers(service)
    gateways = 2 * imported("myna.cluster.application")._CPUS
    assert int(worker["resources"]["requests"]["cpu"]) >= wanted + gateways
