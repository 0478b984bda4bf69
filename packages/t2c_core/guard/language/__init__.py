"""The read-only subset of Cypher: allowed elements and limits on complexity."""
