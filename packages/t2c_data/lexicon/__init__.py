"""Lexical resources: the nouns and verbs for labels, relationship types and properties."""
