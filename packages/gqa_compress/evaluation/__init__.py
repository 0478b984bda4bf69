"""What a model is worth: loss on text, distance from its teacher, bytes and speed of its cache."""
