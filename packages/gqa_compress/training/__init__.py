"""Training from scratch or from a checkpoint, resumable at any moment."""
