"""Static semantics of compact Cypher: what a context-free grammar cannot say of a query that is being written.

Each variable is bound by a pattern, each linked value is used once and compared with a property in which it may occur,
sums and averages are of numbers, no pattern is repeated, and a grouped result is ordered by what it returns. The state
grows with the text, so that decoding can reject a token at once, in any tokenizer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from t2c_core.cypher.identifiers import unquote_identifier
from t2c_core.grammar.ebnf import NUMBERS
from t2c_core.grammar.lexemes import Lexeme, split_lexemes
from t2c_core.grammar.value_places import UNORDERED, Operand, ValuePlaces
from t2c_core.prompt.compact_cypher import ACCESS, NODE, TRIPLE
from t2c_core.prompt.schema_tokens import UNANSWERABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion

_CLAUSES: Final = frozenset({"MATCH", "WHERE", "WITH", "RETURN", "ORDER", "LIMIT", "SKIP"})
_CONNECTIVES: Final = frozenset({"AND", "OR", "XOR", "NOT", "CASE", "WHEN", "THEN", "ELSE", "END"})
_WORDS: Final = frozenset(
    """
    OPTIONAL BY DISTINCT IN CONTAINS STARTS ENDS IS NULL AS DESC ASC EXISTS COUNT true false null UNWIND
    """.split()
)
_KEYWORDS: Final = _CLAUSES | _CONNECTIVES | _WORDS
_AGGREGATES: Final = frozenset({"count(", "avg(", "min(", "max(", "sum(", "collect("})
_FUNCTIONS: Final = _AGGREGATES | frozenset(
    """
    size( date( datetime( localdatetime( time( duration( duration.between( duration.inMonths( duration.inDays( round(
    abs( floor( ceil( toFloat( toInteger( toString( toLower( toUpper( coalesce( labels( type( head( last( sqrt(
    """.split()
)
_PREFIXES: Final = frozenset(
    word[:length] for word in _KEYWORDS | _FUNCTIONS for length in range(1, len(word) + 1)
)
_SIGNS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_ITEMISED: Final = frozenset({"RETURN", "WITH", "ORDER"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known in a query, or in one of its subqueries."""

    variables: Mapping[str, tuple[str, ...]]
    """Bound variables with their label or types; those of the enclosing query are among them."""
    patterns: frozenset[str] = frozenset()
    """Patterns of this query and of enclosing ones."""
    clause: str = ""
    opening: str = ""
    """`EXISTS` or `COUNT` for a subquery."""
    projected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Variables and aliases of the WITH or RETURN that is being written."""
    item: str = ""
    """Text of the item or sort key that is being written."""
    items: frozenset[str] = frozenset()
    """Texts of the items of the RETURN."""
    is_aggregated: bool = False
    is_distinct: bool = False


@dataclass(frozen=True, slots=True)
class QueryState:
    """A query so far; `after` returns the state that follows."""

    semantics: StaticSemantics
    scopes: tuple[Scope, ...]
    tail: str = ""
    """Text of the lexeme that may still grow."""
    pending: bytes = b""
    """First bytes of a character."""
    used: frozenset[str] = frozenset()
    """Parameters so far."""
    operand: Operand | None = None
    operator: str = ""
    compared: str = ""
    """Text of the access or variable that `operand` describes."""
    equated: frozenset[str] = frozenset()
    """Accesses that this conjunction equates with a parameter."""
    waiting: str = ""
    """Parameter that awaits the list it is in."""
    brackets: tuple[str, ...] = ()
    """Open brackets, those of functions with their names."""
    previous: str = ""
    _spaced: list[QueryState | None] = field(init=False, default_factory=list, compare=False)
    """The state after a space, once it is known; most tokens begin with one."""

    def after(self, piece: bytes) -> QueryState | None:
        """Return the state after some more bytes, or None if no query begins so."""
        if piece[:1] == b" " and self.tail and not self.pending and piece != b" ":
            if not self._spaced:
                self._spaced.append(self.after(b" "))
            spaced = self._spaced[0]
            if spaced is None or not spaced.tail:
                return spaced and spaced.after(piece)
        text, pending = _decode(self.pending + piece)
        text = self.tail + text
        if not self.previous and UNANSWERABLE.startswith(text.lstrip()):
            return replace(self, tail=text, pending=pending)
        lexemes, tail = split_lexemes(text)
        state: QueryState | None = self
        for lexeme in lexemes:
            state = state and state._take(lexeme)
        if state is None or not state._may_begin(tail):
            return None
        return replace(state, tail=tail, pending=pending)

    @property
    def is_complete(self) -> bool:
        """Whether the query may end here."""
        if self.tail.strip() == UNANSWERABLE:
            return True
        last = self.after(b" ")
        if last is None or last.tail or last.brackets or last.waiting:
            return False
        return last._has_new_item() and (last.scope.clause != "ORDER" or last._is_sort_key())

    @property
    def scope(self) -> Scope:
        """Return the innermost scope."""
        return self.scopes[-1]

    def _take(self, lexeme: Lexeme) -> QueryState | None:
        match lexeme.kind:
            case "pattern":
                state = self._take_pattern(lexeme.text)
            case "parameter":
                state = self._take_parameter(lexeme.text.removeprefix("$"))
            case "function":
                state = self._take_function(lexeme.text)
            case "name" if lexeme.text in _KEYWORDS:
                state = self._take_keyword(lexeme.text)
            case "name":
                state = self._take_name(lexeme.text)
            case "sign":
                state = self._take_sign(lexeme.text)
            case _:
                state = self
        return state and replace(state._with_item(lexeme.text), previous=lexeme.text)

    def _take_pattern(self, text: str) -> QueryState | None:
        scope = self.scope
        if text in scope.patterns:
            return None
        bound = dict(scope.variables)
        if match := TRIPLE.fullmatch(text):
            if match["link"] in bound:
                return None
            types = tuple(unquote_identifier(each) for each in match["types"].split("|"))
            bound[match["source"]] = (unquote_identifier(match["source_label"]),)
            bound[match["link"]] = types
            bound[match["target"]] = (unquote_identifier(match["target_label"]),)
        elif match := NODE.fullmatch(text):
            bound[match["variable"]] = (unquote_identifier(match["label"]),)
        return self._with_scope(replace(scope, variables=bound, patterns=scope.patterns | {text}))

    def _take_parameter(self, name: str) -> QueryState | None:
        if not self._takes_parameter(name):
            return None
        is_first = self.operand is None
        state = replace(self, used=self.used | {name}, waiting=name if is_first else self.waiting)
        if self._is_equation():
            state = replace(state, equated=self.equated | {self.compared})
        return state

    def _is_equation(self) -> bool:
        return self.operator == "=" and self.operand is not None and self.operand.kind == "access"

    def _takes_parameter(self, name: str) -> bool:
        places = self.semantics.places
        if name in self.used or (self._is_equation() and self.compared in self.equated):
            return False
        if self.operand is not None:
            return places.fits(name, self.operand, self.operator)
        if self.brackets and self.brackets[-1] not in {"(", "{"}:
            return name in set(places.names())
        return any(
            places.accesses(owners, "", lambda operand: places.fits_list(name, operand))
            for owners in self.scope.variables.values()
        )

    def _take_function(self, text: str) -> QueryState | None:
        state = replace(self, brackets=(*self.brackets, text))
        scope = self.scope
        if text not in _AGGREGATES or scope.clause not in _ITEMISED:
            return state
        if scope.clause == "ORDER":
            return state if scope.is_aggregated or not scope.items else None
        return state._with_scope(replace(scope, is_aggregated=True))

    def _take_name(self, text: str) -> QueryState | None:
        scope = self.scope
        if self.previous == "AS":
            return self._with_scope(replace(scope, projected={**scope.projected, text: ()}))
        variable, access = _split_access(text)
        if variable not in scope.variables:
            return None
        owners = scope.variables[variable]
        operand = Operand("access", owners, *access) if access[0] else Operand("other")
        if not self._fits_function(operand, is_variable=not access[0], owners=owners):
            return None
        if self.waiting and not self.semantics.places.fits_list(self.waiting, operand):
            return None
        state = replace(self, operand=operand, compared=text, waiting="")
        if not access[0] and not owners:
            state = replace(state, operand=Operand("count"))
        is_item = self.previous in {"WITH", ",", "DISTINCT"} and self.brackets[-1:] in {(), ("{",)}
        if scope.clause == "WITH" and not access[0] and is_item:
            return state._with_scope(replace(scope, projected={**scope.projected, variable: owners}))
        return state

    def _fits_function(self, operand: Operand, *, is_variable: bool, owners: tuple[str, ...]) -> bool:
        """Return whether a variable or property may be aggregated as the innermost function says."""
        function = next((each for each in reversed(self.brackets) if each != "("), "")
        if function not in {"sum(", "avg(", "min(", "max("}:
            return True
        if is_variable:
            return not owners
        kind = self.semantics.places.type_of(operand)
        if function in {"sum(", "avg("}:
            return not kind or kind in NUMBERS
        return kind not in UNORDERED and not kind.startswith("LIST")

    def _take_keyword(self, text: str) -> QueryState | None:
        state: QueryState | None = self
        if text in _CLAUSES and not (text == "WITH" and self.previous in {"STARTS", "ENDS"}):
            state = self._take_clause(text)
        elif text in _CONNECTIVES:
            equated = self.equated if text in {"AND", "NOT"} else frozenset()
            state = None if self.waiting else replace(self, operand=None, operator="", equated=equated)
        elif text == "DISTINCT" and self.previous == "RETURN":
            state = self._with_scope(replace(self.scope, is_distinct=True))
        elif text in {"DESC", "ASC"}:
            state = self if self._is_sort_key() else None
        elif text in {"IN", "CONTAINS", "STARTS", "ENDS"}:
            state = replace(self, operator=text)
        return state

    def _take_clause(self, text: str) -> QueryState | None:
        scope = self.scope
        if self.waiting or not self._has_new_item() or (scope.clause == "ORDER" and not self._is_sort_key()):
            return None
        if scope.clause == "WITH":
            scope = replace(scope, variables=dict(scope.projected), patterns=frozenset(), items=frozenset())
            scope = replace(scope, projected={}, is_aggregated=False, is_distinct=False)
        elif scope.clause == "RETURN" and text == "ORDER":
            items = scope.items | {scope.item, *scope.projected}
            scope = replace(scope, items=items, variables={**scope.variables, **scope.projected})
        scope = replace(scope, clause=text, item="")
        limit = Operand("count") if text in {"LIMIT", "SKIP"} else None
        return replace(self._with_scope(scope), operand=limit, operator="=" if limit else "")

    def _take_sign(self, text: str) -> QueryState | None:
        state: QueryState | None = self
        if text in {"(", "["}:
            state = replace(self, brackets=(*self.brackets, text))
        elif text in {")", "]"}:
            state = self._close()
        elif text == "{":
            inner = replace(self.scope, clause="", opening=self.previous, item="")
            state = replace(self, scopes=(*self.scopes, inner), brackets=(*self.brackets, "{"))
        elif text == "}":
            state = self._close_subquery()
        elif text == ",":
            state = self._take_comma()
        elif text in _SIGNS:
            state = replace(self, operator=text)
        elif self.operand and not (text == "*" and self.previous == "count("):
            state = replace(self, operand=Operand("other"))
        return state

    def _close(self) -> QueryState | None:
        if not self.brackets or self.waiting:
            return None
        opening, state = self.brackets[-1], replace(self, brackets=self.brackets[:-1])
        if opening in {"count(", "size("}:
            return replace(state, operand=Operand("count"), operator="")
        if opening in {"(", "[", "date("}:
            return state
        return replace(state, operand=Operand("other"), operator="")

    def _close_subquery(self) -> QueryState | None:
        if len(self.scopes) == 1 or self.waiting or self.brackets[-1:] != ("{",):
            return None
        counted = Operand("count") if self.scope.opening == "COUNT" else None
        state = replace(self, scopes=self.scopes[:-1], brackets=self.brackets[:-1])
        return replace(state, operand=counted, operator="")

    def _take_comma(self) -> QueryState | None:
        scope = self.scope
        if self.brackets and self.brackets[-1] != "{":
            return self
        if scope.clause == "ORDER" and not self._is_sort_key():
            return None
        if scope.clause not in _ITEMISED:
            return self
        items = scope.items | {scope.item} if scope.clause == "RETURN" else scope.items
        if not self._has_new_item():
            return None
        return replace(self._with_scope(replace(scope, item="", items=items)), operand=None, operator="")

    def _has_new_item(self) -> bool:
        """Return whether the last item of a RETURN is not among the others."""
        return self.scope.clause != "RETURN" or self.scope.item not in self.scope.items

    def _is_sort_key(self) -> bool:
        return self._begins_sort_key(self.scope.item, is_whole=True)

    def _begins_sort_key(self, text: str, *, is_whole: bool = False) -> bool:
        """Return whether a grouped result returns what it is ordered by."""
        scope = self.scope
        if not (scope.is_aggregated or scope.is_distinct) or not scope.items:
            return bool(text)
        text = text.removesuffix("DESC").removesuffix("ASC")
        if is_whole:
            return text in scope.items or text.partition(".")[0] in scope.items
        return any(each.startswith(text) or text.startswith(f"{each}.") for each in scope.items)

    def _may_begin(self, tail: str) -> bool:
        """Return whether a lexeme that fits may begin so."""
        if tail.startswith("$"):
            return any(
                f"${name}".startswith(tail) and self._takes_parameter(name)
                for name in self.semantics.places.names()
            )
        is_name = bool(tail) and (tail[0].isalpha() or tail[0] in "_`")
        return not is_name or self.previous == "AS" or self._may_begin_name(tail)

    def _may_begin_name(self, tail: str) -> bool:
        scope, is_word = self.scope, tail in _PREFIXES
        if scope.clause == "ORDER" and not is_word and not self._begins_sort_key(scope.item + tail):
            return False
        variable, dot, access = tail.partition(".")
        if not dot:
            return is_word or any(each.startswith(tail) for each in scope.variables)
        if variable not in scope.variables:
            return is_word
        owners = scope.variables[variable]
        return self.semantics.places.accesses(
            owners, access, lambda operand: self._fits_here(operand, owners)
        )

    def _fits_here(self, operand: Operand, owners: tuple[str, ...]) -> bool:
        if self.waiting and not self.semantics.places.fits_list(self.waiting, operand):
            return False
        return self._fits_function(operand, is_variable=False, owners=owners)

    def _with_scope(self, scope: Scope) -> QueryState:
        return replace(self, scopes=(*self.scopes[:-1], scope))

    def _with_item(self, text: str) -> QueryState:
        scope = self.scope
        is_start = text in _CLAUSES or text in {"DISTINCT", "BY"} or (text == "," and not scope.item)
        if scope.clause not in _ITEMISED or is_start:
            return self
        return self._with_scope(replace(scope, item=scope.item + text))


class StaticSemantics:
    """Rules for the queries of one question.

    Args:
        schema: schema of the graph.
        linked: the question.
    """

    def __init__(self, schema: GraphSchema, linked: LinkedQuestion) -> None:
        self.places = ValuePlaces(schema, linked)
        self.key = self.places.key

    def start(self) -> QueryState:
        """Return the state of a query of which nothing is written."""
        return QueryState(self, (Scope({}),))

    def accepts(self, completion: str) -> bool:
        """Return whether a whole completion keeps the rules."""
        state = self.start().after(completion.encode())
        return state is not None and state.is_complete


def _split_access(text: str) -> tuple[str, tuple[str, str]]:
    """Return the variable of a name, and its property and part, empty for a bare variable."""
    match = ACCESS.fullmatch(text)
    if match is None:
        return text, ("", "")
    return match["variable"], (unquote_identifier(match["property"]), match["part"] or "")


def _decode(data: bytes) -> tuple[str, bytes]:
    """Decode bytes, and return those of an incomplete last character."""
    for length in range(min(4, len(data) + 1)):
        whole = data[: len(data) - length]
        try:
            return whole.decode(), data[len(data) - length :]
        except UnicodeDecodeError:
            continue
    return data.decode(errors="replace"), b""
