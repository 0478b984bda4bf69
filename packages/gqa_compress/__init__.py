"""Turn a LLaMA-family checkpoint into a stock checkpoint with fewer key-value heads."""
