"""Writes the query of a pair with the links that a linker found in its question.

Decides whether a pair can be learnt with these links. Links nothing itself and writes no files (see `export`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import unquote_identifier
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS, parameter_usages, tokenize

if TYPE_CHECKING:
    from t2c_core.prompt.schema_tokens import SchemaTokenFormat
    from t2c_core.schema.model import Scalar
    from t2c_core.values.linker import LinkedMention, LinkedQuestion
    from t2c_data.pairs import Pair


def relink_query(pair: Pair, linked: LinkedQuestion, prompts: SchemaTokenFormat) -> str | None:
    """Write a pair's query with the links that were found; None if a value was not linked where it must be."""
    atoms = tokenize(pair.cypher)
    renamed: dict[str, str] = {}
    taken: set[str] = set()
    for use in parameter_usages(atoms, prompts.names):
        if use.name in renamed:
            continue
        wanted = pair.parameters[use.name]
        fits = [
            link
            for link in linked.links[:MAX_PARAMETERS]
            if link.name not in taken and _means(link, wanted, use.owners, use.property)
        ]
        if not fits:
            return None
        renamed[use.name] = fits[0].name
        taken.add(fits[0].name)
    cypher = _without_literals(pair.cypher, linked, prompts, taken)
    cypher = re.sub(r"\$(v\d+)", lambda match: f"$\ue000{renamed[match[1]]}", cypher).replace("\ue000", "")
    completion = prompts.encode_completion(_reordered(cypher))
    generated = prompts.parse(completion, linked)
    right = {renamed[name]: value for name, value in pair.parameters.items() if name in renamed}
    if generated.repairs or any(
        not _equal(generated.parameters.get(name), value) for name, value in right.items()
    ):
        return None
    return completion


def _without_literals(
    cypher: str, linked: LinkedQuestion, prompts: SchemaTokenFormat, taken: set[str]
) -> str:
    """Write adjectives that the linker knows as a value ("female") with their link, as serving will."""

    def exchange(found: re.Match[str]) -> str:
        holder = prompts.names.by_variable.get(found[1])
        value = found[4].replace("\\'", "'").replace("\\\\", "\\")
        for link in linked.links[:MAX_PARAMETERS]:
            held = {(place.label_or_type, place.property, place.value) for place in link.occurrences}
            meant = holder is not None and (holder.name, unquote_identifier(found[2]), value) in held
            if meant and link.name not in taken:
                taken.add(link.name)
                return f"{found[1]}.{found[2]} {found[3]} $\ue000{link.name}"
        return found[0]

    return re.sub(r"([\w]+)\.(`[^`]*`|\w+) (=|<>) '((?:[^'\\]|\\.)*)'", exchange, cypher)


def _means(link: LinkedMention, wanted: Scalar, owners: tuple[str, ...], name: str) -> bool:
    if owners and any(
        place.property == name and place.label_or_type in owners and _equal(place.value, wanted)
        for place in link.occurrences
    ):
        return True
    return _equal(link.value, wanted) or (isinstance(wanted, str) and _equal(link.text.strip("'\""), wanted))


def _equal(left: Scalar | None, right: Scalar) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return float(left) == float(right)
    return left == right


def _reordered(cypher: str) -> str:
    """Put the conditions of the outer WHERE into the order of their parameters again."""
    match = re.match(r"(MATCH .*? WHERE )(.*?)( RETURN .*| WITH .*)$", cypher)
    if match is None or "EXISTS {" in cypher or "COUNT {" in cypher or " OR " in cypher:
        return cypher
    parts = match[2].split(" AND ")
    groups: list[str] = []
    for part in parts:  # the two halves of an interval or a month stay together
        access = part.split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0]
        if groups and groups[-1].split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0] == access:
            groups[-1] += " AND " + part
        else:
            groups.append(part)
    groups.sort(key=lambda part: min((int(each) for each in re.findall(r"\$v(\d+)", part)), default=99))
    return match[1] + " AND ".join(groups) + match[3]
