"""The real databases that tests share: each is started once a session.

Holds no test data of its own; the demo graph is read from demo/graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import neo4j
import pytest

from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.graph.importer import import_graph
from t2c_core.schema.snapshot import write_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples in every run, so that a check says something of the change at hand; `--hypothesis-profile=search`
# looks for new ones.
hypothesis.settings.register_profile("same", max_examples=200, derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", max_examples=5000, deadline=None)
hypothesis.settings.load_profile("same")

DEMO_GRAPH = Path(__file__).parent.parent / "demo" / "graph"


@dataclass(frozen=True)
class TestGraph:
    """A running database and, if one was made, its snapshot folder."""

    __test__ = False

    uri: str
    snapshot: Path
    home: Path


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGraph]:
    """The demo graph in an embedded Neo4j, with its snapshot. Only read it."""
    home = tmp_path_factory.mktemp("graph")
    with EmbeddedGraph(home / "store") as server:
        import_graph(DEMO_GRAPH, uri=server.uri, strict=True)
        write_snapshot(home / "snapshot", uri=server.uri)
        yield TestGraph(server.uri, home / "snapshot", home / "store")


@pytest.fixture(scope="session")
def _writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedGraph]:
    with EmbeddedGraph(tmp_path_factory.mktemp("writable") / "store") as server:
        yield server


@pytest.fixture
def empty_graph(_writable: EmbeddedGraph, tmp_path: Path) -> TestGraph:
    """An embedded Neo4j without nodes, for tests that write."""
    with neo4j.GraphDatabase.driver(_writable.uri) as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n")
    return TestGraph(_writable.uri, tmp_path / "snapshot", _writable.data_dir)
