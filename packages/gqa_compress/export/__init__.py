"""Other formats of a checkpoint, for programs that do not read safetensors folders."""
