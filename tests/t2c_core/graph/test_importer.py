"""Import of CSV folders and zips into a real Neo4j."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import neo4j
import pytest

from t2c_core.errors import GraphError, GraphUnavailableError, InputError, SourceError
from t2c_core.graph import importer
from t2c_core.graph.importer import MARKER, import_graph
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot

pytestmark = pytest.mark.graph

PEOPLE = "id:ID(P),name,born:int,:LABEL\n1,Ann,1970,Person\n2,Bob,,Person;Boss\n"
FIRMS = ":ID(F),name,founded:date,tags:string[],:LABEL\n1,Acme,1999-12-31,a;b,Firm\n"
WORKS = ":START_ID(P),:END_ID(F),:TYPE,since:date,share:double\n1,1,WORKS_AT,2001-01-01,0.5\n2,1,WORKS_AT,,\n"
KNOWS = ":END_ID(P),:START_ID(P),:TYPE\n2,1,KNOWS\n1,1,KNOWS\n"


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "csv",
        people=PEOPLE,
        firms=FIRMS,
        works=WORKS,
        knows=KNOWS,
        **{"model.json": "not looked at"},
    )


def write(folder, **texts):
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / (name if "." in name else f"{name}.csv")).write_text(text, encoding="utf-8")
    return folder


def rows(graph, query):
    with neo4j.GraphDatabase.driver(graph.uri) as driver:
        return [list(record.values()) for record in driver.execute_query(query).records]


def count(graph):
    return rows(graph, "MATCH (n) RETURN count(n)")[0][0]


def test_folder_becomes_a_typed_graph(empty_graph, folder):
    summary = import_graph(folder, uri=empty_graph.uri)
    assert (summary.nodes, summary.relationships, summary.rejected) == (3, 4, 0)
    assert summary.by_label == {"Boss": 1, "Firm": 1, "Person": 2}
    assert summary.by_type == {"KNOWS": 2, "WORKS_AT": 2}
    assert rows(empty_graph, "MATCH (n:Person) RETURN n.name, n.id, n.born, labels(n) ORDER BY n.name") == [
        ["Ann", "1", 1970, ["Person"]],
        ["Bob", "2", None, ["Person", "Boss"]],
    ]
    assert rows(
        empty_graph, "MATCH (n:Firm) UNWIND keys(n) AS key RETURN n.founded, n.tags, key ORDER BY key"
    ) == [[neo4j.time.Date(1999, 12, 31), ["a", "b"], key] for key in ("founded", "name", "tags")]
    assert rows(
        empty_graph,
        "MATCH (p)-[r:WORKS_AT]->(f:Firm) RETURN p.name, r.since, r.share, size(keys(r)) ORDER BY p.name",
    ) == [["Ann", neo4j.time.Date(2001, 1, 1), 0.5, 2], ["Bob", None, None, 0]]
    assert rows(empty_graph, "MATCH (a)-[:KNOWS]->(b) RETURN a.name, b.name ORDER BY b.name") == [
        ["Ann", "Ann"],
        ["Ann", "Bob"],
    ]


def test_zip_gives_the_same_graph_as_its_folder(empty_graph, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inner/{file.name}")
        archive.writestr("__MACOSX/inner/._people.csv", b"\x00\x01")
    assert import_graph(tmp_path / "x.zip", uri=empty_graph.uri) == import_graph(
        folder, uri=empty_graph.uri, replace=True
    )


def test_odd_names_arrive_as_they_are(empty_graph, tmp_path):
    label, kind, name = "Größe `x` \\u0060\"' MATCH", "RETURN 1//", "na`me \\u0041 日本"
    write(
        tmp_path / "csv",
        nodes=f':ID,"{name}",:LABEL\n"a,b\n c","x ""y"" \\n",{label.replace(chr(34), chr(34) * 2).join(chr(34) * 2)}\n',
        links=f':START_ID,:END_ID,:TYPE,"{name}:int"\n"a,b\n c","a,b\n c",{kind},7\n',
    )
    import_graph(tmp_path / "csv", uri=empty_graph.uri)
    found = rows(
        empty_graph, "MATCH (n)-[r]->(m) RETURN labels(n), type(r), properties(n), properties(r), n = m"
    )
    assert found == [[[label], kind, {name: 'x "y" \\n'}, {name: 7}, True]]


def test_all_errors_of_all_headers_are_reported_and_nothing_is_written(empty_graph, tmp_path):
    write(
        tmp_path / "csv",
        good=PEOPLE,
        types="x:ID,age:whole,:LABEL\n",
        twice=":ID,a,a:int,:LABEL\n",
        ends=":START_ID(P),:TYPE\n",
        space=":START_ID(P),:END_ID(Nowhere),:TYPE\n",
        empty="",
    )
    with pytest.raises(SourceError) as caught:
        import_graph(tmp_path / "csv", uri=empty_graph.uri)
    messages = str(caught.value).splitlines()
    assert [line.partition(",")[0] for line in messages] == [
        "empty.csv",
        "ends.csv",
        "twice.csv",
        "types.csv",
    ]
    assert "unknown type 'whole'; expected one of string, char" in messages[-1]
    assert count(empty_graph) == 0


def test_unknown_id_space_is_reported(empty_graph, tmp_path):
    write(tmp_path / "csv", people=PEOPLE, links=":START_ID(P),:END_ID(Nowhere),:TYPE\n1,1,X\n")
    with pytest.raises(SourceError, match=r"links.csv.*:ID\(Nowhere\)"):
        import_graph(tmp_path / "csv", uri=empty_graph.uri)


def test_invalid_rows_are_skipped_and_reported(empty_graph, tmp_path):
    write(
        tmp_path / "csv",
        people=':ID,name,born:int,:LABEL\n1,"two\nlines",1,P\n1,Again,2,P\n2,Late,soon,P\n3,Short,P\n,None,4,P\n5,Bare,5,\n',
        links=":START_ID,:END_ID,:TYPE\n1,1,OK\n1,2,LOST\n9,1,LOST\n1,1,\n",
    )
    messages = []
    summary = import_graph(tmp_path / "csv", uri=empty_graph.uri, report=messages.append)
    assert (summary.nodes, summary.relationships, summary.rejected) == (1, 1, 8)
    assert messages == [
        "people.csv, line 4, column ':ID': duplicate id '1'",
        "people.csv, line 5, column 'born:int': invalid integer 'soon'",
        "people.csv, line 6, column ':LABEL': the row has 3 cells, the header 4",
        "people.csv, line 7, column ':ID': the cell is empty",
        "people.csv, line 8, column ':LABEL': the cell has no label",
        "links.csv, line 3, column ':END_ID': no imported node has the id '2'",
        "links.csv, line 4, column ':START_ID': no imported node has the id '9'",
        "links.csv, line 5, column ':TYPE': the cell has no type",
    ]


def test_strict_import_writes_nothing_if_one_row_is_bad(empty_graph, tmp_path):
    write(tmp_path / "csv", people=":ID,born:int,:LABEL\n1,1,P\n2,x,P\n")
    with pytest.raises(SourceError, match="1 rows"):
        import_graph(tmp_path / "csv", uri=empty_graph.uri, strict=True)
    assert count(empty_graph) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b":ID,:LABEL\n1,P\xff\n", "not UTF-8"), (b':ID,:LABEL\n1,P\n2,"P\n3,P\n', "starting in line 3")],
)
def test_file_that_is_no_csv_is_refused(empty_graph, tmp_path, content, reason):
    (write(tmp_path / "csv") / "p.csv").write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        import_graph(tmp_path / "csv", uri=empty_graph.uri)
    assert count(empty_graph) == 0


@pytest.mark.parametrize("what", ["missing", "no_zip.txt", "no_csv"])
def test_source_that_is_none_is_refused(tmp_path, what):
    (tmp_path / "no_zip.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "no_csv").mkdir()
    with pytest.raises(SourceError, match=what):
        import_graph(tmp_path / what, uri="bolt://127.0.0.1:1")


def test_database_with_nodes_is_left_alone_unless_it_is_replaced(empty_graph, folder):
    import_graph(folder, uri=empty_graph.uri)
    with pytest.raises(InputError, match="has 3 nodes"):
        import_graph(folder, uri=empty_graph.uri)
    assert import_graph(folder, uri=empty_graph.uri, replace=True).nodes == count(empty_graph) == 3


def test_failed_import_leaves_nothing(empty_graph, folder, monkeypatch):
    def fail(*_):
        raise GraphError("on purpose")

    monkeypatch.setattr(importer._Writer, "_write_relationships", fail)
    with pytest.raises(GraphError, match="on purpose"):
        import_graph(folder, uri=empty_graph.uri)
    assert count(empty_graph) == 0


KILLED = """
import sys
from pathlib import Path
from t2c_core.graph import importer
importer.BATCH_ROWS = 1
importer.import_graph(Path(sys.argv[1]), uri=sys.argv[2], progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP and SIGKILL are of POSIX")
def test_interrupted_import_is_replaced_by_the_next_and_a_running_one_is_not_disturbed(
    empty_graph, folder, monkeypatch
):
    write(folder, more=":ID(M),:LABEL\n" + "".join(f"{i},More\n" for i in range(3000)))
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), empty_graph.uri], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        with pytest.raises(GraphError, match="another import"):
            import_graph(folder, uri=empty_graph.uri)
        process.send_signal(signal.SIGKILL)
    assert rows(empty_graph, f"MATCH (n:{MARKER}) RETURN count(n)") == [[1]]
    assert 1 < count(empty_graph) < 3004
    monkeypatch.setattr(importer, "OTHER_IMPORT_WAIT_S", 1.0)
    messages = []
    assert (
        import_graph(folder, uri=empty_graph.uri, report=messages.append).nodes == count(empty_graph) == 3003
    )
    assert "interrupted import" in messages[0]
    assert rows(empty_graph, f"MATCH (n:{MARKER}) RETURN count(n)") == [[0]]


def test_absent_database_is_reported_at_once(folder):
    started = time.monotonic()
    with pytest.raises(GraphUnavailableError, match=r"no Neo4j answers at bolt://127\.0\.0\.1:1 "):
        import_graph(folder, uri="bolt://127.0.0.1:1")
    with pytest.raises(InputError, match="expected bolt://host:port"):
        import_graph(folder, uri="localhost:7687")
    assert time.monotonic() - started < 30


def test_faers_arrives_whole_and_typed(empty_graph):
    data = os.environ.get("GRAPHLING_SHARED_DATA")
    if not data:
        pytest.skip("GRAPHLING_SHARED_DATA is not set")
    source = next(Path(data).glob("graphs/faers/*.zip"))
    summary = import_graph(source, uri=empty_graph.uri, strict=True)
    assert (summary.nodes, summary.relationships) == (11_381, 61_453)
    assert rows(empty_graph, "MATCH (c:Case {primaryid: 100654764}) RETURN c.eventDate, c.age") == [
        [neo4j.time.Date(2014, 3, 25), 56.0]
    ]


def test_dates_of_any_year_and_zone_arrive_and_are_described(empty_graph, tmp_path):
    write(
        tmp_path / "csv",
        **{
            "people-header.csv": ":ID|born:date|seen:datetime{timezone:Europe/Stockholm}|left:localdatetime|:LABEL\n",
            "people.csv": (
                "1|-0044-03-15|2021-07-01T10:00|12000-01-01T10:00:01.5|:Person;:Roman\n"
                "2|12000-02-29|-0044-03-15T10:00+01:00||Person\n3|2000-01-01|2021-01-01T10:00Z||Person\n"
            ),
        },
        knows=":START_ID,:END_ID,:TYPE,since:date\n1,2,KNOWS,-9999-01-01\n",
    )
    assert import_graph(tmp_path / "csv", uri=empty_graph.uri, strict=True).by_label == {
        "Person": 3,
        "Roman": 1,
    }
    assert rows(
        empty_graph,
        "MATCH (n:Person) RETURN toString(n.born), toString(n.seen), toString(n.left), n.born.year ORDER BY n.born",
    ) == [
        ["-0044-03-15", "2021-07-01T10:00:00+02:00[Europe/Stockholm]", "+12000-01-01T10:00:01.5", -44],
        ["2000-01-01", "2021-01-01T10:00:00Z[UTC]", None, 2000],
        ["+12000-02-29", "-0044-03-15T10:00:00+01:00", None, 12000],
    ]
    assert rows(empty_graph, "MATCH ()-[r:KNOWS]->() RETURN r.since < date('-5000-01-01'), r.since.year") == [
        [True, -9999]
    ]
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    born = GraphSchema.load(empty_graph.snapshot).property_of("Person", "born")
    assert (born.type, born.minimum, born.maximum) == ("DATE", "-0044-03-15", "+12000-02-29")


def test_export_of_apoc_and_spreadsheet_become_one_graph(empty_graph, tmp_path):
    write(
        tmp_path / "csv",
        dogs="_id,_labels,name,_start,_end,_type,since\n0,:Dog:Pet,Rex,,,,\n1,:Dog,Ace,,,,\n,,,0,1,LIKES,2020\n",
        customers="customer_id;name;balance\n1;Ann;1.234,50\n2;刘备;3,5\n",
        orders="id,customerID,paid\n10,1,true\n11,2,false\n12,,true\n",
        products="sku,title\nA-1,Tea\nA-2,Coffee\n",
        order_items="order_id,product,quantity\n10,A-1,2\n10,A-2,1\n",
    )
    summary = import_graph(tmp_path / "csv", uri=empty_graph.uri, strict=True)
    assert summary.by_label == {"Customer": 2, "Dog": 2, "Order": 3, "Pet": 1, "Product": 2}
    assert summary.by_type == {"HAS_CUSTOMER": 2, "LIKES": 1, "ORDER_ITEMS": 2}
    assert rows(
        empty_graph,
        "MATCH (c:Customer)<-[:HAS_CUSTOMER]-(o:Order)-[r:ORDER_ITEMS]->(p) RETURN c.name, c.balance, o.paid, r.quantity, p.title "
        "ORDER BY p.title",
    ) == [["Ann", 1234.5, True, 1, "Coffee"], ["Ann", 1234.5, True, 2, "Tea"]]
    assert rows(empty_graph, "MATCH (:Pet)-[r]->(d) RETURN d.name, r.since") == [["Ace", 2020]]


def test_command_writes_the_mapping_that_a_person_edits(empty_graph, tmp_path):
    folder = write(
        tmp_path / "csv",
        cities="id,name\n1,Bonn\n2,Köln\n",
        people="person_id,name,city_id\n7,Ann,1\n8,Bob,2\n",
    )
    mapping = tmp_path / "mapping.yaml"
    script = "import sys; from t2c_core.cli import main; sys.argv[0] = 't2c-graph'; main()"
    command = [
        sys.executable,
        "-c",
        script,
        "import",
        str(folder),
        "--uri",
        empty_graph.uri,
        "--mapping",
        str(mapping),
    ]
    dry = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True)
    assert dry.stdout == mapping.read_text(encoding="utf-8")
    assert count(empty_graph) == 0
    text = dry.stdout.replace("HAS_CITY", "LIVES_IN").replace("label: Person", "label: Human")
    mapping.write_text(text, encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["by_type"] == {"LIVES_IN": 2}
    assert rows(
        empty_graph, "MATCH (h:Human)-[:LIVES_IN]->(c:City) RETURN h.name, c.name ORDER BY h.name"
    ) == [
        ["Ann", "Bonn"],
        ["Bob", "Köln"],
    ]
    mapping.write_text("nodes: {nothing.csv: {label: A}}", encoding="utf-8")
    wrong = subprocess.run([*command, "--force"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "no such plain file" in wrong.stderr) == (2, True)
    assert count(empty_graph) == 4


def test_names_and_identifiers_of_many_nodes_are_indexed(empty_graph, tmp_path):
    many = importer.MIN_INDEXED_VALUES
    lines = [
        f"{each},Ann {each},{each % 3},{'x' * (9_000 if each == 5 else 5)}{each}" for each in range(many)
    ]
    nodes = "\n".join([":ID,name,shoeSize:int,longTitle,:LABEL", *(f"{each},Odd `Person`" for each in lines)])
    import_graph(write(tmp_path / "csv", people=nodes + "\n"), uri=empty_graph.uri)
    indexed = rows(
        empty_graph,
        "SHOW INDEXES YIELD labelsOrTypes, properties, state WHERE labelsOrTypes = ['Odd `Person`'] RETURN properties, state",
    )
    assert indexed == [[["name"], "ONLINE"]]
    assert rows(empty_graph, "MATCH (n:`Odd ``Person```) WHERE n.name = 'Ann 7' RETURN n.shoeSize") == [[1]]
