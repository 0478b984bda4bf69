"""Start Neo4j as the entry point of its image does, as far as our containers depend on it.

Reads: the settings in /conf.
Writes: a copy of them below /var/lib/neo4j, the store in /data, logs in /logs.
"""

import os
import shutil
import signal
import threading
from pathlib import Path

import jpype

from t2c_core.graph.java_runtime import ensure_jars, jvm_library
from t2c_core.graph.server_process import OPEN_PACKAGES

HOME = Path("/var/lib/neo4j")

shutil.copytree("/conf", HOME / "conf", dirs_exist_ok=True)
configuration = HOME / "conf" / "neo4j.conf"
with configuration.open("a") as stream:
    stream.write("\nserver.directories.data=/data\nserver.directories.logs=/logs\n")
settings = dict(
    line.split("=", 1) for line in configuration.read_text().splitlines() if "=" in line and line[0] != "#"
)

stop = threading.Event()
for kind in (signal.SIGTERM, signal.SIGINT):
    signal.signal(kind, lambda *_: stop.set())
jpype.startJVM(
    str(jvm_library()),
    "-Xrs",
    f"-Xmx{settings['server.memory.heap.max_size']}",
    "--enable-native-access=ALL-UNNAMED",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPEN_PACKAGES),
    classpath=[str(jar) for jar in ensure_jars()],
)
path = jpype.JClass("java.nio.file.Path")
builder = jpype.JClass("org.neo4j.dbms.api.DatabaseManagementServiceBuilder")
service = builder(path.of(str(HOME))).loadPropertiesFromFile(path.of(str(configuration))).build()
os.write(1, b"Started.\n")
while not stop.wait(0.5):
    pass
service.shutdown()
os._exit(0)
