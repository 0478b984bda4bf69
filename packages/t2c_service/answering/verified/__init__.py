"""Verified queries: named, parameterised queries of a file that answer questions without a model."""
