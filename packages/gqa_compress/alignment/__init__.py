"""Maps that bring heads onto each other without changing what the model computes."""
