"""A container engine with Compose: the one that is there, or one of our own from Debian's packages while tests run.

Our own keeps images in the cache folder, listens on a socket of its own, and leaves the network of the machine as it
was. Compose and Buildx come from a later release of Debian where the installed one lacks them.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger("containers")

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphling" / "containers"
RUN_FOLDER = Path("/run/graphling-containers")
PACKAGES = ("docker.io", "iptables", "debootstrap")
PLUGINS = ("docker-compose", "docker-buildx")
PLUGIN_RELEASE = "trixie"
EMPTY_TABLES = {
    "filter": "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n",
}
"""Tables that the engine adds rules to, as `iptables-restore` reads them; it leaves out those that it is not given."""
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


class EngineUnavailableError(Exception):
    """There is no engine and none can be started; the message says why."""


@dataclass(frozen=True)
class Engine:
    """A running engine and how its client is called."""

    environment: Mapping[str, str]
    is_ours: bool

    def docker(
        self, *arguments: object, check: bool = True, timeout_s: float = 1800, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the client; an error shows the end of its output."""
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode:
            raise AssertionError(
                f"docker {' '.join(map(str, arguments))}: {done.stderr[-6000:]}{done.stdout[-2000:]}"
            )
        return done

    def has_image(self, name: str) -> bool:
        """Return whether an image is there."""
        return self.docker("image", "inspect", name, check=False).returncode == 0

    def version(self) -> str:
        """Return the versions of engine and Compose."""
        server = self.docker("version", "--format", "{{.Server.Version}}").stdout.strip()
        compose = self.docker("compose", "version", "--short").stdout.strip()
        return f"engine {server}, Compose {compose}"


@contextmanager
def running_engine() -> Iterator[Engine]:
    """Give the engine that is there, or start one of our own and stop it at the end.

    Raises:
        EngineUnavailableError: neither is possible.
    """
    found = Engine({**os.environ, "DOCKER_BUILDKIT": "1"}, is_ours=False)
    if shutil.which("docker") and _works(found, "info"):
        if not _works(found, "compose", "version"):
            raise EngineUnavailableError("the Docker engine of this machine has no Compose plugin (v2)")
        yield found
        return
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EngineUnavailableError("no Docker engine runs here; one is started only as root on Debian")
    try:
        ours = _install()
    except subprocess.CalledProcessError as error:
        raise EngineUnavailableError(f"no Docker engine, and none can be installed: {error}") from error
    with _running_daemon(ours):
        yield ours


def _works(engine: Engine, *arguments: str) -> bool:
    return engine.docker(*arguments, check=False, timeout_s=60).returncode == 0


def _install() -> Engine:
    """Install the engine and fetch the plugins of its client, unless they are there."""
    if not all(map(shutil.which, ("dockerd", "iptables", "debootstrap"))):
        log.info("installing %s", ", ".join(PACKAGES))
        _apt("update", "-qq")
        _apt("install", "-qq", "-y", "--no-install-recommends", *PACKAGES)
    configuration = CACHE / "client"
    ours = Engine(
        {
            **os.environ,
            "DOCKER_HOST": f"unix://{RUN_FOLDER}/docker.sock",
            "DOCKER_CONFIG": str(configuration),
            "DOCKER_BUILDKIT": "1",
        },
        is_ours=True,
    )
    if not all(_works(ours, plugin.removeprefix("docker-"), "version") for plugin in PLUGINS):
        log.info("fetching %s", ", ".join(PLUGINS))
        _fetch_plugins(configuration / "cli-plugins")
    return ours


def _apt(*arguments: str, folder: Path | None = None) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", *arguments], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )


def repository() -> str:
    """Return the address of the machine's own Debian packages."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    return next(address for address, name in lines if "-" not in name)


def _fetch_plugins(target: Path) -> None:
    """Unpack the plugins from a later release, with lists and caches of its own, so that the machine's stay as they are."""
    folder = CACHE / "apt"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(
        f"deb [signed-by={keyring}] {repository()} {PLUGIN_RELEASE} main\n", encoding="utf-8"
    )
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    if not list((folder / "lists").glob("*Packages*")):
        _apt(*flags, "update", "-qq", folder=folder)
    _apt(*flags, "download", "-qq", *PLUGINS, folder=folder)
    target.mkdir(parents=True, exist_ok=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    for plugin in PLUGINS:
        shutil.copy(folder / "unpacked" / "usr" / "libexec" / "docker" / "cli-plugins" / plugin, target)


@contextmanager
def _running_daemon(engine: Engine) -> Iterator[None]:
    RUN_FOLDER.mkdir(parents=True, exist_ok=True)
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    forwarding = FORWARDING.read_text()
    command = ["dockerd", "--bridge=none", "--log-level=warn", f"--host=unix://{RUN_FOLDER}/docker.sock"]
    command += [f"--data-root={CACHE / 'data'}", f"--exec-root={RUN_FOLDER}", f"--pidfile={RUN_FOLDER}/pid"]
    with (CACHE / "dockerd.log").open("w") as output:
        daemon = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            end = time.monotonic() + 120
            while not _works(engine, "info"):
                if daemon.poll() is not None or time.monotonic() > end:
                    tail = (CACHE / "dockerd.log").read_text()[-1500:]
                    raise EngineUnavailableError(f"the Docker engine does not start here: {tail}")
                time.sleep(0.5)
            log.info("started an engine of our own")
            yield
        finally:
            daemon.terminate()
            daemon.wait(120)
            absent = "".join(text for table, text in EMPTY_TABLES.items() if f"*{table}\n" not in rules)
            subprocess.run(["iptables-restore"], input=rules + absent, text=True, check=False)
            FORWARDING.write_text(forwarding)
            shutil.rmtree(RUN_FOLDER, ignore_errors=True)
