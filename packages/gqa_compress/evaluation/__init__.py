"""Evaluation: perplexity, agreement with a teacher, KV-cache size and speed, head similarity, report."""
