"""The child process of the embedded Neo4j: runs the server in a Java virtual machine while its parent lives.

Started by `embedded` as `python -m t2c_core.graph.server_process`: one line of JSON on standard input says what to
serve, one line of JSON on standard output says how that went. The end of standard input means that the parent
is gone. Holds no choice of settings; they come from the parent.
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
    """Another process holds the store."""


def main() -> None:
    """Serve the graph that standard input describes until told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the parent too, which decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Java prints goes to the log, never among the answers
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    try:
        lock = _lock(Path(order["home"]))
        service, port = _start(order)
    except Exception as error:  # noqa: BLE001 - the outer edge: Java exceptions of any kind become one answer
        _say(answer, {"error": _causes(error)})
        os._exit(1)
    _say(answer, {"port": port})
    while not stop.wait(0.5):
        pass
    service.shutdown()
    lock.close()
    os._exit(0)  # the virtual machine would take another second to go


def _say(answer: Any, content: dict[str, Any]) -> None:
    answer.write(json.dumps(content) + "\n")
    answer.flush()


def _watch_parent(stop: threading.Event) -> None:
    """Ask for a stop when the parent is gone, and enforce it when the stop takes too long."""
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


def _start(order: dict[str, Any]) -> tuple[Any, int]:
    import jpype

    jpype.startJVM(
        order["jvm"],
        *order["jvm_arguments"],
        "-Xrs",  # signals stay with Python
        "--enable-native-access=ALL-UNNAMED",
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPEN_PACKAGES),
        classpath=order["jars"],
        convertStrings=False,
    )
    home = Path(order["home"])
    unfinished = home / "unfinished"
    if unfinished.exists():  # killed while the store was made, which Neo4j cannot recover from
        shutil.rmtree(home / "data", ignore_errors=True)
    fresh = not (home / "data").exists()
    if fresh:
        unfinished.touch()
    if order["users"] is not None or (fresh and order["read_only"]):
        _prepare(order)
    settings = dict(order["settings"])
    if order["read_only"]:
        settings["server.databases.default_to_read_only"] = "true"
    service = _build(order, settings)
    unfinished.unlink(missing_ok=True)
    # The first query loads the query engine: it is run here, so that ready means ready.
    service.database("neo4j").executeTransactionally("RETURN 1")
    return service, _bolt_port(service)


def _lock(home: Path) -> IO[str]:
    """Hold the store for this process; the system lets go when the process ends in whatever way."""
    file = (home / "lock").open("a", encoding="utf-8")
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


def _prepare(order: dict[str, Any]) -> None:
    """Make the store and set the users while nobody can connect."""
    service = _build(order, {**order["settings"], "server.bolt.enabled": "false"})
    try:
        if order["users"] is not None:
            _set_users(service, order["users"])
    finally:
        service.shutdown()


def _build(order: dict[str, Any], settings: dict[str, str]) -> Any:
    import jpype

    home = Path(order["home"])
    configuration = home / "conf" / "neo4j.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    path = jpype.JClass("java.nio.file.Path")
    builder = jpype.JClass("org.neo4j.dbms.api.DatabaseManagementServiceBuilder")
    service = builder(path.of(str(home))).loadPropertiesFromFile(path.of(str(configuration))).build()
    if not service.database("neo4j").isAvailable(AVAILABLE_LIMIT_MS):
        service.shutdown()
        raise RuntimeError(f"the database did not become available; see {home / 'logs' / 'debug.log'}")
    return service


def _bolt_port(service: Any) -> int:
    import jpype

    register = jpype.JClass("org.neo4j.configuration.connectors.ConnectorPortRegister")
    connector = jpype.JClass("org.neo4j.configuration.connectors.ConnectorType")
    found = service.database("system").getDependencyResolver().resolveDependency(register.class_)
    return int(found.getLocalAddress(connector.BOLT).getPort())


def _set_users(service: Any, users: dict[str, str]) -> None:
    """Make the users exactly these, each with this password."""
    import jpype

    system = service.database("system")
    maps = jpype.JClass("java.util.HashMap")

    def run(statement: str, **parameters: str) -> None:
        held = maps()
        for name, value in parameters.items():
            held.put(name, jpype.JString(value))
        system.executeTransactionally(statement, held)

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
    """Tell an exception and its causes, outermost first, as `class: message`."""
    told: list[str] = []
    current: Any = error
    while current is not None and len(told) < 20:
        if hasattr(current, "getMessage"):
            told.append(f"{type(current).__name__}: {current.getMessage()}")
            current = current.getCause()
        else:
            told.append(f"{type(current).__name__}: {current}")
            current = current.__cause__
    return told


if __name__ == "__main__":
    main()
