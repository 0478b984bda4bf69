"""Text in: calibration text and training rows, tokenized, packed and batched."""
