"""The images that the containers run: ours, and those of others or stand-ins for them.

Stand-ins are made of Debian's packages and the jars of the loader where Docker Hub cannot be reached. They have names
of their own, so that nobody takes them for the originals.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.containers.engine import EngineUnavailableError, repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.containers.engine import Engine

log = logging.getLogger("containers")

STAND_INS = Path(__file__).parent / "images"
PYTHON_IMAGE = "python:3.11-slim-bookworm"
NEO4J_IMAGE = "neo4j:2026.08.1-community"
PYTHON_STAND_IN = "graphling-test/python:3.11"
HEADERS_STAND_IN = "graphling-test/python-headers:3.11"
NEO4J_STAND_IN = "graphling-test/neo4j:2026.08.1"
DEBIAN_RELEASE = "bookworm"
DEBIAN_PACKAGES = "python3,python3-venv,python3-pip,python-is-python3,ca-certificates"
CERTIFICATES = ("CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
VLLM_VARIABLE = "GRAPHLING_VLLM_IMAGE"


@dataclass(frozen=True)
class Images:
    """Names of the images that are not ours, and where vLLM comes from."""

    python: str
    python_with_headers: str
    neo4j: str
    are_official: bool
    vllm_packages: Path | None
    """Folder of installed packages that the model server's container mounts; None if its image has them."""

    def variables(self) -> Mapping[str, str]:
        """Return the variables of compose.yaml that name images and what their builds download with."""
        variables = {"PYTHON_IMAGE": self.python, "NEO4J_IMAGE": self.neo4j}
        certificates = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), None)
        return variables | ({"CA_BUNDLE": certificates} if certificates else {})


def find_images(engine: Engine) -> Images:
    """Pull the images of others, or make stand-ins for them.

    Raises:
        EngineUnavailableError: Docker Hub cannot be reached and the stand-ins cannot be made here.
    """
    are_official = not engine.has_image(PYTHON_STAND_IN) and all(
        engine.docker("pull", "--quiet", each, check=False).returncode == 0
        for each in (PYTHON_IMAGE, NEO4J_IMAGE)
    )
    packages = _vllm_packages()
    if are_official:
        return Images(PYTHON_IMAGE, PYTHON_IMAGE, NEO4J_IMAGE, are_official, packages)
    if not engine.has_image(PYTHON_STAND_IN):
        _make_python_image(engine)
    if not engine.has_image(HEADERS_STAND_IN):
        build_stand_in(engine, "python-headers", HEADERS_STAND_IN, PYTHON_IMAGE=PYTHON_STAND_IN)
    return Images(PYTHON_STAND_IN, HEADERS_STAND_IN, NEO4J_STAND_IN, are_official, packages)


def build_stand_in(engine: Engine, target: str, name: str, **arguments: str) -> None:
    """Build a stage of images/Dockerfile."""
    log.info("building %s", name)
    flags = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    engine.docker("build", "--network=host", "--target", target, "--tag", name, *flags, STAND_INS)


def _make_python_image(engine: Engine) -> None:
    """Import a minimal Debian with its Python as an image."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise EngineUnavailableError(
            "Docker Hub cannot be reached, and stand-ins for its images need root and debootstrap"
        )
    log.info("making %s of Debian's packages", PYTHON_STAND_IN)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", DEBIAN_RELEASE]
        done = subprocess.run(
            [*command, root, repository()], capture_output=True, text=True, check=False, cwd=folder
        )
        if done.returncode:
            raise EngineUnavailableError(f"debootstrap failed: {done.stdout[-1500:]}{done.stderr[-500:]}")
        for unneeded in (
            "var/cache/apt",
            "var/lib/apt/lists",
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
        ):
            shutil.rmtree(root / unneeded)
            (root / unneeded).mkdir()
        (root / "etc" / "apt" / "sources.list").unlink(missing_ok=True)
        shutil.copytree("/etc/apt", root / "etc" / "apt", dirs_exist_ok=True)
        shutil.copytree("/usr/share/keyrings", root / "usr" / "share" / "keyrings", dirs_exist_ok=True)
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        engine.docker("import", "--change", 'CMD ["python3"]', archive, PYTHON_STAND_IN)


def _vllm_packages() -> Path | None:
    """Return the packages of this environment if a container with Python 3.11 can use its vLLM."""
    is_usable = sys.version_info[:2] == (3, 11) and importlib.util.find_spec("vllm") is not None
    if os.environ.get(VLLM_VARIABLE) or not is_usable:
        return None
    return Path(sysconfig.get_path("purelib"))
