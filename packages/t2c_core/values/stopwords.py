"""Words that rarely name a value: stop words, and words of a graph's schema."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA

from t2c_core.values.normalization import fold, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

STOPWORDS = frozenset(
    """
    a an the this that these those such same other others another each every either neither both all any
    some none no not nor and or but if then than as so too very also only just even still yet once again
    per via versus vs i me my we us our you your he him his she her it its they them their who whom
    whose which what when where why how there here someone anyone everyone something anything everything
    nothing is are was were be been being am do does did done doing has have had having can could will
    would shall should may might must let of in on at by for from to into onto with without within about
    above across after against along among around before behind below beneath beside besides between
    beyond down during except inside near off out outside over past since through throughout toward
    towards under until till up upon more most less least fewer fewest many much several few lot lots
    enough first second third last next previous latest earliest newest oldest recent early late older
    younger higher highest lower lowest larger largest smaller smallest bigger biggest longer longest
    shorter shortest better best worse worst top bottom find list show give get return retrieve tell
    display identify name names named called count number numbers amount total sum average mean median
    minimum maximum min max calculate compute determine provide report describe described please want
    need know see look search select fetch include included includes including involve involved involves
    involving contain contains containing related relate relates associated associate linked link links
    connected belong belongs belonging occur occurs occurred occurring happen happened appear appears
    appeared use used uses using take taken takes taking make made makes making go goes went come comes
    came work works worked fall falls fell falling start starts started starting begin begins began
    beginning end ends ended ending exist exists existing register registered record recorded records
    entry entries item items thing things value values type types kind kinds category categories group
    groups grouped sort sorted order ordered rank ranked ascending descending distinct unique different
    various separate respective respectively corresponding common frequent frequently often usually
    typical typically specific certain particular given known listed distribution percentage percent
    share ratio proportion rate frequency times time day days week weeks month months year years date
    dates today yesterday tomorrow hour hours minute minutes age aged person people equal equals equally
    greater exactly approximately yes true false null empty missing available database data dataset
    graph node nodes relationship relationships property properties label labels details detail
    information info result results question answer query one zero two three four five six seven eight
    nine ten hundred thousand million found keep keeps kept seem seems become becomes became put puts
    set sets ask asks asked say says said think help helps gets got whether rather instead already
    currently ever never always sometimes however because due according based together apart amongst
    anybody everybody nobody whichever whatever thanks hello ok okay tells told explain understand
    compare compared comparison exclude excluded excluding filter filtered restrict restricted limit
    limited returned pull grab overall individual individually separately combined altogether apiece
    later afterwards earlier soon recently possible likely correct right wrong sure actually really
    quite almost nearly roughly wants wanted needs needed like likes liked prefer relevant matching
    match matches
    """.split()
)
"""Words of questions; a value that equals one needs evidence from the context to be linked."""

DESCRIBING_WORDS = frozenset(
    """
    common frequent recent early late separate specific certain particular known available missing possible likely
    correct right wrong relevant restricted limited registered related linked connected associated involved empty
    unique rare typical
    """.split()
)
"""Stop words that are values of a property in noun phrases like "common side effects"."""

DEGREE_ADVERBS = frozenset("most more less least very so too how as in equally".split())
"""Words after which a describing word is a comparison instead."""

FUNCTION_WORDS = frozenset(
    """
    is was are were be being as of the a an its their his her our your named called equals equal to for set
    either exactly property properties value values field attribute tag tagged """.split()
)
"""Words between a property and its value, as in "the route is other" and "other as its route"."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


@lru_cache(maxsize=16_384)
def name_stems(name: str) -> frozenset[str]:
    """Return the stems of the words in a name like `reporterOccupation`, `HAS_REACTION` or `Age Group`."""
    parts = [each.lower() for each in _PARTS.findall(name)]
    return frozenset(stem(each) for each in (*parts, *(word.folded for word in words(name))))


def resembles_stopword(folded: str) -> bool:
    """Return whether a normalized word is at most one edit away from a stop word."""
    return _has_near(folded, STOPWORDS)


class SchemaWords:
    """The words in the names of labels, relationship types and properties.

    Args:
        schema: the graph's schema.
    """

    def __init__(self, schema: GraphSchema) -> None:
        parts: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        names = [*(each.name for each in parts), *(own.name for each in parts for own in each.properties)]
        self._names = frozenset(each.casefold() for each in names)
        self._whole_stems = frozenset(stem(fold(each).replace(" ", "")) for each in names)
        self._stems = frozenset(one for each in names for one in name_stems(each))

    def is_name(self, text: str) -> bool:
        """Return whether a text is a name of the schema, or consists of words of names."""
        return text.casefold() in self._names or all(self.has(each.folded) for each in words(text))

    def is_phrase(self, folded_words: list[str]) -> bool:
        """Return whether the words form a name when joined, in any inflection, as in "age groups"."""
        return stem("".join(folded_words)) in self._whole_stems

    def has(self, folded: str) -> bool:
        """Return whether a normalized word occurs in a name, in any inflection."""
        return stem(folded) in self._stems

    def resembles(self, folded: str) -> bool:
        """Return whether a normalized word is at most one edit away from a word of a name."""
        return _has_near(stem(folded), self._stems)


def _has_near(word: str, candidates: Iterable[str]) -> bool:
    return bool(process.extractOne(word, candidates, scorer=OSA.distance, score_cutoff=1))
