"""Words for a property, drafted from its name, type and frequent values.

Names are parsed as nouns (`unitPrice`), counts (`unitsInStock`), participles (`killed`, `created at`) or flags
(`is_active`); common phrases and adjectives of measure come from the general vocabulary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from t2c_data.lexicon.general_vocabulary import vocabulary
from t2c_data.lexicon.identifiers import lemmas_of, split_identifier
from t2c_data.lexicon.morphology import article, plural_of
from t2c_data.lexicon.relationship_names import PREPOSITIONS, is_adjective, verb_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import Property

TEMPORAL_TYPES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})
"""Property types of which questions ask dates, months and years."""
NUMERIC_TYPES = frozenset({"INTEGER", "FLOAT"})
ANIMATE_NOUNS = frozenset(
    """person people user customer patient employee author actor director member student teacher doctor reviewer
    reporter player coach owner manager supplier reader writer borrower librarian artist scientist researcher singer
    visitor contestant pupil professor instructor nurse driver passenger guest host client worker""".split()
)
_ATTRIBUTE_NOUNS = frozenset(
    "age amount cost date gender number occupation price size status time title type unit year level".split()
)
_EVENT_NOUNS = frozenset("amount cost date price status time year".split())
"""Attributes that also belong to what happens to the owner: `report date` of a case."""
_NON_POSSESSORS = frozenset(
    "birth first last full total primary main unit max min average start end due new old home".split()
)
"""First words that cannot possess the second, unlike `report date`: `date of the report`."""
_BODY_COUNTS = frozenset(
    "killed injured wounded infected hospitalised hospitalized displaced arrested".split()
)
"""Participles whose numbers are of people."""
_MASS_PLURALS = frozenset(
    "sales earnings savings proceeds goods assets hours minutes seconds years marks".split()
)
"""Plurals that name an amount, not a number of things."""
_AMOUNTS = frozenset(
    "discount bonus fee tax tip commission surcharge deposit penalty debt delay refund rebate subsidy".split()
)
"""Amounts that a thing may be without: 0 is `no discount`."""
_NO_VERBS = frozenset(
    "model school tax calendar light contract record budget season base academic fiscal".split()
)
"""Words before `year` or `date` that are no verbs there."""
_EXTREMES = frozenset("highest lowest minimum maximum min max reorder target average peak".split())
"""Words that make the adjective of a measure say something else: the highest position."""
_COMPARATIVES = frozenset({"greater_than", "less_than", "superlative_max", "superlative_min"})
_LATEST = {
    "superlative_max": ["latest", "most recent", "newest"], "superlative_min": ["earliest", "oldest", "first"],
}  # fmt: skip


def draft_property(
    owner: str,
    each: Property,
    others: Sequence[Property] = (),
    *,
    naming: Sequence[str] = (),
    of_label: bool = False,
) -> dict[str, Any]:
    """Draft the words of a property.

    Args:
        owner: label or relationship type.
        each: the property.
        others: all properties of the owner.
        naming: properties that name a node of the label.
        of_label: whether the owner is a label.
    """
    name = split_identifier(each.name)
    if each.type == "BOOLEAN":
        return _flag(name)
    noun, unit = _measured(re.sub(r"^(is|has|was) (?=\w)", "", name), each)
    if noun.lower().endswith("id") and " " not in noun and len(noun) > 3 and not lemmas_of(noun):
        noun = noun[:-2] + " ID"
    owner_words = split_identifier(owner)
    nouns, words = _nouns(noun, each, owner_words)
    if noun.startswith(owner_words + " ") and len(noun) > len(owner_words) + 1:
        nouns += synonyms_of(noun.removeprefix(owner_words + " "))
    if each.name in naming:
        nouns += [one for one in ("name", f"{owner_words} name") if one not in nouns]
    if of_label and nouns[0] == noun:
        nouns += [one for one in _with_owner(owner_words, noun, each) if one not in nouns]
    if each.name not in nouns and each.name.lower() != noun.lower():
        nouns.append(each.name)
    words = {"nouns": with_plurals(nouns)} | words
    if unit:
        words["unit"] = list(unit)
    words |= _happening(noun, each) | _recency(each, others) | _known_words(noun, each)
    if not of_label:  # `dearer than 30` would be said of the node, not of the relationship
        words = {name: held for name, held in words.items() if name not in _COMPARATIVES}
    if each.name in naming:
        words["equals_phrases"] = list(
            dict.fromkeys(["named {}", "called {}", *words.get("equals_phrases", ())])
        )
    return words


def is_identifier(each: Property) -> bool:
    """Return whether a property is an identifier or code by its name."""
    return bool(
        re.search(r"(^|[ _])(ID|id|key|code|number|UUID|ISBN|ISBN 1[03])$", split_identifier(each.name))
    ) or (each.type == "INTEGER" and each.unique and each.name.lower().endswith("id"))


def synonyms_of(noun: str, owner: str = "") -> list[str]:
    """List a noun (twice, as the most usual one), its synonyms and forms such as `date of the report`.

    Args:
        noun: noun of a label or property.
        owner: words of the property's label or relationship type.
    """
    found = list(vocabulary().synonyms.get(noun, ()))
    first, _, last = noun.partition(" ")
    is_own = first in owner.split(" ")
    can_possess = is_own or last in _EVENT_NOUNS
    if (
        last in _ATTRIBUTE_NOUNS
        and can_possess
        and "NOUN" in lemmas_of(first)
        and first not in _NON_POSSESSORS
    ):
        many = plural_of(first)
        found.append(f"{last} of the {first}|{plural_of(last)} of the {many}")
        if first in ANIMATE_NOUNS:
            found.append(f"{first}'s {last}|{many}{_possessive(many)} {plural_of(last)}")
    elif first == "ship" and not is_own and last:
        found.append(f"shipping {last}")
    head, preposition, rest = noun.partition(" of ")
    if preposition and rest in owner.split(" "):
        found.append(head)
    elif preposition and head in _ATTRIBUTE_NOUNS - {"number"} and " " not in rest:
        found.append(f"{rest} {head}")
    return [noun, noun, *found] if found else [noun]


def _possessive(plural: str) -> str:
    return "'" if plural.endswith("s") else "'s"


def with_plurals(nouns: list[str]) -> list[str]:
    """Write nouns with their plurals; names as the schema spells them have none."""
    return [noun if "|" in noun else f"{noun}|{plural_of(noun)}" for noun in nouns]


def _nouns(noun: str, each: Property, owner: str) -> tuple[list[str], dict[str, Any]]:
    """Return the nouns of a property, and phrases that follow from what kind of noun it is."""
    is_number = each.value_type in NUMERIC_TYPES
    counted = _counted(noun, each) if is_number else ""
    if counted:
        number = f"number of {counted}"
        short = [f"{_singular(counted)} count"] if " " not in counted and _is_plural(counted) else []
        known = vocabulary().synonyms.get(noun, ())
        return [number, number, *known, *short], _count_phrases(counted)
    if _is_participle(noun) and is_number:
        nouns = [f"number of people {noun}"] if noun in _BODY_COUNTS else []
        return [*nouns, f"number {noun}"], _count_phrases(f"people {noun}") if nouns else {}
    if each.value_type in TEMPORAL_TYPES and (match := re.fullmatch(r"(\w+)(?: at| on)?", noun)):
        event = match[1]
        if _is_participle(event):
            return [f"date {event}"], {}
    is_optional = is_number and noun.rsplit(" ", maxsplit=1)[-1] in _AMOUNTS
    return synonyms_of(noun, owner), _amount_phrases(article(noun), noun) if is_optional else {}


def _counted(noun: str, each: Property) -> str:
    """Return what a number counts: `units in stock`, `staff` for `number of staff`, `beds` for `bed count`."""
    if match := re.fullmatch(r"(?:number|count|total number) of (\w.*)", noun):
        return match[1] if _is_plural(match[1]) or " " in match[1] else plural_of(match[1])
    if match := re.fullmatch(r"(\w+) count", noun):
        return plural_of(match[1])
    head = re.split(r" (?:of|in|on|at|per|for) ", noun)[0].split(" ")[-1]
    return noun if each.value_type == "INTEGER" and _is_plural(head) and head not in _MASS_PLURALS else ""


def _amount_phrases(some: str, noun: str) -> dict[str, list[str]]:
    """Draft phrases for more than 0 and for 0: `with a discount`, `with no discount`."""
    return {
        "positive_phrases": [f"with {some}", f"that [has|have] {some}"],
        "zero_phrases": [f"with no {noun}", f"without {some}", f"that [has|have] no {noun}"],
    }


def _count_phrases(counted: str) -> dict[str, Any]:
    amounts = _amount_phrases(counted, counted)
    if match := re.fullmatch(r"\w+ ((in|on) \w+)", counted):
        place = match[1]
        lost = place.replace("in ", "out of ", 1) if match[2] == "in" else f"not {place}"
        amounts["positive_phrases"] += [place, f"that [is|are] {place}", f"that [is|are] still {place}"]
        amounts["zero_phrases"] += [lost, f"that [is|are] {lost}", f"that [is|are] not {place}"]
    return {
        "equals_phrases": [f"with {{}} {counted}", f"that [has|have] {{}} {counted}"],
        "greater_than": [f"with more than {{}} {counted}", f"that [has|have] more than {{}} {counted}"],
        "less_than": [f"with fewer than {{}} {counted}", f"that [has|have] less than {{}} {counted}"],
        **amounts,
    }


def _is_plural(word: str) -> bool:
    if word in {"staff", "people", "personnel", "crew"}:
        return True
    found = lemmas_of(word).get("NOUN", ())
    return bool(found) and word not in found and word.endswith("s")


def _singular(noun: str) -> str:
    return lemmas_of(noun).get("NOUN", (noun,))[0]


def _is_participle(word: str) -> bool:
    kinds = lemmas_of(word)
    lemma = kinds.get("VERB", (word,))[0]
    return "NOUN" not in kinds and lemma != word and word == verb_form(lemma, "VBN")


def _with_owner(owner: str, noun: str, each: Property) -> list[str]:
    """List nouns with the owner in front: `outcome code`; for its own identifier `case ID`."""
    if is_identifier(each) and noun.endswith("ID"):
        stem = noun.removesuffix("ID").strip()
        return [f"{owner} ID", "ID"] if not stem or stem in owner or owner in stem else []
    return [f"{owner} {noun}"] if " " not in noun and noun not in owner.split(" ") else []


def _happening(noun: str, each: Property) -> dict[str, Any]:
    """Draft phrases of what happened on a date or in a year: `hired in 2021`, `opened after 2000`."""
    is_date = each.value_type in TEMPORAL_TYPES
    pattern = r"(?:date )?(\w+?)(?: date| time| at| on)?" if is_date else r"(\w+) year|year (\w+)"
    match = re.fullmatch(pattern, noun)
    verb = next(filter(None, match.groups()), "") if match else ""
    kinds = lemmas_of(verb)
    if "VERB" not in kinds or verb in _NO_VERBS:
        return {}
    lemma = kinds["VERB"][0]
    done = verb_form(lemma, "VBN")
    if verb not in {lemma, done}:
        return {}
    if not is_date:
        return {
            "equals_phrases": [f"{done} in {{}}", f"that [was|were] {done} in {{}}"],
            "greater_than": [f"{done} after {{}}", f"that [was|were] {done} after {{}}"],
            "less_than": [f"{done} before {{}}", f"that [was|were] {done} before {{}}"],
        }
    return {"temporal_phrases": [f"{done} {{}}", f"that [was|were] {done} {{}}"]} if verb == done else {}


def _recency(each: Property, others: Sequence[Property]) -> dict[str, Any]:
    """Draft superlatives of the only date or year of its owner."""
    moments = [one for one in others if _is_moment(one)]
    return dict(_LATEST) if moments == [each] else {}


def _is_moment(each: Property) -> bool:
    is_year = each.value_type in NUMERIC_TYPES and split_identifier(each.name).split(" ")[-1] == "year"
    return is_year or each.value_type in TEMPORAL_TYPES


def _known_words(noun: str, each: Property) -> dict[str, Any]:
    """Look up a property in the general vocabulary."""
    is_number = each.value_type in NUMERIC_TYPES
    kind = "number" if is_number else "date" if each.value_type in TEMPORAL_TYPES else "text"
    if kind != "number" and re.search(r"\bpercentage|\bpercent|\brate$", noun):
        return {}
    for entry in vocabulary().properties:
        if entry["of"] in {kind, "any"} and _is_called(noun, entry) and _fits(entry, each):
            words = dict(entry["words"])
            adjectives = entry.get("values", {}).items()
            values = {code: forms for code, forms in adjectives if code in each.examples}
            return words | ({"values": values} if values else {})
    return {}


def _is_called(noun: str, entry: dict[str, Any]) -> bool:
    """Return whether a noun is one of an entry's names, or ends in one where that says the same."""
    if noun in entry["names"]:
        return True
    first = noun.split(" ", maxsplit=1)[0]
    is_same = entry.get("ending") and first not in _EXTREMES and first not in entry.get("not_after", ())
    return bool(is_same) and any(noun.endswith(f" {name}") for name in entry["names"])


def _fits(entry: dict[str, Any], each: Property) -> bool:
    wanted = entry.get("values_among")
    return not wanted or any(str(value).lower() in wanted for value in each.examples)


def _measured(noun: str, each: Property) -> tuple[str, tuple[str, ...]]:
    """Split a unit of measurement off a noun: `height cm` is the height, in cm."""
    head, _, last = noun.rpartition(" ")
    is_number = each.value_type in NUMERIC_TYPES
    unit = vocabulary().units.get(last.lower(), ()) if head and is_number else ()
    head = re.sub(r" in$", "", head)
    return (head, unit) if unit and head not in {"number of", "total"} else (noun, ())


def _flag(noun: str) -> dict[str, Any]:
    """Draft a boolean: `chronic` is an adjective, `smoker` a noun, `has insurance` a possession, `speaks` a verb."""
    bare = re.sub(r"^(is|has|was) (an? )?", "", noun)
    nouns = with_plurals([f"{bare} status", f"{bare} flag"])
    if noun.startswith("has ") and not _is_participle(bare.split(" ")[0]):
        yes, no = [f"that [has|have] {bare}", f"with {bare}"], [f"without {bare}", f"with no {bare}"]
        return {"nouns": nouns, "true_phrases": yes, "false_phrases": no}
    first, _, rest = bare.partition(" ")
    lemma = lemmas_of(first).get("VERB", (first,))[0]
    if first == verb_form(lemma, "VBZ") and lemma != first and "NOUN" not in lemmas_of(first):
        behind = f" {rest}" if rest else ""
        yes, no = [f"that [{first}|{lemma}]{behind}"], [f"that [does|do] not {lemma}{behind}"]
        return {"nouns": nouns, "true_phrases": yes, "false_phrases": no}
    if " " not in bare and not is_adjective(bare):
        one, many = article(bare), plural_of(bare)
        return {
            "nouns": nouns,
            "true_phrases": [f"that [is {one}|are {many}]"],
            "false_phrases": [f"that [is not {one}|are not {many}]"],
        }
    values = {"true": [bare], "false": [f"non-{bare}"]} if " " not in bare else {}
    is_done = bare.rpartition(" ")[2] in PREPOSITIONS
    return {
        "nouns": nouns, "true_phrases": [f"that [is|are] {bare}"],
        "false_phrases": [f"that [is|are] not {bare}"],
        **({"values": values} if values and not is_done else {}),
    }  # fmt: skip
