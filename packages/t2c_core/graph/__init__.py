"""The database: an embedded Neo4j, READ-only access to any Neo4j, and CSV import."""
