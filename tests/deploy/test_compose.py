"""compose.yaml: valid by the Compose specification, one published port, hardened and bounded containers."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import jsonschema
import pytest

from .conftest import DEPLOY, read_compose, with_defaults

FILES = ("compose.yaml", "compose.gpu.yaml", "compose.monitoring.yaml")
BUILT = {"load": "load", "service": "service"}


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_valid_by_the_compose_specification(name: str) -> None:
    text = (
        resources.files("check_jsonschema")
        .joinpath("builtin_schemas/vendor/compose-spec.json")
        .read_text("utf-8")
    )
    jsonschema.validate(read_compose(name), json.loads(text))


def test_only_the_service_is_published_and_only_on_this_machine_unless_asked(compose: dict[str, Any]) -> None:
    assert [name for name, each in compose["services"].items() if "ports" in each] == ["service"]
    assert compose["services"]["service"]["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8080}:8080"]
    for name, each in compose["services"].items():
        inside = each.get("networks") == ["inner"] or each.get("network_mode") == "none"
        assert inside or name == "service", name
    assert compose["networks"]["inner"] == {"internal": True}


def test_the_service_knows_on_which_address_it_is_published(compose: dict[str, Any]) -> None:
    assert compose["services"]["service"]["environment"]["T2C_PUBLISHED_HOST"] == "${BIND:-127.0.0.1}"


def test_every_container_is_locked_down_and_bounded(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", each["user"]), name
        assert not each.get("privileged"), name
        assert not each.get("cap_add"), name
        assert {"cpus", "memory", "pids"} <= set(each["deploy"]["resources"]["limits"]), name
        assert "/var/run/docker.sock" not in str(each.get("volumes")), name


def test_no_container_asks_for_more_processors_than_a_machine_may_have(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        assert with_defaults(each["deploy"]["resources"]["limits"]["cpus"]) == "0", name


@pytest.mark.parametrize("name", FILES)
def test_health_checks_call_only_programs_that_images_have(name: str) -> None:
    """Debian's packages and vLLM's CUDA image have `python3`, and `python` only by chance."""
    merged = read_compose("compose.yaml")["services"]
    for service, changes in read_compose(name)["services"].items():
        check = {**merged.get(service, {}), **changes}.get("healthcheck")
        if check:
            program = check["test"][1]
            assert program in {"python3", "bash", "wget"} or (program == "python" and service == "service")


def test_the_model_is_healthy_once_it_has_completed_a_prompt(compose: dict[str, Any]) -> None:
    check = compose["services"]["model"]["healthcheck"]
    assert check["test"][:3] == ["CMD", "python3", "-c"]
    compile(check["test"][3], "healthcheck", "exec")
    assert "/v1/completions" in check["test"][3]


def test_no_secret_is_made_of_a_variable_for_a_read_only_container(compose: dict[str, Any]) -> None:
    """Compose 2.26 does not write such a secret into a container whose root is read-only."""
    assert not [name for name, each in compose["services"].items() if "secrets" in each]
    assert all("environment" not in secret for secret in compose["secrets"].values())


def test_images_are_pinned_and_commands_that_last_have_a_health_check(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        tag = with_defaults(each["image"]).rpartition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), name
        assert ("healthcheck" in each) == (each["restart"] != "no"), name


def test_things_start_in_the_order_in_which_they_are_needed(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["graph"]["depends_on"] == {"load": {"condition": "service_completed_successfully"}}
    assert services["service"]["depends_on"] == {
        "graph": {"condition": "service_healthy"},
        "model": {"condition": "service_healthy"},
    }


def test_no_password_is_written_down_and_none_is_assumed(compose: dict[str, Any]) -> None:
    for name in ("load", "service"):
        value = compose["services"][name]["environment"]["T2C_GRAPH__PASSWORD"]
        assert value.startswith("${T2C_GRAPH__PASSWORD:?"), name
    assert not re.search(
        r"(?i)(password|secret|key)[ ]*[:=][ ]*['\"]?[a-z0-9]{6,}", (DEPLOY / "compose.yaml").read_text()
    )


def test_what_is_mounted_is_there_and_what_is_built_has_its_file(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        for volume in each.get("volumes", []):
            source = with_defaults(volume).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
                assert volume.endswith(":ro"), volume
            else:
                assert source in compose["volumes"], volume
        if "build" in each:
            file = (DEPLOY / each["build"]["context"] / each["build"]["dockerfile"]).resolve()
            text = file.read_text("utf-8")
            assert f"AS {BUILT[name]}\n" in text if name in BUILT else text, name


@pytest.mark.parametrize("name", ["Dockerfile", "vllm/Dockerfile"])
def test_images_are_built_in_stages_run_as_nobody_special_and_copy_only_what_is_let_in(
    name: str, compose: dict[str, Any]
) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    assert text.count("\nFROM ") >= 2
    runtime = text.partition(" AS runtime\n" if name.startswith("vllm") else " AS base\n")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", runtime, re.MULTILINE)
    assert "USER 0" not in text
    assert ":latest" not in text
    assert "# syntax=" not in text, "it fetches an image for nothing, and fails without a network"
    for secret in compose["services"]["load"]["build"]["secrets"]:
        assert f"--mount=type=secret,id={secret}" in text
    allowed = [
        line[1:]
        for line in (DEPLOY / f"{name}.dockerignore").read_text("utf-8").splitlines()
        if line[:1] == "!"
    ]
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert source in allowed, source
            assert list(DEPLOY.parent.glob(source)), source


def test_images_of_others_can_be_fetched_from_elsewhere(compose: dict[str, Any]) -> None:
    """The name in compose.yaml reaches every stage that begins with an image of others."""
    default = "python:3.11-slim-bookworm"
    for name, each in compose["services"].items():
        if "build" in each:
            assert with_defaults(each["build"]["args"]["PYTHON_IMAGE"]) == default, name
            text = (
                (DEPLOY / each["build"]["context"] / each["build"]["dockerfile"]).resolve().read_text("utf-8")
            )
            assert f"ARG PYTHON_IMAGE={default}\n" in text
            stages = re.findall(r" AS (\S+)$", text, re.MULTILINE)
            assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {"${PYTHON_IMAGE}", *stages}
    assert compose["services"]["graph"]["image"].startswith("${NEO4J_IMAGE:-neo4j:")


def test_the_gpu_file_changes_only_what_it_must(compose: dict[str, Any]) -> None:
    services = read_compose("compose.gpu.yaml")["services"]
    assert list(services) == ["model"]
    ours, theirs = compose["services"]["model"]["command"], services["model"]["command"]
    # The entry point of vLLM's own image takes the model by its place, that of ours by its name.
    assert {each.split("=")[0] for each in ours} - {"--enforce-eager", "--model"} == {
        each.split("=")[0] for each in theirs
    } - {"--tensor-parallel-size", "/model"}


def test_monitoring_is_a_profile_and_is_published_on_loopback_alone(compose: dict[str, Any]) -> None:
    profiled = {name for name, each in compose["services"].items() if each.get("profiles") == ["monitoring"]}
    assert profiled == {"prometheus", "grafana"}
    (published,) = read_compose("compose.monitoring.yaml")["services"]["grafana"]["ports"]
    assert published.startswith("127.0.0.1:")
