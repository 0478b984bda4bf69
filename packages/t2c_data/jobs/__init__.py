"""Public entry points: build a data set, validate pairs, run a recipe."""
