"""The manifests: valid by Kubernetes' own schemas, and every reference between them leads somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from .conftest import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path

ROOT = DEPLOY / "kubernetes"
OVERLAYS = ("demo", "production")
VERSION = "1.33"


def documents(folder: Path, names: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in names:
        if name.endswith(".yaml"):
            found += yaml.safe_load_all((folder / name).read_text("utf-8"))
    return found


def kustomization(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8")))


def resources(overlay: str) -> list[dict[str, Any]]:
    base, over = ROOT / "base", ROOT / "overlays" / overlay
    return documents(base, kustomization(base)["resources"]) + documents(
        over, kustomization(over)["resources"]
    )


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """Each workload's pod template as the overlay makes it, containers and volumes merged by name."""
    made = {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in resources(overlay)
        if each["kind"] in {"Deployment", "StatefulSet"}
    }
    folder = ROOT / "overlays" / overlay
    for patch in documents(folder, [each["path"] for each in kustomization(folder)["patches"]]):
        spec, changes = made[patch["metadata"]["name"]]["spec"], patch["spec"]["template"]["spec"]
        for kind in ("initContainers", "containers", "volumes"):
            known = {each["name"]: each for each in spec.get(kind, [])}
            for change in changes.get(kind, []):
                target = known.setdefault(change["name"], {})
                mounts = target.get("volumeMounts", []) + change.get("volumeMounts", [])
                target.update({key: value for key, value in change.items() if value is not None})
                for key in [key for key, value in change.items() if value is None]:
                    target.pop(key, None)
                if mounts:
                    target["volumeMounts"] = mounts
            if known:
                spec[kind] = list(known.values())
    return made


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid_by_the_api(overlay: str) -> None:
    for each in resources(overlay):
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

    for each in resources(overlay):
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
    policies = {
        each["metadata"]["name"]: each["spec"]
        for each in resources(overlay)
        if each["kind"] == "NetworkPolicy"
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "Egress" not in policies["model"]["policyTypes"], "the model server has no way out"
    assert not any(each["kind"] == "Secret" for each in resources(overlay))
    folder = ROOT / "overlays" / overlay
    assert kustomization(folder)["secretGenerator"] == [{"name": "graphling", "envs": ["secret.env"]}]
    keys = {line.partition("=")[0] for line in (folder / "secret.env.example").read_text("utf-8").split()}
    asked = {
        each["valueFrom"]["secretKeyRef"]["key"]
        for template in pods(overlay).values()
        for container in template["spec"].get("initContainers", []) + template["spec"]["containers"]
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    assert asked == keys


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_that_are_given_are_settings(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2c_service.settings_loader import load_settings

    for each in kustomization(ROOT / "overlays" / overlay)["configMapGenerator"]:
        for line in each.get("literals", []):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)
    for each in pods(overlay)["service"]["spec"]["containers"][0]["env"]:
        monkeypatch.setenv(each["name"], each.get("value", "secret-of-a-test"))
    settings = load_settings()
    assert settings.host == "0.0.0.0"
    assert settings.model.url == "http://model:8000/v1"


def test_both_ways_of_running_harden_neo4j_alike() -> None:
    ours = (ROOT / "overlays" / "demo" / "neo4j.conf").read_text("utf-8")
    assert ours == (DEPLOY / "neo4j" / "neo4j.conf").read_text("utf-8")
