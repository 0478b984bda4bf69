"""Queries against the schema: names, directions and types."""
