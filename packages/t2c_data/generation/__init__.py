"""The template pipeline: templates are instantiated into question-Cypher pairs."""
