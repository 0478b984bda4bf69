"""Whole runs that chain the commands of the packages: the demo, and from a graph to a served model."""
