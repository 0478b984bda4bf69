"""Folders of CSVs as people have them: dialects, headers in other files, exports of APOC, spreadsheets with a mapping."""

import gzip
import zipfile

import pytest
import yaml

from t2c_core.errors import SourceError
from t2c_core.graph.csv.inference import summarize
from t2c_core.graph.csv.mapping import CsvMapping
from t2c_core.graph.csv.proposal import singular, words_of
from t2c_core.graph.csv.source import CsvSource
from t2c_core.graph.csv.tables import RejectedRow


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        content = text if isinstance(text, bytes) else text.encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def graph(source):
    """Return nodes as (labels, properties) by id, and relationships as (start, type, end, properties)."""
    with source:
        nodes, relationships = list(source.rows("nodes")), list(source.rows("relationships"))
    rejected = [each for each in (*nodes, *relationships) if isinstance(each, RejectedRow)]
    assert rejected == []
    return (
        {each.ids[0][1] if each.ids else each.line: (each.names, each.properties) for each in nodes},
        [(each.ids[0][1], each.names[0], each.ids[1][1], each.properties) for each in relationships],
    )


NODES = {"1": (("Person", "Boss"), {"name": "Ann", "born": 1970}), "2": (("Person",), {"name": "Bob, Jr."})}


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["people.csv", "people.csv.gz"])
def test_delimiter_is_found_in_the_header(tmp_path, sign, name):
    lines = [":ID,name,born:int,:LABEL", '1,Ann,1970,"Person;Boss"', '2,"Bob; Jr.",,Person']
    text = "\n".join(line.replace(",", sign).replace("Bob;", "Bob,") for line in lines) + "\n"
    assert graph(CsvSource(write(tmp_path / "csv", {name: text})))[0] == NODES


@pytest.mark.parametrize("name", ["people.tsv", "people.TSV.gz", "people.tab"])
def test_tab_separates_in_tsv_even_where_commas_are_more(tmp_path, name):
    text = ":ID\tname\tborn:int\t:LABEL\n1\tAnn\t1970\tPerson;Boss\n2\tBob, Jr.\t\tPerson\n"
    assert graph(CsvSource(write(tmp_path / "csv", {name: text})))[0] == NODES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encoding_and_line_of_excel_are_understood(tmp_path, encoding):
    text = "sep=;\r\n:ID;name;born:int;:LABEL\r\n1;Ann;1970;:Person;\r\n".replace(":Person;", ":Person:Boss")
    folder = write(tmp_path / "csv", {"people.csv": text.encode(encoding)})
    with CsvSource(folder) as source:
        (row,) = source.rows("nodes")
    assert (row.names, row.properties, row.line) == (("Person", "Boss"), {"name": "Ann", "born": 1970}, 3)


def test_gzip_in_a_zip_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("inner/people.csv.gz", gzip.compress(b":ID,:LABEL\n1,Person\n"))
    assert graph(CsvSource(tmp_path / "x.zip"))[0] == {"1": (("Person",), {})}


def test_gzip_that_is_none_is_refused(tmp_path):
    (write(tmp_path / "csv", {}) / "p.csv.gz").write_bytes(b":ID,:LABEL\n")
    with pytest.raises(SourceError, match=r"cannot read p\.csv\.gz"), CsvSource(tmp_path / "csv"):
        pass


def test_header_may_be_in_a_file_of_its_own(tmp_path):
    files = {
        "persons-header.csv": ":ID(P)|name|tags:string[]|:LABEL\n",
        "persons1.csv": "1|Ann|a;b;c;d|Person\n",
        "persons-part2.csv.gz": "2|Bob||:Person;:Admin\n",
        "persons_of_note.csv": ":ID(N),:LABEL\n9,Note\n",
        "KNOWS_header.csv": ":START_ID(P),:END_ID(P),since:int\n",
        "KNOWS.csv": "1,2,1999\n",
    }
    nodes, relationships = graph(CsvSource(write(tmp_path / "csv", files)))
    assert nodes == {
        "1": (("Person",), {"name": "Ann", "tags": ["a", "b", "c", "d"]}),
        "2": (("Person", "Admin"), {"name": "Bob"}),
        "9": (("Note",), {}),
    }
    assert relationships == [("1", "KNOWS", "2", {"since": 1999})]


def test_name_of_the_file_gives_label_and_type(tmp_path):
    files = {
        "Person.csv": "id:ID,name\n1,Ann\n",
        "3DModel.csv.gz": ":ID,name\n2,Cube\n",
        "Employee-Territories.tsv": ":START_ID\t:END_ID\n1\t2\n",
        "others-header.csv": ":ID{label:Thing}\n",
        "others.csv": "3\n",
    }
    nodes, relationships = graph(CsvSource(write(tmp_path / "csv", files)))
    assert [names for names, _ in nodes.values()] == [("3DModel",), ("Person",), ("Thing",)]
    assert relationships == [("1", "Employee-Territories", "2", {})]


@pytest.mark.parametrize("cell", ["Person;Admin", ":Person;:Admin", ":Person:Admin", "Person;Admin;Person"])
def test_labels_of_a_cell(tmp_path, cell):
    folder = write(tmp_path / "csv", {"p.csv": f":ID,:LABEL\n1,{cell}\n"})
    assert graph(CsvSource(folder))[0] == {"1": (("Person", "Admin"), {})}


def test_export_of_apoc_is_read_as_it_is(tmp_path):
    text = """\
"_id","_labels","name","age","code","tags","_start","_end","_type","since"
"0",":Dog:Pet","Rex","7","007","[""a"",""b""]",,,,
"4",":Dog","Ace, the Second","","1","",,,,
,,,,,,"0","4","LIKES","2020-01-31"
,,,,,,"4","4","LIKES",""
"""
    nodes, relationships = graph(CsvSource(write(tmp_path / "csv", {"all.csv": text})))
    assert nodes["0"][0] == ("Dog", "Pet")
    assert nodes["0"][1] == {"name": "Rex", "age": 7, "code": "007", "tags": ["a", "b"]}
    assert nodes["4"][1] == {"name": "Ace, the Second", "code": "1"}
    assert [each[:3] for each in relationships] == [("0", "LIKES", "4"), ("4", "LIKES", "4")]
    assert [str(each[3].get("since")) for each in relationships] == ["2020-01-31", "None"]


def test_nodes_and_relationships_of_apoc_may_be_in_two_files(tmp_path):
    files = {
        "nodes.csv": "_id,_labels,name\n0,:Dog,Rex\n1,:Dog,Ace\n",
        "rels.csv": "_start;_end;_type\n0;1;LIKES\n",
    }
    nodes, relationships = graph(CsvSource(write(tmp_path / "csv", files)))
    assert len(nodes) == 2
    assert relationships == [("0", "LIKES", "1", {})]


SHOP = {
    "customers.csv": (
        "customer_id;name;joined;balance;\n1;Ann;2020-01-31;1.234,50;\n2;Bob;2021-02-28;3,5;\n3;刘备;NULL;-1;\n;;;;\n"
    ),
    "orders.csv": (
        "id,customerID,Placed at,paid,employee\n10,1,2024-01-01 10:00,true,7\n11,2,2024-01-02 11:30,false,8\n"
        "12,1,2024-01-03 09:00,true,\n"
    ),
    "products.csv": "sku,title,unitPrice,zip,category_id\nA-1,Tea,2.5,01234,1\nA-2,Coffee,4,53111,2\n",
    "categories.tsv": "id\tname\n1\tHot\n2\tCold\n",
    "order_items.csv": "order_id,product,quantity\n10,A-1,2\n10,A-2,1\n11,A-1,5\n",
    "employees.csv": "id,name,manager_id\n7,Eve,\n8,Max,7\n9,Zoe,7\n",
}


def proposed(folder):
    with CsvSource(folder) as source:
        assert source.is_proposed
        return yaml.safe_load(source.mapping.to_yaml())


def test_spreadsheets_are_proposed_as_labels_and_relationships(tmp_path):
    found = proposed(write(tmp_path / "csv", SHOP))
    assert {name: (each["label"], each["id"]) for name, each in found["nodes"].items()} == {
        "categories.tsv": ("Category", "id"),
        "customers.csv": ("Customer", "customer_id"),
        "employees.csv": ("Employee", "id"),
        "orders.csv": ("Order", "id"),
        "products.csv": ("Product", "sku"),
    }
    assert found["nodes"]["customers.csv"]["properties"] == {
        "customer_id": "int",
        "name": "string",
        "joined": "date",
        "balance": "float{decimal:comma}",
    }
    assert found["nodes"]["orders.csv"]["properties"] == {
        "id": "int",
        "Placed at": "localdatetime",
        "paid": "boolean",
    }
    assert found["nodes"]["products.csv"]["properties"]["zip"] == "string"
    links = {
        column: (link["type"], link["to"])
        for each in found["nodes"].values()
        for column, link in each.get("links", {}).items()
    }
    assert links == {
        "customerID": ("HAS_CUSTOMER", "customers.csv"),
        "employee": ("HAS_EMPLOYEE", "employees.csv"),
        "category_id": ("HAS_CATEGORY", "categories.tsv"),
        "manager_id": ("HAS_MANAGER", "employees.csv"),
    }
    assert found["relationships"] == {
        "order_items.csv": {
            "type": "ORDER_ITEMS",
            "from": {"column": "order_id", "to": "orders.csv"},
            "to": {"column": "product", "to": "products.csv"},
            "properties": {"quantity": "int"},
        }
    }
    assert found["missing"] == ["", "NULL"]


def test_proposal_is_a_graph(tmp_path):
    nodes, relationships = graph(CsvSource(write(tmp_path / "csv", SHOP)))
    assert nodes["3"][1] == {"customer_id": 3, "name": "刘备", "balance": -1.0}
    assert ("10", "ORDER_ITEMS", "A-1", {"quantity": 2}) in relationships
    assert ("8", "HAS_MANAGER", "7", {}) in relationships
    assert len(relationships) == 3 + 2 + 3 + 2 + 2  # an empty cell is no link


def test_mapping_that_is_written_is_read_back(tmp_path):
    folder = write(tmp_path / "csv", SHOP)
    with CsvSource(folder) as source:
        proposal = source.mapping
    file = tmp_path / "mapping.yaml"
    file.write_text(proposal.to_yaml(), encoding="utf-8")
    assert CsvMapping.load(file) == proposal
    assert graph(CsvSource(folder, CsvMapping.load(file))) == graph(CsvSource(folder))


def test_edited_mapping_is_followed(tmp_path):
    mapping = """
    nodes:
      customers.csv:
        label: Person;Customer
        id: customer_id
        properties: {name: fullName:string, joined: string}
      orders.csv:
        label: Order
        id: null
        properties: {paid: boolean}
        links:
          customerID: {type: PLACED, from: customers.csv}
          employee: {type: TAKEN_BY, label: Clerk}
    """
    (tmp_path / "mapping.yaml").write_text(mapping, encoding="utf-8")
    nodes, relationships = graph(
        CsvSource(write(tmp_path / "csv", SHOP), CsvMapping.load(tmp_path / "mapping.yaml"))
    )
    with CsvSource(tmp_path / "csv", CsvMapping.load(tmp_path / "mapping.yaml")) as source:
        assert source.ignored == ("categories.tsv", "employees.csv", "order_items.csv", "products.csv")
    assert nodes["1"] == (("Person", "Customer"), {"fullName": "Ann", "joined": "2020-01-31"})
    assert nodes["7"] == (("Clerk",), {"name": "7"})
    assert relationships == [
        ("1", "PLACED", "2", {}), ("2", "PLACED", "3", {}), ("1", "PLACED", "4", {}),
        ("2", "TAKEN_BY", "7", {}), ("3", "TAKEN_BY", "8", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected a mapping"),
        ("nodes: {", "cannot read the mapping"),
        ("node: {}", "unknown key 'node'"),
        ("nodes: {customers.csv: {id: x}}", "`label` is missing"),
        ("nodes: {customers.csv: {label: A, id: x}}", "customers.csv has no column 'x'; it has customer_id"),
        ("nodes: {nothing.csv: {label: A}}", "nothing.csv: no such plain file"),
        ("nodes: {customers.csv: {label: A, properties: {name: whole}}}", "unknown type 'whole'"),
        ("nodes: {customers.csv: {label: A, properties: {name: ':ID'}}}", "no type of a property"),
        (
            "nodes: {orders.csv: {label: A, links: {customerID: {type: X, to: customers.csv}}}}",
            "customers.csv is no file under `nodes`",
        ),
        (
            "nodes: {orders.csv: {label: A, links: {customerID: {type: X, to: a.csv, label: B}}}}",
            "expected one of",
        ),
        ("nodes: {orders.csv: {label: A, links: {customerID: {label: B}}}}", "`type` is missing"),
        (
            "relationships: {order_items.csv: {type: X, from: {column: product, label: A}, to: {column: product, label: A}}}",
            "both ends are the column 'product'",
        ),
    ],
)
def test_mapping_that_does_not_fit_is_refused(tmp_path, text, message):
    (tmp_path / "mapping.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        graph(CsvSource(write(tmp_path / "csv", SHOP), CsvMapping.load(tmp_path / "mapping.yaml")))
    assert message in str(caught.value)


def test_list_of_edges_makes_its_nodes(tmp_path):
    folder = write(
        tmp_path / "csv", {"trains.csv": "from,to,minutes\nBonn,Köln,20\nKöln,Bonn,21\nKöln,Ulm,200\n"}
    )
    nodes, relationships = graph(CsvSource(folder))
    assert {key: names for key, (names, _) in nodes.items()} == dict.fromkeys(
        ["Bonn", "Köln", "Ulm"], ("Node",)
    )
    assert relationships[0] == ("Bonn", "TRAINS", "Köln", {"minutes": 20})


def test_both_columns_of_a_join_table_may_name_the_same_file(tmp_path):
    files = {
        "users.csv": "id,name\nu1,Ann\nu2,Bob\nu3,Cem\n",
        "follows.csv": "follower_id,followee_id\nu1,u2\nu2,u1\nu3,u1\n",
    }
    _, relationships = graph(CsvSource(write(tmp_path / "csv", files)))
    assert ("u3", "FOLLOWS", "u1", {}) in relationships


def test_one_table_without_any_id_is_nodes(tmp_path):
    nodes, relationships = graph(
        CsvSource(write(tmp_path / "csv", {"Sales 2024.csv": "Region,Amount\nN,1\nS,2\n"}))
    )
    assert [each for each, _ in nodes.values()] == [("Sale2024",)] * 2 or [
        each for each, _ in nodes.values()
    ] == [("Sales2024",)] * 2
    assert relationships == []


def test_typed_and_plain_files_may_be_in_one_folder(tmp_path):
    files = {"a.csv": ":ID,:LABEL\n1,A\n", "notes.csv": "id,Note: private\n5,x\n"}
    nodes, _ = graph(CsvSource(write(tmp_path / "csv", files)))
    assert nodes == {"1": (("A",), {}), "5": (("Note",), {"id": 5, "Note: private": "x"})}


def test_column_that_occurs_twice_is_refused(tmp_path):
    folder = write(tmp_path / "csv", {"a.csv": "id,name,name\n1,a,b\n"})
    with pytest.raises(SourceError, match="the column 'name' occurs 2 times"):
        graph(CsvSource(folder))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customer_id", ("customer", "id")),
        ("customerID", ("customer", "id")),
        ("HTTPServers", ("http", "servers")),
        ("Unit Price", ("unit", "price")),
        ("größe", ("größe",)),
        ("订单", ("订单",)),
    ],
)
def test_words_of_a_name(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("customers", "customer"), ("categories", "category"), ("classes", "class"), ("boxes", "box"),
        ("people", "person"), ("address", "address"), ("status", "status"), ("news", "news"), ("series", "series"),
    ],
)  # fmt: skip
def test_singular_of_a_label(plural, one):
    assert singular(plural) == one


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-20", ""], "int"),
        (["1", "2.5", "1e-3"], "float"),
        (["1", "01234"], "string"),
        (["1,5", "1.234,50", "7"], "float{decimal:comma}"),
        (["TRUE", "false"], "boolean"),
        (["yes", "no"], "string"),
        (["2024-01-31", "NULL"], "date"),
        (["1996-08-01 00:00:00.000", "1996-08-02"], "date"),
        (["1996-08-01 00:00:00", "1996-08-02 10:30"], "localdatetime"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00+02:00"], "datetime"),
        (["31.01.2024"], "string"),
        (['["a", "b"]', "[]"], "list"),
        (["[a]", "[]"], "string"),
        (["12345678901234567890"], "float"),
        (["", "NA"], "string"),
    ],
)
def test_type_of_a_column_fits_all_its_cells(cells, kind):
    (column,) = summarize(["x"], enumerate([["x"], *([each] for each in cells)]))
    assert column.type == kind
