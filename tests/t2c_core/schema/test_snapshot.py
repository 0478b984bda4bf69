"""Snapshots of a real graph: right figures, same bytes, nothing hidden inside."""

import json
import os
import re
import subprocess
import sys

import neo4j
import pytest

from t2c_core.errors import GraphError, GraphUnavailableError, SnapshotError
from t2c_core.graph.importer import MARKER
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema import introspection
from t2c_core.schema.model import GraphSchema, Triple
from t2c_core.schema.snapshot import write_snapshot
from t2c_core.values.aliases import Aliases
from t2c_core.values.index import ValueIndex

pytestmark = pytest.mark.graph

GRAPH = """
    CREATE (ann:Person {name: 'Ann', born: date('1970-01-02'), height: 1.7, tags: ['a', 'b'], id: 11, secret: 'pin'}),
      (bob:Person:Boss {name: 'Bob', born: date('1980-01-02'), height: 0.0 / 0.0, tags: ['b'], id: 12,
                        salary: 100, secret: 'pan'}),
      (cid:Person:Spy {name: 'Cid', alias: 'C'}),
      (eve:Person {name: 'Ann', spot: point({x: 1, y: 2}), stay: duration('P1D'), mixed: 'one', long: $long}),
      (dan:Person {mixed: 2, awake: localtime('10:00'), at: datetime('2021-01-01T00:00Z'), ok: true}),
      (x:`Odd ``label`` \\u005cu0041` {`a b`: 'v', ```q```: 1}),
      (ann)-[:KNOWS {since: 2001}]->(bob), (ann)-[:KNOWS]->(eve), (bob)-[:KNOWS]->(bob), (ann)-[:LIKES]->(x),
      (cid)-[:KNOWS]->(ann)
"""


@pytest.fixture
def people(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(GRAPH, long="x" * 500)
    return empty_graph


def snapshot(graph, **options):
    write_snapshot(graph.snapshot, uri=graph.uri, **options)
    return GraphSchema.load(graph.snapshot)


def everything(folder):
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def test_labels_types_and_triples_are_counted(people):
    schema = snapshot(people)
    odd = "Odd `label` \\u0041"
    assert {label.name: label.count for label in schema.labels} == {"Boss": 1, odd: 1, "Person": 5, "Spy": 1}
    assert {kind.name: kind.count for kind in schema.types} == {"KNOWS": 4, "LIKES": 1}
    found = {(each.source, each.type, each.target): each for each in schema.triples}
    assert found["Person", "KNOWS", "Person"] == Triple(
        source="Person", type="KNOWS", target="Person", count=4, source_max=2, target_max=2
    )
    assert found["Person", "KNOWS", "Boss"].count == 2
    assert found["Person", "LIKES", odd].source_max == 1
    assert len(found) == 6
    assert schema.database == "neo4j"
    assert schema.server.startswith("20")


def test_properties_are_described(people):
    schema = snapshot(people)
    person = {each.name: each for each in schema.label_by_name["Person"].properties}
    assert {name: each.type for name, each in person.items()} == {
        "alias": "STRING",
        "at": "ZONED DATETIME",
        "awake": "LOCAL TIME",
        "born": "DATE",
        "height": "FLOAT",
        "id": "INTEGER",
        "long": "STRING",
        "mixed": "INTEGER",
        "name": "STRING",
        "ok": "BOOLEAN",
        "salary": "INTEGER",
        "secret": "STRING",
        "spot": "POINT",
        "stay": "DURATION",
        "tags": "LIST<STRING>",
    }
    assert (person["name"].share, person["name"].distinct, person["name"].unique) == (0.8, 3, False)
    assert person["name"].examples == ("Ann", "Bob", "Cid")
    assert (person["id"].unique, person["id"].minimum, person["id"].maximum) == (True, 11, 12)
    assert (person["born"].minimum, person["born"].maximum) == ("1970-01-02", "1980-01-02")
    assert (person["height"].minimum, person["height"].maximum, person["height"].examples) == (
        1.7,
        1.7,
        (1.7,),
    )
    assert person["tags"].examples == ("b", "a")
    assert person["long"].examples == ()
    assert person["stay"].examples == ("P1D",)
    assert not any(each.sampled for each in person.values())
    assert schema.property_of("KNOWS", "since").share == 0.25
    assert schema.property_of("Odd `label` \\u0041", "`q`").type == "INTEGER"


def test_values_can_be_found_again(people):
    snapshot(people)
    with ValueIndex(people.snapshot / "values.sqlite") as index:
        places = {(each.label_or_type, each.property, each.count) for each in index.folded("Ann")}
        assert places == {("Person", "name", 2)}
        assert {each.property for each in index.folded("11")} == {"id"}
        assert {each.property for each in index.folded("1970-01-02")} == {"born"}
        assert {(each.label_or_type, each.property, each.count) for each in index.folded("b")} == {
            ("Person", "tags", 2),
            ("Boss", "tags", 1),
        }
        assert not index.folded("x" * 201)


def test_same_graph_gives_same_bytes(people, tmp_path):
    snapshot(people)
    write_snapshot(tmp_path / "again", uri=people.uri)
    assert everything(tmp_path / "again") == everything(people.snapshot)


def test_hidden_names_are_nowhere_in_the_snapshot(people):
    policy = Policy(hidden=frozenset({"Spy", "LIKES", "Person.secret", "Boss.salary"}))
    schema = snapshot(people, policy=policy)
    assert set(schema.label_by_name) == {"Boss", "Odd `label` \\u0041", "Person"}
    assert set(schema.type_by_name) == {"KNOWS"}
    assert schema.property_of("Person", "secret") is None
    assert schema.property_of("Person", "alias") is None
    assert schema.property_of("Boss", "secret") is None
    assert schema.property_of("Person", "salary") is None
    assert not any(each.type == "LIKES" or "Spy" in (each.source, each.target) for each in schema.triples)
    content = everything(people.snapshot)
    assert not [word for word in (b"pin", b"pan", b"Cid") if word in content]
    assert schema.hidden == ("Boss.salary", "LIKES", "Person.secret", "Spy")


def test_large_graph_is_sampled_and_says_so(people, monkeypatch):
    monkeypatch.setattr(introspection, "MAX_SCAN", 2)
    monkeypatch.setattr(introspection, "CHUNK", 1)
    schema = snapshot(people)
    assert schema.label_by_name["Person"].count == 5
    name = schema.property_of("Person", "name")
    assert name.sampled
    assert not name.unique
    assert name.share == 1.0
    manifest = json.loads((people.snapshot / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["excluded_properties"] == manifest["left_out"]
    assert manifest["sampled"] == ["Person", "KNOWS"]
    assert (
        sum(each.count for each in schema.triples if (each.source, each.target) == ("Person", "Person")) > 2
    )


def test_complete_scans_find_rare_triples_and_properties_of_a_large_graph(people, monkeypatch):
    whole = snapshot(people)
    monkeypatch.setattr(introspection, "MAX_SCAN", 1)
    schema = snapshot(people, replace=True)
    assert not schema.is_partial
    assert [(each.source, each.type, each.target, each.count) for each in schema.triples] == [
        (each.source, each.type, each.target, each.count) for each in whole.triples
    ]
    for before, after in zip(whole.labels, schema.labels, strict=True):
        assert {each.name for each in after.properties} == {each.name for each in before.properties}
    stay = schema.property_of("Person", "stay")
    assert (stay.type, stay.share) == ("DURATION", 0.2)


def test_count_store_completes_the_triples_of_a_sample(people, monkeypatch):
    whole = snapshot(people)
    monkeypatch.setattr(introspection, "MAX_SCAN", 1)
    rows_within = introspection.SchemaIntrospector._rows_within

    def too_slow(self, timeout_s, query, **parameters):
        is_full_scan = "labels(a)" in query and timeout_s is not None
        return None if is_full_scan else rows_within(self, timeout_s, query, **parameters)

    monkeypatch.setattr(introspection.SchemaIntrospector, "_rows_within", too_slow)
    schema = snapshot(people, replace=True)
    assert schema.partial_triples == ()
    assert {(each.source, each.type, each.target) for each in schema.triples} == {
        (each.source, each.type, each.target) for each in whole.triples
    }


def test_schema_says_that_it_is_partial_if_complete_scans_take_too_long(people, monkeypatch):
    assert "partial" not in snapshot(people).to_json()
    monkeypatch.setattr(introspection, "MAX_SCAN", 2)
    monkeypatch.setattr(introspection, "FULL_SCAN_TIMEOUT_S", 0)
    schema = snapshot(people, replace=True)
    assert schema.is_partial
    assert schema.partial_properties == ("KNOWS", "Person")
    assert schema.partial_triples == ("KNOWS",)
    assert GraphSchema.from_json(schema.to_json()) == schema


def test_time_limit_of_a_complete_scan_is_enforced_by_the_server(people, monkeypatch):
    monkeypatch.setattr(introspection, "MAX_SCAN", 2)
    monkeypatch.setattr(introspection, "FULL_SCAN_TIMEOUT_S", 0.5)
    slow = introspection._KEYS.replace(
        "{limit}", "{limit} CALL {{ UNWIND range(1, 100000000) AS i RETURN sum(i) AS slow }}"
    )
    rows_within = introspection.SchemaIntrospector._rows_within

    def slowed(self, timeout_s, query, **parameters):
        if "keys(x)" in query and timeout_s is not None:
            query = slow.format(pattern="(x:$($owner))", visible="", limit="WITH x", visible_keys="")
        return rows_within(self, timeout_s, query, **parameters)

    monkeypatch.setattr(introspection.SchemaIntrospector, "_rows_within", slowed)
    assert "Person" in snapshot(people).partial_properties


def test_values_keep_every_digit_and_every_blank(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query("CREATE (:T {lab: [10.40237, 0.1 + 0.2, 1e300], text: 'a  b \t c '})")
    schema = snapshot(empty_graph)
    assert set(schema.property_of("T", "lab").examples) == {10.40237, 0.1 + 0.2, 1e300}
    assert schema.property_of("T", "text").examples == ("a  b \t c ",)
    with ValueIndex(empty_graph.snapshot / "values.sqlite") as index:
        assert [each.value for each in index.folded("a b c")] == ["a  b \t c "]


def test_dates_outside_the_years_of_python_are_described_and_found(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            """UNWIND ['-0044-03-15', '0000-12-31', '2021-07-01', '9999-12-31', '+12345-01-02'] AS day
            CREATE (:Event {day: date(day), days: [date(day)], at: datetime({date: date(day), timezone: '-02:00'}),
                            local: localdatetime({date: date(day)})})"""
        )
    schema = snapshot(empty_graph)
    day = schema.property_of("Event", "day")
    assert (day.type, day.distinct, day.minimum, day.maximum) == ("DATE", 5, "-0044-03-15", "+12345-01-02")
    at = schema.property_of("Event", "at")
    assert (at.type, at.minimum, at.maximum) == (
        "ZONED DATETIME",
        "-0044-03-15T00:00:00-02:00",
        "+12345-01-02T00:00:00-02:00",
    )
    assert schema.property_of("Event", "local").type == "LOCAL DATETIME"
    assert schema.property_of("Event", "days").type == "LIST<DATE>"
    with ValueIndex(empty_graph.snapshot / "values.sqlite") as index:
        assert {each.property for each in index.folded("-0044-03-15")} == {"day", "days"}
        assert {each.value for each in index.folded("9999-12-31")} == {"9999-12-31"}


def test_embeddings_and_what_belongs_to_tools_are_left_out(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query("""
            UNWIND range(1, 9) AS i
            CREATE (d:Doc {title: 'doc ' + i, embedding: [x IN range(1, 128) | x / 7.0], scores: [i / 2.0, i / 3.0],
              codes: [x IN range(1, 64) | x], short: [0.1 * i, 0.2, 0.3], years: [1990, 1991]})
            CREATE (d)-[:ABOUT {vector: [x IN range(1, 64) | x * 0.5]}]->(:Topic {name: 'topic ' + i})
            CREATE (:_Bloom_Perspective_ {name: 'view'})-[:_Bloom_HAS_SCENE_]->(:_Bloom_Scene_ {name: 's'})
            CREATE (:__Entity__:Topic {name: 'e' + i})
        """)
        driver.execute_query(
            "CREATE VECTOR INDEX shorts IF NOT EXISTS FOR (d:Doc) ON d.short "
            "OPTIONS {indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}"
        )
        try:
            schema = snapshot(empty_graph)
        finally:
            driver.execute_query("DROP INDEX shorts")
    assert {each.name for each in schema.labels} == {"Doc", "Topic"}
    assert {each.name for each in schema.types} == {"ABOUT"}
    assert {each.name for each in schema.label_by_name["Doc"].properties} == {"scores", "title", "years"}
    assert schema.type_by_name["ABOUT"].properties == ()
    content = everything(empty_graph.snapshot)
    assert b"Bloom" not in content
    assert b"__Entity__" not in content
    manifest = json.loads((empty_graph.snapshot / "manifest.json").read_text())
    assert manifest["excluded_properties"] == ["Doc.codes", "Doc.embedding", "Doc.short", "ABOUT.vector"]


def test_small_chunks_change_nothing(people, tmp_path, monkeypatch):
    whole = snapshot(people)
    monkeypatch.setattr(introspection, "CHUNK", 2)
    write_snapshot(tmp_path / "chunks", uri=people.uri)
    assert GraphSchema.load(tmp_path / "chunks") == whole


def test_connection_options_and_check_of_one_query(tmp_path):
    assert re.fullmatch(r"\d+\.\d+\.\d+", run("--version").stdout.strip())
    for command in ("import", "snapshot", "doctor"):
        text = run(command, "--help").stdout
        assert all(option in text for option in ("--uri", "--database", "--auth-file", "NEO4J_PASSWORD"))
    (tmp_path / "users").write_text("ann/pw\n", encoding="utf-8")  # connecting takes any password
    done = run("doctor", "--uri", "bolt://127.0.0.1:1", "--auth-file", tmp_path / "users")
    assert (done.returncode, "cannot be checked" in done.stderr) == (2, True)
    for query, status, verdict in (("MATCH (n) DELETE n", 1, "refuse"), ("MATCH (n) RETURN 1", 0, "allow")):
        done = run("check", query, "--fail")
        assert (done.returncode, json.loads(done.stdout)["verdict"]) == (status, verdict)


def test_folder_is_replaced_only_if_asked_and_only_if_it_is_a_snapshot(people):
    snapshot(people)
    with pytest.raises(SnapshotError, match="not empty"):
        snapshot(people)
    (people.snapshot / "values.sqlite").write_bytes(b"torn")
    siblings = [people.snapshot.with_name(f"snapshot.{suffix}") for suffix in ("partial", "old", "tmp")]
    for each in siblings:
        each.mkdir()
        (each / "thesis.txt").touch()
    snapshot(people, replace=True)
    assert all((each / "thesis.txt").is_file() for each in siblings)
    assert {each.name for each in people.snapshot.parent.iterdir()} == {
        "snapshot",
        *(each.name for each in siblings),
    }
    with ValueIndex(people.snapshot / "values.sqlite") as index:
        assert index.folded("Bob")
    (people.snapshot / "thesis.txt").touch()
    with pytest.raises(SnapshotError, match=r"thesis\.txt"):
        snapshot(people, replace=True)


def test_graph_that_cannot_be_described_leaves_no_folder(empty_graph):
    with pytest.raises(SnapshotError, match="no node with a label"):
        snapshot(empty_graph)
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(f"CREATE (:{MARKER} {{rows: 0}})")
    with pytest.raises(GraphError, match="import"):
        snapshot(empty_graph)
    with pytest.raises(GraphUnavailableError):
        write_snapshot(empty_graph.snapshot, uri="bolt://127.0.0.1:1")
    assert not list(empty_graph.snapshot.parent.glob("snapshot*"))


def run(*arguments):
    command = [sys.executable, "-c", "from t2c_core.cli import main; main()", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"}
    )


def test_commands_import_snapshot_and_examine(empty_graph, tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "p.csv").write_text(":ID,name,:LABEL\n1,Ann,P\n1,Bob,P\n", encoding="utf-8")
    (tmp_path / "policy.yaml").write_text("hidden: [P.name]\n", encoding="utf-8")
    done = run("import", tmp_path / "csv", "--uri", empty_graph.uri)
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"nodes": 1, "relationships": 0, "by_label": {"P": 1}, "by_type": {}, "rejected": 1},
    )
    assert "duplicate id '1'" in done.stderr
    out = empty_graph.snapshot
    done = run("snapshot", "--uri", empty_graph.uri, "--out", out, "--policy", tmp_path / "policy.yaml")
    assert (done.returncode, json.loads(done.stdout)["labels"], done.stderr) == (0, 1, "")
    assert GraphSchema.load(out).labels[0].properties == ()
    done = run("doctor", "--uri", empty_graph.uri)
    report = json.loads(done.stdout)
    unsafe = [each for each in report["checks"] if each["required"] and not each["safe"]]
    assert (done.returncode, report["safe"], unsafe) == (0, True, [])


@pytest.mark.parametrize(
    ("status", "message", "arguments"),
    [
        (2, "no folder or zip at nowhere", ["import", "nowhere", "--uri", "bolt://127.0.0.1:1"]),
        (2, "invalid Neo4j address", ["snapshot", "--uri", "localhost:7687", "--out", "{tmp}/out"]),
        (
            1,
            "no Neo4j answers at bolt://127.0.0.1:1",
            ["snapshot", "--uri", "bolt://127.0.0.1:1", "--out", "{tmp}/out"],
        ),
        (2, "no Neo4j answers at bolt://127.0.0.1:1", ["doctor", "--uri", "bolt://127.0.0.1:1"]),
        (
            2,
            "nowhere.yaml",
            ["snapshot", "--uri", "bolt://x", "--out", "{tmp}/out", "--policy", "nowhere.yaml"],
        ),
        (2, "requires an argument", ["snapshot", "--uri", "bolt://x"]),
        (2, "Unknown command", ["snapshoot"]),
    ],
)
def test_wrong_input_has_a_message_and_a_status(tmp_path, status, message, arguments):
    done = run(*(each.format(tmp=tmp_path) for each in arguments))
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_names_of_another_property_and_of_a_file_are_in_the_value_index(graph, tmp_path):
    aliases = Aliases(properties={("Drug", "name"): ("brandNames",)})
    aliases.add(("Disease", "name"), "COPD", ["smoker's lung"])
    aliases.add(("Disease", "name"), "Scurvy", ["sailor's disease"])
    manifest = write_snapshot(tmp_path / "snapshot", uri=graph.uri, aliases=aliases)
    assert manifest["unused_aliases"] == ["Disease.name: Scurvy"]
    with ValueIndex(tmp_path / "snapshot" / "values.sqlite") as index:
        held = {(each.property, each.value) for each in index.forms(["lasix"])["lasix"]}
        assert held == {("brandNames", "Lasix"), ("name", "Furosemide")}
        assert [each.value for each in index.forms(["smokers lung"])["smokers lung"]] == ["COPD"]


def test_a_hidden_property_gives_no_names(graph, tmp_path):
    aliases = Aliases(properties={("Drug", "name"): ("brandNames",)})
    policy = Policy(hidden=frozenset({"Drug.brandNames"}))
    write_snapshot(tmp_path / "snapshot", uri=graph.uri, aliases=aliases, policy=policy)
    with ValueIndex(tmp_path / "snapshot" / "values.sqlite") as index:
        assert index.forms(["lasix"]) == {}
