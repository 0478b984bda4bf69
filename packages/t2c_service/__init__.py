"""Answer plain questions with guarded, read-only Cypher."""
