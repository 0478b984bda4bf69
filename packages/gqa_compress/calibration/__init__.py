"""From text to what a layer sees: token batches, residual streams, Grams."""
