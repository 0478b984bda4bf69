"""Pruning of KV heads during training: masks and their schedule, initial weights, the mixed model."""
