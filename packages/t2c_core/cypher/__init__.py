"""The text of Cypher queries."""
