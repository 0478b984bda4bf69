"""The containers of deploy/compose.yaml as a project of their own, with a port and settings of their own."""

from __future__ import annotations

import json
import logging
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    import subprocess

    from tests.containers.engine import Engine
    from tests.containers.images import Images

log = logging.getLogger("containers")

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = "graphling-test"
SERVICE_IMAGE = "graphling-test/service"
LOAD_IMAGE = "graphling-test/load"
RUNTIME_IMAGE = "graphling-test/vllm-runtime"
VLLM_IMAGE = "graphling-test/vllm-cpu"
PASSWORD = "T2C_GRAPH__PASSWORD"
QUESTION = "What is the half-life of warfarin?"

CHANGES = """\
services:
  load: {{image: {load}, build: {{network: host}}}}
  model: {{image: {vllm}, build: {{network: host{build}}}{mount}}}
  service:
    image: {service}
    build: {{network: host}}
    env_file: !override [{{path: {environment}}}]
"""


class Stack:
    """The project: its settings, its containers, and questions to it."""

    def __init__(self, engine: Engine, images: Images, folder: Path) -> None:
        self.engine, self.images = engine, images
        self.settings = {PASSWORD: "correct horse battery"}
        self._environment, self._changes = folder / "settings.env", folder / "compose.changes.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        packages = images.vllm_packages
        self._changes.write_text(
            CHANGES.format(
                load=LOAD_IMAGE,
                service=SERVICE_IMAGE,
                vllm=RUNTIME_IMAGE if packages else VLLM_IMAGE,
                build=f", target: runtime, args: {{PYTHON_IMAGE: {images.python_with_headers}}}"
                if packages
                else f", args: {{PYTHON_IMAGE: {images.python_with_headers}}}",
                mount=f", volumes: ['{packages}:/opt/vllm/packages:ro'], environment: {{PYTHONPATH: /opt/vllm/packages}}"
                if packages
                else "",
                environment=self._environment,
            ),
            encoding="utf-8",
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def compose(
        self, *arguments: object, check: bool = True, files: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` with the settings as they are now."""
        lines = {**self.images.variables(), "PORT": str(self.port), **self.settings}
        self._environment.write_text(
            "".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8"
        )
        names = ("compose.yaml", *files)
        paths = [part for name in names for part in ("-f", DEPLOY / name)]
        options = ("-p", PROJECT, "--project-directory", DEPLOY, "--env-file", self._environment)
        return self.engine.docker("compose", *options, *paths, "-f", self._changes, *arguments, check=check)

    def up(self, *services: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Start the project, or the given services of it, and wait until the service is healthy."""
        done = self.compose("up", "-d", "--no-build", *services, check=check)
        if done.returncode == 0:
            self.wait_healthy("service")
        return done

    def container(self, service: str) -> str:
        """Return the id of the container of a service."""
        return self.compose("ps", "-a", "-q", service).stdout.split()[0]

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of the container of a service, with the number of its restarts."""
        content = json.loads(self.engine.docker("inspect", self.container(service)).stdout)[0]
        return {**content["State"], "restarts": content["RestartCount"]}

    def wait_healthy(self, service: str, timeout_s: float = 300) -> None:
        """Wait until a container is healthy."""
        end = time.monotonic() + timeout_s
        while (state := self.state(service))["Health"]["Status"] != "healthy":
            if time.monotonic() > end:
                raise AssertionError(f"{service} is not healthy: {state}\n{self.logs(service)[-4000:]}")
            time.sleep(0.5)

    def kill(self, service: str) -> None:
        """Kill the first process of a container, as a lack of memory does; the engine does not count it as a stop."""
        process = self.state(service)["Pid"]
        self.engine.docker(
            *(
                "run",
                "--rm",
                "--privileged",
                "--pid=host",
                "--network=none",
                "--user=0",
                "--entrypoint=python",
            ),
            *(SERVICE_IMAGE, "-c", f"import os; os.kill({process}, 9)"),
        )

    def logs(self, service: str) -> str:
        """Return what a container has printed."""
        done = self.compose("logs", "--no-color", "--no-log-prefix", service)
        return done.stdout + done.stderr

    def run_python(self, service: str, program: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the container of a service."""
        return self.compose("exec", "-T", service, "python", "-c", program, check=False)

    def ask(self, question: str = QUESTION, **headers: str) -> httpx2.Response:
        """Ask over HTTP."""
        return httpx2.post(f"{self.url}/query", json={"question": question}, headers=headers, timeout=120)

    def remains(self) -> list[str]:
        """Return containers, volumes and networks of the project."""
        own = ("--filter", f"label=com.docker.compose.project={PROJECT}")
        kinds = (("ps", "-a", "-q"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
        return [line for kind in kinds for line in self.engine.docker(*kind, *own).stdout.split()]
