"""Headers of CSVs that say themselves what a file holds: typed ones, in the file or beside it, and those of APOC.

    persons.csv           :ID(P),name,born:int,:LABEL           typed; without :LABEL or :TYPE the file's name gives it
    persons-header.csv    the same line, for persons.csv, persons1.csv, persons-part2.csv.gz …
    all.csv               _id,_labels,name,_start,_end,_type    as apoc.export.csv writes it

Any other header is plain, and `mapping` says what the file holds.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from t2c_core.errors import SourceError
from t2c_core.graph.csv.columns import Column, ColumnKind, HeaderError, read_column
from t2c_core.graph.csv.files import stem
from t2c_core.graph.csv.tables import CsvTable, TableKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

APOC_NODES = ("_id", "_labels")
APOC_RELATIONSHIPS = ("_start", "_end", "_type")
_HEADER_FILE = re.compile(r"(?P<base>.+?)[-_. ]?headers?", re.IGNORECASE)
_LIKE_TYPE = re.compile(r":[A-Za-z_]\S*$")
"""A misspelled type; `Note: private` is the name of a plain column."""
_PART = r"[-_. ]?(?:data|part)?[-_. ]?[0-9]*"
_TITLES: dict[ColumnKind, str] = {
    "start": ":START_ID",
    "end": ":END_ID",
    "type": ":TYPE",
    "label": ":LABEL",
    "id": ":ID",
}


def is_typed(header: Sequence[str]) -> bool:
    """Return whether a header has a typed field, valid or not."""
    return any(map(_is_typed_field, header))


def is_apoc(header: Sequence[str]) -> bool:
    """Return whether a header is one of apoc.export.csv."""
    return set(APOC_NODES) <= set(header) or set(APOC_RELATIONSHIPS) <= set(header)


def assign_header_files(headers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the header file of each file whose header is in another file.

    Args:
        headers: first rows of all files by name.
    """
    bases = {}
    for name, header in headers.items():
        found = _HEADER_FILE.fullmatch(stem(name))
        if found and is_typed(header):
            bases[found["base"]] = name
    assigned = {}
    for base, header_name in sorted(bases.items(), key=lambda each: len(each[0])):  # the longest base wins
        for name in headers:
            if name not in bases.values() and re.fullmatch(
                re.escape(base) + _PART, stem(name), re.IGNORECASE
            ):
                assigned[name] = header_name
    return assigned


def typed_table(name: str, header: Sequence[str], *, header_file: str | None = None) -> CsvTable:
    """Return the table of a file with a typed header.

    Args:
        name: name of the file.
        header: header fields.
        header_file: name of the file that the header is in, if another one.

    Raises:
        SourceError: the header is invalid; the message lists all errors.
    """
    columns, errors = [], []
    place = header_file or name
    for number, text in enumerate(header, 1):
        try:
            columns.append(read_column(text))
        except HeaderError as error:
            errors.append(f"{place}, line 1, column {number}: {error}")
    if errors:
        raise SourceError("\n".join(errors))
    counts = Counter(column.kind for column in columns)
    kind: TableKind = "relationships" if counts.keys() & {"start", "end", "type"} else "nodes"
    needed: tuple[ColumnKind, ...] = ("start", "end") if kind == "relationships" else ()
    found = ", ".join(header)
    errors += [
        f"{place}, line 1: {kind} need the column {_TITLES[each]}; found {found}"
        for each in needed
        if not counts[each]
    ]
    if kind == "relationships" and (counts["id"] or counts["label"]):
        errors.append(f"{place}, line 1: columns of nodes (:ID, :LABEL) and of relationships are mixed")
    errors += [f"{place}, line 1: more than one {_TITLES[each]}" for each in _TITLES if counts[each] > 1]
    repeated = Counter(column.property for column in columns if column.property)
    errors += [
        f"{place}, line 1: property {each!r} occurs {n} times" for each, n in repeated.items() if n > 1
    ]
    if errors:
        raise SourceError("\n".join(errors))
    own = next((column.label for column in columns if column.label), "") or _base(name, header_file)
    names = () if counts["type" if kind == "relationships" else "label"] else (own,)
    return CsvTable(file=name, kind=kind, columns=tuple(columns), names=names, header_file=header_file)


def apoc_tables(name: str, header: Sequence[str], types: Sequence[str]) -> list[CsvTable]:
    """Return the nodes and relationships of an export of APOC.

    Args:
        name: name of the file.
        header: header fields.
        types: type of each column, as in typed headers.
    """
    tables = []
    special = {*APOC_NODES, *APOC_RELATIONSHIPS}
    shared = [
        replace(read_column(f"{field}:{kind}"), property=field)
        if field not in special
        else Column(field, "ignore")
        for field, kind in zip(header, types, strict=True)
    ]
    for kind, roles in (
        ("nodes", {"_id": "id", "_labels": "label"}),
        ("relationships", {"_start": "start", "_end": "end", "_type": "type"}),
    ):
        if set(roles) <= set(header):
            columns = [
                Column(field, roles[field], space="APOC") if field in roles else column  # type: ignore[arg-type]
                for field, column in zip(header, shared, strict=True)
            ]
            only = header.index("_id" if kind == "nodes" else "_start")
            tables.append(CsvTable(file=name, kind=kind, columns=tuple(columns), only=only))  # type: ignore[arg-type]
    return tables


def check_spaces(tables: Sequence[CsvTable]) -> list[str]:
    """Return an error for each end of relationships whose id space no table of nodes has."""
    known = {space for table in tables if table.kind == "nodes" for space in table.spaces}
    return [
        f"{table.file}, line 1: {column.field} refers to {f':ID({column.space})' if column.space else ':ID'}, "
        "which no file of nodes has"
        for table in tables
        for column in table.columns
        if column.kind in ("start", "end") and column.space not in known
    ]


def _is_typed_field(field: str) -> bool:
    try:
        return read_column(field).is_typed()
    except HeaderError:
        return _LIKE_TYPE.search(field) is not None


def _base(name: str, header_file: str | None) -> str:
    """Return the label or type that the name of a file gives."""
    found = _HEADER_FILE.fullmatch(stem(header_file)) if header_file else None
    return found["base"] if found else stem(name)
