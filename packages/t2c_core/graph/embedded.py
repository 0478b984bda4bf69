"""An embedded Neo4j Community for one machine: no Docker, no installed Java, no root.

The server runs in a child process that listens on the loopback interface only and never outlives its parent.
Holds no Java (see `server` for the child, `runtime` for the jars).
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


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """What the embedded server may use."""

    heap_mb: int = 512
    """Java heap."""
    page_cache_mb: int = 128
    """Cache of the store's pages, outside the heap."""
    transaction_mb: int = 256
    """Memory of one transaction."""
    transaction_timeout_s: int = 600
    """Longest time of one transaction."""


class EmbeddedGraph:
    """A Neo4j server in a child process, from `start` to `stop` or as a context manager.

    Without users the server asks for no password: any process of this machine can then read and
    write the graph.

    Args:
        home: folder of the store, its configuration and its logs; made when absent.
        port: Bolt port on the loopback interface; 0 takes a free one.
        password: asks for a password, that of the user `neo4j`.
        users: asks for a password, these (name to password) being all users; instead of `password`.
        read_only: refuses writes to the graph.
        limits: memory and time.

    Raises:
        InputError: both `password` and `users` are given, or the port is no port.
    """

    def __init__(
        self,
        home: Path | str,
        *,
        port: int = 0,
        password: str | None = None,
        users: Mapping[str, str] | None = None,
        read_only: bool = False,
        limits: ServerLimits | None = None,
    ) -> None:
        if password is not None and users is not None:
            raise InputError("password and users were both given; give one of them")
        if not 0 <= port <= 65535:
            raise InputError(f"port {port} is no port; choose 1 to 65535, or 0 for a free one")
        self.home = Path(home).expanduser().resolve()
        self.users = (
            dict(users) if users is not None else {"neo4j": password} if password is not None else None
        )
        self.read_only = read_only
        self.limits = limits or ServerLimits()
        self._wanted_port = port
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def uri(self) -> str:
        """Bolt address of the running server."""
        if not self.is_running:
            raise EmbeddedError(f"the embedded Neo4j of {self.home} is not running; call start()")
        return f"bolt://{HOST}:{self._port}"

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password of the first user; None when the server asks for none."""
        return next(iter(self.users.items())) if self.users else None

    @property
    def is_running(self) -> bool:
        """Whether the server answers to this object and has not ended."""
        return self._process is not None and self._port != 0 and self._process.poll() is None

    def start(self, *, progress: Progress | None = None, timeout_s: float = 300.0) -> Self:
        """Start the server and wait until it can be used.

        Args:
            progress: told about the first download of the server's jars.
            timeout_s: longest wait for the server, the download not counted.

        Raises:
            EmbeddedError: the port is taken, the store is in use, or the server did not start.
        """
        if self._process is not None:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.home} was started before; make a new EmbeddedGraph"
            )
        _check_port_free(self._wanted_port)
        jars = ensure_jars(progress)
        try:
            for name in ("import", "logs"):
                (self.home / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"cannot keep a store in {self.home}: {error}; choose another --home"
            ) from error
        order = {
            "home": str(self.home),
            "jvm": str(jvm_library()),
            "jvm_arguments": self._jvm_arguments(),
            "jars": [str(jar) for jar in jars],
            "settings": self._settings(),
            "users": self.users,
            "read_only": self.read_only,
        }
        with (self.home / "logs" / "server.log").open("w", encoding="utf-8") as log:
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
            self._port = self._handshake(order, timeout_s)
        except BaseException:
            self._process.kill()
            self.stop()
            raise
        return self

    def stop(self, timeout_s: float = 40.0) -> None:
        """Stop the server and wait until it is gone; does nothing when it is not running."""
        process = self._process
        if process is None:
            return
        with suppress(BrokenPipeError), process:  # leaving the block closes the pipes and waits
            if process.stdin:
                process.stdin.close()  # the child takes the end of its input as the order to stop
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()

    def wait(self) -> int:
        """Wait until the server ends by itself and give its exit status."""
        if self._process is None:
            raise EmbeddedError(f"the embedded Neo4j of {self.home} is not running; call start()")
        return self._process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """Give the last lines that the child process printed."""
        log = self.home / "logs" / "server.log"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _jvm_arguments(self) -> list[str]:
        return [
            f"-Xmx{self.limits.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # a third less work than with C2 for the many short queries of a session
            "-Xss2m",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
        ]

    def _settings(self) -> dict[str, str]:
        return {
            "server.bolt.enabled": "true",
            "server.bolt.listen_address": f"{HOST}:{self._wanted_port}",
            "server.bolt.advertised_address": f"{HOST}:{self._wanted_port}",
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

    def _handshake(self, order: dict[str, Any], timeout_s: float) -> int:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EmbeddedError("the child process has no pipes")
        answers: queue.Queue[str] = queue.Queue()
        stdout = process.stdout
        threading.Thread(target=lambda: answers.put(stdout.readline()), daemon=True).start()
        try:
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.home} was not ready after {timeout_s:.0f} s; "
                f"see {self.home / 'logs' / 'debug.log'}"
            ) from None
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise EmbeddedError(
                f"the embedded Neo4j of {self.home} ended with status {process.wait()} while it started. "
                f"It printed:\n{self.log_tail()}"
            )
        content = json.loads(answer)
        if "error" in content:
            raise EmbeddedError(self._explain(content["error"]))
        return int(content["port"])

    def _explain(self, causes: list[str]) -> str:
        told = " <- ".join(causes)
        if "StoreInUseError" in told or "FileLockException" in told:
            return (
                f"the store in {self.home} is in use by another Neo4j that is running. Stop that one, connect to it, "
                "or choose another --home"
            )
        if "BindException" in told or "PortBindException" in told:
            return _port_taken(self._wanted_port)
        log = self.home / "logs" / "debug.log"
        return f"the embedded Neo4j of {self.home} did not start: {told}. Details: {log}"


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
    return f"port {port} of {HOST} is taken by another program; choose another --port, or stop that program"
