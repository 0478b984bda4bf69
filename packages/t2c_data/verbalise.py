"""Puts trees into words: noun phrases with what narrows them, and names for what is returned.

Phrases come from the lexicon and from general patterns; every choice from a generator. Holds no query.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.binding import UnfitError
from t2c_data.tree import Condition, Link, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from t2c_core.schema.model import Triple
    from t2c_data.binding import World
    from t2c_data.lexicon import LinkWords, Noun
    from t2c_data.tree import Degree

_MARKER = re.compile(r"\[([^|\[\]]*)\|([^|\[\]]*)\]")
_INTROS = ("that ", "who ", "where ", "in which ", "whose ")

RAW = 0.03
"""How often a property is called by its name in the schema."""

MORE = (
    "greater than",
    "greater than",
    "over",
    "above",
    "more than",
    "higher than",
    "exceeding",
    "larger than",
)
LESS = ("less than", "less than", "under", "below", "lower than", "smaller than", "fewer than")
AT_LEAST = ("at least", "at least", "no less than", "greater than or equal to", "not less than")
AT_MOST = ("at most", "at most", "no more than", "less than or equal to", "up to", "not more than")


def inflect(text: str, *, plural: bool) -> str:
    """Choose between singular and plural where a phrase offers both: `[is|are]`."""
    return _MARKER.sub(lambda match: match[2 if plural else 1], text)


class Speaker:
    """Says trees.

    Args:
        world: the graph and its lexicon.
        rng: every choice comes from it.
    """

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng

    def pick(self, choices: Sequence[str]) -> str:
        """Choose a text."""
        if not choices:
            raise UnfitError("no words")
        return self.rng.choice(choices)

    # nouns

    def noun(self, label: str, *, plural: bool, people: bool | None = None) -> tuple[str, bool]:
        """Choose a label's noun; tells whether it names people."""
        words = self.world.lexicon.labels[label]
        use_people = bool(words.people) and (people if people is not None else self.rng.random() < 0.3)
        noun = self.rng.choice(words.people if use_people else words.nouns)
        return noun[plural], use_people

    def property_noun(self, owner: str, name: str, *, plural: bool = False) -> str:
        """Choose a property's noun."""
        words = self.world.words(owner, name)
        if words is None:
            raise UnfitError("no words for a property")
        return self._raw(name) if self.rng.random() < RAW else self.rng.choice(words.nouns)[plural]

    def _raw(self, name: str) -> str:
        """Write a property as the schema does, which people who know it sometimes do."""
        return self.rng.choice((name, f"'{name}'", f"'{name}'", f"'{name}' property"))

    def role(self, link: Link, *, plural: bool, certain: bool = False) -> str:
        """Choose what the far end of a link is called, seen from its holder.

        Args:
            link: the link.
            plural: number.
            certain: whether the label's own noun would do, since the tree has the link already.
        """
        words = self._link_words(link)
        roles = list(words.target if link.forward else words.source)
        nouns = list(self.world.lexicon.labels[link.node.label].nouns)
        rivals = [hop for hop in self.world.hops[self._holder(link)] if hop.end == link.node.label]
        if (
            certain
            or len({hop.triple.type for hop in rivals}) == 1
            or not roles
            or words.assumed
            and self.rng.random() < 0.1
        ):
            roles += nouns if self.rng.random() < 0.5 or not roles else []
        return self.rng.choice(roles)[plural]

    def _holder(self, link: Link) -> str:
        return link.triple.source if link.forward else link.triple.target

    def _link_words(self, link: Link) -> LinkWords:
        if link.types:
            for group in self.world.lexicon.groups:
                if set(group.types) >= set(link.types):
                    for hop in self.world.hops[self._holder(link)]:
                        if hop.types == link.types and hop.triple == link.triple:
                            return hop.words
        return self.world.lexicon.link(link.triple)

    # noun phrases

    def phrase(
        self,
        node: Node,
        *,
        plural: bool,
        nouns: Sequence[Noun] = (),
        people: bool | None = None,
        skip: Link | None = None,
    ) -> str:
        """Say a node with all that narrows it: `cases that resulted in death`."""
        if nouns:
            noun, is_people = self.rng.choice(nouns)[plural], False
        else:
            noun, is_people = self.noun(node.label, plural=plural, people=people)
        modifiers = self.modifiers(node, plural=plural, people=is_people, skip=skip)
        return self.assemble(noun, modifiers)

    def modifiers(
        self, node: Node, *, plural: bool, people: bool, skip: Link | None = None, only: str = ""
    ) -> list[tuple[str, str]]:
        """Say each condition and link of a node as (introduction, text); `pre` stands before the noun.

        Args:
            node: whose conditions.
            plural: number of the noun in front.
            people: whether that noun names people.
            skip: a link that is said otherwise.
            only: the group that all must belong to, `that` or `where`; UnfitError if one cannot.
        """
        jobs: list[tuple[list[str], Link | None]] = []
        if node.either and len(node.conditions) > 1:
            jobs.append((self._alternatives(node), None))
        else:
            jobs += [(self._said(node.label, each, node=node), None) for each in node.conditions]
        jobs += [(self._degree(each), None) for each in node.degrees]
        jobs += [(self.linked(each), each) for each in node.links if each is not skip and not each.silent]
        self.rng.shuffle(jobs)
        chosen = []
        for job, link in jobs:
            fitting = job if people else [each for each in job if not each.startswith("who ")]
            if only:
                intros = {"that": ("that ", "who "), "where": ("where ", "in which ")}[only]
                fitting = [each for each in fitting if each.startswith(intros)]
            phrase = self.pick(fitting)
            text = inflect(self.finished(phrase, link) if link else phrase, plural=plural)
            intro, body = _opened(text)
            if people and intro == "that" and self.rng.random() < 0.8:
                intro = "who"
            chosen.append((intro, body))
        return chosen

    def assemble(self, noun: str, modifiers: list[tuple[str, str]]) -> str:
        """Put a noun and what narrows it together."""
        before = [text for intro, text in modifiers if intro == "pre"]
        rest = [each for each in modifiers if each[0] != "pre"]
        if self.rng.random() < 0.85:
            order = {"": 0, "that": 1, "who": 1, "whose": 2, "where": 3, "in which": 3}
            rest.sort(key=lambda each: order[each[0]])
        text = " ".join([*before, noun])
        previous = None
        for position, (intro, body) in enumerate(rest):
            last = position == len(rest) - 1
            if previous is None:
                joint = " "
            elif (
                previous == intro
                or {previous, intro} <= {"where", "in which"}
                or {previous, intro} <= {"that", "who"}
            ):
                joint = " and " if last or self.rng.random() < 0.5 else ", "
            else:
                joint = self.rng.choice([" ", " ", " and ", ", "] if intro else [" and ", ", and "])
            same = (
                previous is not None
                and intro
                and joint != " "
                and (
                    previous == intro
                    or {previous, intro} <= {"where", "in which"}
                    or {previous, intro} <= {"that", "who"}
                )
            )
            shown = "" if same and self.rng.random() < 0.75 else intro + " " if intro else ""
            text += joint + shown + body
            previous = intro
        return text

    def clause(self, node: Node, *, plural: bool, people: bool = False) -> str:
        """Say all conditions as one finite clause: `resulted in death and were reported by a consumer`."""
        parts = self.modifiers(node, plural=plural, people=people, only="that")
        if not parts:
            raise UnfitError("nothing to say")
        return " and ".join(body for _, body in parts)

    def where(self, node: Node) -> str:
        """Say all conditions as what follows "where": `the outcome is death and the age is over 60`."""
        parts = self.modifiers(node, plural=False, people=False, only="where")
        if not parts:
            raise UnfitError("nothing to say")
        return " and ".join(body for _, body in parts)

    # links

    def linked(self, link: Link) -> list[str]:
        """List phrases for a link in which `{}` still stands for its far end."""
        words = self._link_words(link)
        if link.absent:
            if not link.forward or not words.without:
                raise UnfitError("no words for absence")
            return list(words.without)
        said = []
        value = self._value(link.node)
        keep = self._unless(link.node.conditions[0]) if value else None
        for each in words.forward if link.forward else words.backward:
            if "{value}" not in each:
                said.append(each)
            elif keep is not None and (kept := keep(each)):
                said.append(kept.replace("{value}", value))
        return said + self._general(link, value)

    def finished(self, phrase: str, link: Link) -> str:
        """Put the far end into a phrase, and what else the link must meet behind it."""
        text = phrase.replace("{}", self._thing(link, absent=link.absent)) if "{}" in phrase else phrase
        return self._with_edge(text, link) if link.conditions else text

    def _general(self, link: Link, value: str) -> list[str]:
        words = self._link_words(link)
        roles = words.target if link.forward else words.source
        if not roles:
            return []
        role = self.rng.choice(roles)[0]
        if value and len(role.split(" ")) <= 4:
            return [
                f"where the {role} is {value}",
                f"with {role} {value}",
                f"with the {role} {value}",
                f"with {value} as the {role}",
                f"where {value} is the {role}",
                f"where the {role} was {value}",
            ]
        return []

    def _with_edge(self, text: str, link: Link) -> str:
        pieces = []
        clause = text.startswith(("where ", "in which "))
        for each in link.conditions:
            said = self._said(link.triple.type, each, node=None)
            plain = [one for one in said if not one.startswith(_INTROS) and not one.startswith("pre:")]
            wheres = [one for one in said if one.startswith("where ")]
            if clause and wheres and (not plain or self.rng.random() < 0.5):
                pieces.append("and " + self.pick(wheres).removeprefix("where "))
            elif plain:
                pieces.append(self.rng.choice(("", "", "and ")) + self.pick(plain))
            else:
                pieces.append(self.pick(said))
        return " ".join([text, *pieces])

    def _value(self, node: Node) -> str:
        """Say only the value by which a node is named; empty if it is not named so."""
        if len(node.conditions) != 1 or node.links or node.degrees:
            return ""
        condition = node.conditions[0]
        names = self.world.lexicon.labels[node.label].name
        if condition.name not in names or not self._is_plain(node.label, condition, names):
            return ""
        marks = [each.mark for each in condition.mentions]
        if condition.operator == "eq" and condition.also is not None:
            return self.rng.choice(("both ", "both ", "")) + f"{marks[0]} and {condition.also.mark}"
        if condition.operator == "eq":
            return marks[0]
        if condition.operator == "in":
            return self.rng.choice(("", "either ")) + _either(marks)
        return ""

    def _is_plain(self, label: str, condition: Condition, names: tuple[str, ...]) -> bool:
        """Tell whether a bare value can only mean this property."""
        for name in names:
            if name == condition.name:
                return True
            other = self.world.sample.folded.get((label, name), frozenset())
            if any(str(each.value).lower() in other for each in condition.mentions):
                return False
        return False

    def _thing(self, link: Link, *, absent: bool = False) -> str:
        """Say the far end of a link: `the drug 'ASPIRIN'`, `a therapy`, `cases reported by ...`."""
        node = link.node
        words = self.world.lexicon.labels[node.label]
        noun = self.rng.choice(words.nouns)
        value = self._value(node)
        rng = self.rng
        if value and node.conditions[0].also is not None:
            return rng.choice((value, f"the {noun[1]} {value}", value))
        if value:
            if node.conditions[0].operator == "in":
                return rng.choice((value, f"{noun[0]} {value}", f"the {noun[1]} {value}"))
            named = list(self._named(node))
            return rng.choices(
                [value, f"the {noun[0]} {value}", f"{noun[0]} {value}", f"{value} {noun[1]}", *named],
                [6, 3, 1.5, 0.5, *([2 / len(named)] * len(named))],
            )[0]
        both = self._named_and_more(node)
        if both:
            return both
        if not node.conditions and not node.links and not node.degrees:
            if absent:
                return rng.choice((f"any {noun[1]}", f"any {noun[0]}", f"a {noun[0]}", noun[1]))
            return rng.choice(
                (
                    _article(noun[0]),
                    _article(noun[0]),
                    f"any {noun[0]}",
                    noun[1],
                    f"at least one {noun[0]}",
                    f"some {noun[0]}",
                )
            )
        unique = self.unique(node)
        if unique:
            return (
                f"the {self.phrase(node, plural=False)}"
                if rng.random() < 0.8
                else self.phrase(node, plural=False)
            )
        if rng.random() < 0.5:
            return rng.choice(("", "", "the ", "any ")) + self.phrase(node, plural=True)
        return _article(self.phrase(node, plural=False))

    def _named_and_more(self, node: Node) -> str:
        """Say a node by its name and one more condition: `the drug X with the primary substance Y`."""
        names = self.world.lexicon.labels[node.label].name
        if len(node.conditions) != 2 or node.links or node.degrees or not names:
            return ""
        first, second = node.conditions
        if first.operator != "eq" or first.name != names[0] or first.literal:
            return ""
        said = [
            each
            for each in self._said(node.label, second, node=node)
            if not each.startswith(("pre:", "who ", "that "))
        ]
        noun = self.rng.choice(self.world.lexicon.labels[node.label].nouns)[0]
        start = self.rng.choice(
            (
                first.mentions[0].mark,
                f"the {noun} {first.mentions[0].mark}",
                f"{noun} {first.mentions[0].mark}",
            )
        )
        more = inflect(self.pick(said), plural=False)
        return start + (
            f", {more}," if more.startswith(("where ", "whose ")) or self.rng.random() < 0.2 else f" {more}"
        )

    def _named(self, node: Node) -> list[str]:
        condition = node.conditions[0]
        noun = self.rng.choice(self.world.lexicon.labels[node.label].nouns)[0]
        said = [
            inflect(each, plural=False)
            for each in self._said(node.label, condition, node=node)
            if not each.startswith(("pre:", "who "))
        ]
        return [_article(f"{noun} {self.pick(said)}"), f"the {noun} {self.pick(said)}"]

    def unique(self, node: Node) -> bool:
        """Tell whether conditions single out one node."""
        for each in node.conditions:
            if each.operator == "eq" and self.world.property(node.label, each.name).unique:
                return True
            if each.operator == "eq" and self.world.kind(node.label, each.name) == "id":
                return True
        return False

    def _degree(self, degree: Degree) -> list[str]:
        link = degree.link
        words = self._link_words(link)
        phrases = list(words.forward if link.forward else words.backward)
        noun = self.role(link, plural=True, certain=True)
        mark = degree.mention.mark
        signs = {
            "gt": ("more than", "over", "more than"), "ge": ("at least", "at least", "no fewer than"),
            "lt": ("fewer than", "less than", "under"), "le": ("at most", "no more than", "up to"), "eq": ("exactly", "exactly", "precisely"),
        }[degree.operator]  # fmt: skip
        amount = f"{self.rng.choice(signs)} {mark} {noun}"
        if degree.operator == "ge" and self.rng.random() < 0.2:
            amount = f"{mark} or more {noun}"
        said = [
            each.replace("{}", amount)
            for each in phrases
            if "{value}" not in each and each.startswith("that ")
        ]
        return [*said, f"with {amount}", f"that [has|have] {amount}", f"having {amount}"]

    # conditions

    def _alternatives(self, node: Node) -> list[str]:
        texts = []
        for each in node.conditions:
            wheres = [one for one in self._said(node.label, each, node=node) if one.startswith("where ")]
            texts.append(self.pick(wheres).removeprefix("where "))
        return ["where " + self.rng.choice(("", "either ")) + " or ".join(texts)]

    def _said(self, owner: str, condition: Condition, *, node: Node | None) -> list[str]:
        """Say a condition in several ways, each to be put behind (or with `pre:` before) a noun."""
        words = self.world.words(owner, condition.name)
        if words is None:
            raise UnfitError("no words for a property")
        noun = (
            self._raw(condition.name).removesuffix(" property")
            if self.rng.random() < RAW
            else self.rng.choice(words.nouns)[0]
        )
        marks = [each.mark for each in condition.mentions]
        own = ""
        if node is not None and owner == node.label and self.rng.random() < 0.15:
            own = self.rng.choice(self.world.lexicon.labels[owner].nouns)[0] + "'s "
        operator = condition.operator
        if condition.literal:
            return self._literal(condition, words.values, noun)
        if operator in {"true", "false"}:
            said = list(words.yes if operator == "true" else words.no)
            adjectives = [f"pre:{each}" for each in words.values.get(operator, ())]
            flag = operator if self.rng.random() < 0.7 else {"true": "yes", "false": "no"}[operator]
            return said + adjectives + [f"where {noun} is {flag}", f"with {noun} {flag}"][: 1 if said else 2]
        if operator in {"null", "known"}:
            return _presence(noun, operator)
        if words.when and operator in _TIMES and self.rng.random() < 0.6:
            return [each.replace("{}", self._time(condition)) for each in words.when]
        if operator in _TIMES:
            time = self._time(condition)
            said = [
                f"where the {own}{noun} is {time}",
                f"with {_article(noun)} {time}",
                f"whose {noun} is {time}",
                f"where the {own}{noun} was {time}",
                f"with {noun} {time}",
            ]
            if operator == "on":
                said += [
                    f"where the {noun} is {marks[0]}",
                    f"with {noun} {marks[0]}",
                    f"with the {noun} {marks[0]}",
                    f"whose {noun} is {marks[0]}",
                ]
            return said
        phrases = [each for each in map(self._unless(condition), words.phrases) if each]
        if operator == "ne" and self.rng.random() < 0.35:
            others = _negated(phrases)
            if others:
                return [each.replace("{}", marks[0]) for each in others]
        special = {"eq": phrases, "gt": words.more, "lt": words.less}.get(operator, ())
        unit = (" " + self.rng.choice(words.unit)) if words.unit and self.rng.random() < 0.15 else ""
        said = [
            each.replace("{}", marks[0]) + ("" if "old" in each or operator == "eq" else unit)
            for each in special
        ]
        general = self._general_comparison(noun, own, operator, marks, unit)
        if operator == "eq" and str(condition.mentions[0].value) in words.values and self.rng.random() < 0.4:
            adjective = self.pick(words.values[str(condition.mentions[0].value)])
            return [
                f"where the {own}{noun} is {adjective} ({marks[0]})",
                f"with {noun} {adjective} ({marks[0]})",
            ]
        if said and self.rng.random() < 0.5:
            return said
        return general + said[: 2 if said else 0]

    def _unless(self, condition: Condition) -> Callable[[str], str]:
        """Leave out phrases that would mean another property: `reported by {} !unless Source.name`."""

        def keep(phrase: str) -> str:
            text, bar, place = phrase.partition(" !unless ")
            if bar:
                owner, _, name = place.partition(".")
                others = self.world.sample.folded.get((owner, name), frozenset())
                if any(str(each.value).lower() in others for each in condition.mentions):
                    return ""
            return text

        return keep

    def _general_comparison(
        self, noun: str, own: str, operator: str, marks: list[str], unit: str
    ) -> list[str]:
        rng = self.rng
        first = marks[0]
        if operator == "eq":
            value = first + unit
            said = [
                f"with {noun} {value}",
                f"with the {noun} {value}",
                f"with {_article(noun)} of {value}",
                f"having {noun} {value}",
            ]
            said += [
                f"where the {own}{noun} is {value}",
                f"where the {own}{noun} is {value}",
                f"where the {noun} was {value}",
                f"whose {noun} is {value}",
            ]
            said += [
                f"that [has|have] the {noun} {value}",
                f"that [has|have] {_article(noun)} of {value}",
                f"that [has|have] {value} as [its|their] {noun}",
                f"with {value} as the {noun}",
            ]
            return said + [
                f"with {value} as [its|their] {noun}",
                f"having the {noun} {value}",
                f"with {noun} equal to {value}",
                f"where {noun} = {value}",
                f"that [has|have] {value} as {noun}",
            ]
        if operator == "ne":
            return [
                f"where the {own}{noun} is not {first}",
                f"whose {noun} is not {first}",
                f"with {_article(noun)} other than {first}",
                f"where the {noun} is different from {first}",
                f"where the {own}{noun} was not {first}",
                f"with {noun} not equal to {first}",
            ]
        if operator == "in":
            either = _either(marks)
            return [
                f"with {noun} {either}",
                f"where the {noun} is {either}",
                f"where the {own}{noun} is either {either}",
                f"whose {noun} is {either}",
                f"with either {either} as {noun}",
            ]
        if operator == "between":
            span = (
                rng.choice(
                    (
                        f"between {marks[0]} and {marks[1]}",
                        f"from {marks[0]} to {marks[1]}",
                        f"between {marks[0]} and {marks[1]}",
                    )
                )
                + unit
            )
            return [
                f"with {_article(noun)} {span}",
                f"where the {own}{noun} is {span}",
                f"whose {noun} is {span}",
                f"with {noun} {span}",
                f"that [has|have] {_article(noun)} {span}",
            ]
        if operator in _PARTS:
            return [each.format(noun=noun, a=_article(noun), own=own, v=first) for each in _PARTS[operator]]
        if operator == "has":
            return [
                f"with {first} among the {noun}",
                f"where the {noun} includes {first}",
                f"where the {noun} contains {first}",
                f"whose {noun} includes {first}",
                f"that [has|have] the {noun} {first}",
                f"with {noun} {first}",
                f"that [has|have] {first} as {_article(noun)}",
            ]
        signs = {"gt": MORE, "lt": LESS, "ge": AT_LEAST, "le": AT_MOST}[operator]
        limit = rng.choice(signs) + " " + first + unit
        if operator == "ge" and rng.random() < 0.2:
            limit = f"{first}{unit} or more"
        if operator == "le" and rng.random() < 0.2:
            limit = f"{first}{unit} or less"
        said = [
            f"with {_article(noun)} {limit}",
            f"with {noun} {limit}",
            f"where the {own}{noun} is {limit}",
            f"where the {own}{noun} is {limit}",
            f"whose {noun} is {limit}",
            f"that [has|have] {_article(noun)} {limit}",
            f"with {_article(noun)} of {limit}",
            f"having {_article(noun)} {limit}",
        ]
        if operator == "gt":
            said.append(f"where the {noun} exceeds {first}{unit}")
        return said

    def _literal(self, condition: Condition, values: dict[str, tuple[str, ...]], noun: str) -> list[str]:
        text = condition.literal.strip("'")
        adjective = self.pick(values[text])
        if condition.operator == "ne":
            return [f"where the {noun} is not {adjective}"]
        return [
            f"pre:{adjective}",
            f"pre:{adjective}",
            f"where the {noun} is {adjective}",
            f"with {noun} {adjective}",
            f"who [is|are] {adjective}",
            f"of {noun} {adjective}",
        ]

    def _time(self, condition: Condition) -> str:
        marks = [each.mark for each in condition.mentions]
        a, b = marks[0], marks[-1]
        choices = {
            "on": (f"on {a}",),
            "before": (f"before {a}", f"before {a}", f"earlier than {a}", f"prior to {a}"),
            "after": (f"after {a}", f"after {a}", f"later than {a}"),
            "since": (f"since {a}", f"on or after {a}", f"from {a} onwards", f"starting from {a}"),
            "until": (f"until {a}", f"on or before {a}", f"up to {a}"),
            "during": (f"between {a} and {b}", f"between {a} and {b}", f"from {a} to {b}"),
            "year": (f"in {a}", f"in the year {a}", f"during {a}", f"in {a}"),
            "month": (f"in {a} {b}", f"in {a} of {b}", f"during {a} {b}", f"in {a} {b}") if len(marks) > 1 else (f"in {a}", f"in the month of {a}"),
            "after_year": (f"after {a}", f"after the year {a}", f"later than {a}"),
            "before_year": (f"before {a}", f"before the year {a}", f"prior to {a}"),
            "years": (f"between {a} and {b}", f"from {a} to {b}", f"between the years {a} and {b}"),
        }[condition.operator]  # fmt: skip
        return self.rng.choice(choices)


_TIMES = frozenset(
    {
        "on",
        "before",
        "after",
        "since",
        "until",
        "during",
        "year",
        "month",
        "after_year",
        "before_year",
        "years",
    }
)
_PARTS = {
    "contains": ("whose {noun} contains {v}", "whose {noun} includes {v}", "with {v} in the {noun}", "with {a} containing {v}", "where the {own}{noun} contains {v}", "where the {noun} contains the word {v}", "where the {noun} includes {v}", "with {v} in [its|their] {noun}", "whose {noun} contains the word {v}"),
    "starts": ("whose {noun} starts with {v}", "whose {noun} begins with {v}", "with {a} starting with {v}", "where the {own}{noun} starts with {v}", "where the {noun} begins with {v}", "with {a} beginning with {v}", "whose {noun} starts with the letter {v}"),
    "ends": ("whose {noun} ends with {v}", "whose {noun} ends in {v}", "with {a} ending in {v}", "where the {own}{noun} ends with {v}"),
}  # fmt: skip


def _negated(phrases: Sequence[str]) -> list[str]:
    """Turn phrases that say a value into those that say another: `where the reporter is not a {}`."""
    said = []
    for each in phrases:
        if each.startswith("pre:") or "[" in each:
            continue
        if re.search(r" (is|was|were) ", each):
            said.append(re.sub(r" (is|was|were) ", r" \1 not ", each, count=1))
            said.append(
                re.sub(
                    r" an? \{\}| \{\}",
                    " someone other than {}" if " by " in each else " something other than {}",
                    each,
                )
            )
        elif not each.startswith(_INTROS):
            said.append("not " + each)
    return said


def _presence(noun: str, operator: str) -> list[str]:
    if operator == "null":
        return [
            f"without {_article(noun)}",
            f"with no {noun}",
            f"where the {noun} is missing",
            f"where the {noun} is unknown",
            f"whose {noun} is not recorded",
            f"that [has|have] no {noun}",
            f"with missing {noun}",
            f"where the {noun} is not given",
            f"where the {noun} is null",
        ]
    return [
        f"with a known {noun}",
        f"where the {noun} is known",
        f"that [has|have] {_article(noun)}",
        f"where the {noun} is recorded",
        f"where the {noun} is available",
        f"with a recorded {noun}",
        f"where the {noun} is not null",
        f"whose {noun} is recorded",
    ]


def _article(text: str) -> str:
    return (
        "an "
        if text[:1].lower() in "aeiou" and not text.lower().startswith(("uni", "use", "eu", "one "))
        else "a "
    ) + text


def _either(marks: list[str]) -> str:
    return marks[0] if len(marks) == 1 else ", ".join(marks[:-1]) + " or " + marks[-1]


def _opened(text: str) -> tuple[str, str]:
    if text.startswith("pre:"):
        return "pre", text.removeprefix("pre:")
    for intro in _INTROS:
        if text.startswith(intro):
            return intro.strip(), text.removeprefix(intro)
    return "", text


__all__ = ["Speaker", "inflect"]
