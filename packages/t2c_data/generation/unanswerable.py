"""Questions that the graph cannot answer: strange things in the frames of known ones, and other talk.

Reads `unanswerable.yaml`; leaves out what the graph's own words name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.errors import UnfitError
from t2c_data.lexicon.draft import plural_of
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import expand_alternatives

if TYPE_CHECKING:
    from random import Random

    from t2c_data.generation.instantiate import TemplateInstantiator
    from t2c_data.lexicon.model import Noun
    from t2c_data.templates.model import QuestionTemplate

SOURCE = Path(__file__).with_name("unanswerable.yaml")
TEMPLATE_RATE = 0.5
"""Share of strange things asked for in a pattern that is answerable otherwise."""
FRAME_RATE = 0.8
"""Of the rest, the share of strange things in frames of their own; what remains is other talk."""
NONCE_WORD_RATE = 0.12
"""How often a strange thing has a name that is no word."""
TRIES = 8

_ASKED = frozenset({"own", "number"})
_ONSETS = "b br c cl d dr f fl g gr k l m n p pl qu r s st t tr v w z".split()
_VOWELS = "a e i o u oo ea ai".split()
_CODAS = "n r l s t m x nd rk lt sh ck".split()


class UnanswerableGenerator:
    """Makes questions that the graph cannot answer.

    Args:
        composer: fills patterns of the graph.
        patterns: patterns that may ask for something strange.
    """

    def __init__(self, composer: TemplateInstantiator, patterns: tuple[QuestionTemplate, ...]) -> None:
        self._composer = composer
        self._world = composer.world
        self._patterns = [each for each in patterns if each.slots.get("a") in _ASKED]
        content = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
        self._frames: list[str] = content["frames"]
        self._other: list[str] = content["other"]
        known = self._known_words()
        self._verbs = [each.strip() for each in content["verbs"].split(",")]
        self._verbs = [each for each in self._verbs if not set(each.split(" ")) & known]
        listed = [*self._world.lexicon.absent, *content["absent"].split(",")]
        nouns = [each.strip().partition("|") for each in listed]
        self._out_of_schema_nouns: list[Noun] = [
            (one, many or plural_of(one)) for one, _, many in nouns if not set(one.lower().split(" ")) & known
        ]

    def rows(self, rng: Random, count: int) -> list[dict[str, Any]]:
        """Make some questions.

        Args:
            rng: every choice comes from it.
            count: how many, at most.
        """
        if rng.random() < TEMPLATE_RATE and self._patterns:
            questions = self._in_pattern(rng, count)
        else:
            questions = [self._in_frame(rng) for _ in range(count)]
        return [
            {
                "question": question, "cypher": "", "parameters": {}, "category": "unanswerable",
                "template": "unanswerable", "difficulty": 1, "result_rows": 0,
            }
            for question in questions
        ]  # fmt: skip

    def _in_pattern(self, rng: Random, count: int) -> list[str]:
        """Ask for a strange thing where a pattern asks for a property."""
        for _ in range(TRIES):
            stranger = self._thing(rng)
            try:
                draft = self._composer.instantiate(
                    rng.choice(self._patterns), rng, wordings=count, out_of_schema_noun=stranger
                )
            except UnfitError:
                continue
            texts = [text for text in draft.texts if stranger[0] in text or stranger[1] in text]
            if texts:
                return [realise(text, "", draft.mentions, rng).question for text in texts]
        return []

    def _in_frame(self, rng: Random) -> str:
        world = self._world
        label = rng.choice(world.labels)
        noun = rng.choice(world.lexicon.labels[label].nouns)
        text = expand_alternatives(
            rng.choice(self._frames if rng.random() < FRAME_RATE else self._other), rng
        )
        several, one = self._named(label, noun, rng)
        names = world.properties_of(label)
        words = world.words(label, rng.choice(names)) if names else None
        one_thing, things = self._thing(rng)
        fill = {
            "x": one_thing, "xs": things, "root": several, "root1": one, "noun": noun[0], "nouns": noun[1],
            "verb": rng.choice(self._verbs), "p": words.nouns[0][0] if words else "name",
        }  # fmt: skip
        text = text.format(**fill)
        if rng.random() < 0.7:
            text = text[:1].upper() + text[1:]
        return text + rng.choice(("?", "?", ".", ""))

    def _thing(self, rng: Random) -> Noun:
        if rng.random() < NONCE_WORD_RATE or not self._out_of_schema_nouns:
            syllables = (rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 2)))
            word = "".join(syllables) + rng.choice(_CODAS)
            return word, word + "s"
        return rng.choice(self._out_of_schema_nouns)

    def _named(self, label: str, noun: Noun, rng: Random) -> tuple[str, str]:
        words = self._world.lexicon.labels[label]
        name = words.name[0] if words.name else words.key
        values = self._world.sample.values.get((label, name), [])
        if not values or rng.random() < 0.25:
            return rng.choice(("all ", "the ", "")) + noun[1], f"the {noun[0]}"
        value = rng.choice(values)
        quote = rng.choice(("'", '"', "")) if isinstance(value, str) else ""
        shown = f"{quote}{value}{quote}"
        one = rng.choice((f"the {noun[0]} {shown}", shown, f"{noun[0]} {shown}"))
        return rng.choice((f"{noun[1]} like {shown}", one)), one

    def _known_words(self) -> set[str]:
        lexicon = self._world.lexicon
        nouns = [noun for words in lexicon.labels.values() for noun in (*words.nouns, *words.people)]
        nouns += [noun for each in lexicon.properties.values() for noun in each.nouns]
        nouns += [noun for link in lexicon.links.values() for noun in (*link.target, *link.source)]
        phrases = [text for link in lexicon.links.values() for text in (*link.forward, *link.backward)]
        words = {piece.lower() for noun in nouns for form in noun for piece in form.split(" ")}
        return words | {piece for phrase in phrases for piece in phrase.split(" ")}


__all__ = ["UnanswerableGenerator"]
