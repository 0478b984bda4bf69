"""What a pattern returns: its slots, filled from the place in the graph that the question is about."""
