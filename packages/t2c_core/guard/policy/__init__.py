"""Access control by label and property."""
