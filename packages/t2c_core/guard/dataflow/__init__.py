"""Scope and data-flow analysis of a query."""
