"""Models that generate Cypher: in process, or behind an OpenAI-compatible server."""
