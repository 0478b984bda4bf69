"""Clauses and whole queries.

What is not reading is known by its first word only, and refused with a reason of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.ast_nodes import (
    CallProcedure,
    CallSubquery,
    Finish,
    Match,
    OrderBySkipLimit,
    ProjectionItem,
    Query,
    Return,
    SingleQuery,
    SortItem,
    Unwind,
    With,
    YieldItem,
)
from t2c_core.cypher.lexer import END
from t2c_core.cypher.patterns import PatternParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Clause, Expression, PathPattern, Variable
    from t2c_core.errors import CypherSyntaxError, SyntaxErrorReason

_REFUSED_WORDS: dict[SyntaxErrorReason, str] = {
    "write": "CREATE MERGE SET DELETE DETACH NODETACH REMOVE FOREACH INSERT",
    "load": "LOAD",
    "command": "SHOW TERMINATE ALTER DROP GRANT DENY REVOKE RENAME START STOP ENABLE DRYRUN DEALLOCATE REALLOCATE "
    "DEFINE USING",
    "use": "USE",
    "option": "EXPLAIN PROFILE CYPHER",
    "statements": ";",
}
REFUSED = {word: reason for reason, words in _REFUSED_WORDS.items() for word in words.split()}
"""Why a query with a clause that begins with a word is refused."""
MatchMode = Literal["DIFFERENT RELATIONSHIPS", "REPEATABLE ELEMENTS"]
_MODES: dict[tuple[str, ...], MatchMode] = {
    ("REPEATABLE", "ELEMENTS"): "REPEATABLE ELEMENTS",
    ("REPEATABLE", "ELEMENT", "BINDINGS"): "REPEATABLE ELEMENTS",
    ("DIFFERENT", "RELATIONSHIPS"): "DIFFERENT RELATIONSHIPS",
    ("DIFFERENT", "RELATIONSHIP", "BINDINGS"): "DIFFERENT RELATIONSHIPS",
}


class ClauseParser(PatternParser):
    """Reads clauses and queries."""

    def query(self) -> Query:
        """Read a query up to its end or a closing brace."""
        return self._query(must_end=True)

    def query_or_pattern(self) -> Query:
        """Read a query up to a closing brace, or a pattern with or without WHERE, which means one MATCH."""
        if self.key in REFUSED or (self.key in _CLAUSES and self.keys[self.at + 1] != "="):
            return self._query(must_end=False)
        position = self.starts[self.at]
        patterns, where, mode = self._matched()
        match = Match(patterns, where, mode=mode, position=position)
        return Query((SingleQuery((match,), position=position),), position=position)

    def _query(self, *, must_end: bool) -> Query:
        position = self.starts[self.at]
        parts = [self._single(must_end=must_end)]
        kinds = set()
        while self.accept("UNION"):
            kinds.add(self.accept("ALL"))
            self.accept("DISTINCT")
            if len(kinds) > 1:
                raise self.error("UNION and UNION ALL cannot be mixed", at=self.at - 1)
            parts.append(self._single(must_end=must_end))
        return Query(tuple(parts), True in kinds, position=position)

    def _single(self, *, must_end: bool) -> SingleQuery:
        position = self.starts[self.at]
        clauses: list[Clause] = []
        while self.key in _CLAUSES:
            if clauses and isinstance(clauses[-1], Return | Finish):
                raise self.error(f"nothing may follow {self.keys[self.at - 1]}")
            clauses.append(_CLAUSES[self.key](self))
        if self.key not in (END, "}", "UNION", ";") or not clauses:
            raise self._refused()
        if must_end and not _ends(clauses[-1]):
            raise self.unexpected("RETURN")
        return SingleQuery(tuple(clauses), position=position)

    def _refused(self) -> CypherSyntaxError:
        """Make the error for what stands where a clause may begin."""
        reason = REFUSED.get(self.key)
        if reason is None:
            return self.unexpected("a clause")
        if reason == "statements":
            return self.error("only one query may be sent at once", reason)
        return self.error(
            f"{self.texts[self.at].upper()} is not allowed; queries only read the graph", reason
        )

    # Clauses, each from its first word

    def _match(self) -> Match:
        position = self.starts[self.at]
        optional = self.accept("OPTIONAL")
        self.expect("MATCH")
        patterns, where, mode = self._matched()
        return Match(patterns, where, optional, mode, position=position)

    def _matched(self) -> tuple[tuple[PathPattern, ...], Expression | None, MatchMode | None]:
        mode = None
        for phrase, meaning in _MODES.items():
            if self.keys[self.at : self.at + len(phrase)] == list(phrase):
                if self.version == 5:
                    raise self.error(f"Cypher 5 has no {meaning}")
                mode = meaning
                for _ in phrase:
                    self.advance()
        return self.patterns(), self.where(), mode

    def _optional(self) -> Clause:
        return self._call_clause() if self.keys[self.at + 1] == "CALL" else self._match()

    def _unwind(self) -> Unwind:
        position = self.starts[self.at]
        self.advance()
        expression = self.expression()
        self.expect("AS")
        return Unwind(expression, self.variable(), position=position)

    def _return(self) -> Return:
        position = self.starts[self.at]
        self.advance()
        return Return(*self._projection_body(), position=position)

    def _with(self) -> With:
        position = self.starts[self.at]
        self.advance()
        return With(*self._projection_body(), self.where(), position=position)

    def _projection_body(
        self,
    ) -> tuple[
        tuple[ProjectionItem, ...], bool, bool, tuple[SortItem, ...], Expression | None, Expression | None
    ]:
        distinct = self.accept("DISTINCT")
        star = self.accept("*")
        items = []
        if not star or self.accept(","):
            items.append(self._projected_item())
            while self.accept(","):
                items.append(self._projected_item())
        return tuple(items), star, distinct, *self._paging()

    def _projected_item(self) -> ProjectionItem:
        position = self.starts[self.at]
        expression = self.expression()
        return ProjectionItem(expression, self._alias(), position=position)

    def _alias(self) -> Variable | None:
        return self.variable() if self.accept("AS") else None

    def _paging(self) -> tuple[tuple[SortItem, ...], Expression | None, Expression | None]:
        order = []
        if self.accept("ORDER"):
            self.expect("BY")
            order.append(self._sort_item())
            while self.accept(","):
                order.append(self._sort_item())
        skip = self.expression() if self.accept("SKIP") or self.accept("OFFSET") else None
        limit = self.expression() if self.accept("LIMIT") else None
        return tuple(order), skip, limit

    def _sort_item(self) -> SortItem:
        position = self.starts[self.at]
        expression = self.expression()
        descending = self.key in ("DESC", "DESCENDING")
        if descending or self.key in ("ASC", "ASCENDING"):
            self.advance()
        return SortItem(expression, descending, position=position)

    def _page(self) -> OrderBySkipLimit:
        position = self.starts[self.at]
        return OrderBySkipLimit(*self._paging(), position=position)

    def _finish(self) -> Finish:
        position = self.starts[self.at]
        self.advance()
        return Finish(position=position)

    # CALL

    def _call_clause(self) -> CallSubquery | CallProcedure:
        position = self.starts[self.at]
        optional = self.accept("OPTIONAL")
        self.expect("CALL")
        if self.key in ("(", "{"):
            return self._call_subquery(position, optional=optional)
        return self._call_procedure(position, optional=optional)

    def _call_subquery(self, position: int, *, optional: bool) -> CallSubquery:
        imports: tuple[Variable, ...] | None = None
        star = False
        if self.accept("("):
            star = self.accept("*")
            found: list[Variable] = []
            if not star and self.key != ")":
                found.append(self.variable())
                while self.accept(","):
                    found.append(self.variable())
            self.expect(")")
            imports = tuple(found)
        self.expect("{")
        query = self.query()
        self.expect("}")
        if self.key == "IN":
            raise self.error("CALL { } IN TRANSACTIONS is not allowed", "transactions")
        return CallSubquery(query, imports, star, optional, position=position)

    def _call_procedure(self, position: int, *, optional: bool) -> CallProcedure:
        name = self.dotted_name()
        arguments = self.parse_arguments() if self.accept("(") else None
        yields: tuple[YieldItem, ...] | None = None
        star = False
        where = None
        if self.accept("YIELD"):
            star = self.accept("*")
            yields = () if star else self._yields()
            where = None if star else self.where()
        return CallProcedure(name, arguments, yields, star, where, optional, position=position)

    def _yields(self) -> tuple[YieldItem, ...]:
        found: list[YieldItem] = []
        while not found or self.accept(","):
            position = self.starts[self.at]
            name = self.name("a column")
            found.append(YieldItem(name, self._alias(), position=position))
        return tuple(found)


_CLAUSES: dict[str, Callable[[ClauseParser], Clause]] = {
    "CALL": ClauseParser._call_clause,
    "FINISH": ClauseParser._finish,
    "LIMIT": ClauseParser._page,
    "MATCH": ClauseParser._match,
    "OFFSET": ClauseParser._page,
    "OPTIONAL": ClauseParser._optional,
    "ORDER": ClauseParser._page,
    "RETURN": ClauseParser._return,
    "SKIP": ClauseParser._page,
    "UNWIND": ClauseParser._unwind,
    "WITH": ClauseParser._with,
}
"""The words that clauses of the reading language begin with."""


def _ends(clause: Clause) -> bool:
    """Tell whether a query may end with a clause."""
    if isinstance(clause, CallSubquery):
        return all(
            _ends(part.clauses[-1]) and not isinstance(part.clauses[-1], Return)
            for part in clause.query.parts
        )
    return isinstance(clause, Return | Finish | CallProcedure)
