"""A checkpoint run in this process, with constrained decoding."""
