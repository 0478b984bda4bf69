"""Training rows made from pairs."""
