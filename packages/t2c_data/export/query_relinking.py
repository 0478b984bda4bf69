"""The query of a pair with the parameters of the values that a linker found in its question."""

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
    """Return the completion of a pair with the parameters of linked values, or None if a value is not linked.

    Args:
        pair: the pair, with a query.
        linked: its question with linked values.
        prompts: format of the completion.
    """
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
            if link.name not in taken and _links_to(link, wanted, use.labels_or_types, use.property)
        ]
        if not fits:
            return None
        renamed[use.name] = fits[0].name
        taken.add(fits[0].name)
    cypher = _parameterize_literals(pair.cypher, linked, prompts, taken)
    cypher = re.sub(r"\$(v\d+)", lambda match: f"$\ue000{renamed[match[1]]}", cypher).replace("\ue000", "")
    completion = prompts.encode_completion(_reordered(cypher))
    generated = prompts.parse(completion, linked)
    expected = {renamed[name]: value for name, value in pair.parameters.items() if name in renamed}
    if generated.repairs or any(
        not _equal(generated.parameters.get(name), value) for name, value in expected.items()
    ):
        return None
    return completion


def _parameterize_literals(
    cypher: str, linked: LinkedQuestion, prompts: SchemaTokenFormat, taken: set[str]
) -> str:
    """Replace literals that the linker finds as values ("female") by their parameters, as in serving."""

    def replace(found: re.Match[str]) -> str:
        element = prompts.names.by_variable.get(found[1])
        value = found[4].replace("\\'", "'").replace("\\\\", "\\")
        for link in linked.links[:MAX_PARAMETERS]:
            values = {(each.label_or_type, each.property, each.value) for each in link.occurrences}
            is_linked = element is not None and (element.name, unquote_identifier(found[2]), value) in values
            if is_linked and link.name not in taken:
                taken.add(link.name)
                return f"{found[1]}.{found[2]} {found[3]} $\ue000{link.name}"
        return found[0]

    return re.sub(r"([\w]+)\.(`[^`]*`|\w+) (=|<>) '((?:[^'\\]|\\.)*)'", replace, cypher)


def _links_to(link: LinkedMention, wanted: Scalar, labels_or_types: tuple[str, ...], name: str) -> bool:
    if any(
        each.property == name and each.label_or_type in labels_or_types and _equal(each.value, wanted)
        for each in link.occurrences
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
    """Sort the conditions of the outer WHERE by their parameters."""
    match = re.match(r"(MATCH .*? WHERE )(.*?)( RETURN .*| WITH .*)$", cypher)
    if match is None or "EXISTS {" in cypher or "COUNT {" in cypher or " OR " in cypher:
        return cypher
    parts = match[2].split(" AND ")
    groups: list[str] = []
    for part in parts:  # both bounds of an interval or a month stay together
        access = part.split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0]
        if groups and groups[-1].split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0] == access:
            groups[-1] += " AND " + part
        else:
            groups.append(part)
    groups.sort(key=lambda part: min((int(each) for each in re.findall(r"\$v(\d+)", part)), default=99))
    return match[1] + " AND ".join(groups) + match[3]
