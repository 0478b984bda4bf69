"""Training: recipe, setup, losses, teacher, session, loop, checkpoints, artifacts."""
