"""Child process of the embedded Neo4j: runs the server in a Java virtual machine while its parent lives.

`python -m t2c_core.graph.server_process` reads a request as a line of JSON from standard input and writes a reply as a
line of JSON to standard output. The end of standard input means that the parent has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

OPEN_PACKAGES = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
SHUTDOWN_LIMIT_S = 30.0
AVAILABLE_LIMIT_MS = 240_000
PARENT_CHECK_S = 1.0


class StoreInUseError(Exception):
    """Another process uses the store."""


def main() -> None:
    """Run the server that standard input requests until a signal or the end of standard input."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which stops this process
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the output of Java goes to the log
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    try:
        lock = _lock(Path(request["data_dir"]))
        service, port = _start(request)
    except Exception as error:  # noqa: BLE001 - outer edge: any Java exception becomes a reply
        _reply(replies, {"error": _causes(error)})
        os._exit(1)
    _reply(replies, {"port": port})
    while not stop.wait(0.5):
        pass
    service.shutdown()
    lock.close()
    os._exit(0)  # a regular exit of the virtual machine takes another second


def _reply(replies: Any, content: dict[str, Any]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()


def _watch_parent(stop: threading.Event) -> None:
    """Request a stop when the parent has ended, and exit if stopping takes too long."""
    ended = threading.Event()

    def read_to_end() -> None:
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=read_to_end, daemon=True).start()
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent and not ended.wait(PARENT_CHECK_S):
        pass
    stop.set()
    threading.Event().wait(SHUTDOWN_LIMIT_S)
    os._exit(3)


def _start(request: dict[str, Any]) -> tuple[Any, int]:
    import jpype

    jpype.startJVM(
        request["jvm"],
        *request["jvm_arguments"],
        "-Xrs",  # Python handles signals
        "--enable-native-access=ALL-UNNAMED",
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPEN_PACKAGES),
        classpath=request["jars"],
        convertStrings=False,
    )
    data_dir = Path(request["data_dir"])
    unfinished = data_dir / "unfinished"
    if unfinished.exists():  # Neo4j cannot recover from a kill during the creation of a store
        shutil.rmtree(data_dir / "data", ignore_errors=True)
    is_new = not (data_dir / "data").exists()
    if is_new:
        unfinished.touch()
    if request["users"] is not None or (is_new and request["read_only"]):
        _prepare(request)
    settings = dict(request["settings"])
    if request["read_only"]:
        settings["server.databases.default_to_read_only"] = "true"
    service = _build(request, settings)
    unfinished.unlink(missing_ok=True)
    # The first query loads the query engine, which takes seconds.
    service.database("neo4j").executeTransactionally("RETURN 1")
    return service, _bolt_port(service)


def _lock(data_dir: Path) -> IO[str]:
    """Lock the store; the operating system releases the lock when the process ends."""
    file = (data_dir / "lock").open("a", encoding="utf-8")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StoreInUseError(str(error)) from error
    return file


def _prepare(request: dict[str, Any]) -> None:
    """Create the store and set the users before Bolt is enabled."""
    service = _build(request, {**request["settings"], "server.bolt.enabled": "false"})
    try:
        if request["users"] is not None:
            _set_users(service, request["users"])
    finally:
        service.shutdown()


def _build(request: dict[str, Any], settings: dict[str, str]) -> Any:
    import jpype

    data_dir = Path(request["data_dir"])
    configuration = data_dir / "conf" / "neo4j.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    path = jpype.JClass("java.nio.file.Path")
    builder = jpype.JClass("org.neo4j.dbms.api.DatabaseManagementServiceBuilder")
    service = builder(path.of(str(data_dir))).loadPropertiesFromFile(path.of(str(configuration))).build()
    if not service.database("neo4j").isAvailable(AVAILABLE_LIMIT_MS):
        service.shutdown()
        raise RuntimeError(f"the database did not become available; see {data_dir / 'logs' / 'debug.log'}")
    return service


def _bolt_port(service: Any) -> int:
    import jpype

    register = jpype.JClass("org.neo4j.configuration.connectors.ConnectorPortRegister")
    connector = jpype.JClass("org.neo4j.configuration.connectors.ConnectorType")
    ports = service.database("system").getDependencyResolver().resolveDependency(register.class_)
    return int(ports.getLocalAddress(connector.BOLT).getPort())


def _set_users(service: Any, users: dict[str, str]) -> None:
    """Replace all users by the given ones."""
    import jpype

    system = service.database("system")
    maps = jpype.JClass("java.util.HashMap")

    def run(statement: str, **parameters: str) -> None:
        values = maps()
        for name, value in parameters.items():
            values.put(name, jpype.JString(value))
        system.executeTransactionally(statement, values)

    transaction = system.beginTx()
    try:
        rows = transaction.execute("SHOW USERS YIELD user")
        present = set()
        while rows.hasNext():
            present.add(str(rows.next().get("user")))
    finally:
        transaction.close()
    for name in sorted(present - users.keys()):
        run("DROP USER $name", name=name)
    for name, password in users.items():
        run(
            "CREATE OR REPLACE USER $name SET PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED",
            name=name,
            password=password,
        )


def _causes(error: BaseException) -> list[str]:
    """Return an exception and its causes, outermost first, as `class: message`."""
    causes: list[str] = []
    current: Any = error
    while current is not None and len(causes) < 20:
        if hasattr(current, "getMessage"):
            causes.append(f"{type(current).__name__}: {current.getMessage()}")
            current = current.getCause()
        else:
            causes.append(f"{type(current).__name__}: {current}")
            current = current.__cause__
    return causes


if __name__ == "__main__":
    main()
