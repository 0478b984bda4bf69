"""Read-back: a Cypher query in plain English, so that a person sees what was understood."""
