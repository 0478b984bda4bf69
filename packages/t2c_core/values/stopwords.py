"""Words that rarely name a value: plain English, words of questions, and words of a graph's schema.

Holds no look-ups: `link` asks here whether a word alone is reason enough to link it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA

from t2c_core.values.normalization import fold, words

if TYPE_CHECKING:
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
"""Words that people use to ask; a value spelt like one needs more than its letters to be linked."""

DESCRIBING_WORDS = frozenset(
    """
    common frequent recent early late separate specific certain particular known available missing possible likely
    correct right wrong relevant restricted limited registered related linked connected associated involved empty
    unique rare typical
    """.split()
)
"""Plain words that describe things; where a property has one as its value, "common side effects" names it."""

DEGREE_ADVERBS = frozenset("most more less least very so too how as in equally".split())
"""Words after which a describing word compares or counts instead."""

FUNCTION_WORDS = frozenset(
    """
    is was are were be being as of the a an its their his her our your named called equals equal to for set
    either exactly property properties value values field attribute tag tagged """.split()
)
"""Words between a property and its value: "the route is other", "other as its route"."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_ENDINGS = ("ings", "ing", "ies", "ied", "es", "ed", "s", "e", "y")
_MIN_STEM = 3


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Cut plural and verb endings off a folded word; good only for comparing with another stem."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=16_384)
def name_stems(name: str) -> frozenset[str]:
    """Take the stems of the words in a name like `reporterOccupation`, `HAS_REACTION` or `Age Group`."""
    parts = [each.lower() for each in _PARTS.findall(name)]
    return frozenset(stem(each) for each in (*parts, *(word.folded for word in words(name))))


class SchemaWords:
    """The words of a schema's labels, relationship types and property names.

    Args:
        schema: the graph's schema.
    """

    def __init__(self, schema: GraphSchema) -> None:
        holders: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        names = [*(each.name for each in holders), *(own.name for each in holders for own in each.properties)]
        self._names = frozenset(each.casefold() for each in names)
        self._whole_stems = frozenset(stem(fold(each).replace(" ", "")) for each in names)
        self._stems = frozenset(one for each in names for one in name_stems(each))

    def is_name(self, text: str) -> bool:
        """Tell whether a text is the name of a label, type or property, or made of such words."""
        return text.casefold() in self._names or all(self.holds(each.folded) for each in words(text))

    def is_phrase(self, inside: list[str]) -> bool:
        """Tell whether folded words make a name when written together, whatever its ending: `age groups`."""
        return stem("".join(inside)) in self._whole_stems

    def holds(self, folded: str) -> bool:
        """Tell whether a folded word occurs in a name, whatever its ending."""
        return stem(folded) in self._stems

    def near(self, folded: str) -> bool:
        """Tell whether a folded word looks like a misspelt word of a name."""
        return bool(process.extractOne(stem(folded), self._stems, scorer=OSA.distance, score_cutoff=1))


def near_common(folded: str) -> bool:
    """Tell whether a folded word looks like a misspelt word of plain English."""
    return bool(process.extractOne(folded, STOPWORDS, scorer=OSA.distance, score_cutoff=1))
