"""Convert a LLaMA-family checkpoint into a standard checkpoint with fewer KV heads, and train it."""
