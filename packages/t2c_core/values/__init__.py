"""Value index of a graph, and linking of questions to its values."""
