"""Question templates: the YAML files and their model."""
