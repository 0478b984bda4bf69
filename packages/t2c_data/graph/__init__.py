"""What is known of a graph: a sample of it, and the context that generation works in."""
