"""What a follow-up says: edits of the query before, read from its words.

Each rule takes its words out of the text; a follow-up is read when no word of content is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.values.normalization import words
from t2c_service.answering.conversation.follow_up import FollowUp, Sorting
from t2c_service.answering.conversation.operations import HIGHEST, LOWEST, Operations, joined
from t2c_service.answering.conversation.vocabulary import LIGHT, content_stem, spans

if TYPE_CHECKING:
    from t2c_core.values.linker import LinkedMention, LinkedQuestion
    from t2c_service.answering.conversation.vocabulary import PropertyOf, Vocabulary

SILENT = LIGHT | frozenset(
    """
    please instead same too for as into per more ok okay now again what whats which who when where how show list give
    get tell display see name names add include including would like want can could you i we in on at with to by from
    during since because due here if any let lets make only first year years month date all every most long much many
    still currently sure yes no thanks hm really rather else case cases both respective respectively shown need
    needs not than such kind about between each whose
    """.split()
)
"""Words that may be left when a follow-up is read."""
MAX_BARE_WORDS = 6
"""Maximum number of words of a question without a noun or value that may be a follow-up."""
_REFERS = re.compile(
    r"\b(?:them|they|these|those|their|theirs|it|its|he|she|him|his|her|hers|ones"
    r"|the (?:same|others?|rest|first one|last one)|of (?:which|whom)"
    r"|(?:sort|order|rank|is|does|do|of|show|count|limit|reverse|about|for|in|with) that|that$|there$)\b"
)
_SINGULAR = re.compile(r"\b(?:it|its|he|she|his|her|him)\b")
_OPENS = re.compile(
    r"^(?:and|or|but|only|just|also|now|then|same|instead|with|without|exclude|excluding|except|include|add|sort(?:ed)?"
    r"|order(?:ed)?|rank(?:ed)?|arranged?|reversed?|limit(?:ed)?|make it|in total|per|by|not|no|show all|those|these"
    r"|for|on|in|of|at|more than|less than|fewer than|longer than|before|after|over|under|alphabetical(?:ly)?"
    r"|top #\d+$|the)\b"
)
_WHAT_ABOUT = re.compile(r"(?:and |but |so )?(?:what|how) about\b")
_REPLACES = re.compile(
    r"(?:(?:and|or|what about|how about|same for)(?: (?:of|for|the))* |(?:of|for) (?:the )?)#0"
)
_CLOSES = re.compile(r"\b(?:only|too|as well|instead|first|please)$")
_ASKS = re.compile(
    r"^(?:and |but |so )*(?:which|what|whats|who|whose|when|where|how|is|are|do|does|did|can|has|have|show|list|give"
    r"|find|tell|name)\b"
)
_CONTRACTIONS = {
    "whats": ["what", "is"], "whos": ["who", "is"], "hows": ["how", "is"], "thats": ["that", "is"],
    "dont": ["do", "not"], "doesnt": ["does", "not"], "arent": ["are", "not"], "isnt": ["is", "not"],
    "didnt": ["did", "not"], "werent": ["were", "not"], "wasnt": ["was", "not"], "havent": ["have", "not"],
    "hasnt": ["has", "not"], "cant": ["can", "not"],
}  # fmt: skip
_OPERATORS = {
    "<=": r"at most|up to|no more than|not more than|until|or (?:less|fewer|earlier)",
    ">=": r"at least|no less than|not less than|from|since|or (?:more|later|over)",
    ">": r"(?:more|greater|higher|larger|longer|later|older|newer|bigger) than|over|above|after|exceeding",
    "<": r"(?:less|fewer|lower|smaller|shorter|earlier|younger|cheaper) than|under|below|before",
}
_COMPARED = re.compile(
    "|".join(rf"\b(?:{each})\b(?= (?:the )?#)" for each in _OPERATORS.values())
    + r"|\bor (?:more|less|later|earlier|fewer|over)\b"
)
_NOT = r"\b(?:not|without|exclude|excluding|except(?: for)?|no|leave out|omit|other than|apart from)\b"
_NEGATED = re.compile(rf"{_NOT}(?: (?:the|any|a|those|ones|who|with|in|on|of|are|is))*$")
_EXACTLY = re.compile(r"\b(?:in|of|on|for|exactly)$")
CONTEXT = 4
"""Number of words before a value in which a comparison or negation is looked for."""


class FollowUpReader:
    """Reads follow-ups with the words of one graph.

    Args:
        vocabulary: words of the graph.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._operations = Operations(vocabulary)

    def refers_back(self, linked: LinkedQuestion) -> bool:
        """Return whether a text has a pronoun or an opening that only another question can complete."""
        text = _text(linked).strip()
        return bool(_REFERS.search(text) or _OPENS.match(text) or _WHAT_ABOUT.match(text))

    def is_follow_up(self, linked: LinkedQuestion) -> bool:
        """Return whether a text may change the question before rather than being one of its own."""
        text = _text(linked).strip()
        if _REFERS.search(text) or _WHAT_ABOUT.match(text):
            return True
        tokens = text.split()
        has_label = any(
            key in self._vocabulary.label_nouns for _, _, key in spans(tokens, self._vocabulary.longest)
        )
        has_value = any(each.kind in {"value", "text"} for each in linked.links)
        if _ASKS.match(text):
            return not (has_label or has_value) and len(tokens) <= MAX_BARE_WORDS
        return bool(_OPENS.match(text)) or not has_label or bool(_CLOSES.search(text))

    def read(self, linked: LinkedQuestion) -> FollowUp:
        """Return the edits of a follow-up."""
        text, links = _text(linked), list(linked.links)
        found = FollowUp(
            is_singular=bool(_SINGULAR.search(text)), replaces=bool(_REPLACES.fullmatch(text.strip()))
        )
        tokens = self._operations.read(text, links, found).split()
        for start, end, key in spans(tokens, self._vocabulary.longest, with_values=True):
            if all(tokens[start:end]) and self._phrase(tokens, start, end, key, links, found):
                tokens[start:end] = [""] * (end - start)
        tokens = joined(tokens).split()
        for number, token in enumerate(tokens):
            if token.startswith("#"):
                before = " ".join(tokens[max(0, number - CONTEXT) : number])
                operator = _operator(before, " ".join(tokens[number + 1 : number + 3]))
                is_negated = bool(_NEGATED.search(before))
                found.values.append((links[int(token[1:])], operator, is_negated))
        self._rest(joined(tokens), found)
        return found

    def _phrase(
        self,
        tokens: list[str],
        start: int,
        end: int,
        key: tuple[str, ...],
        links: list[LinkedMention],
        found: FollowUp,
    ) -> bool:
        """Read a phrase of the graph; return whether it is one."""
        known = self._vocabulary
        numbers = [int(each[1:]) for each in tokens[start:end] if each.startswith("#")]
        if numbers:
            meanings = known.comparisons.get(key) if len(numbers) == 1 else None
            if meanings:
                found.comparisons.append((links[numbers[0]], frozenset(meanings)))
            return bool(meanings)
        truths = known.truths.get(key, set())
        if key in known.nouns and not any(isinstance(each.value, bool) for each in truths):
            truths = set()  # `in which units`, where a value is `units`
        if truths:
            before = " ".join(filter(None, tokens[max(0, start - CONTEXT) : start]))
            found.truths.append((frozenset(truths), bool(_NEGATED.search(before))))
        elif key in known.nouns or key in known.label_nouns:
            if labels := known.label_nouns.get(key):
                found.labels.append(frozenset(labels))
            if nouns := known.nouns.get(key):
                found.columns.append(frozenset(nouns))
        elif extremes := known.extremes.get(key):
            found.extremes.append(frozenset(extremes))
        else:
            return False
        return True

    def _rest(self, text: str, found: FollowUp) -> None:
        """Read single words: comparisons, superlatives, words of relationships and of phrases of properties."""
        rest = _COMPARED.sub(" ", text)
        if found.values or found.truths:
            rest = re.sub(_NOT, " ", rest)
        unread = []
        for word in rest.split():
            is_extreme = HIGHEST.fullmatch(word) or LOWEST.fullmatch(word)
            if is_extreme and found.sorting is None:
                found.sorting = Sorting(descending=HIGHEST.fullmatch(word) is not None, needs_limit=True)
            elif not word.startswith("#") and word not in SILENT and not self._word(word, text, found):
                unread.append(word)
        found.unread = tuple(unread)

    def _word(self, word: str, text: str, found: FollowUp) -> bool:
        """Read a word of a relationship or of a phrase of a property; return whether it is one."""
        key = content_stem(word)
        types, verbs = self._vocabulary.types.get(key, set()), self._vocabulary.verbs.get(key, set())
        if not types and not verbs:
            return False
        found.words.append((frozenset(types), frozenset(verbs)))
        asked = frozenset(of for of in verbs if self._asks_for(of, text))
        if asked and not found.values and not found.comparisons:
            found.columns.append(asked)
        return True

    def _asks_for(self, of: PropertyOf, text: str) -> bool:
        """Return whether the interrogative of a text asks for such a property: `when were they hired?`."""
        if self._vocabulary.is_date(of):
            return bool(re.search(r"\b(?:when|how old|what)\b", text))
        if "year" in of.key.lower() and " when " in text:
            return True
        return bool(re.search(r"\b(?:how|what)\b", text))


def _text(linked: LinkedQuestion) -> str:
    """Return the folded words of a follow-up between spaces, with `#0`, `#1` for linked mentions."""
    out: list[str] = []
    seen = -1
    for word in words(linked.question):
        number = next((n for n, each in enumerate(linked.links) if each.start <= word.start < each.end), -1)
        if number < 0:
            out += _CONTRACTIONS.get(word.folded, [word.folded])
        elif number != seen:
            out.append(f"#{number}")
        seen = number
    return joined(out)


def _operator(before: str, after: str) -> str:
    for operator, pattern in _OPERATORS.items():
        if re.search(rf"\b(?:{pattern})(?: the)?$", before) or re.match(rf"(?:{pattern})\b", after):
            return operator
    return "=" if _EXACTLY.search(before) else ""
