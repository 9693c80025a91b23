"""The manifests in deploy/, held against Kubernetes' schemas, and against the server they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from myna.api import health
from myna.settings import Settings, load
from myna.telemetry.metrics import Metrics

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("**/*.yaml"))
NO_RESOURCE = {"kustomization.yaml", "prometheus-adapter.yaml"}
VERSIONS = ("1.30", "1.34", "1.37")
"""The oldest has `preStop.sleep`, the last is the newest with a schema."""
NAME = {"app.kubernetes.io/name": "myna"}
PEAK_BYTES = 1_243_000_000
"""Of a three-hour file, docs/capacity.md."""


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in FILES:
        if file.name not in NO_RESOURCE:
            for document in yaml.safe_load_all(file.read_text("utf-8")):
                yield file.name, document


RESOURCES = {document["kind"]: document for _, document in documents()}
CLAIMS = {
    document["metadata"]["name"]: document
    for _, document in documents()
    if document["kind"] == "PersistentVolumeClaim"
}
METRIC = re.compile(r"\bmyna_[a-z_]+")


@pytest.fixture
def pod() -> dict[str, Any]:
    return RESOURCES["Deployment"]["spec"]["template"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["spec"]["containers"]
    return found


def in_bytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_claim_has_what_kubernetes_asks_for_and_can_be_mounted_by_every_replica(name, version):
    assert kubernetes_validate.validate(CLAIMS[name], version, strict=True) == version
    assert CLAIMS[name]["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted({*RESOURCES} - {"ScaledObject"}))
def test_a_manifest_has_what_kubernetes_asks_for_and_nothing_it_does_not_know(kind, version):
    assert kubernetes_validate.validate(RESOURCES[kind], version, strict=True) == version


def test_a_slip_of_the_pen_would_be_found():
    wrong = RESOURCES["Service"] | {"spec": RESOURCES["Service"]["spec"] | {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_keda_knows_every_field_of_its_object():
    given = RESOURCES["ScaledObject"]
    known = ScaledObject.model_validate(given).model_dump(by_alias=True, exclude_unset=True)
    assert known == given


def test_kustomize_lists_every_file_that_is_for_everybody():
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert set(listed) == {file.name for file in FOLDER.glob("*.yaml")} - NO_RESOURCE


def test_what_selects_pods_selects_the_servers_and_not_the_job(pod):
    assert pod["metadata"]["labels"] == NAME
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert RESOURCES[kind]["spec"]["selector"] == {"matchLabels": NAME}
    assert RESOURCES["Service"]["spec"]["selector"] == NAME
    assert RESOURCES["Job"]["spec"]["template"]["metadata"]["labels"] != NAME


def test_what_scales_scales_the_servers_and_no_replicas_overrule_it():
    assert "replicas" not in RESOURCES["Deployment"]["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "myna"}
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        assert RESOURCES[kind]["spec"]["scaleTargetRef"] == target
        assert (
            RESOURCES[kind]["metadata"]["namespace"] == RESOURCES["Namespace"]["metadata"]["name"]
        )


def test_both_scalers_follow_the_same_metric_with_the_same_goal(root):
    (hpa,) = RESOURCES["HorizontalPodAutoscaler"]["spec"]["metrics"]
    (keda,) = RESOURCES["ScaledObject"]["spec"]["triggers"]
    metric = hpa["pods"]["metric"]["name"]
    assert keda["metadata"]["query"] == f'sum({metric}{{namespace="myna"}})'
    assert hpa["pods"]["target"]["averageValue"] == keda["metadata"]["threshold"]
    adapter = (FOLDER / "autoscaling" / "prometheus-adapter.yaml").read_text("utf-8")
    (rule,) = yaml.safe_load(adapter)["rules"]["custom"]
    assert rule["name"]["as"] == metric
    assert metric in (root / "docs" / "kubernetes.md").read_text("utf-8")


def test_every_metric_that_the_manifests_and_their_page_name_is_one_of_the_servers(root):
    metrics = Metrics()
    metrics.watch(lambda: None, lambda: 0)
    known = {*metrics.registry._names_to_collectors}
    texts = [file.read_text("utf-8") for file in FILES]
    texts.append((root / "docs" / "kubernetes.md").read_text("utf-8"))
    named = {name for text in texts for name in METRIC.findall(text)}
    assert "myna_queued_audio_seconds" in named
    assert named <= known


def test_probes_ask_for_paths_that_the_server_has(container):
    served = {route.path for route in health.router.routes}
    probes = [container[f"{name}Probe"] for name in ("liveness", "readiness", "startup")]
    assert [probe["httpGet"]["path"] for probe in probes] == ["/health", "/ready", "/ready"]
    assert {probe["httpGet"]["path"] for probe in probes} <= served
    (port,) = container["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}
    assert RESOURCES["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]


def test_every_variable_is_a_setting_with_a_value_that_it_takes(container, monkeypatch):
    given = RESOURCES["ConfigMap"]["data"]
    assert all(isinstance(value, str) for value in given.values())
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.offline
    names = {*given, *(one["name"] for one in container["env"])}
    assert {name.removeprefix("MYNA_").lower() for name in names} <= set(Settings.model_fields)


def test_a_pod_has_time_to_leave_the_proxies_and_to_finish_what_runs(pod, container):
    drain_s = float(RESOURCES["ConfigMap"]["data"]["MYNA_DRAIN_S"])
    pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= pause_s + drain_s + 5


def test_a_pod_has_the_memory_and_disk_that_the_server_may_take(pod, container):
    assert in_bytes(container["resources"]["requests"]["memory"]) > PEAK_BYTES
    tmp = next(one for one in pod["spec"]["volumes"] if one["name"] == "tmp")
    spool = int(RESOURCES["ConfigMap"]["data"]["MYNA_MAX_SPOOL_BYTES"])
    assert in_bytes(tmp["emptyDir"]["sizeLimit"]) > spool


def test_threads_are_for_the_cores_that_the_pod_has(container):
    (threads,) = [one for one in container["env"] if one["name"] == "MYNA_THREADS"]
    assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert "cpu" in container["resources"]["limits"]


def test_servers_only_read_the_weights_and_the_job_writes_them(pod):
    job = RESOURCES["Job"]["spec"]["template"]["spec"]
    for spec, read_only in ((pod["spec"], True), (job, False)):
        volume = next(one for one in spec["volumes"] if one["name"] == "weights")
        (container,) = spec["containers"]
        mount = next(one for one in container["volumeMounts"] if one["name"] == "weights")
        assert volume["persistentVolumeClaim"]["claimName"] == "myna-weights"
        assert mount.get("readOnly", False) is read_only
        assert mount["mountPath"] == "/models/weights"


def test_custom_voices_are_on_a_volume_that_is_written_to_where_the_image_keeps_them(
    root, pod, container
):
    volume = next(one for one in pod["spec"]["volumes"] if one["name"] == "voices")
    assert volume["persistentVolumeClaim"]["claimName"] == "myna-voices"
    assert {"myna-weights", "myna-voices"} == {*CLAIMS}
    mount = next(one for one in container["volumeMounts"] if one["name"] == "voices")
    assert not mount.get("readOnly", False)
    dockerfile = (root / "Dockerfile").read_text("utf-8")
    assert f"MYNA_VOICES_DIR={mount['mountPath']} " in dockerfile


def test_pods_may_do_as_little_as_the_image_needs(pod):
    job = RESOURCES["Job"]["spec"]["template"]["spec"]
    for spec, more in ((pod["spec"], {"/var/lib/myna/voices"}), (job, set())):
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert not spec["automountServiceAccountToken"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        writable = {one["mountPath"] for one in container["volumeMounts"]}
        assert writable == {"/tmp", "/models/weights"} | more


def test_every_command_is_one_of_ours(container):
    (pull,) = RESOURCES["Job"]["spec"]["template"]["spec"]["containers"]
    assert (container["args"], pull["args"]) == (["serve"], ["pull"])
