"""Cypher: parser, syntax tree and renderer of the read-only subset."""
