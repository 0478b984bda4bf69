"""Turn a Neo4j graph into question-Cypher pairs."""
