"""Graph access: embedded Neo4j, read-only client, CSV import and hardening check."""
