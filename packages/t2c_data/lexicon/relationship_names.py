"""What the name of a relationship type suggests: phrases in both directions, and what the ends are called.

`HAS_REACTION` has a noun, `REPORTED_BY` and `RECEIVED` a participle, `TREATS` a verb, `FALLS_UNDER` a verb with a
preposition, `IN_SQUAD` a preposition, `IS_PRIMARY_SUSPECT` a role. Verbs are inflected by lemminflect; no schema, no
model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

PREPOSITIONS = frozenset(
    "by in on at of to from for with into under over as about via through until since between against near".split()
)
_POSSESSION = frozenset({"has", "have", "had", "contains", "includes", "with", "owns"})
_GROUPS = frozenset("area category class department division group level range region section team".split())
"""What one is in: `in the Elderly age group`."""
_BEING = frozenset({"is", "are", "was", "were"})
_ALONE = frozenset(
    """act appear apply arrive begin belong collaborate compete consist depart depend die differ end fall fly graduate
    happen interact lead live occur participate play rank refer reply reside respond result rise serve sit star start
    stay study subscribe travel vote work""".split()
)
"""Verbs whose past with a preposition is no passive: `that resulted in`, but `that is located in`."""


@dataclass
class _Words:
    forward: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)
    target: str = ""
    source: str = ""
    without: str = ""


def lexicalise_type(name: str, source: str, target: str, *, alone: bool) -> dict[str, Any]:
    """Draft the words of a relationship.

    Args:
        name: the type in lower-case words, such as `reported by`.
        source: the source's noun.
        target: the target's noun.
        alone: whether no other type joins the two labels, so that general words cannot mean another.
    """
    words = _parse_type_name(name, source, target)
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
        "target": _names(target, words.target, alone=alone),
        "source": _names(source, words.source, alone=alone),
        "without": [words.without] if words.without else [],
    }


def lexicalise_type_group(source: str, target: str) -> dict[str, Any]:
    """Draft the words of several relationships between two labels that one phrase may mean together.

    Args:
        source: the source's noun.
        target: the target's noun.
    """
    both = ["associated with {}", "linked to {}", "related to {}"]
    return {
        "forward": [*both, "that [involves|involve] {}", "involving {}", "with {}"],
        "backward": [*both, "involved in {}", "of {}", "for {}"],
        "target": [target],
        "source": [source],
    }


def _by_name(target: str) -> list[str]:
    """Speak of the only target by its name alone: `where the outcome is {value}`."""
    said = [
        f"with the {target} {{value}}", f"where the {target} is {{value}}", f"where the {target} was {{value}}",
        f"whose {target} is {{value}}", f"with {{value}} as the {target}",
    ]  # fmt: skip
    if target.rpartition(" ")[2] in _GROUPS:
        said += [f"in the {{value}} {target}", f"from the {{value}} {target}", f"in the {target} {{value}}"]
    return said


def _names(noun: str, role: str, *, alone: bool) -> list[str]:
    """Name an end: by its role, and by its noun where that can mean nothing else."""
    return list(dict.fromkeys(each for each in (noun if alone else "", role) if each))


def _parse_type_name(name: str, source: str, target: str) -> _Words:
    first, _, rest = name.partition(" ")
    if name == target or first in _POSSESSION:
        return _possession((rest if first in _POSSESSION else name) or target, target)
    if first in _BEING:
        behind = rest.rpartition(" ")[2]
        return _state(rest, behind) if behind in PREPOSITIONS else _role(rest, target)
    if first in PREPOSITIONS:
        return _place(first, rest, target)
    if _is_verb(first) and not (name.endswith(" of") and _is_noun(first)):
        return _action(first, rest, source, target)
    if "ADJ" in _lemmas(first) and rest in PREPOSITIONS:
        return _state(name, rest)
    return _noun(name.split(" "), target) if _lemmas(first) else _unknown(name)


def _action(verb: str, rest: str, source: str, target: str) -> _Words:
    if rest.endswith(f" {target}") and rest.removesuffix(f" {target}") in PREPOSITIONS:
        rest = rest.removesuffix(f" {target}")  # `BELONGS_TO_MOVEMENT` to a movement
    if rest == "by" and _is_past(verb):
        return _passive(verb, source, target)
    if rest.rpartition(" ")[2] in PREPOSITIONS:
        return _with_preposition(verb, rest, source)
    return _verb(verb, rest, source, target)


def _possession(role: str, target: str) -> _Words:
    shown = "{}" if target.endswith(role) else f"{role} {{}}"
    forward = [f"that [has|have] {shown}", f"with {shown}", f"having {shown}", f"that had {shown}"]
    backward = ["of {}", "that {} has", "belonging to {}", "for {}"]
    return _Words([*forward, f"with {role} {{value}}"], backward, role, without=f"without {shown}")


def _role(role: str, target: str) -> _Words:
    """`IS_PRIMARY_SUSPECT` to a drug: a primary suspect, or primary suspect drug; `IS_INTERACTING`: the latter only."""
    named = role if role.endswith(target) else f"{role} {target}"
    shown = named if _only_adjective(role.rpartition(" ")[2]) else role
    one, many = _an(shown), _plural(shown)
    forward = [
        f"where {{}} is {one}", f"where {{}} is listed as {one}", f"with {{}} as {one}", f"with {{}} as {_an(named)}",
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
    """`PART_OF`: a part of; `GENRE`: has the genre."""
    if words[-1] not in PREPOSITIONS or len(words) < 2:
        return _possession(" ".join(words), target)
    noun, preposition = " ".join(words[:-1]), words[-1]
    forward = [f"that [is {_an(noun)}|are {_plural(noun)}] {preposition} {{}}"]
    backward = [f"that [has|have] {{}} as {_an(noun)}", f"{preposition} which {{}} is {_an(noun)}"]
    return _Words(forward, backward, source=noun)


def _unknown(name: str) -> _Words:
    return _Words(
        [f"linked to {{}} by {name}", f"with {_an(name)} link to {{}}"],
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
    agent = "" if _lemma(target.partition(" ")[0]) == lemma else f"{_form(lemma, 'VBG')} {target}"
    return _Words(forward, backward, agent, f"{participle} {source}", f"not {participle} by {{}}")


def _with_preposition(verb: str, behind: str, source: str) -> _Words:
    lemma = _lemma(verb)
    if _is_past(verb) and lemma not in _ALONE:
        phrase = f"{verb} {behind}"
        forward = [f"{phrase} {{}}", f"that [is|are] {phrase} {{}}", f"that [was|were] {phrase} {{}}"]
        return _Words(
            forward, [f"that {{}} is {phrase}"], source=f"{verb} {source}", without=f"not {phrase} {{}}"
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
    behind = "" if not rest or target.endswith(rest) else f" {_plural(rest)} in"
    lemma = _lemma(verb)
    participle, ongoing, third = _form(lemma, "VBN"), _form(lemma, "VBG"), _form(lemma, "VBZ")
    if behind:
        past = verb if _is_past(verb) else f"[{third}|{lemma}]"
        return _Words(
            [f"that {past}{behind} {{}}", f"{ongoing}{behind} {{}}"],
            [f"in which {{}} {_form(lemma, 'VBD')} {_plural(rest)}"],
        )
    roles = f"{participle} {target}", f"{ongoing} {source}"
    if _is_past(verb):
        forward = [f"that {verb} {{}}", f"that [has|have] {participle} {{}}", f"{ongoing} {{}}"]
        backward = [f"{participle} by {{}}", f"that [was|were] {participle} by {{}}", f"that {{}} {verb}"]
        return _Words(forward, backward, *roles, without=f"that did not {lemma} {{}}")
    forward = [f"that [{third}|{lemma}] {{}}", f"{ongoing} {{}}"]
    backward = [f"{participle} by {{}}", f"that [is|are] {participle} by {{}}", f"that {{}} {third}"]
    return _Words(forward, backward, *roles, without=f"that [does|do] not {lemma} {{}}")


# inflection


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
    """Tell whether a word can stand behind "is" without an article."""
    kinds = _lemmas(word)
    return "ADJ" in kinds or "NOUN" not in kinds


def _only_adjective(word: str) -> bool:
    """Tell whether a word cannot stand alone as a noun."""
    kinds = _lemmas(word)
    return "NOUN" not in kinds or ("ADJ" in kinds and word.endswith(("ant", "ary", "al", "ive", "ed", "ing")))


def _lemma(word: str) -> str:
    return _lemmas(word).get("VERB", (word,))[0]


@cache
def _form(lemma: str, tag: str) -> str:
    import lemminflect

    found = lemminflect.getInflection(lemma, tag)
    return str(found[0]) if found else lemma


def _is_past(verb: str) -> bool:
    lemma = _lemma(verb)
    return verb != lemma and verb in {_form(lemma, "VBD"), _form(lemma, "VBN")}


def _an(noun: str) -> str:
    vowel = re.match(r"[aeiou](?!ni|ser|u)", noun)
    return ("an " if vowel else "a ") + noun


def _plural(noun: str) -> str:
    from t2c_data.lexicon.draft import plural_of

    return plural_of(noun)
