"""The manifests as kustomize builds them: valid by the schemas of Kubernetes, hardened, and without dangling references."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from t2c_service.access.keys import KeyPermissions, KeyStore

from .conftest import DEPLOY

ROOT = DEPLOY / "kubernetes"
OVERLAYS = ("demo", "production")
VERSION = "1.33"
WORKLOADS = ("Deployment", "StatefulSet")


BUILDERS = (["kubectl", "kustomize"], ["kustomize", "build"])


@cache
def build(overlay: str) -> tuple[dict[str, Any], ...]:
    """Build an overlay with kustomize itself, with the example's secrets."""
    builder = next((each for each in BUILDERS if shutil.which(each[0])), None)
    if builder is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "kubernetes"
        shutil.copytree(ROOT, root)
        target = root / "overlays" / overlay
        shutil.copy(target / "secret.env.example", target / "secret.env")
        KeyStore(target / "keys.json").create(KeyPermissions(name="test"))
        done = subprocess.run([*builder, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[dict[str, Any]]:
    return [each for each in build(overlay) if each["kind"] in kinds]


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The pod template of each workload."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(overlay, *WORKLOADS)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid_by_the_api(overlay: str) -> None:
    for each in build(overlay):
        kubernetes_validate.validate(each, VERSION, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_pods_and_ports_are_those_of_containers(overlay: str) -> None:
    labels = {name: each["metadata"]["labels"] for name, each in pods(overlay).items()}
    ports = {
        name: {port["name"] for container in each["spec"]["containers"] for port in container["ports"]}
        for name, each in pods(overlay).items()
    }

    def found(selector: dict[str, str]) -> list[str]:
        return [name for name, each in labels.items() if selector.items() <= each.items()]

    for each in build(overlay):
        spec, name = each.get("spec", {}), each["metadata"]["name"]
        match each["kind"]:
            case "Deployment" | "StatefulSet":
                assert found(spec["selector"]["matchLabels"]) == [name]
            case "Service":
                (target,) = found(spec["selector"])
                assert {port["targetPort"] for port in spec["ports"]} <= ports[target]
            case "PodDisruptionBudget":
                assert found(spec["selector"]["matchLabels"])
            case "HorizontalPodAutoscaler":
                assert spec["scaleTargetRef"]["name"] in labels
            case "NetworkPolicy" if spec["podSelector"]:
                assert found(spec["podSelector"]["matchLabels"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_locked_down_bounded_and_probed(overlay: str) -> None:
    for name, template in pods(overlay).items():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec.get("initContainers", []) + spec["containers"]:
            where = f"{name}/{container['name']}"
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, where
            assert context["allowPrivilegeEscalation"] is False, where
            assert context["capabilities"] == {"drop": ["ALL"]}, where
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), where
            mounted = {each["name"] for each in container.get("volumeMounts", [])}
            claimed = {"data"} if name == "graph" else set()
            assert mounted <= {each["name"] for each in spec.get("volumes", [])} | claimed, where
        for container in spec["containers"]:
            assert "readinessProbe" in container, name
            assert "livenessProbe" in container, name


def test_the_service_is_restarted_for_its_own_faults_only_and_gets_time_to_finish() -> None:
    from t2c_service.settings import LimitSettings

    spec = pods("production")["service"]["spec"]
    (container,) = spec["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert spec["terminationGracePeriodSeconds"] > LimitSettings().graceful_shutdown_s + 5


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_denied_first_and_secrets_come_from_outside(overlay: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(overlay, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "Egress" not in policies["model"]["policyTypes"], "the model server has no way out"
    (secret,) = (each for each in of_kind(overlay, "Secret") if "keys.json" not in each["data"])
    used = {
        (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for template in pods(overlay).values()
        for container in template["spec"].get("initContainers", []) + template["spec"]["containers"]
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    assert used == {(secret["metadata"]["name"], key) for key in secret["data"]}
    ignored = (DEPLOY.parent / ".gitignore").read_text("utf-8")
    assert "secret.env" in ignored, "secrets are written by people and never committed"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_config_maps_and_images_are_those_that_pods_name(overlay: str) -> None:
    maps = {each["metadata"]["name"] for each in of_kind(overlay, "ConfigMap")}
    for name, template in pods(overlay).items():
        for container in template["spec"].get("initContainers", []) + template["spec"]["containers"]:
            assert re.search(r":v?\d+\.\d+", container["image"]), (
                f"{name}: {container['image']} is not pinned"
            )
            assert {
                each["configMapRef"]["name"]
                for each in container.get("envFrom", [])
                if "configMapRef" in each
            } <= maps
        secrets = {each["metadata"]["name"] for each in of_kind(overlay, "Secret")}
        assert {
            each["secret"]["secretName"] for each in template["spec"].get("volumes", []) if "secret" in each
        } <= secrets
        assert {
            each["configMap"]["name"] for each in template["spec"].get("volumes", []) if "configMap" in each
        } <= maps


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_that_are_given_are_settings(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2c_service.settings_loader import load_settings

    for each in of_kind(overlay, "ConfigMap"):
        for name, value in each["data"].items():
            if name.startswith("T2C_"):
                monkeypatch.setenv(name, value)
    for each in pods(overlay)["service"]["spec"]["containers"][0]["env"]:
        monkeypatch.setenv(each["name"], each.get("value", "secret-of-a-test"))
    settings = load_settings()
    assert settings.is_exposed
    assert settings.access.keys_file or settings.access.allow_anonymous, "the service would not start"
    assert settings.host == "0.0.0.0"
    assert settings.model.url == "http://model:8000/v1"


def test_both_ways_of_running_harden_neo4j_alike() -> None:
    ours = (ROOT / "overlays" / "demo" / "neo4j.conf").read_text("utf-8")
    assert ours == (DEPLOY / "neo4j" / "neo4j.conf").read_text("utf-8")
