"""Lexicalisation of relationship types: phrases in both directions and role nouns, drafted from the name.

Names are parsed as nouns (`HAS_REACTION`), participles (`REPORTED_BY`, `RECEIVED`), verbs (`TREATS`), verbs with a
preposition (`FALLS_UNDER`), prepositions (`IN_SQUAD`) or roles (`IS_PRIMARY_SUSPECT`). lemminflect inflects verbs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from t2c_data.lexicon.general_vocabulary import vocabulary
from t2c_data.lexicon.morphology import article, plural_of

PREPOSITIONS = frozenset(
    "by in on at of to from for with into under over as about via through until since between against near".split()
)
_POSSESSIVE_VERBS = frozenset({"has", "have", "had", "contains", "includes", "with", "owns"})
_CONTAINER_NOUNS = frozenset(
    "area category class department division group level range region section team".split()
)
"""Nouns of targets that contain the source: `in the Elderly age group`."""
_NO_MAKERS = frozenset(
    "player worker passenger number letter order user computer member customer matter".split()
)
"""Nouns like a `singer` that have not made what they belong to."""
_COPULAS = frozenset({"is", "are", "was", "were"})
_INTRANSITIVE_VERBS = frozenset(
    """act appear apply arrive begin belong collaborate compete consist depart depend die differ end fall fly graduate
    happen interact lead live occur participate play rank refer reply reside respond result rise serve sit star start
    stay study subscribe travel vote work""".split()
)
"""Verbs whose past with a preposition is not passive: `that resulted in`, but `that is located in`."""


@dataclass
class _Words:
    forward: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)
    target: str = ""
    source: str = ""
    without: str = ""


def lexicalise_type(name: str, source: str, target: str, *, alone: bool) -> dict[str, Any]:
    """Draft the lexicon entry of a relationship type.

    Args:
        name: type in words, such as `reported by`.
        source: noun of the source.
        target: noun of the target.
        alone: whether no other type joins the two labels, so that general phrases are unambiguous.
    """
    words = _parse_type_name(name, source, target)
    known = vocabulary().phrases_of_type({name, _without_noun(name, target)}, target)
    words.forward += known.get("forward", ())
    words.backward += known.get("backward", ())
    if alone:
        has_role = words.target and not words.target.endswith(target)
        words.forward += _by_name(words.target if has_role else target) if source != target else []
        words.source = words.source if words.target else ""
        words.forward += ["with {}", "associated with {}", "linked to {}"]
        words.backward += ["of {}", "for {}", "associated with {}", "linked to {}"]
        words.without = words.without or "without {}"
    return {
        "forward": list(dict.fromkeys(words.forward)),
        "backward": list(dict.fromkeys(words.backward)),
        "target_role": _names(target, words.target, alone=alone),
        "source_role": _names(source, words.source, alone=alone),
        "negated_phrases": [words.without] if words.without else [],
    }


def lexicalise_type_group(source: str, target: str) -> dict[str, Any]:
    """Draft the entry of a group: several types between two labels that one phrase means together."""
    both = ["associated with {}", "linked to {}", "related to {}"]
    return {
        "forward": [*both, "that [involves|involve] {}", "involving {}", "with {}"],
        "backward": [*both, "involved in {}", "of {}", "for {}"],
        "target_role": [target],
        "source_role": [source],
    }


def _by_name(target: str) -> list[str]:
    """Build phrases that name the only target by its value: `where the outcome is {value}`."""
    said = [
        f"with the {target} {{value}}", f"where the {target} is {{value}}", f"where the {target} was {{value}}",
        f"whose {target} is {{value}}", f"with {{value}} as the {target}",
    ]  # fmt: skip
    if target.rpartition(" ")[2] in _CONTAINER_NOUNS:
        said += [f"in the {{value}} {target}", f"from the {{value}} {target}", f"in the {target} {{value}}"]
    return said


def _names(noun: str, role: str, *, alone: bool) -> list[str]:
    """List nouns for one end: its role, and its label's noun where that is unambiguous."""
    return list(dict.fromkeys(each for each in (noun if alone else "", role) if each))


def _without_noun(name: str, target: str) -> str:
    """Remove the target's noun from the end of a type's name: `lost in battle` to a battle is `lost in`."""
    return name.removesuffix(f" {target}") if name != target else name


def _parse_type_name(name: str, source: str, target: str) -> _Words:
    first, _, rest = name.partition(" ")
    if first in _POSSESSIVE_VERBS and _is_verb_phrase(_without_noun(rest, target)):
        return _parse_type_name(rest, source, target)  # `HAS_LOST_IN_BATTLE`, from a column `lost_in_battle`
    if name == target or first in _POSSESSIVE_VERBS:
        return _possession((rest if first in _POSSESSIVE_VERBS else name) or target, target)
    if first in _COPULAS:
        behind = rest.rpartition(" ")[2]
        return _state(rest, behind) if behind in PREPOSITIONS else _role(rest, target)
    if first in PREPOSITIONS:
        return _place(first, rest, target)
    if _is_verb(first) and not (name.endswith(" of") and _is_noun(first)):
        return _action(first, rest, source, target)
    return _description(name, target)


def _description(name: str, target: str) -> _Words:
    """Build entries of names without a verb: `ALLERGIC_TO`, `PART_OF`, `GENRE`."""
    first, _, rest = name.partition(" ")
    if "ADJ" in _lemmas(first) and rest in PREPOSITIONS:
        return _state(name, rest)
    return _noun(name.split(" "), target) if _lemmas(first) or not first.islower() else _unknown(name)


def _is_verb_phrase(phrase: str) -> bool:
    """Return whether a phrase is a participle or verb with a preposition: `caused by`, `lost in`."""
    first, _, rest = phrase.partition(" ")
    return rest in PREPOSITIONS and _is_verb(first) and (_is_past(first) or not _is_noun(first))


def _is_agent(noun: str, verb: str) -> bool:
    """Return whether a noun is who does what a verb says: a visitor visits."""
    lemma = _lemma(verb)
    stem = lemma.removesuffix("e")
    stem = re.sub(r"(?<=[^aeiou])y$", "i", stem)
    return noun.rpartition(" ")[2] in {f"{stem}er", f"{stem}or", f"{lemma}{lemma[-1:]}er", f"{lemma}ant"}


def _action(verb: str, rest: str, source: str, target: str) -> _Words:
    if rest.endswith(f" {target}") and rest.removesuffix(f" {target}") in PREPOSITIONS:
        rest = rest.removesuffix(f" {target}")  # `BELONGS_TO_MOVEMENT` to a movement
    lemma = _lemma(verb)
    if not rest and _lemma(source.rpartition(" ")[2]) == lemma:
        return _contents()  # `ORDERS` from an order to a product
    if not rest and _is_agent(target, verb) and not _is_agent(source, verb):
        return _passive(_form(lemma, "VBN"), source, target)  # `VISIT` from a museum to a visitor
    if not rest and lemma in vocabulary().verb_prepositions:
        return _with_preposition(verb, vocabulary().verb_prepositions[lemma], source)
    if rest == "by" and _is_past(verb):
        return _passive(verb, source, target)
    if rest.rpartition(" ")[2] in PREPOSITIONS:
        return _with_preposition(verb, rest, source)
    return _verb(verb, rest, source, target)


def _possession(role: str, target: str) -> _Words:
    shown = "{}" if target.endswith(role) else f"{role} {{}}"
    forward = [f"that [has|have] {shown}", f"with {shown}", f"having {shown}", f"that had {shown}"]
    backward = ["of {}", "that {} has", "belonging to {}", "for {}"]
    forward += [f"with {role} {{value}}", *_maker(role)]
    return _Words(forward, backward, role, without=f"without {shown}")


def _contents() -> _Words:
    """Build entries of a relationship that is called after its source: an order contains products."""
    forward = ["that [contains|contain] {}", "containing {}", "with {}", "that [includes|include] {}"]
    backward = ["in {}", "that [is|are] in {}", "contained in {}", "that {} contains", "on {}", "of {}"]
    return _Words(forward, backward, without="without {}")


def _maker(role: str) -> list[str]:
    """Build phrases for somebody who is called after what they do: a song that has a singer is sung by them."""
    noun = role.rpartition(" ")[2]
    stem = re.sub(r"(er|or)$", "", noun)
    candidates = [stem, f"{stem}e", stem[:-1], re.sub(r"i$", "y", stem)] if stem != noun else []
    verb = next((each for each in candidates if "VERB" in _lemmas(each) and _is_agent(noun, each)), "")
    if not verb or noun in _NO_MAKERS:
        return []
    done = _form(verb, "VBN")
    return [f"{done} by {{}}", f"that [was|were] {done} by {{}}"]


def _role(role: str, target: str) -> _Words:
    """Build entries such as `IS_PRIMARY_SUSPECT` to a drug: a primary suspect, or primary suspect drug."""
    named = role if role.endswith(target) else f"{role} {target}"
    shown = named if _only_adjective(role.rpartition(" ")[2]) else role
    one, many = article(shown), plural_of(shown)
    forward = [
        f"where {{}} is {one}", f"where {{}} is listed as {one}", f"with {{}} as {one}",
        f"with {{}} as {article(named)}",
        f"that [has|have] {{}} as {one}", f"involving {{}} as {one}", f"with {named} {{value}}",
        f"with the {named} {{value}}", f"where the {named} is {{value}}",
    ]  # fmt: skip
    backward = [
        f"that [is {one}|are {many}] in {{}}", f"listed as [{one}|{many}] in {{}}",
        f"that [is|are] listed as {shown} in {{}}",
    ]  # fmt: skip
    return _Words(forward, backward, named, without=f"without {{}} as {one}")


def _state(phrase: str, preposition: str) -> _Words:
    return _Words(
        [f"that [is|are] {phrase} {{}}", f"{phrase} {{}}"],
        [f"that {{}} is {phrase}", f"{preposition} which {{}} is {phrase.removesuffix(preposition).strip()}"],
        without=f"not {phrase} {{}}",
    )


def _place(preposition: str, rest: str, target: str) -> _Words:
    shown = "{}" if not rest or target.endswith(rest) else f"{rest} {{}}"
    forward = [f"{preposition} {shown}", f"that [is|are] {preposition} {shown}"]
    backward = ["of {}", "with {}", "that [has|have] {}"]
    return _Words(forward, backward, without=f"not {preposition} {shown}")


def _noun(words: list[str], target: str) -> _Words:
    """Build entries such as `PART_OF` (a part of) or `GENRE` (has the genre)."""
    if words[-1] not in PREPOSITIONS or len(words) < 2:
        return _possession(" ".join(words), target)
    noun, preposition = " ".join(words[:-1]), words[-1]
    forward = [f"that [is {article(noun)}|are {plural_of(noun)}] {preposition} {{}}"]
    backward = [f"that [has|have] {{}} as {article(noun)}", f"{preposition} which {{}} is {article(noun)}"]
    return _Words(forward, backward, source=noun)


def _unknown(name: str) -> _Words:
    return _Words(
        [f"linked to {{}} by {name}", f"with {article(name)} link to {{}}"],
        [f"to which {{}} is linked by {name}", f"linked by {name} from {{}}"],
    )


def _passive(participle: str, source: str, target: str) -> _Words:
    lemma = _lemma(participle)
    past = _form(lemma, "VBD")
    forward = [
        f"{participle} by {{}}",
        f"that [was|were] {participle} by {{}}",
    ]
    backward = [f"that {past} {{}}", f"that [has|have] {participle} {{}}", f"{_form(lemma, 'VBG')} {{}}"]
    is_named_after = _lemma(target.partition(" ")[0]) == lemma or _is_agent(target, participle)
    agent = "" if is_named_after else f"{_form(lemma, 'VBG')} {target}"
    return _Words(forward, backward, agent, f"{participle} {source}", f"not {participle} by {{}}")


def _with_preposition(verb: str, behind: str, source: str) -> _Words:
    lemma = _lemma(verb)
    if _is_past(verb) and lemma not in _INTRANSITIVE_VERBS:
        phrase = f"{verb} {behind}"
        forward = [f"{phrase} {{}}", f"that [is|are] {phrase} {{}}", f"that [was|were] {phrase} {{}}"]
        place = behind.rpartition(" ")[2]
        before = (
            [f"{place} which {{}} is {verb}", f"{place} which {{}} was {verb}"] if place == behind else []
        )
        return _Words(
            forward,
            [*before, f"that {{}} is {phrase}"],
            source=f"{verb} {source}",
            without=f"not {phrase} {{}}",
        )
    third, ongoing = _form(lemma, "VBZ"), _form(lemma, "VBG")
    if _is_past(verb):
        forward = [f"that {verb} {behind} {{}}", f"{ongoing} {behind} {{}}"]
        return _Words(forward, [f"that {{}} {verb} {behind}"], without=f"that did not {lemma} {behind} {{}}")
    forward = [f"that [{third}|{lemma}] {behind} {{}}", f"{ongoing} {behind} {{}}"]
    return _Words(
        forward, [f"that {{}} {third} {behind}"], without=f"that [does|do] not {lemma} {behind} {{}}"
    )


def _verb(verb: str, rest: str, source: str, target: str) -> _Words:
    behind = "" if not rest or target.endswith(rest) else f" {plural_of(rest)} in"
    lemma = _lemma(verb)
    participle, ongoing, third = _form(lemma, "VBN"), _form(lemma, "VBG"), _form(lemma, "VBZ")
    if behind:
        past = verb if _is_past(verb) else f"[{third}|{lemma}]"
        return _Words(
            [f"that {past}{behind} {{}}", f"{ongoing}{behind} {{}}"],
            [f"in which {{}} {_form(lemma, 'VBD')} {plural_of(rest)}"],
        )
    is_named_after = _lemma(source.partition(" ")[0]) == lemma or _is_agent(source, verb)
    roles = f"{participle} {target}", "" if is_named_after else f"{ongoing} {source}"
    if _is_past(verb):
        forward = [f"that {verb} {{}}", f"that [has|have] {participle} {{}}", f"{ongoing} {{}}"]
        backward = [f"{participle} by {{}}", f"that [was|were] {participle} by {{}}", f"that {{}} {verb}"]
        return _Words(forward, backward, *roles, without=f"that did not {lemma} {{}}")
    forward = [f"that [{third}|{lemma}] {{}}", f"{ongoing} {{}}"]
    backward = [f"{participle} by {{}}", f"that [is|are] {participle} by {{}}", f"that {{}} {third}"]
    return _Words(forward, backward, *roles, without=f"that [does|do] not {lemma} {{}}")


@cache
def _lemmas(word: str) -> dict[str, tuple[str, ...]]:
    import lemminflect

    found: dict[str, tuple[str, ...]] = lemminflect.getAllLemmas(word)
    if not found and re.search(r"\w{3}(ed|s|ing)$", word):
        found = lemminflect.getAllLemmasOOV(word, "VERB")
    return found


def _is_verb(word: str) -> bool:
    return "VERB" in _lemmas(word) or "AUX" in _lemmas(word)


def _is_noun(word: str) -> bool:
    return word in _lemmas(word).get("NOUN", ())


def is_adjective(word: str) -> bool:
    """Return whether a word can follow "is" without an article."""
    kinds = _lemmas(word)
    return "ADJ" in kinds or "NOUN" not in kinds


def _only_adjective(word: str) -> bool:
    """Return whether a word cannot be used as a noun by itself."""
    kinds = _lemmas(word)
    return "NOUN" not in kinds or ("ADJ" in kinds and word.endswith(("ant", "ary", "al", "ive", "ed", "ing")))


def _lemma(word: str) -> str:
    return _lemmas(word).get("VERB", (word,))[0]


@cache
def _form(lemma: str, tag: str) -> str:
    import lemminflect

    found = lemminflect.getInflection(lemma, tag)
    return str(found[0]) if found else lemma


def verb_form(lemma: str, tag: str) -> str:
    """Return an inflected form of a verb.

    Args:
        lemma: infinitive.
        tag: Penn Treebank tag, such as `VBN`.
    """
    return _form(lemma, tag)


def _is_past(verb: str) -> bool:
    lemma = _lemma(verb)
    return verb != lemma and verb in {_form(lemma, "VBD"), _form(lemma, "VBN")}
