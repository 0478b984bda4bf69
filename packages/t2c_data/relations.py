"""What the name of a relationship type suggests: phrases in both directions.

`HAS_REACTION` has a noun, `REPORTED_BY` and `RECEIVED` a participle, `TREATS` a verb, `FALLS_UNDER` a verb with a
preposition, `IS_PRIMARY_SUSPECT` a role. Knows English word endings and a few irregular verbs; no schema, no model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

PREPOSITIONS = frozenset(
    "by in on at of to from for with into under over as about via through until since between against near".split()
)
_POSSESSION = frozenset({"has", "have", "had", "contains", "includes", "with"})
_BEING = frozenset({"is", "are", "was", "were"})
_IRREGULAR = {
    "know": "known", "write": "written", "teach": "taught", "buy": "bought", "sell": "sold", "make": "made",
    "send": "sent", "lead": "led", "win": "won", "give": "given", "take": "taken", "hold": "held", "see": "seen",
    "drive": "driven", "eat": "eaten", "read": "read", "run": "run", "wear": "worn", "speak": "spoken", "meet": "met",
}  # fmt: skip
_PARTICIPLES = frozenset(_IRREGULAR.values()) - {"read", "run"} | {
    "born",
    "built",
    "done",
    "found",
    "shown",
    "played",
}


@dataclass
class _Words:
    forward: list[str] = field(default_factory=list)
    backward: list[str] = field(default_factory=list)
    role: str = ""


def relation(name: str, source: str, target: str, *, alone: bool) -> dict[str, Any]:
    """Draft the words of a relationship.

    Args:
        name: the type in lower-case words, such as `reported by`.
        source: the source's noun.
        target: the target's noun.
        alone: whether no other type joins the two labels, so that general words cannot mean another.
    """
    words = _suggested(name, target)
    if alone:
        words.forward += ["with {}", "associated with {}", "that have {}"]
        words.backward += ["of {}", "for {}", "associated with {}", "in {}"]
    words.forward += [f"linked to {{}} by {name}"]
    role = words.role or (target if alone else "")
    return {
        "forward": list(dict.fromkeys(words.forward)),
        "backward": list(dict.fromkeys(words.backward)),
        "target": [role] if role else [],
        "source": [source] if alone else [],
        "without": [f"without {{}} by {name}" if not alone else "without {}"],
    }


def _suggested(name: str, target: str) -> _Words:
    words = name.split(" ")
    first, last, rest = words[0], words[-1], " ".join(words[1:])
    if name == target or first in _POSSESSION:
        return _possession((rest if first in _POSSESSION else name) or target, target)
    if first in _BEING:
        return _role(rest) if last not in PREPOSITIONS else _state(rest, first)
    if last == "by" and len(words) == 2:
        return _passive(first)
    if last in PREPOSITIONS and len(words) > 1:
        return _with_preposition(words)
    if last in PREPOSITIONS:
        return _Words([f"that [is|are] {name} {{}}", f"{name} {{}}"], ["of {}", "related to {}"])
    return _verb(first, rest)


def _possession(role: str, target: str) -> _Words:
    shown = "{}" if target.endswith(role) else f"{role} {{}}"
    forward = [f"that [has|have] {shown}", f"with {shown}", f"having {shown}", f"that had {shown}"]
    return _Words(
        [*forward, f"with {role} {{value}}"], ["of {}", "that {} have", "belonging to {}", "for {}"], role
    )


def _role(role: str) -> _Words:
    one = ("an " if role[:1] in "aeiou" else "a ") + role
    forward = [
        f"where {{}} is {one}", f"where {{}} is listed as {one}", f"with {{}} as {one}",
        f"that [has|have] {{}} as {role}", f"involving {{}} as {one}", f"with {role} {{value}}",
    ]  # fmt: skip
    return _Words(
        forward,
        [f"that [is|are] {role} in {{}}", f"listed as {role} in {{}}", f"that [is|are] {one} of {{}}"],
        role,
    )


def _state(phrase: str, being: str) -> _Words:
    return _Words([f"that [is|are] {phrase} {{}}", f"{phrase} {{}}"], [f"that {{}} {being} {phrase}"])


def _passive(participle: str) -> _Words:
    forward = [
        f"{participle} by {{}}",
        f"that were {participle} by {{}}",
        f"that [is|are] {participle} by {{}}",
    ]
    return _Words(
        forward, [f"that {participle} {{}}", f"who {participle} {{}}", f"that have {participle} {{}}"]
    )


def _with_preposition(words: list[str]) -> _Words:
    verb, behind = words[0], " ".join(words[1:])
    phrase = " ".join(words)
    if _is_past(verb):
        forward = [f"that {phrase} {{}}", f"{phrase} {{}}", f"that [is|are] {phrase} {{}}"]
        return _Words(forward, [f"that {{}} {phrase}", f"{{}} {phrase}"][:1])
    bare = _bare(verb)
    forward = [
        f"that [{_third(bare)}|{bare}] {behind} {{}}",
        f"{_ongoing(bare)} {behind} {{}}",
        f"that {_past(bare)} {behind} {{}}",
    ]
    return _Words(forward, [f"that {{}} {bare} {behind}"])


def _verb(verb: str, rest: str) -> _Words:
    behind = f" {rest}" if rest else ""
    if _is_past(verb):
        forward = [f"that {verb}{behind} {{}}", f"who {verb}{behind} {{}}", f"that have {verb}{behind} {{}}"]
        return _Words(forward, [f"{verb}{behind} by {{}}", f"that were {verb}{behind} by {{}}"])
    bare = _bare(verb)
    past = _IRREGULAR.get(bare, _past(bare))
    forward = [
        f"that [{_third(bare)}|{bare}]{behind} {{}}",
        f"who [{_third(bare)}|{bare}]{behind} {{}}",
        f"{_ongoing(bare)}{behind} {{}}",
    ]
    backward = [
        f"{past}{behind} by {{}}",
        f"that [is|are] {past}{behind} by {{}}",
        f"that {{}} {bare}{behind}",
    ]
    return _Words(forward, backward)


def _is_past(verb: str) -> bool:
    return verb.endswith("ed") or verb in _PARTICIPLES


def _bare(verb: str) -> str:
    if re.search(r"(ss|sh|ch|x|z)es$", verb):
        return verb[:-2]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def _third(verb: str) -> str:
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def _ongoing(verb: str) -> str:
    return verb[:-1] + "ing" if re.search(r"[^e]e$", verb) else verb + "ing"


def _past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else verb + "ed"
