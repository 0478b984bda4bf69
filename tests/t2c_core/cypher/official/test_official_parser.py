"""Our parser and Neo4j's language support agree, except for the disagreements explained in disagreements.yaml.

Needs Node and the npm package of `PACKAGE`, anywhere; GRAPHLING_OFFICIAL_PARSER names the node_modules folder:
`npm install --prefix FOLDER @neo4j-cypher/language-support@2.0.0-next.38`, then FOLDER/node_modules. An unknown
variable, which the package names and our parser leaves to the guard, is no disagreement.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import neo4j
import pytest
import yaml
from neo4j.exceptions import ClientError

from t2c_core.cypher.parser import parse
from t2c_core.errors import CypherSyntaxError

HERE = Path(__file__).parent
PACKAGE = "@neo4j-cypher/language-support"
CORPUS = HERE.parents[2] / "corpora" / "good.jsonl"

UNDEFINED = re.compile(
    r"Variable `.*` not defined.*|.*not possible to access variables declared before the WITH/RETURN: \w+",
    re.DOTALL,
)
"""What is said of many a query of our tables that could be read."""

VARIABLES = "WITH $a AS a, $b AS b, $n AS n, $x AS x"
DISAGREEMENTS = yaml.safe_load((HERE / "disagreements.yaml").read_text(encoding="utf-8"))


def module(name):
    """Return the test modules of the parent folder, for their tables."""
    spec = importlib.util.spec_from_file_location(f"tables_of_{name}", HERE.parent / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def table(test):
    """The first column of what a test is parametrized with."""
    (mark,) = test.pytestmark
    return [row if isinstance(row, str) else row[0] for row in mark.args[1]]


def collected():
    """Every query to compare, with the version to read it in, each once."""
    parser, server, render = module("test_parser"), module("test_on_server"), module("test_render")
    expressions = [
        *table(parser.test_literals_and_names),
        *table(parser.test_operators_have_the_precedence_of_the_server),
        *table(parser.test_calls_and_bracketed_forms),
        *server.LITERALS,
    ]
    patterns = [
        *table(parser.test_patterns),
        *(f"x = {selector} (a)-->(b)" for selector in table(parser.test_selectors)),
        "x = allShortestPaths((a)-->(b))",
    ]
    queries = [
        *(json.loads(line)["cypher"] for line in CORPUS.read_text(encoding="utf-8").splitlines()),
        *table(parser.test_clauses),
        *table(parser.test_everything_else_is_rejected_where_it_begins),
        *table(render.test_canonical_text_is_rendered_unchanged),
        *table(render.test_equivalent_notations_are_rendered_alike),
        *server.READING,
        *server.NOT_CYPHER,
        *(f"{VARIABLES} RETURN {text} AS result" for text in expressions),
        *(f"MATCH {text} RETURN 1" for text in patterns),
    ]
    return [*((text, 5) for text in dict.fromkeys(queries)), *((text, 25) for text in server.READING_25)]


def ours(text, version):
    """What refuses the query here, None where nothing does."""
    try:
        parse(text, version=version)
    except CypherSyntaxError as error:
        return error
    return None


@pytest.fixture(scope="module")
def folder():
    named = os.environ.get("GRAPHLING_OFFICIAL_PARSER")
    if not named:
        pytest.skip(f"GRAPHLING_OFFICIAL_PARSER names no node_modules folder with {PACKAGE}")
    if not shutil.which("node"):
        pytest.skip("Node is not installed")
    description = Path(named) / PACKAGE / "package.json"
    if not description.is_file():
        pytest.skip(f"the folder of GRAPHLING_OFFICIAL_PARSER holds no {PACKAGE}")
    return named


@pytest.fixture(scope="module")
def theirs(folder):
    """Why the package refuses a query, by the query and its version; empty where it reads it."""
    asked = collected()
    lines = [json.dumps({"id": i, "cypher": text, "version": v}) for i, (text, v) in enumerate(asked)]
    run = subprocess.run(
        ["node", HERE / "check.mjs"],
        input="\n".join(lines) + "\n",
        env={**os.environ, "GRAPHLING_OFFICIAL_PARSER": str(Path(folder).resolve())},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = {found["id"]: found["errors"] for found in map(json.loads, run.stdout.splitlines())}
    assert len(said) == len(asked)
    return {
        query: [error for error in said[i] if not UNDEFINED.fullmatch(error)] for i, query in enumerate(asked)
    }


def language_refuses(error):
    """Whether our parser says that this is no query; that it writes, say, is no question to the other."""
    return error is not None and error.reason in {"syntax", "token"}


def test_both_judge_alike_but_for_the_explained_disagreements(theirs):
    found = {}
    for (text, version), errors in theirs.items():
        refusal = ours(text, version)
        if refusal is None and errors:
            found[text] = "official"
        elif language_refuses(refusal) and not errors:
            found[text] = "ours"
    explained = {entry["query"]: entry["refuses"] for entry in DISAGREEMENTS}
    unexplained = {
        text: (refuser, theirs.get((text, 5)) or theirs.get((text, 25)) or str(ours(text, 5)))
        for text, refuser in found.items()
        if explained.get(text) != refuser
    }
    assert not unexplained
    assert not explained.keys() - found.keys(), "these occur no more"


def test_the_package_is_asked_in_earnest(theirs):
    """It hides its own failures and then refuses nothing; so some must be refused, and for what we refuse."""
    alike = [
        text for (text, version), errors in theirs.items() if errors and language_refuses(ours(text, version))
    ]
    assert len(alike) >= 25
    assert theirs["RETURN 1 != 2", 5][0].startswith("Unknown operation '!='")


@pytest.mark.graph
def test_the_server_agrees_with_whom_the_file_says(graph):
    wrong = []
    with (
        neo4j.GraphDatabase.driver(graph.uri, notifications_min_severity="OFF") as driver,
        driver.session(default_access_mode=neo4j.READ_ACCESS) as session,
    ):
        for entry in DISAGREEMENTS:
            refused = ""
            try:
                session.run(f"CYPHER 5 EXPLAIN {entry['query']}").consume()
            except ClientError as error:
                if "SyntaxError" not in error.code:
                    raise
                refused = "" if UNDEFINED.fullmatch(error.message) else error.message
            if bool(refused) != (entry["server"] == entry["refuses"]):
                wrong.append((entry["query"], refused))
    assert not wrong
