"""Names of value types, as in `x IS :: LIST<INTEGER NOT NULL>`."""

from __future__ import annotations

from t2c_core.cypher.token_stream import TokenStream

_SAME = {
    "BOOL": "BOOLEAN",
    "VARCHAR": "STRING",
    "INT": "INTEGER",
    "VERTEX": "NODE",
    "EDGE": "RELATIONSHIP",
    "PATHS": "PATH",
}
_SAME_25 = {"INT64": "INTEGER", "INTEGER64": "INTEGER", "FLOAT64": "FLOAT"}
_PLAIN = frozenset(
    {"NOTHING", "NULL", "BOOLEAN", "STRING", "INTEGER", "FLOAT", "DATE", "DURATION", "POINT", "NODE"}
    | {"RELATIONSHIP", "MAP", "PATH"}
)
_TIMES = ("TIME", "DATETIME")
_AFTER_ANY = frozenset({"NODE", "RELATIONSHIP", "MAP"})


class TypeParser(TokenStream):
    """Reads the names of types."""

    def type_name(self) -> str:
        """Read a type and give it in capitals, one name for each type, alternatives parted by ` | `."""
        parts = [self._alternative()]
        while self.key == "|" and self.at not in self.reserved:
            self.advance()
            parts.append(self._alternative())
        return " | ".join(parts)

    def _alternative(self) -> str:
        found = self._plain_type() + self._type_nullability()
        while self.key in ("LIST", "ARRAY"):
            self.advance()
            found = f"LIST<{found}>{self._type_nullability()}"
        return found

    def _type_nullability(self) -> str:
        if self.accept("!"):
            return " NOT NULL"
        if self.key == "NOT":
            self.advance()
            self.expect("NULL")
            return " NOT NULL"
        return ""

    def _plain_type(self) -> str:
        key = self._word()
        if key in _PLAIN:
            return key
        if key == "ANY":
            return self._any_type()
        if key in ("LIST", "ARRAY"):
            return f"LIST<{self._inner_type()}>"
        following = {"PROPERTY": ("VALUE",), "SIGNED": ("INTEGER",), "LOCAL": _TIMES, "ZONED": _TIMES}.get(
            key
        )
        if following:
            word = self._one_of(*following)
            return word if key == "SIGNED" else f"{key} {word}"
        if key in ("TIME", "TIMESTAMP"):
            zone = "ZONED" if self._one_of("WITH", "WITHOUT") == "WITH" else "LOCAL"
            if self._one_of("TIMEZONE", "TIME") == "TIME":
                self.expect("ZONE")
            return f"{zone} {'TIME' if key == 'TIME' else 'DATETIME'}"
        raise self.error(f"{self.texts[self.at - 1]} is no type", at=self.at - 1)

    def _any_type(self) -> str:
        if self.key == "PROPERTY":
            self.advance()
            self.expect("VALUE")
            return "PROPERTY VALUE"
        if _SAME.get(self.key, self.key) in _AFTER_ANY:
            return self._word()
        self.accept("VALUE")
        return f"ANY<{self._inner_type()}>" if self.key == "<" else "ANY"

    def _inner_type(self) -> str:
        self.expect("<")
        found = self.type_name()
        self.expect(">")
        return found

    def _word(self) -> str:
        key = self.key
        if not self.is_name(self.at):
            raise self.unexpected("a type")
        self.advance()
        return (_SAME | _SAME_25 if self.version == 25 else _SAME).get(key, key)

    def _one_of(self, *keys: str) -> str:
        key = self.key
        if key not in keys:
            raise self.unexpected(" or ".join(keys))
        self.advance()
        return key
