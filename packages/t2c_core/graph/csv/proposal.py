"""Proposal of a mapping for plain CSVs, from their names, headers and cells.

A file is a label; a column that identifies its rows is the id; a column whose values are ids of another file is a link.
A file with two links and no id of its own is a relationship.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_core.graph.csv.files import stem
from t2c_core.graph.csv.mapping import CsvMapping, Link, NodeFile, RelationshipFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.graph.csv.inference import ColumnSummary

MIN_SHARED = 0.5
"""Minimum fraction of the values of a column that are ids of the file which its name refers to."""
_WORDS = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|[0-9]+")
_ID_WORDS = frozenset("id ids uuid guid key code no nr num number ref fk pk isbn sku iban".split())
_REFERENCES = frozenset({"id", "ids", "uuid", "guid", "fk", "ref"})
"""Words of columns that may be linked by their values alone, also where these are numbers."""
_OWN_ROLES = frozenset(
    "parent manager supervisor boss mentor superior predecessor successor replaces next previous".split()
)
"""Words of columns that name another row of the same file."""
_ENDS = (
    ("source", "target"), ("from", "to"), ("src", "dst"), ("start", "end"), ("subject", "object"), ("head", "tail"),
    ("sender", "receiver"),
)  # fmt: skip
"""Columns of lists of edges."""
_PREPOSITIONS = frozenset({"by", "to", "in", "of", "from", "at", "on", "for", "with"})
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman"}
_UNCHANGED = frozenset({"data", "news", "series", "species"})


@dataclass(frozen=True)
class PlainFile:
    """A plain CSV and the summaries of its columns."""

    name: str
    columns: Sequence[ColumnSummary]

    @property
    def words(self) -> tuple[str, ...]:
        """Words of its name, the last in the singular."""
        words = words_of(stem(self.name))
        return (*words[:-1], singular(words[-1])) if words else ("row",)

    @property
    def label(self) -> str:
        """Label that its name gives: `order_items.csv` is OrderItem."""
        return "".join(each[0].upper() + each[1:] for each in self.words)


def propose_mapping(files: Mapping[str, Sequence[ColumnSummary]]) -> CsvMapping:
    """Return a mapping for plain files.

    Args:
        files: columns by name of the file.
    """
    plain = [PlainFile(name, [each for each in columns if each.name]) for name, columns in files.items()]
    labels = {each.words for each in plain}
    certain = {each.name: _id_column(each, labels, max_rank=1) for each in plain}
    ids = {
        each.name: certain[each.name]
        or (None if _is_join_table(each, plain, certain) else _id_column(each, labels))
        for each in plain
    }
    missing = sorted({cell for each in plain for column in each.columns for cell in column.missing if cell})
    nodes: dict[str, NodeFile] = {}
    relationships: dict[str, RelationshipFile] = {}
    for each in plain:
        links = _links(each, plain, ids)
        edge = _edge_list(each, links) if ids[each.name] is None else None
        if edge is not None:
            relationships[each.name] = edge
        else:
            named = {link.column for link in links}
            nodes[each.name] = NodeFile(
                label=each.label,
                id=ids[each.name],
                properties={
                    column.name: column.type
                    for column in each.columns
                    if column.name not in named and column.filled
                },
                links=tuple(links),
            )
    return CsvMapping(nodes=nodes, relationships=relationships, missing=("", *missing))


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: `customerID` and `customer_id` are customer, id."""
    return tuple(each.lower() for each in _WORDS.findall(name))


def singular(word: str) -> str:
    """Return the singular of an English plural, as far as its ending shows it."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCHANGED:
        return word
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def _id_column(file: PlainFile, labels: set[tuple[str, ...]], *, max_rank: int = 2) -> str | None:
    """Return the column that identifies the rows of a file, if its name says so at least as clearly as `max_rank`."""
    ranked = []
    for number, column in enumerate(file.columns):
        words = words_of(column.name)
        if not column.is_unique or not words or words[-1] not in _ID_WORDS:
            continue
        base = words[:-1]
        if base in {file.words, file.words[-1:], words_of(stem(file.name))}:
            rank = 1
        elif not base:
            rank = 0
        elif base in labels or base[-1] in _OWN_ROLES:
            continue  # it names a row of another file, or another row of this one
        else:
            rank = 2
        if rank <= max_rank:
            ranked.append((rank, number, column.name))
    return min(ranked)[2] if ranked else None


def _is_join_table(file: PlainFile, files: Sequence[PlainFile], ids: Mapping[str, str | None]) -> bool:
    """Return whether two columns of a file have ids of other files and none identifies its rows by its name."""
    linked = [each for each in file.columns if words_of(each.name) and _target(file, each, files, ids)]
    return sum(words_of(each.name)[-1] in _ID_WORDS for each in linked) >= 2


def _links(file: PlainFile, files: Sequence[PlainFile], ids: Mapping[str, str | None]) -> list[Link]:
    found = []
    for column in file.columns:
        if column.name != ids[file.name] and column.values:
            target = _target(file, column, files, ids)
            if target is not None:
                found.append(Link(column=column.name, type=_type(column.name), file=target.name))
    return found


def _target(
    file: PlainFile, column: ColumnSummary, files: Sequence[PlainFile], ids: Mapping[str, str | None]
) -> PlainFile | None:
    """Return the file whose ids a column has."""
    words = words_of(column.name)
    is_id = bool(words) and words[-1] in _ID_WORDS
    base = words[:-1] if is_id else words
    shared = {}
    for each in files:
        values = next((other.values for other in each.columns if other.name == ids[each.name]), None)
        if values and column.values:
            shared[each.name] = len(column.values & values) / len(column.values)
    by_name = [
        each
        for each in files
        if base[-len(each.words) :] == each.words
        or (is_id and each.name != file.name and words_of(ids[each.name] or "") == words)
    ]
    best = [each for each in by_name if shared.get(each.name, 0.0) >= MIN_SHARED]
    if best:
        return max(best, key=lambda each: (len(each.words), shared[each.name]))
    if base and base[-1] in _OWN_ROLES and shared.get(file.name) == 1.0:
        return file
    is_end = any(words[-1:] == (end,) or words[:1] == (end,) for pair in _ENDS for end in pair)
    contained = [each for each in files if shared.get(each.name) == 1.0]
    is_reference = is_end or (is_id and (words[-1] in _REFERENCES or column.type not in ("int", "float")))
    if is_reference and len(contained) == 1 and len(column.values or ()) > 1:
        return contained[0]
    return None


def _type(column: str) -> str:
    """Return the relationship type that the name of a column gives."""
    words = words_of(column)
    base = words[:-1] if words[-1] in _ID_WORDS and len(words) > 1 else words
    prefix = () if base[-1] in _PREPOSITIONS else ("has",)
    return "_".join((*prefix, *base)).upper()


def _edge_list(file: PlainFile, links: Sequence[Link]) -> RelationshipFile | None:
    """Return the relationships of a file with exactly two links, or with columns such as source and target."""
    start, end = links if len(links) == 2 else (None, None)
    if not links:
        by_words = {words_of(each.name): each.name for each in file.columns}
        for first, second in _ENDS:
            columns = [
                next((by_words[each] for each in by_words if each[:1] == (end,)), None)
                for end in (first, second)
            ]
            if columns[0] and columns[1]:
                start, end = (Link(column=each, label="Node") for each in columns if each)
                break
    if start is None or end is None:
        return None
    start, end = replace(start, type=""), replace(end, type="")
    ends = {start.column, end.column}
    return RelationshipFile(
        type="_".join(words_of(stem(file.name))).upper() or "LINKED_TO",
        start=start,
        end=end,
        properties={each.name: each.type for each in file.columns if each.name not in ends and each.filled},
    )
