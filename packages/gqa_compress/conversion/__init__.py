"""From a checkpoint to one with fewer KV heads, layer by layer, by calibration alone."""
