"""Hugging Face checkpoints: architectures, reading, writing and inspection."""
