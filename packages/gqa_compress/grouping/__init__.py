"""Which heads become one: scores of pairs, and equal groups that keep most of them."""
