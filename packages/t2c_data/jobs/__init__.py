"""Public entry points: build a dataset, validate and export pairs, run a recipe."""
