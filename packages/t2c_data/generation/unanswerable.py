"""Questions that the graph cannot answer: out-of-schema nouns in templates and frames, and unrelated requests.

Reads `unanswerable.yaml`, without the nouns and verbs that the graph's own lexicon uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.errors import UnfitError
from t2c_data.lexicon.measure_words import ADJECTIVES, GENERAL_ADJECTIVES
from t2c_data.lexicon.morphology import plural_of
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import expand_alternatives

if TYPE_CHECKING:
    from random import Random

    from t2c_data.generation.instantiate import TemplateInstantiator
    from t2c_data.lexicon.model import Noun
    from t2c_data.templates.model import QuestionTemplate

SOURCE = Path(__file__).with_name("unanswerable.yaml")
TEMPLATE_RATE = 0.5
"""Ratio of questions that use an answerable template with an out-of-schema noun."""
FRAME_RATE = 0.8
"""Ratio of the other questions that use a frame; the rest are unrelated requests."""
ADJECTIVE_RATE = 0.15
"""Ratio of questions that ask for an amount that the graph does not have: "the heaviest drug"."""
NONCE_WORD_RATE = 0.12
"""How often the noun is a nonce word."""
TRIES = 8

_SLOT_KINDS = frozenset({"own", "number"})
"""Kinds of slot `a` whose property an out-of-schema noun can replace."""
_ONSETS = "b br c cl d dr f fl g gr k l m n p pl qu r s st t tr v w z".split()
_VOWELS = "a e i o u oo ea ai".split()
_CODAS = "n r l s t m x nd rk lt sh ck".split()


class UnanswerableGenerator:
    """Generates questions that the graph cannot answer.

    Args:
        instantiator: instantiator for the graph.
        templates: all templates.
    """

    def __init__(self, instantiator: TemplateInstantiator, templates: tuple[QuestionTemplate, ...]) -> None:
        self._instantiator = instantiator
        self._context = instantiator.context
        self._templates = [each for each in templates if each.slots.get("a") in _SLOT_KINDS]
        content = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
        self._frames: list[str] = content["frames"]
        self._other: list[str] = content["other"]
        self._amounts: list[str] = content["amounts"]
        known = self._known_words()
        verbs = [each.strip() for each in content["verbs"].split(",")]
        self._verbs = [each for each in verbs if not set(each.split(" ")) & known]
        listed = [*self._context.lexicon.out_of_schema_nouns, *content["nouns"].split(",")]
        nouns = [each.strip().partition("|") for each in listed]
        self._nouns: list[Noun] = [
            (singular, plural or plural_of(singular))
            for singular, _, plural in nouns
            if not set(singular.lower().split(" ")) & known
        ]

    def rows(self, rng: Random, count: int) -> list[dict[str, Any]]:
        """Generate candidate rows.

        Args:
            rng: source of all random choices.
            count: maximum number of rows.
        """
        if rng.random() < ADJECTIVE_RATE:
            questions = [text for _ in range(count) if (text := self._from_amount(rng))]
        elif rng.random() < TEMPLATE_RATE and self._templates:
            questions = self._from_template(rng, count)
        else:
            questions = [self._from_frame(rng) for _ in range(count)]
        return [
            {
                "question": question, "cypher": "", "parameters": {}, "category": "unanswerable",
                "template": "unanswerable", "difficulty": 1, "result_rows": 0,
            }
            for question in questions
        ]  # fmt: skip

    def _from_template(self, rng: Random, count: int) -> list[str]:
        """Ask for an out-of-schema noun where a template asks for a property."""
        for _ in range(TRIES):
            noun = self._noun(rng)
            try:
                instance = self._instantiator.instantiate(
                    rng.choice(self._templates), rng, wordings=count, out_of_schema_noun=noun
                )
            except UnfitError:
                continue
            texts = [text for text in instance.texts if noun[0] in text or noun[1] in text]
            if texts:
                return [realise(text, "", instance.mentions, rng).question for text in texts]
        return []

    def _from_frame(self, rng: Random) -> str:
        context = self._context
        label = rng.choice(context.labels)
        noun = rng.choice(context.lexicon.labels[label].nouns)
        frames = self._frames if rng.random() < FRAME_RATE else self._other
        text = expand_alternatives(rng.choice(frames), rng)
        roots, root = self._roots(label, noun, rng)
        names = context.properties_of(label)
        words = context.words(label, rng.choice(names)) if names else None
        singular, plural = self._noun(rng)
        text = text.format(
            x=singular, xs=plural, root=roots, root1=root, noun=noun[0], nouns=noun[1],
            verb=rng.choice(self._verbs), p=words.nouns[0][0] if words else "name",
        )  # fmt: skip
        return _finish(text, rng)

    def _from_amount(self, rng: Random) -> str:
        """Ask for an amount that no property of a label holds; empty if there is none."""
        context = self._context
        label = rng.choice(context.labels)
        known = " ".join(
            " ".join((*words.superlative_max, *words.superlative_min, *words.greater_than, *words.less_than))
            for (owner, _), words in context.lexicon.properties.items()
            if owner == label
        )
        absent = [
            (superlative, adjective)
            for superlative, adjective in ADJECTIVES.items()
            if adjective not in GENERAL_ADJECTIVES and superlative not in known and adjective not in known
        ]
        if not absent:
            return ""
        superlative, adjective = rng.choice(absent)
        noun = rng.choice(context.lexicon.labels[label].nouns)
        text = expand_alternatives(rng.choice(self._amounts), rng).format(
            superlative=superlative, adjective=adjective, noun=noun[0], nouns=noun[1],
            root1=self._roots(label, noun, rng)[1], k=rng.choice((2, 3, 3, 5, 10)),
        )  # fmt: skip
        return _finish(text, rng)

    def _noun(self, rng: Random) -> Noun:
        if rng.random() < NONCE_WORD_RATE or not self._nouns:
            syllables = (rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 2)))
            word = "".join(syllables) + rng.choice(_CODAS)
            return word, word + "s"
        return rng.choice(self._nouns)

    def _roots(self, label: str, noun: Noun, rng: Random) -> tuple[str, str]:
        """Return noun phrases for several nodes of a label and for one."""
        words = self._context.lexicon.labels[label]
        name = words.naming_properties[0] if words.naming_properties else words.display_property
        values = self._context.sample.values.get((label, name), [])
        if not values or rng.random() < 0.25:
            return rng.choice(("all ", "the ", "")) + noun[1], f"the {noun[0]}"
        value = rng.choice(values)
        quote = rng.choice(("'", '"', "")) if isinstance(value, str) else ""
        quoted = f"{quote}{value}{quote}"
        one = rng.choice((f"the {noun[0]} {quoted}", quoted, f"{noun[0]} {quoted}"))
        return rng.choice((f"{noun[1]} like {quoted}", one)), one

    def _known_words(self) -> set[str]:
        """Return the words of the lexicon, in lower case."""
        lexicon = self._context.lexicon
        nouns = [noun for words in lexicon.labels.values() for noun in (*words.nouns, *words.animate_nouns)]
        nouns += [noun for words in lexicon.properties.values() for noun in words.nouns]
        entries = lexicon.relationships.values()
        nouns += [noun for words in entries for noun in (*words.target_role, *words.source_role)]
        phrases = [phrase for words in entries for phrase in (*words.forward, *words.backward)]
        known = {word.lower() for noun in nouns for form in noun for word in form.split(" ")}
        return known | {word for phrase in phrases for word in phrase.split(" ")}


def _finish(text: str, rng: Random) -> str:
    if rng.random() < 0.7:
        text = text[:1].upper() + text[1:]
    return text + rng.choice(("?", "?", ".", ""))
