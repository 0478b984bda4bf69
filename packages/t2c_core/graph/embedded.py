"""An embedded Neo4j Community for one machine: no Docker, no installed Java, no root.

The server runs in a child process (`server_process`) that listens on the loopback interface only and never outlives
its parent.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from t2c_core.errors import EmbeddedError, InputError
from t2c_core.graph.java_runtime import Progress, ensure_jars, jvm_library

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

HOST = "127.0.0.1"
MARKER_FILE = ".graphling-store"
_MARKER_TEXT = "Store of an embedded Neo4j. Graphling overwrites its configuration and its users.\n"
_FORMER_SETTING = "internal.dbms.cypher_ip_blocklist="
"""Setting by which the configuration of a store without a marker file, of a former version, is recognised."""


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Resource limits of the embedded server."""

    heap_mb: int = 512
    """Size of the Java heap."""
    page_cache_mb: int = 128
    """Size of the page cache, outside the heap."""
    transaction_mb: int = 256
    """Maximum memory of one transaction."""
    transaction_timeout_s: int = 600
    """Maximum duration of one transaction."""
    optimising_compiler: bool = False
    """Whether Java's optimising compiler is used, which takes a minute of CPU time and saves more in long runs."""


class EmbeddedGraph:
    """A Neo4j server in a child process, from `start` to `stop` or as a context manager.

    Without users the server has no authentication: any process of this machine can then read and write the graph.

    Args:
        data_dir: folder of the store, its configuration and its logs; created if it does not exist. A folder with
            other content is rejected.
        port: Bolt port on the loopback interface; 0 for any free port.
        password: password of the user `neo4j`, which enables authentication.
        users: passwords by user name, which replace all users and enable authentication; not with `password`.
        read_only: whether the server rejects writes to the graph.
        limits: limits of memory and time.

    Raises:
        InputError: both `password` and `users` are given, or the port is invalid.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        port: int = 0,
        password: str | None = None,
        users: Mapping[str, str] | None = None,
        read_only: bool = False,
        limits: ServerLimits | None = None,
    ) -> None:
        if password is not None and users is not None:
            raise InputError("password and users are mutually exclusive; give one of them")
        if not 0 <= port <= 65535:
            raise InputError(f"invalid port {port}: expected 1 to 65535, or 0 for any free port")
        self.data_dir = Path(data_dir).expanduser().resolve()
        self.users = (
            dict(users) if users is not None else {"neo4j": password} if password is not None else None
        )
        self.read_only = read_only
        self.limits = limits or ServerLimits()
        self._requested_port = port
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def uri(self) -> str:
        """Bolt address of the running server.

        Raises:
            EmbeddedError: the server is not running.
        """
        if not self.is_running:
            raise EmbeddedError(f"the embedded Neo4j of {self.data_dir} is not running; call start()")
        return f"bolt://{HOST}:{self._port}"

    @property
    def auth(self) -> tuple[str, str] | None:
        """Name and password of the first user, or None without authentication."""
        return next(iter(self.users.items())) if self.users else None

    @property
    def is_running(self) -> bool:
        """Whether the server of this object is running."""
        return self._process is not None and self._port != 0 and self._process.poll() is None

    def start(self, *, progress: Progress | None = None, timeout_s: float = 300.0) -> Self:
        """Start the server and wait until it is ready.

        Args:
            progress: callback with the progress of the first download of the server's jars.
            timeout_s: maximum time to wait for the server, excluding the download.

        Raises:
            InputError: the data folder is not a store of ours.
            EmbeddedError: the port is taken, the store is in use, or the server did not start.
        """
        if self._process is not None:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.data_dir} was already started; create a new EmbeddedGraph"
            )
        _check_port_free(self._requested_port)
        self._check_data_dir()
        jars = ensure_jars(progress)
        try:
            for name in ("import", "logs"):
                (self.data_dir / name).mkdir(parents=True, exist_ok=True)
            (self.data_dir / MARKER_FILE).write_text(_MARKER_TEXT, encoding="utf-8")
        except OSError as error:
            raise EmbeddedError(
                f"cannot create a store in {self.data_dir}: {error}; choose another --data-dir"
            ) from error
        request = {
            "data_dir": str(self.data_dir),
            "jvm": str(jvm_library()),
            "jvm_arguments": self._jvm_arguments(),
            "jars": [str(jar) for jar in jars],
            "settings": self._settings(),
            "users": self.users,
            "read_only": self.read_only,
        }
        with (self.data_dir / "logs" / "server.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "t2c_core.graph.server_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        try:
            self._port = self._handshake(request, timeout_s)
        except BaseException:
            self._process.kill()
            self.stop()
            raise
        return self

    def stop(self, timeout_s: float = 40.0) -> None:
        """Stop the server and wait for its end; does nothing if it is not running."""
        process = self._process
        if process is None:
            return
        with suppress(BrokenPipeError), process:  # the end of the block closes the pipes and waits
            if process.stdin:
                process.stdin.close()  # the child stops at the end of its input
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()

    def wait(self) -> int:
        """Wait until the server ends by itself and return its exit status."""
        if self._process is None:
            raise EmbeddedError(f"the embedded Neo4j of {self.data_dir} is not running; call start()")
        return self._process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the child process's output."""
        log = self.data_dir / "logs" / "server.log"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _check_data_dir(self) -> None:
        """Check that the data folder is empty or a store of ours, whose configuration and users may be replaced.

        Raises:
            InputError: the folder has other content.
        """
        if not self.data_dir.is_dir() or (self.data_dir / MARKER_FILE).is_file():
            return
        configuration = self.data_dir / "conf" / "neo4j.conf"
        is_former = configuration.is_file() and any(
            line.startswith(_FORMER_SETTING)
            for line in configuration.read_text(encoding="utf-8", errors="replace").splitlines()
        )
        content = [each for each in self.data_dir.iterdir() if not _is_empty_folder(each)]
        if content and not (is_former and (self.data_dir / "lock").is_file()):
            raise InputError(
                f"{self.data_dir} has files that are not a store of t2c-graph ({content[0].name}, …); its "
                "configuration and users would be overwritten. Choose a new folder with --data-dir, or connect to the "
                "Neo4j of this folder with --uri"
            )

    def _jvm_arguments(self) -> list[str]:
        return [
            f"-Xmx{self.limits.heap_mb}m",
            "-XX:+UseSerialGC",
            *([] if self.limits.optimising_compiler else ["-XX:TieredStopAtLevel=1"]),
            "-Xss2m",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
        ]

    def _settings(self) -> dict[str, str]:
        return {
            "server.bolt.enabled": "true",
            "server.bolt.listen_address": f"{HOST}:{self._requested_port}",
            "server.bolt.advertised_address": f"{HOST}:{self._requested_port}",
            "dbms.security.auth_enabled": "false" if self.users is None else "true",
            "dbms.security.allow_csv_import_from_file_urls": "false",
            "dbms.security.procedures.allowlist": "",
            "internal.dbms.cypher_ip_blocklist": "0.0.0.0/0,::/0",
            "server.directories.import": "import",
            "dbms.usage_report.enabled": "false",
            "db.transaction.timeout": f"{self.limits.transaction_timeout_s}s",
            "db.memory.transaction.max": f"{self.limits.transaction_mb}m",
            "server.memory.pagecache.size": f"{self.limits.page_cache_mb}m",
            "db.tx_log.preallocate": "false",
            "db.tx_log.rotation.retention_policy": "keep_none",
            "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
            "internal.dbms.bolt.netty_server_shutdown_timeout": "2s",
            "internal.server.bolt.connection_shutdown_wait_time": "1s",
            "internal.server.bolt.thread_pool_shutdown_wait_time": "1s",
        }

    def _handshake(self, request: dict[str, Any], timeout_s: float) -> int:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EmbeddedError("the child process has no pipes")
        replies: queue.Queue[str] = queue.Queue()
        stdout = process.stdout
        threading.Thread(target=lambda: replies.put(stdout.readline()), daemon=True).start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            reply = replies.get(timeout=timeout_s)
        except queue.Empty:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.data_dir} was not ready after {timeout_s:.0f} s; "
                f"see {self.data_dir / 'logs' / 'debug.log'}"
            ) from None
        except BrokenPipeError:
            reply = ""
        if not reply:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.data_dir} ended with status {process.wait()} during start-up. "
                f"Its output:\n{self.log_tail()}"
            )
        content = json.loads(reply)
        if "error" in content:
            raise EmbeddedError(self._explain(content["error"]))
        return int(content["port"])

    def _explain(self, causes: list[str]) -> str:
        chain = " <- ".join(causes)
        if "StoreInUseError" in chain or "FileLockException" in chain:
            return (
                f"the store in {self.data_dir} is in use by another running Neo4j. Stop it, connect to it, or choose "
                "another --data-dir"
            )
        if "BindException" in chain or "PortBindException" in chain:
            return _port_taken(self._requested_port)
        log = self.data_dir / "logs" / "debug.log"
        return f"the embedded Neo4j of {self.data_dir} did not start: {chain}. Details: {log}"


def _is_empty_folder(path: Path) -> bool:
    """Return whether a path has no files; mount points may be empty folders."""
    return path.is_dir() and not any(path.iterdir())


def _check_port_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise EmbeddedError(_port_taken(port)) from error
            raise EmbeddedError(f"cannot listen on {HOST}:{port}: {error}") from error


def _port_taken(port: int) -> str:
    return f"port {port} of {HOST} is in use by another program; choose another --port, or stop that program"
