"""The demo graph read once, as builds see it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.graph.client import GraphClient
from t2c_core.schema.model import GraphSchema
from t2c_data.generation.pipeline import SAMPLE_LIMITS
from t2c_data.graph.context import GraphContext
from t2c_data.graph.sample import read_sample
from t2c_data.lexicon.model import Lexicon

if TYPE_CHECKING:
    from collections.abc import Callable

LEXICON = Path(__file__).parents[2] / "demo" / "lexicon.yaml"


@pytest.fixture(scope="session")
def schema(graph: Any) -> GraphSchema:
    """The schema of the demo graph."""
    return GraphSchema.load(graph.snapshot)


@pytest.fixture(scope="session")
def lexicon(schema: GraphSchema) -> Lexicon:
    """The edited lexicon of the demo graph."""
    return Lexicon.load(LEXICON, schema)


@pytest.fixture(scope="session")
def run_all(graph: Any) -> Callable[[list[tuple[str, dict[str, Any]]]], list[list[list[Any]]]]:
    """Run many queries and give the rows of each."""

    async def run(queries: list[tuple[str, dict[str, Any]]]) -> list[list[list[Any]]]:
        async with GraphClient(graph.uri) as client:
            results = [
                await client.execute_read(cypher, parameters, SAMPLE_LIMITS) for cypher, parameters in queries
            ]
        return [[list(row) for row in result.rows] for result in results]

    return lambda queries: asyncio.run(run(queries))


@pytest.fixture(scope="session")
def world(graph: Any, schema: GraphSchema, lexicon: Lexicon) -> GraphContext:
    """The demo graph in memory with its words."""

    async def load() -> GraphContext:
        async with GraphClient(graph.uri) as client:

            async def read(cypher: str, parameters: dict[str, Any]) -> list[list[Any]]:
                return [
                    list(row) for row in (await client.execute_read(cypher, parameters, SAMPLE_LIMITS)).rows
                ]

            return GraphContext(schema, lexicon, await read_sample(read, schema))

    return asyncio.run(load())


@pytest.fixture(scope="session")
def build_command(graph: Any) -> Callable[[Path], list[str]]:
    """The command line that builds 480 pairs from the demo graph."""
    program = "import sys; from t2c_data.cli import main; main()"
    source = ["--uri", graph.uri, "--snapshot", str(graph.snapshot), "--lexicon", str(LEXICON)]
    start = [sys.executable, "-c", program, "build", *source, "--pairs", "480", "--seed", "7"]
    return lambda out: [*start, "--out", str(out)]


@pytest.fixture(scope="session")
def built(build_command: Callable[[Path], list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 480 pairs of the demo graph."""
    out = tmp_path_factory.mktemp("built") / "pairs"
    subprocess.run(build_command(out), check=True, capture_output=True, text=True)
    return out
